//! Runs of many images in shards, which can be interrupted, resumed and merged.
//!
//! An image has the same bits in any shard, so the merged shards equal the result of a single process.
//!
//! [`make`] does not depend on a model: its argument is a function from positions to images.
//!
//! | file | contents |
//! |---|---|
//! | `destination.rs`, `store.rs`, `layout.rs`, `files.rs`, `shard.rs`, `prompts.rs` | the request: destination, layout, shard and prompts |
//! | `manifest.rs`, `checksum.rs` | the record of a shard: its run and its finished images |
//! | `lock.rs`, `owner.rs` | exclusive access to a shard: a file lock, or a file with the process ID on file systems without locks |
//! | `part.rs`, `generate.rs` | generation of a shard: one batch is computed while the previous one is encoded and written |
//! | `gather.rs`, `export.rs`, `quad.rs` | merging: checks all shards, then writes a folder, grids of four images, or a NumPy archive |

mod checksum;
mod destination;
mod export;
mod files;
mod gather;
mod generate;
mod layout;
mod lock;
mod manifest;
mod owner;
mod part;
pub mod prompts;
mod quad;
mod shard;
mod store;

pub use self::checksum::Checksum;
pub use self::destination::{Before, BulkDestination, Request};
pub use self::export::{LABELS, MergeOutput};
pub use self::gather::{Finished, Gathered};
pub use self::generate::{clear, make};
pub use self::layout::FolderLayout;
pub use self::lock::{Lock, Taken};
pub use self::manifest::{Manifest, Run};
pub use self::owner::Holder;
pub use self::part::Part;
pub use self::shard::{Shard, ShardChoice};
pub use self::store::ShardStore;
