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

/// Least number of repeats for which work is recorded. To record takes at least as long as to submit the work; the number
/// itself is a guess.
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
        // While this is held, candle refuses uploads and downloads, which would record the address of host memory.
        let _refused = device.enable_cuda_graph_htod_cache();
        stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).w().context(CONTEXT)?;
        let done = work();
        // `end_capture` would stop at an error of a release, and the stream must leave the capture in any case.
        let released = stream.context().check_err();
        // Without flags, a graph that does not release its memory cannot be launched twice: an error, and no leak.
        let graph = stream.end_capture(CUgraphInstantiate_flags(0));
        done?;
        released.w().context(CONTEXT)?;
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
    use std::cell::{Cell, RefCell};

    use candle_core::{DType, Tensor};

    use super::*;
    use crate::device::alone;

    /// Repeats work that cannot be recorded, and returns the error.
    fn fails(work: impl Fn(&Device, &Tensor) -> candle_core::Result<()>) -> String {
        let device = crate::device("cuda:0").unwrap();
        let memory = Tensor::zeros(8, DType::F32, &device).unwrap();
        let mut repeated = Repeated::new(&device, || work(&device, &memory).context("working"));
        let error = (0..=LEAST_REPEATS).rev().find_map(|left| repeated.run(left).err()).unwrap();
        drop(repeated);
        // The stream has left the capture.
        assert_eq!(memory.zeros_like().and_then(|zeros| zeros.to_vec1::<f32>()).unwrap(), [0.0; 8]);
        error.to_string()
    }

    #[test]
    fn work_is_recorded_if_it_is_repeated_often() {
        let _alone = alone();
        let device = crate::device("cuda:0").unwrap();
        let memory = Tensor::zeros(8, DType::F32, &device).unwrap();
        let calls = Cell::new(0);
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
        let uploads = |device: &Device, memory: &Tensor| memory.slice_set(&Tensor::new(&[1.0_f32; 8], device)?, 0, 0);
        assert_eq!(fails(uploads), "working");
        let list = RefCell::new(Vec::new());
        let keeps = |_: &Device, memory: &Tensor| {
            list.borrow_mut().push(memory.affine(2.0, 1.0)?);
            Ok(())
        };
        assert_eq!(fails(keeps), "launching a CUDA graph");
        // The second call is recorded, and releases memory of before.
        let calls = Cell::new(0);
        let releases = |_: &Device, memory: &Tensor| {
            calls.set(calls.get() + 1);
            memory.slice_set(&memory.affine(2.0, 1.0)?, 0, 0)?;
            if calls.get() == 2 {
                list.borrow_mut().clear();
            }
            Ok(())
        };
        assert_eq!(fails(releases), "recording a CUDA graph");
    }
}
