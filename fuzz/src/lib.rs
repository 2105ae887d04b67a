//! Fuzz targets: each function takes untrusted bytes and must return without a panic.
//!
//! libFuzzer calls them through `fuzz_targets/`. Without a fuzzer, `tests/replay.rs` calls them on the corpus and on mutations of it.

use gtr_backends::checkpoint::Checkpoint;
use gtr_backends::field::FieldFile;
use gtr_backends::lightgen::LightGenConfig;
use gtr_backends::mar::MarConfig;
use gtr_backends::raster::Raster;
use gtr_backends::text::T5Config;
use gtr_core::{Checked, Grid, ImageIndex, Plan, PlanDocument, Rate, Registry, Schedule, Seed, verify};

/// Reads a plan file, verifies it, and writes it again.
///
/// # Panics
/// If an invalid plan is accepted, or if a round trip through JSON changes the document.
pub fn plan_json(bytes: &[u8]) {
    let registry = Registry::builtin();
    let Ok(document) = PlanDocument::read(bytes) else { return };
    let sound = verify(&document, &registry).is_sound();
    let accepted = Plan::from_document(&document, &registry);
    assert_eq!(accepted.is_ok(), sound, "{document:?}");
    let again = PlanDocument::parse(&document.to_json());
    assert_eq!(again.as_ref(), Ok(&document), "writing changes {document:?}");
    if let Ok(Checked { plan, .. }) = accepted {
        if let Ok(order) = plan.order(Seed(0), ImageIndex(0)) {
            assert_eq!(order.len() + plan.known().len(), plan.grid().tokens());
        }
        assert!(plan.summary().network_evaluations() >= 2 * plan.steps().len());
    }
}

/// Reads a schedule and plans it on small grids.
///
/// # Panics
/// If planning returns an invalid plan.
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

/// Parses a grid and generation rates in the syntax of the command line: `16x16 2.67,10.67,64`.
///
/// # Panics
/// If the printed form of a grid does not parse to the same grid, or if a rate is accepted that is not finite and above 0.
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

/// Reads a field file, writes it again, and converts it to a measured field.
///
/// # Panics
/// If a round trip changes the sizes of the field, or if the measured field has other sizes.
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

/// Opens a checkpoint (safetensors or `torch.save`), lists its tensors and reads up to 64 of them.
///
/// # Panics
/// If the number of values of a tensor does not match its shape.
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

/// Runs [`checkpoint`] on the bytes with the first three pickles of a `torch.save` file before 1.6 prepended, so that the fuzzer does
/// not have to find them.
pub fn legacy_checkpoint(bytes: &[u8]) {
    let start = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    checkpoint(&[start.as_slice(), bytes].concat());
}

/// Parses the `config.json` of a model or of a text encoder.
///
/// # Panics
/// If a configuration with sizes out of range is accepted.
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

/// Decodes a PNG file, and reads it as a mask on small grids and as an image to start from.
///
/// # Panics
/// If a mask is accepted on a grid whose sides do not divide those of the image, or if an image does not have the requested size.
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
