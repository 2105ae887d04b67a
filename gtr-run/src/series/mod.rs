//! Images of a run: their numbering, their metadata and their destination.
//!
//! | file | contents |
//! |---|---|
//! | `numbering.rs` | the numbering of the images, and the class or prompt of each |
//! | `layout.rs` | the arrangement of images on a sheet |
//! | `record.rs`, `reproduce.rs` | the metadata of a file, and the arguments that reproduce it |
//! | `previous.rs` | the files of earlier runs in a folder |
//! | `writer.rs` | the writer of a sheet or a folder |

mod layout;
mod numbering;
pub(crate) mod previous;
mod record;
mod reproduce;
mod writer;

pub use self::layout::SheetLayout;
pub use self::numbering::{Numbering, Subjects, file_name};
pub use self::record::{Inpainting, Parameters, Recipe, Recorded, recorded};
pub use self::writer::{Series, SeriesDestination};
