//! The images of a run: which they are, where they go, and what their files record.
//!
//! | file | what it says |
//! |---|---|
//! | `numbering.rs` | which images a run makes, and of which class or prompt each is |
//! | `layout.rs` | how they are laid out on a sheet |
//! | `record.rs`, `again.rs` | what a file records, and the arguments that make it again |
//! | `earlier.rs` | which files of a folder are of this run |
//! | `series.rs` | images on their way to a picture or a folder |

mod again;
pub(crate) mod earlier;
mod layout;
mod numbering;
mod record;
#[expect(clippy::module_inception, reason = "the other files are what it is made of")]
mod series;

pub use self::layout::Layout;
pub use self::numbering::{Numbering, Subjects, file_name};
pub use self::record::{Inpainting, Parameters, Recipe, Recorded, recorded};
pub use self::series::{Place, Series};
