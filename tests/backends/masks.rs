//! Masks: all encodings of a mask select the same tokens.

use gtr_backends::raster::{MaskSource, Raster};
use gtr_core::{Grid, TokenSet};
use png::BitDepth::{Eight, One};
use png::ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
use proptest::prelude::*;

/// Encodes a PNG file with 8 bits per channel, or with 1 bit.
fn png(
    side: (u32, u32),
    colour: png::ColorType,
    depth: png::BitDepth,
    bytes: &[u8],
    palette: Option<&[u8]>,
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side.0, side.1);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if let Some(transparency) = palette {
        encoder.set_palette(vec![0; 6]);
        encoder.set_trns(transparency.to_vec());
    }
    encoder.write_header().unwrap().write_image_data(bytes).unwrap();
    file
}

/// Returns the grid and the generated pixels, for cells of `times` pixels per side.
fn masks() -> impl Strategy<Value = (Grid, usize, Vec<bool>)> {
    (1..6u32, 1..6u32, 1..4usize).prop_flat_map(|(rows, columns, times)| {
        let grid = Grid::new(rows, columns).unwrap();
        let pixels = grid.tokens() * times * times;
        (Just(grid), Just(times), proptest::collection::vec(proptest::bool::weighted(0.2), pixels))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_encodings_of_a_mask_are_equivalent((grid, times, generated) in masks()) {
        let width = grid.width() as usize * times;
        let side = (u32::try_from(width).unwrap(), u32::try_from(generated.len() / width).unwrap());
        let cell = |place: usize| (place / width / times, place % width / times);
        let expected = TokenSet::from_tokens(grid, grid.iter().filter(|token| {
            let at = grid.position(*token);
            (0..generated.len()).any(|place| generated[place] && cell(place) == (at.row as usize, at.column as usize))
        }));
        let bytes = |pixel: &dyn Fn(bool) -> Vec<u8>| generated.iter().flat_map(|&it| pixel(it)).collect::<Vec<u8>>();
        let value = |it: bool| if it { 255 } else { 0 };
        let bits: Vec<u8> = generated
            .chunks(width)
            .flat_map(|row| row.chunks(8).map(|bits| bits.iter().zip(0..).map(|(&it, at)| u8::from(it) << (7 - at)).sum()))
            .collect();
        let varies = generated.contains(&true) && generated.contains(&false);
        let by = |source| if varies { source } else { MaskSource::Colours };
        let files = [
            (png(side, Grayscale, Eight, &bytes(&|it| vec![value(it)]), None), MaskSource::Colours),
            (png(side, Rgb, Eight, &bytes(&|it| vec![value(it); 3]), None), MaskSource::Colours),
            (png(side, Grayscale, One, &bits, None), MaskSource::Colours),
            (png(side, Rgba, Eight, &bytes(&|it| vec![255, 255, 255, value(it)]), None), by(MaskSource::Opaque)),
            (png(side, GrayscaleAlpha, Eight, &bytes(&|it| vec![9, value(!it)]), None), by(MaskSource::Transparent)),
            (png(side, Indexed, One, &bits, Some(&[255, 0])), by(MaskSource::Transparent)),
        ];
        for (number, (file, source)) in files.iter().enumerate() {
            let mask = Raster::from_png("m.png", file).unwrap().mask(grid).unwrap();
            prop_assert_eq!(mask.source, *source, "file {}", number);
            // A constant alpha channel is ignored; only the colour matters.
            if varies || number < 3 {
                prop_assert_eq!(&mask.tokens, &expected, "file {}", number);
            }
        }
    }
}
