//! A toy model: the value of a token depends on the tokens that were known when it was generated, and on the inputs of the head.

use std::convert::Infallible;

use gtr_core::{
    BoxPreviewer, Capability, Denoise, FeatureReader, FeatureRows, Grid, HeadKind, HeadRow, HeadVariance, ImageEncoder,
    MaskedGenerator, NonFinite, Previewer, StepContext, Targets, TimestepLimit, Timesteps, TokenIndex, TokenRanker,
};

/// Conditions a token on the sum of the known tokens; its head adds some of the token's noise.
#[derive(Debug)]
pub(crate) struct Toy {
    pub(crate) grid: Grid,
    /// The abilities that the model has.
    pub(crate) offers: Vec<Capability>,
    /// Whether the model decodes unfinished images.
    pub(crate) previews: bool,
    pub(crate) poison: Option<TokenIndex>,
    pub(crate) limit: TimestepLimit,
    /// A diffusion head with `limit` unless set.
    pub(crate) head: Option<HeadKind>,
    /// Whether the last canvas has an unconditional half.
    pub(crate) guided: bool,
    pub(crate) calls: Vec<Call>,
    /// The context of each step.
    pub(crate) steps: Vec<StepContext>,
    /// The rows of each step and their values, which are also their confidences.
    pub(crate) drawn: Vec<Vec<(HeadRow, f32)>>,
    /// Values of a draw that are drawn before features are read, if any.
    pub(crate) draws: Option<usize>,
    /// Called when features are read.
    pub(crate) when_read: Option<fn()>,
}

/// The arguments of a call of the head.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) rows: usize,
    pub(crate) evaluations: Vec<usize>,
    pub(crate) highest: u32,
    pub(crate) guidance: f64,
    pub(crate) detail_rows: usize,
    /// The solver, in its debug form.
    pub(crate) solver: String,
}

#[derive(Debug)]
pub(crate) struct Canvas {
    prompts: Vec<f32>,
    values: Vec<Vec<Option<f32>>>,
}

impl Canvas {
    /// Number of known tokens of the first image.
    pub(crate) fn known(&self) -> usize {
        self.values[0].iter().flatten().count()
    }
}

impl Toy {
    pub(crate) fn new(grid: Grid) -> Self {
        let offers = vec![
            Capability::HostFeatures,
            Capability::Encoding,
            Capability::LearnedVariance,
            Capability::Confidence,
            Capability::Reuse,
        ];
        Self {
            grid,
            offers,
            previews: true,
            poison: None,
            limit: TimestepLimit::NONE,
            head: None,
            guided: false,
            calls: Vec::new(),
            steps: Vec::new(),
            drawn: Vec::new(),
            draws: None,
            when_read: None,
        }
    }
}

const WIDTH: usize = 6;

impl MaskedGenerator for Toy {
    type Prompt = f32;
    type Canvas = Canvas;
    type Features = FeatureRows;
    type Tokens = Vec<f32>;
    type Image = Vec<u32>;
    type Error = Infallible;

    fn grid(&self) -> Grid {
        self.grid
    }

    fn head_kind(&self) -> HeadKind {
        let learned = self.offers.contains(&Capability::LearnedVariance);
        let variance = if learned { HeadVariance::Learned } else { HeadVariance::Fixed };
        self.head.unwrap_or(HeadKind::Diffusion { timesteps: self.limit, variance })
    }

    fn canvas(&mut self, prompts: &[f32], guided: bool) -> Result<Canvas, Infallible> {
        self.guided = guided;
        let values = vec![vec![None; self.grid.tokens()]; prompts.len()];
        Ok(Canvas { prompts: prompts.to_vec(), values })
    }

