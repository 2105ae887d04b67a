//! Progress reports of an evaluation.

/// Receives progress reports. Every method has an empty default; `()` ignores all reports.
pub trait Progress {
    /// Starts: `images` will be generated. `operations` is the cost of these images and of those announced for later.
    fn start(&mut self, images: u64, operations: f64) {
        let _ = (images, operations);
    }

    /// Starts a batch of a subject, which takes `operations` in `ar_steps` AR steps.
    fn batch(&mut self, subject: &str, operations: f64, ar_steps: usize) {
        let _ = (subject, operations, ar_steps);
    }

    /// An AR step of the batch has finished.
    fn step(&mut self) {}

    /// `images` more images have been scored.
    fn judged(&mut self, images: usize) {
        let _ = images;
    }

    /// All images have been generated, or the evaluation stops.
    fn finish(&mut self) {}
}

impl Progress for () {}
