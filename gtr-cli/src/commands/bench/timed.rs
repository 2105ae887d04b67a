//! A generator that measures its time.

use std::time::{Duration, Instant};

use super::probe::Probe;
use gtr_backends::BackendError;
use gtr_core::{
    BoxPreviewer, Denoise, FeatureReader, Grid, HeadKind, ImageEncoder, MaskedGenerator, NonFinite, StepContext,
    Targets, TokenIndex, TokenRanker,
};

/// Time of the parts of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    /// Encoder and decoder.
    pub(super) transformer: Duration,
    /// The diffusion head.
    pub(super) head: Duration,
    /// Decoding of tokens to pixels.
    pub(super) decode: Duration,
}

/// A generator with the time of its parts.
pub(super) struct Timed<G, P> {
    inner: G,
    probe: P,
    /// True if the model can decode images; otherwise the images are not decoded.
    decodes: bool,
    times: Times,
}

impl<G, P: Probe> Timed<G, P> {
    pub(super) fn new(inner: G, decodes: bool, probe: P) -> Self {
        Self { inner, probe, decodes, times: Times::default() }
    }

    /// The device of the generator.
    pub(super) fn probe(&mut self) -> &mut P {
        &mut self.probe
    }

    /// Returns the duration of a call that uses the generator, including the work that it queues on the device.
    pub(super) fn whole<T, E: From<BackendError>>(
        &mut self,
        call: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Duration, E> {
        self.probe.settle()?;
        let started = Instant::now();
        call(self)?;
        self.probe.settle()?;
        Ok(started.elapsed())
    }

    /// Returns the times since the last call.
    pub(super) fn take(&mut self) -> Times {
        std::mem::take(&mut self.times)
    }
}

/// Returns the result of a call, and its duration including the work that it queues on the device.
pub(super) fn timed<T, E: From<BackendError>>(
    probe: &mut impl Probe,
    call: impl FnOnce() -> Result<T, E>,
) -> Result<(T, Duration), E> {
    probe.settle()?;
    let started = Instant::now();
    let result = call()?;
    probe.settle()?;
    Ok((result, started.elapsed()))
}

/// Returns the result of a call, and adds its duration to a sum.
fn add<T>(
    sum: &mut Duration,
    probe: &mut impl Probe,
    call: impl FnOnce() -> Result<T, BackendError>,
) -> Result<T, BackendError> {
    let (result, duration) = timed(probe, call)?;
    *sum += duration;
    Ok(result)
}

impl<G: MaskedGenerator<Error = BackendError>, P: Probe> MaskedGenerator for Timed<G, P> {
    type Prompt = G::Prompt;
    type Canvas = G::Canvas;
    type Features = G::Features;
    type Tokens = G::Tokens;
    type Image = G::Image;
    type Error = G::Error;

    fn grid(&self) -> Grid {
        self.inner.grid()
    }

    fn head_kind(&self) -> HeadKind {
        self.inner.head_kind()
    }

    fn canvas(&mut self, prompts: &[G::Prompt], guided: bool) -> Result<G::Canvas, G::Error> {
        self.inner.canvas(prompts, guided)
    }

    fn features(
        &mut self,
        canvas: &mut G::Canvas,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<G::Features, G::Error> {
        add(&mut self.times.transformer, &mut self.probe, || self.inner.features(canvas, targets, step))
    }

    fn denoise(&mut self, features: &G::Features, request: &Denoise<'_>) -> Result<G::Tokens, G::Error> {
        add(&mut self.times.head, &mut self.probe, || self.inner.denoise(features, request))
    }

    fn commit(&mut self, canvas: &mut G::Canvas, targets: &Targets, tokens: G::Tokens) -> Result<(), G::Error> {
        self.inner.commit(canvas, targets, tokens)
    }

    fn is_known(&self, canvas: &G::Canvas, slot: usize, token: TokenIndex) -> bool {
        self.inner.is_known(canvas, slot, token)
    }

    fn values_on_host(&self) -> bool {
        self.inner.values_on_host()
    }

    fn find_non_finite(&self, canvas: &G::Canvas) -> Result<Option<NonFinite>, G::Error> {
        self.inner.find_non_finite(canvas)
    }

    fn decode(&mut self, canvas: G::Canvas) -> Result<Vec<G::Image>, G::Error> {
        if !self.decodes {
            return Ok(Vec::new());
        }
        add(&mut self.times.decode, &mut self.probe, || self.inner.decode(canvas))
    }

    fn feature_reader(&self) -> Option<&dyn FeatureReader<Features = G::Features, Error = G::Error>> {
        self.inner.feature_reader()
    }

    fn token_ranker(&self) -> Option<&dyn TokenRanker<Tokens = G::Tokens, Error = G::Error>> {
        self.inner.token_ranker()
    }

    fn image_encoder(&self) -> Option<&dyn ImageEncoder<Image = G::Image, Tokens = G::Tokens, Error = G::Error>> {
        self.inner.image_encoder()
    }

    fn previewer(&self) -> Option<BoxPreviewer<'_, G::Canvas, G::Image, G::Error>> {
        self.inner.previewer()
    }

