//! The machine, and its rate of matrix products.

use gtr_backends::{BackendError, Compute, DeviceMemory, PeakRate, device_name};
use gtr_core::count;
use serde::Serialize;

use super::probe::Probe;
use super::timed::timed;
use crate::memory;

/// Number of products per size.
const TIMES: usize = 5;

/// The machine of a benchmark.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// Name of the processor.
    pub(super) processor: String,
    /// Number of compute threads.
    pub(super) threads: usize,
    /// Device that computes.
    pub(super) device: String,
    /// Best rate of matrix products on the device in the type of the run, in operations per second. On the CPU the products
    /// are in f32, as those of the models.
    pub(super) rate: f64,
    /// Peak memory of the process in the memory of the host, in bytes; `None` if the system does not report it.
    pub(super) host_memory: Option<u64>,
    /// Largest memory of the device in use at the end of a part, by all processes, and all of it, in bytes; `None` if the
    /// device does not report it, as the CPU.
    pub(super) device_memory: Option<DeviceMemory>,
}

impl Machine {
    /// Measures the rate of products of a device.
    pub(super) fn measure(compute: &Compute, probe: &mut impl Probe) -> Result<Self, BackendError> {
        let mut rate = 0.0_f64;
        for side in PeakRate::sides(compute) {
            let squares = PeakRate::new(side, compute)?;
            for _ in 0..TIMES {
                let (operations, duration) = timed(probe, || squares.multiply())?;
                rate = rate.max(operations / duration.as_secs_f64());
            }
        }
        let (processor, threads) = (processor(), gtr_backends::threads());
        let (device, host_memory) = (device_name(compute.device()), None);
        Ok(Self { processor, threads, device, rate, host_memory, device_memory: None })
    }

    /// Records the memory that the benchmark has used.
    pub(super) fn set_memory(&mut self, device_memory: Option<DeviceMemory>) {
        (self.host_memory, self.device_memory) = (memory::peak(), device_memory);
    }

    /// Describes the machine in one line; `dtype` is the type of the run.
    pub(super) fn line(&self, dtype: &str) -> String {
        let Self { processor, threads, device, rate, .. } = self;
        let (rate, threads) = (format!("{:.0} x 10^9 operations per second", rate / 1e9), count(*threads, "thread"));
        if device == "cpu" {
            return format!("{processor}, {threads}, matrix products: {rate}");
        }
        format!("{device}, matrix products in {dtype}: {rate}; {processor}, {threads}")
    }

    /// Describes the memory in one line with its end, if the memory of the device is known.
    pub(super) fn memory_line(&self) -> String {
        let gigabytes = |bytes: u64| {
            #[expect(clippy::cast_precision_loss, reason = "bytes of a memory are far below 2^53")]
            let bytes = bytes as f64;
            format!("{:.1} GB", bytes / 1e9)
        };
        let Some(DeviceMemory { used, total }) = self.device_memory else { return String::new() };
        let host = self.host_memory.map_or_else(|| "unknown".to_owned(), gigabytes);
        let device = format!("{} of {} in use at most", gigabytes(used), gigabytes(total));
        format!("device memory: {device}; host memory: {host} at most\n")
    }
}

/// Returns the name of the processor, or the architecture if the system does not tell the name.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::probe::DeviceProbe;

    #[test]
    fn the_lines_name_the_device_and_its_memory() {
        let compute = Compute::from(&gtr_backends::Device::Cpu);
        let machine = Machine::measure(&compute, &mut DeviceProbe::new(&compute)).unwrap();
        let (processor, threads) = (&machine.processor, count(machine.threads, "thread"));
        assert!(machine.line("f32").starts_with(&format!("{processor}, {threads}, matrix products: ")));
        assert_eq!(machine.memory_line(), "");

        let (device, rate) = ("cuda:0".to_owned(), 4.1e14);
        let gpu = Machine { device, rate, processor: "X".to_owned(), threads: 8, ..machine };
        let text = "cuda:0, matrix products in bf16: 410000 x 10^9 operations per second; X, 8 threads";
        assert_eq!(gpu.line("bf16"), text);
        let device_memory = Some(DeviceMemory { used: 5_250_000_000, total: 80_000_000_000 });
        let gpu = Machine { device_memory, host_memory: Some(1_000_000_000), ..gpu };
        assert_eq!(gpu.memory_line(), "device memory: 5.2 GB of 80.0 GB in use at most; host memory: 1.0 GB at most\n");
    }

    /// Counts how often it is waited for.
    struct Counting(usize);

    impl Probe for Counting {
        fn settle(&mut self) -> Result<(), BackendError> {
            self.0 += 1;
            Ok(())
        }

        fn warms_up(&self) -> bool {
            false
        }
    }

    #[test]
    fn the_device_is_waited_for_before_and_after_each_product() {
        let compute = Compute::from(&gtr_backends::Device::Cpu);
        let mut probe = Counting(0);
        Machine::measure(&compute, &mut probe).unwrap();
        assert_eq!(probe.0, 2 * TIMES * PeakRate::sides(&compute).len());
    }
}
