//! The machine, and its rate of matrix products.

use std::time::Instant;

use gtr_backends::{BackendError, PeakRate};
use serde::Serialize;

/// Sizes of the square matrices.
const SIDES: [usize; 2] = [1024, 2048];
/// Number of products per size.
const TIMES: usize = 5;

/// The machine of a benchmark.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// Name of the processor.
    pub(super) processor: String,
    /// Number of compute threads.
    pub(super) threads: usize,
    /// Best rate of f32 matrix products, in operations per second.
    pub(super) rate: f64,
}

impl Machine {
    pub(super) fn measure() -> Result<Self, BackendError> {
        let mut rate = 0.0_f64;
        for side in SIDES {
            let squares = PeakRate::new(side)?;
            for _ in 0..TIMES {
                let started = Instant::now();
                let operations = squares.multiply()?;
                rate = rate.max(operations / started.elapsed().as_secs_f64());
            }
        }
        Ok(Self { processor: processor(), threads: gtr_backends::threads(), rate })
    }
}

/// Returns the name of the processor, or the architecture if the system does not tell the name.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}
