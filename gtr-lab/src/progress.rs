//! How far images that are made to be judged are, for who shows it.

/// Is told how far it is. Every method may be left out; `()` tells nobody.
pub trait Progress {
    /// So many images will be made; they, and what comes after them, take so many operations.
    fn start(&mut self, images: u64, operations: f64) {
        let _ = (images, operations);
    }

    /// A batch of a subject begins, of so many operations in so many AR steps.
    fn batch(&mut self, subject: &str, operations: f64, ar_steps: usize) {
        let _ = (subject, operations, ar_steps);
    }

    /// An AR step of the batch is done.
    fn step(&mut self) {}

    /// So many images are judged.
    fn judged(&mut self, images: usize) {
        let _ = images;
    }

    /// All images are made, or it stops.
    fn finish(&mut self) {}
}

impl Progress for () {}
