//! What is fuzzed: each function takes bytes from outside and must return, whatever they are.
//!
//! libFuzzer calls them (`fuzz_targets/`), and `tests/replay.rs` does without a fuzzer, on the corpus and on edits of it.

use gtr_backends::checkpoint::Checkpoint;
use gtr_backends::field::FieldFile;
use gtr_backends::lightgen::LightGenConfig;
use gtr_backends::mar::MarConfig;
use gtr_backends::raster::Raster;
use gtr_backends::text::T5Config;
use gtr_core::{Checked, Grid, ImageIndex, Plan, PlanDocument, Rate, Registry, Schedule, Seed, verify};

/// A plan file: read, checked, accepted only if sound, and then written as it was read.
///
/// # Panics
/// If a plan is accepted that is not sound, or writing and reading it again changes it.
pub fn plan_json(bytes: &[u8]) {
    let registry = Registry::builtin();
    let Ok(document) = PlanDocument::read(bytes) else { return };
    let sound = verify(&document, &registry).is_sound();
    let accepted = Plan::from_document(&document, &registry);
    assert_eq!(accepted.is_ok(), sound, "{document:?}");
    let again = PlanDocument::parse(&document.to_json());
    assert_eq!(again.as_ref(), Ok(&document), "writing changes {document:?}");
    if let Ok(Checked { plan, .. }) = accepted {
        assert_eq!(plan.order(Seed(0), ImageIndex(0)).len() + plan.known().len(), plan.grid().tokens());
        assert!(plan.summary().network_evaluations() >= 2 * plan.steps().len());
    }
}

/// A schedule: planned on small grids, whatever its parameters.
///
/// # Panics
/// If a schedule makes a plan that is not sound.
pub fn schedule_config(bytes: &[u8]) {
    let registry = Registry::builtin();
    let Ok(schedule) = serde_json::from_slice::<Schedule>(bytes) else { return };
    for sides in ["1x1", "2x1", "5x9", "8x8"] {
        let Ok(grid) = sides.parse::<Grid>() else { continue };
        if let Ok(planned) = schedule.plan(grid, &registry) {
            let verification = verify(&planned.plan.to_document(), &registry);
            assert!(verification.is_sound(), "{schedule:?} on {grid}: {:?}", verification.violations);
        }
    }
}

/// A grid and generation rates, as flags give them: `16x16 2.67,10.67,64`.
///
/// # Panics
/// If a grid is printed as what does not read back, or a rate is accepted that is not a number above 0.
pub fn grid_and_rates(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (grid, rates) = text.split_once(' ').unwrap_or((text, ""));
    if let Ok(grid) = grid.parse::<Grid>() {
        assert_eq!(grid.to_string().parse(), Ok(grid));
        assert!((1..=Grid::MAX_TOKENS).contains(&grid.tokens()));
    }
    for rate in rates.split(',').filter_map(|rate| rate.parse::<f64>().ok()) {
        if let Ok(rate) = Rate::new(rate) {
            assert!(rate.get() > 0.0 && rate.get().is_finite());
        }
    }
}

/// The file of a field: read, written again, and what is a covariance taken as one.
///
/// # Panics
/// If writing and reading a field changes its sizes, or it gives a covariance of other sizes.
pub fn field(bytes: &[u8]) {
    let Ok(field) = FieldFile::from_bytes("fuzz", bytes.to_vec()) else { return };
    let again =
        FieldFile::from_bytes("fuzz", field.bytes()).map(|again| (again.grid(), again.channels(), again.form()));
    assert_eq!(again.ok(), Some((field.grid(), field.channels(), field.form())));
    if let Ok(measured) = field.measured("fuzz") {
        assert_eq!((measured.grid(), measured.channels()), (field.grid(), field.channels()));
        let _ = field.check();
    }
}

/// A checkpoint, safetensors or of `torch.save`: opened, its tensors listed and the small ones read.
///
/// # Panics
/// If a tensor is read that has another number of elements than its shape says.
pub fn checkpoint(bytes: &[u8]) {
    let Ok(mut checkpoint) = Checkpoint::from_bytes("fuzz", bytes.to_vec()) else { return };
    let infos: Vec<_> = checkpoint.tensors().map(|(name, info)| (name.to_owned(), info.clone())).collect();
    for (name, info) in infos.into_iter().take(64) {
        let elements = info.shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
        if let Ok(values) = checkpoint.read_f32(&name) {
            assert_eq!(Some(values.len()), elements, "{name} {info:?}");
        }
    }
}

/// What follows the first three pickles in a file of `torch.save` before 1.6: as [`checkpoint`], without a search for these.
pub fn legacy_checkpoint(bytes: &[u8]) {
    let start = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    checkpoint(&[start.as_slice(), bytes].concat());
}

/// The `config.json` of a model or of a text encoder.
///
/// # Panics
/// If a configuration is accepted whose sizes are out of bounds.
pub fn model_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(config) = MarConfig::parse("fuzz", text) {
        assert!((1..=1 << 16).contains(&config.grid.tokens()));
        assert!((1..=4096).contains(&config.token_channels()));
    }
    if let Ok(config) = LightGenConfig::parse("fuzz", text) {
        assert!((1..=1 << 16).contains(&config.grid.tokens()));
        assert!((1..=4096).contains(&config.token_channels()));
    }
    if let Ok(config) = T5Config::parse("fuzz", text) {
        assert!((1..=128).contains(&config.depth) && (config.padding as usize) < config.vocabulary);
    }
}

/// A picture to go on from or a mask, as a PNG file: decoded, and read as a mask on small grids.
///
/// # Panics
/// If a mask is read on a grid whose sides do not divide the picture's, or a picture has another size than was asked for.
pub fn mask(bytes: &[u8]) {
    let Ok(raster) = Raster::from_png("fuzz", bytes) else { return };
    for sides in ["1x1", "2x3", "8x8"] {
        let Ok(grid) = sides.parse::<Grid>() else { continue };
        let (height, width) = (grid.height() as usize, grid.width() as usize);
        if let Ok(mask) = raster.mask(grid) {
            assert!(mask.tokens.len() <= grid.tokens());
            assert!(raster.picture([raster.height() / height * height, raster.width() / width * width, 3]).is_ok());
        }
        for channels in [1, 3] {
            if let Ok(picture) = raster.picture([height, width, channels]) {
                assert_eq!((picture.height(), picture.width(), picture.channels()), (height, width, channels));
            }
        }
    }
}
