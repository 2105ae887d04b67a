//! Many images: in parts, each of which can be stopped, killed and continued, and joined to one whole.
//!
//! An image has the same bits whatever part it is made in, so what parts make together is what one process makes.
//!
//! [`make`] knows no model: it is given a function from positions to pictures.
//!
//! | file | what it says |
//! |---|---|
//! | `place.rs`, `store.rs`, `layout.rs`, `files.rs`, `shard.rs`, `prompts.rs` | what is asked for: where, laid out how, which part, of which prompts |
//! | `manifest.rs`, `checksum.rs` | what is known of a part |
//! | `lock.rs`, `holder.rs` | who may make it: by a lock, or by a file that names the process where there are no locks |
//! | `part.rs`, `making.rs` | making it: a batch computes while the one before is encoded and written |
//! | `gather.rs`, `export.rs`, `quad.rs` | joining: all parts checked, then written as a folder, as grids of four or for NumPy |

mod checksum;
mod export;
mod files;
mod gather;
mod holder;
mod layout;
mod lock;
mod making;
mod manifest;
mod part;
mod place;
pub mod prompts;
mod quad;
mod shard;
mod store;

pub use self::checksum::Checksum;
pub use self::export::{Destination, LABELS};
pub use self::gather::{Finished, Gathered};
pub use self::holder::Holder;
pub use self::layout::Layout;
pub use self::lock::{Lock, Taken};
pub use self::making::{clear, make};
pub use self::manifest::{Manifest, Run};
pub use self::part::Part;
pub use self::place::{Before, Place, Request};
pub use self::shard::{Shard, ShardChoice};
pub use self::store::Store;
