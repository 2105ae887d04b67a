//! The machine, and how fast it multiplies matrices.

use std::time::Instant;

use gtr_backends::{BackendError, Squares};
use serde::Serialize;

/// Sides of the squares that are multiplied.
const SIDES: [usize; 2] = [1024, 2048];
/// How often each of them is.
const TIMES: usize = 5;

/// A machine.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// What its processor is called.
    pub(super) processor: String,
    /// Threads that compute.
    pub(super) threads: usize,
    /// Operations of f32 matrix products a second, the best that was reached.
    pub(super) rate: f64,
}

impl Machine {
    pub(super) fn measure() -> Result<Self, BackendError> {
        let mut rate = 0.0_f64;
        for side in SIDES {
            let squares = Squares::new(side)?;
            for _ in 0..TIMES {
                let started = Instant::now();
                let operations = squares.multiply()?;
                rate = rate.max(operations / started.elapsed().as_secs_f64());
            }
        }
        Ok(Self { processor: processor(), threads: gtr_backends::threads(), rate })
    }
}

/// What the system calls the processor.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}
