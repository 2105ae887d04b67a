//! A model family defined outside the crate: this file, and one line where it is registered.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use gtr_backends::checkpoint::Section;
use gtr_backends::diffusion::Conditions;
use gtr_backends::{AnyModel, BackendError, Found, Model, ModelFamily, ModelSpec, OpenOptions, Picture, PromptInput};
use gtr_core::cost::{ArchSpec, HeadSpec, StackSpec};
use gtr_core::erased::{AnyPrompt, Foreign};
use gtr_core::{
    Denoise, FeatureReader, FeatureRows, Grid, HeadKind, MaskedGenerator, NonFinite, StepContext, Targets, TokenIndex,
};

/// A family with one model, `toy`, on a grid of 4x4.
#[derive(Debug)]
pub(crate) struct ToyFamily;

impl ModelFamily for ToyFamily {
    fn name(&self) -> &'static str {
        "toys"
    }

    fn published(&self) -> &'static [&'static str] {
        &["toy"]
    }

    fn spec(&self, _found: &Found) -> Result<ModelSpec, BackendError> {
        Ok(spec())
    }

    fn open(&self, _found: &Found, _options: &OpenOptions<'_>) -> Result<AnyModel, BackendError> {
        Ok(AnyModel::new(Box::new(Toy { section: Section::random() })))
    }
}

fn spec() -> ModelSpec {
    let stack = StackSpec { width: 2, depth: 1, hidden: 4 };
    let head = HeadSpec { width: 2, depth: 1 };
    let arch = ArchSpec { token_channels: 1, buffer: 0, encoder: stack, decoder: stack, text: None, head };
    let mut spec = ModelSpec::new(arch, Grid::new(4, 4).unwrap());
    spec.classes = Some(3);
    spec
}

/// A token is the sum of its class, a share of the known tokens, and noise.
#[derive(Debug)]
struct Toy {
    section: Section,
}

#[derive(Debug)]
struct Board {
    classes: Vec<u32>,
    values: Vec<BTreeMap<TokenIndex, f32>>,
}

impl Model for Toy {
    fn spec(&self) -> ModelSpec {
        spec()
    }

    fn section(&self) -> &Section {
        &self.section
    }

    fn shape(&self) -> [usize; 3] {
        [4, 4, 1]
    }

    fn prompt(&self, input: &PromptInput) -> Result<AnyPrompt, BackendError> {
        match input {
            PromptInput::Class(class) if *class < 3 => Ok(AnyPrompt::new(*class)),
            PromptInput::Class(class) => Err(BackendError::Class { class: *class, classes: 3 }),
            _ => Err(Foreign { what: "prompt" }.into()),
        }
    }
}

impl MaskedGenerator for Toy {
    type Prompt = u32;
    type Canvas = Board;
    type Features = Conditions;
    type Tokens = Tensor;
    type Image = Picture;
    type Error = BackendError;

    fn grid(&self) -> Grid {
        spec().grid
    }

    fn head_kind(&self) -> HeadKind {
        HeadKind::DIFFUSION
    }

    fn canvas(&mut self, classes: &[u32], _guided: bool) -> Result<Board, BackendError> {
        Ok(Board { classes: classes.to_vec(), values: vec![BTreeMap::new(); classes.len()] })
    }

    fn features(
        &mut self,
        board: &mut Board,
        targets: &Targets,
        _step: &StepContext,
    ) -> Result<Conditions, BackendError> {
        let share = |slot: usize| f32::from(u8::try_from(board.values[slot].len()).unwrap()) / 16.0;
        let row = |slot: usize| [f32::from(u8::try_from(board.classes[slot]).unwrap()), share(slot)];
        let rows: Vec<_> = (0..targets.images()).flat_map(|slot| vec![row(slot); targets.per_image()]).collect();
        let rows: Vec<f32> = rows.into_iter().flatten().collect();
        let conditional = Tensor::from_vec(rows, (targets.rows().len(), 2), &Device::Cpu).unwrap();
        Ok(Conditions { conditional, unconditional: None })
    }

    fn denoise(&mut self, features: &Conditions, request: &Denoise<'_>) -> Result<Tensor, BackendError> {
        let rows: Vec<Vec<f32>> = features.conditional.to_vec2().unwrap();
        let value = |(condition, row): (&Vec<f32>, &gtr_core::HeadRow)| {
            let mut noise = [0.0];
            request.noise.fill_normal(row.image, row.token, 0, &mut noise);
            condition[0] / 4.0 + condition[1] / 4.0 + 0.1 * noise[0]
        };
        let values: Vec<f32> = rows.iter().zip(request.rows).map(value).collect();
        Ok(Tensor::from_vec(values, (rows.len(), 1), &Device::Cpu).unwrap())
    }

    fn commit(&mut self, board: &mut Board, targets: &Targets, tokens: Tensor) -> Result<(), BackendError> {
        let values: Vec<f32> = tokens.flatten_all().unwrap().to_vec1().unwrap();
        for ((board, targets), values) in
            board.values.iter_mut().zip(targets.by_image()).zip(values.chunks(targets.per_image()))
        {
            board.extend(targets.iter().copied().zip(values.iter().copied()));
        }
        Ok(())
    }

    fn is_known(&self, board: &Board, slot: usize, token: TokenIndex) -> bool {
        board.values[slot].contains_key(&token)
    }

    fn find_non_finite(&self, _board: &Board) -> Result<Option<NonFinite>, BackendError> {
        Ok(None)
    }

    fn decode(&mut self, board: Board) -> Result<Vec<Picture>, BackendError> {
        let pixels = |values: BTreeMap<TokenIndex, f32>| values.into_values().map(|value| value.clamp(0.0, 1.0));
        board.values.into_iter().map(|values| Picture::new(4, 4, 1, pixels(values).collect())).collect()
    }

    fn feature_reader(&self) -> Option<&dyn FeatureReader<Features = Conditions, Error = BackendError>> {
        Some(self)
    }
}

impl FeatureReader for Toy {
    type Features = Conditions;
    type Error = BackendError;

    fn host_features(&self, features: &Conditions) -> Result<FeatureRows, BackendError> {
        Ok(FeatureRows { width: 2, values: features.conditional.flatten_all().unwrap().to_vec1().unwrap() })
    }
}
