//! Work that is repeated on the same memory.

use candle_core::Device;
#[cfg(feature = "cuda")]
use candle_core::cuda_backend::cudarc::driver::CudaGraph;
#[cfg(feature = "cuda")]
use candle_core::cuda_backend::cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};
#[cfg(feature = "cuda")]
use candle_core::cuda_backend::{CudaDevice, WrapErr};

use crate::BackendError;
#[cfg(feature = "cuda")]
use crate::error::Context;

/// Least number of repeats for which work is recorded. To record takes about as long as to submit the work.
const LEAST_REPEATS: usize = 3;

/// Work that reads and writes the same memory whenever it runs. On a CUDA device it is recorded as a graph, which is one
/// launch. On other devices it is called again.
pub(super) struct Repeated<'a, W> {
    device: &'a Device,
    work: W,
    graph: Option<Graph>,
}

impl<'a, W: FnMut() -> Result<(), BackendError>> Repeated<'a, W> {
    /// `work` must release all memory that it allocates.
    pub(super) fn new(device: &'a Device, work: W) -> Self {
        Self { device, work, graph: None }
    }

    /// Runs the work, which will then run `repeats` times more. The first run is never a recording, because it loads
    /// kernels.
    pub(super) fn run(&mut self, repeats: usize) -> Result<(), BackendError> {
        if let Some(graph) = &self.graph {
            return graph.launch();
        }
        (self.work)()?;
        if repeats >= LEAST_REPEATS {
            self.graph = Graph::record(self.device, &mut self.work)?;
        }
        Ok(())
    }
}

/// A CUDA graph: launches with the addresses of their operands.
#[cfg(feature = "cuda")]
struct Graph(CudaGraph);

#[cfg(feature = "cuda")]
impl Graph {
    /// Records what `work` submits to a CUDA device. The work is not done.
    fn record(device: &Device, work: impl FnMut() -> Result<(), BackendError>) -> Result<Option<Self>, BackendError> {
        match device {
            Device::Cuda(device) => Self::capture(device, work).map(Some),
            _ => Ok(None),
        }
    }

    fn capture(device: &CudaDevice, mut work: impl FnMut() -> Result<(), BackendError>) -> Result<Self, BackendError> {
        const CONTEXT: &str = "recording a CUDA graph";
        let stream = device.cuda_stream();
        // A call of this thread that cannot be recorded is an error.
        stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).w().context(CONTEXT)?;
        let done = work();
        // The stream must leave the capture, also after an error. Without flags, a graph that does not release its memory
        // cannot be launched twice: an error, and no leak.
        let graph = stream.end_capture(CUgraphInstantiate_flags(0));
        done?;
        let none = || candle_core::Error::Msg("there is no work".to_owned());
        graph.w().and_then(|graph| graph.map(Self).ok_or_else(none)).context(CONTEXT)
    }

    fn launch(&self) -> Result<(), BackendError> {
        self.0.launch().w().context("launching a CUDA graph")
    }
}

/// There are no graphs without CUDA.
#[cfg(not(feature = "cuda"))]
enum Graph {}

#[cfg(not(feature = "cuda"))]
impl Graph {
    #[expect(clippy::unnecessary_wraps, reason = "the same signature as with CUDA")]
    fn record(_: &Device, _: impl FnMut() -> Result<(), BackendError>) -> Result<Option<Self>, BackendError> {
        Ok(None)
    }

    fn launch(&self) -> Result<(), BackendError> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_other_devices_is_called_again() {
        let mut calls = 0;
        let mut repeated = Repeated::new(&Device::Cpu, || {
            calls += 1;
            Ok(())
        });
        for left in (0..6).rev() {
            repeated.run(left).unwrap();
        }
        assert_eq!(calls, 6);
        let mut fails = Repeated::new(&Device::Cpu, || Err(BackendError::Request("wrong".to_owned())));
        assert_eq!(fails.run(9).unwrap_err().to_string(), "wrong");
    }
}

/// Needs a driver, or its stand-in.
#[cfg(all(test, feature = "cuda"))]
mod cuda {
    use candle_core::{DType, Tensor};

    use super::*;
    use crate::device::alone;

    fn fails(work: impl Fn(&Device, &Tensor) -> candle_core::Result<Tensor>) -> String {
        let device = crate::device("cuda:0").unwrap();
        let memory = Tensor::zeros(8, DType::F32, &device).unwrap();
        let mut repeated = Repeated::new(&device, || {
            work(&device, &memory).and_then(|new| memory.slice_set(&new, 0, 0)).context("working")
        });
        let error = repeated.run(LEAST_REPEATS).unwrap_err().to_string();
        // The stream works afterwards.
        assert!(memory.contiguous().and_then(|memory| memory.to_vec1::<f32>()).is_ok());
        error
    }

    #[test]
    fn work_is_recorded_if_it_is_repeated_often() {
        let _alone = alone();
        let device = crate::device("cuda:0").unwrap();
        let memory = Tensor::zeros(8, DType::F32, &device).unwrap();
        let calls = std::cell::Cell::new(0);
        let work = || {
            calls.set(calls.get() + 1);
            memory.affine(2.0, 1.0).and_then(|new| memory.slice_set(&new, 0, 0)).context("working")
        };
        for (repeats, expected) in [(LEAST_REPEATS - 1, LEAST_REPEATS), (LEAST_REPEATS, 2)] {
            calls.set(0);
            let mut repeated = Repeated::new(&device, work);
            for left in (0..=repeats).rev() {
                repeated.run(left).unwrap();
            }
            // The first run is direct, the second is recorded, and a graph calls nothing.
            assert_eq!(calls.get(), expected, "{repeats}");
        }
    }

    #[test]
    fn what_cannot_be_recorded_is_an_error() {
        let _alone = alone();
        assert_eq!(fails(|device, memory| memory.broadcast_add(&Tensor::new(&[1.0_f32], device)?)), "working");
        // A graph that does not release its memory cannot be repeated.
        let list = std::cell::RefCell::new(Vec::new());
        let kept = fails(|_, memory| {
            let new = memory.affine(2.0, 1.0)?;
            list.borrow_mut().push(new.clone());
            Ok(new)
        });
        assert_eq!(kept, "recording a CUDA graph");
    }
}
