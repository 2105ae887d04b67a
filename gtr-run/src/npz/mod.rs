//! NumPy archives (`.npz`): zip files with one `.npy` file per array.
//!
//! Archives are untrusted input and are streamed. A header can state a false length or shape, and an array can unpack to more than
//! the available memory. Existing crates for this format allocate the size stated in the header, and depend on a second version of
//! the zip library.

mod read;
mod write;

pub use self::read::{Array, Header, Reader};
pub use self::write::{Element, Writer};