    fn reuses(&self) -> bool {
        self.inner.reuses()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::thread;

    use gtr_core::sampler::{Job, Settings};
    use gtr_core::{Guidance, ImageIndex, Registry, Sampler, Seed, preset};

    use super::*;

    /// Work that waits in the queue of a stand-in for a device.
    type Queue = Rc<Cell<Duration>>;

    /// Works off the queue when it is waited for.
    struct StandIn(Queue);

    impl Probe for StandIn {
        fn settle(&mut self) -> Result<(), BackendError> {
            thread::sleep(self.0.take());
            Ok(())
        }

        fn warms_up(&self) -> bool {
            true
        }
    }

    /// Time of each piece of queued work.
    const WORK: Duration = Duration::from_millis(40);

    /// A model each of whose parts returns at once and leaves work in the queue.
    struct Queued<G>(G, Queue);

    impl<G: MaskedGenerator> Queued<G> {
        fn queue(&self, pieces: u32) {
            self.1.set(self.1.get() + WORK * pieces);
        }
    }

    impl<G: MaskedGenerator<Error = BackendError>> MaskedGenerator for Queued<G> {
        type Prompt = G::Prompt;
        type Canvas = G::Canvas;
        type Features = G::Features;
        type Tokens = G::Tokens;
        type Image = G::Image;
        type Error = BackendError;

        fn grid(&self) -> Grid {
            self.0.grid()
        }

        fn head_kind(&self) -> HeadKind {
            self.0.head_kind()
        }

        fn canvas(&mut self, prompts: &[G::Prompt], guided: bool) -> Result<G::Canvas, BackendError> {
            self.0.canvas(prompts, guided)
        }

        fn features(
            &mut self,
            canvas: &mut G::Canvas,
            targets: &Targets,
            step: &StepContext,
        ) -> Result<G::Features, BackendError> {
            self.queue(1);
            self.0.features(canvas, targets, step)
        }

        fn denoise(&mut self, features: &G::Features, request: &Denoise<'_>) -> Result<G::Tokens, BackendError> {
            self.queue(2);
            self.0.denoise(features, request)
        }

        fn commit(&mut self, canvas: &mut G::Canvas, targets: &Targets, tokens: G::Tokens) -> Result<(), BackendError> {
            self.0.commit(canvas, targets, tokens)
        }

        fn is_known(&self, canvas: &G::Canvas, slot: usize, token: TokenIndex) -> bool {
            self.0.is_known(canvas, slot, token)
        }

        fn values_on_host(&self) -> bool {
            self.0.values_on_host()
        }

        fn find_non_finite(&self, canvas: &G::Canvas) -> Result<Option<NonFinite>, BackendError> {
            self.0.find_non_finite(canvas)
        }

        fn decode(&mut self, canvas: G::Canvas) -> Result<Vec<G::Image>, BackendError> {
            self.queue(5);
            self.0.decode(canvas)
        }
    }

    /// A clock that stops before the device is done counts the work of a part for the next one, or not at all.
    #[test]
    fn each_part_counts_the_work_that_it_queues() {
        let queue = Queue::default();
        let inner = gtr_backends::open("digits", None, &gtr_backends::Device::Cpu).unwrap();
        let job = Job::new(inner.class(3).unwrap(), ImageIndex(0));
        let mut schedule = preset::find("mar-8").unwrap().schedule.clone();
        schedule.pace = schedule.pace.with("steps", 2);
        schedule.diffusion = schedule.diffusion.with("t", 1);
        let registry = Registry::builtin();
        let plan = schedule.plan(inner.grid(), &registry).unwrap().plan;
        let settings = Settings { seed: Seed(0), guidance: Guidance::NONE, temperature: 1.0 };
        let mut timed = Timed::new(Queued(inner, queue.clone()), true, StandIn(queue.clone()));
        Sampler::new(&plan, &registry).unwrap().batch(&[job], &settings).run(&mut timed).unwrap();
        let found = timed.take();
        // Two AR steps. No part may count the work of another one: the work of the CPU itself takes a few milliseconds.
        for (part, sum, pieces) in
            [("transformer", found.transformer, 2), ("head", found.head, 4), ("decode", found.decode, 5)]
        {
            assert!(sum >= WORK * pieces && sum < WORK * pieces + WORK * 3 / 2, "{part}: {sum:?}");
        }
        assert_eq!(queue.take(), Duration::ZERO);
    }

    #[test]
    fn a_clock_starts_when_earlier_work_is_done() {
        let queue = Queue::new(Cell::new(WORK));
        let ((), duration) = timed(&mut StandIn(queue), || Ok::<_, BackendError>(())).unwrap();
        assert!(duration < WORK, "{duration:?}");
    }
}
