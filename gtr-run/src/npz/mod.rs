//! NumPy's archives of arrays: a zip file of one .npy file an array.
//!
//! They are read and written here, a few bytes at a time, and not by a crate: files from outside may lie about the length of a header or
//! the shape of an array, and may unpack to more than any memory. Crates for this format allocate what a header says, and bring a
//! second version of the zip library along.

mod read;
mod write;

pub use self::read::{Array, Header, Reader};
pub use self::write::{Element, Writer};