    fn features(
        &mut self,
        canvas: &mut Canvas,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<FeatureRows, Infallible> {
        assert_eq!(step.known, canvas.known());
        self.steps.push(*step);
        let mut values = Vec::new();
        for (slot, tokens) in targets.by_image().enumerate() {
            for &token in tokens {
                assert_eq!(canvas.values[slot][token.index()], None, "token {token} is generated twice");
                let at = self.grid.position(token);
                let known: f32 = canvas.values[slot].iter().flatten().sum();
                let base = canvas.prompts[slot] + known + at.row as f32 * 0.3 + at.column as f32 * 0.7;
                values.extend((0..WIDTH).map(|channel| (base * (channel + 1) as f32).sin()));
            }
        }
        Ok(FeatureRows { width: WIDTH, values })
    }

    fn denoise(&mut self, features: &FeatureRows, request: &Denoise<'_>) -> Result<Vec<f32>, Infallible> {
        self.calls.push(Call {
            rows: request.rows.len(),
            evaluations: request.timesteps.iter().map(gtr_core::Timesteps::evaluations).collect(),
            highest: request.timesteps.iter().flat_map(Timesteps::values).copied().max().unwrap_or_default(),
            guidance: request.step.guidance,
            detail_rows: request.rows.iter().filter(|row| row.group == 1).count(),
            solver: format!("{:?}", request.solver),
        });
        let values = request.rows.iter().zip(features.values.chunks(WIDTH)).map(|(row, features)| {
            if self.poison == Some(row.token) {
                return f32::NAN;
            }
            let mut value = features[0] * request.step.guidance as f32;
            // The first and the last draw are enough to distinguish two runs.
            for draw in [0, request.timesteps[row.group].evaluations() - 1] {
                let mut noise = [0.0];
                request.noise.fill_normal(row.image, row.token, draw as u32, &mut noise);
                value = 0.9 * value + 0.1 * noise[0] * request.step.temperature as f32;
            }
            value
        });
        let values: Vec<f32> = values.collect();
        self.drawn.push(request.rows.iter().copied().zip(values.iter().copied()).collect());
        Ok(values)
    }

    fn commit(&mut self, canvas: &mut Canvas, targets: &Targets, tokens: Vec<f32>) -> Result<(), Infallible> {
        for (slot, targets) in targets.by_image().enumerate() {
            for (position, token) in targets.iter().enumerate() {
                canvas.values[slot][token.index()] = Some(tokens[slot * targets.len() + position]);
            }
        }
        Ok(())
    }

    fn is_known(&self, canvas: &Canvas, slot: usize, token: TokenIndex) -> bool {
        canvas.values[slot][token.index()].is_some()
    }

    fn find_non_finite(&self, canvas: &Canvas) -> Result<Option<NonFinite>, Infallible> {
        let bad = canvas.values.iter().enumerate().find_map(|(slot, values)| {
            let position = values.iter().position(|value| value.is_some_and(|value| !value.is_finite()))?;
            Some(NonFinite { slot, token: self.grid.token(position).ok()? })
        });
        Ok(bad)
    }

    fn decode(&mut self, canvas: Canvas) -> Result<Vec<Vec<u32>>, Infallible> {
        let bits = |values: Vec<Option<f32>>| values.into_iter().map(|value| value.expect("known").to_bits()).collect();
        Ok(canvas.values.into_iter().map(bits).collect())
    }

    fn feature_reader(&self) -> Option<&dyn FeatureReader<Features = FeatureRows, Error = Infallible>> {
        self.offers.contains(&Capability::HostFeatures).then_some(self)
    }

    fn token_ranker(&self) -> Option<&dyn TokenRanker<Tokens = Vec<f32>, Error = Infallible>> {
        self.offers.contains(&Capability::Confidence).then_some(self)
    }

    fn image_encoder(&self) -> Option<&dyn ImageEncoder<Image = Vec<u32>, Tokens = Vec<f32>, Error = Infallible>> {
        self.offers.contains(&Capability::Encoding).then_some(self)
    }

    fn previewer(&self) -> Option<BoxPreviewer<'_, Canvas, Vec<u32>, Infallible>> {
        if self.previews { Some(Box::new(self)) } else { None }
    }

    fn reuses(&self) -> bool {
        self.offers.contains(&Capability::Reuse)
    }
}

impl FeatureReader for Toy {
    type Features = FeatureRows;
    type Error = Infallible;

    fn host_features(&self, features: &FeatureRows) -> Result<FeatureRows, Infallible> {
        if let Some(when_read) = self.when_read {
            when_read();
        }
        Ok(features.clone())
    }

    fn draws_while_computing(&self) -> Option<usize> {
        self.draws
    }
}

impl TokenRanker for Toy {
    type Tokens = Vec<f32>;
    type Error = Infallible;

    fn confidence(&self, tokens: &Vec<f32>) -> Result<Vec<f32>, Infallible> {
        Ok(tokens.clone())
    }

    fn keep(&self, tokens: Vec<f32>, rows: &[usize]) -> Result<Vec<f32>, Infallible> {
        Ok(rows.iter().map(|&row| tokens[row]).collect())
    }
}

impl ImageEncoder for Toy {
    type Image = Vec<u32>;
    type Tokens = Vec<f32>;
    type Error = Infallible;

    fn encode(&self, images: &[Vec<u32>], targets: &Targets) -> Result<Vec<f32>, Infallible> {
        let value = |image: usize, token: &TokenIndex| f32::from_bits(images[image][token.index()]);
        let images = targets.by_image().enumerate();
        Ok(images.flat_map(|(image, tokens)| tokens.iter().map(move |token| value(image, token))).collect())
    }
}

/// Unknown tokens are 0.
impl Previewer for Toy {
    type Canvas = Canvas;
    type Image = Vec<u32>;
    type Error = Infallible;

    fn preview(&self, canvas: &Canvas) -> Result<Vec<Vec<u32>>, Infallible> {
        let bits = |values: &Vec<Option<f32>>| values.iter().map(|value| value.unwrap_or_default().to_bits()).collect();
        Ok(canvas.values.iter().map(bits).collect())
    }
}
