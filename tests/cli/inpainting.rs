//! `sample --init` and `sample --reseed-reconstruction`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{decode, run_in, sample, write_grey, write_pixels};

const QUICK: &str = "--preset gtr-8 --diffusion constant --t 3 --detail none";

/// Writes a mask that is white from row `from`.
fn mask(folder: &Path, name: &str, side: u32, from: u32) {
    write_grey(&folder.join(name), side, side, |row, _| if row < from { 0 } else { 255 });
}

fn pixels(folder: &Path, name: &str) -> Vec<u8> {
    decode(&folder.join(name)).2
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn tokens_outside_the_mask_keep_their_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Every level of grey, in a pattern that no model would generate.
    write_grey(&folder.join("init.png"), 32, 32, |row, column| u8::try_from((row * 37 + column * 101) % 256).unwrap());
    mask(folder, "lower.png", 32, 16);
    let flags = format!("--class 8 --count 3 {QUICK} --scale 1 --init init.png --mask lower.png");
    fs::create_dir(folder.join("all")).unwrap();
    sample(folder, &format!("{flags} --out all"));
    let init = pixels(folder, "init.png");
    for name in ["all/00000.png", "all/00001.png", "all/00002.png"] {
        assert_eq!(pixels(folder, name)[..512], init[..512]);
        assert_ne!(pixels(folder, name)[512..], init[512..]);
    }
    assert_ne!(pixels(folder, "all/00000.png"), pixels(folder, "all/00001.png"));
    // An image does not depend on its batch here, either.
    fs::create_dir(folder.join("alone")).unwrap();
    sample(folder, &format!("{flags} --batch 1 --out alone"));
    assert_eq!(pixels(folder, "all/00002.png"), pixels(folder, "alone/00002.png"));
    // Dilated by one token of 4 pixels: the mask begins one token earlier.
    sample(folder, &format!("--class 8 {QUICK} --scale 1 --init init.png --mask lower.png --dilate --out wide.png"));
    let wide = pixels(folder, "wide.png");
    assert_eq!(wide[..12 * 32], init[..12 * 32]);
    assert_ne!(wide[12 * 32..512], init[12 * 32..512]);
}

#[test]
fn an_enlarged_picture_can_be_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sample(folder, &format!("--class 3 {QUICK} --out large.png"));
    mask(folder, "lower.png", 256, 128);
    sample(folder, &format!("--class 8 {QUICK} --init large.png --mask lower.png --out on.png"));
    assert_eq!(pixels(folder, "on.png")[..256 * 128], pixels(folder, "large.png")[..256 * 128]);
}

#[test]
fn an_inpainting_plan_can_be_saved_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sample(folder, &format!("--class 3 {QUICK} --out three.png"));
    // One white pixel is enough to regenerate a token; the other pixels of the cell are black.
    write_grey(&folder.join("dot.png"), 256, 256, |row, column| if (row, column) == (77, 200) { 255 } else { 0 });
    sample(folder, "--class 3 --preset gtr-8 --init three.png --mask dot.png --dilate 1 --out on.png");
    run_in(folder, &["inspect", "on.png", "--plan-out", "p.json"]).succeeded();
    assert_eq!(run_in(folder, &["verify", "p.json"]).succeeded(), "p.json: valid, 8x8, 3 stages, 5 AR steps\n");
    let plan: Value = serde_json::from_slice(&fs::read(folder.join("p.json")).unwrap()).unwrap();
    assert_eq!((&plan["format_version"], plan["known"].as_array().unwrap().len()), (&2.into(), 64 - 9));
    sample(folder, "--class 3 --plan p.json --init three.png --out again.png");
    assert_eq!(pixels(folder, "on.png"), pixels(folder, "again.png"));
    let alone = run_in(folder, &words("sample --class 3 --plan p.json --out x.png")).failed(2);
    assert!(alone.contains("p.json: the plan has 55 known tokens: give its image with --init"), "{alone}");
}

#[test]
fn an_all_white_mask_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sample(folder, &format!("--class 3 {QUICK} --out three.png"));
    mask(folder, "white.png", 256, 0);
    let line = format!("sample --class 3 {QUICK} --init three.png --mask white.png --out on.png");
    let run = run_in(folder, &words(&line));
    assert_eq!(run.stderr, "note: no token of --init is kept: the whole grid is generated\n");
    assert_eq!(pixels(folder, "on.png"), pixels(folder, "three.png"));
}

/// Masks in the formats of drawing programs and image editing services, all of which regenerate the lower half.
#[test]
fn a_mask_of_one_colour_uses_its_alpha_channel() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_grey(&folder.join("init.png"), 32, 32, |row, column| u8::try_from((row * 37 + column * 101) % 256).unwrap());
    mask(folder, "lower.png", 32, 16);
    let lower = |row| if row < 16 { 0 } else { 255 };
    let path = |name: &str| folder.join(name);
    write_pixels(&path("painted.png"), png::ColorType::Rgba, |row, _| [255, 255, 255, lower(row)]);
    write_pixels(&path("erased.png"), png::ColorType::Rgba, |row, _| [0, 0, 0, 255 - lower(row)]);
    write_pixels(&path("grey.png"), png::ColorType::GrayscaleAlpha, |row, _| [200, lower(row)]);
    write_pixels(&path("both.png"), png::ColorType::GrayscaleAlpha, |row, _| [lower(row), lower(row)]);
    let made = |name: &str| {
        let line = format!("sample --class 8 {QUICK} --scale 1 --init init.png --mask {name} --out out.png");
        let run = run_in(folder, &words(&line));
        let stderr = run.stderr.clone();
        run.succeeded();
        (pixels(folder, "out.png"), stderr)
    };
    let (expected, nothing) = made("lower.png");
    assert_eq!(nothing, "");
    for (name, note) in [
        ("painted.png", "has one bright colour: the alpha channel is the mask, opaque pixels are generated"),
        ("erased.png", "has one dark colour: the alpha channel is the mask, transparent pixels are generated"),
        ("grey.png", "has one bright colour: the alpha channel is the mask, opaque pixels are generated"),
        ("both.png", "both.png: the colours are the mask; the alpha channel is ignored"),
    ] {
        let (made, said) = made(name);
        assert!(said.starts_with("note: ") && said.lines().count() == 1 && said.contains(note), "{name}: {said}");
        assert_eq!(made, expected, "{name}");
    }
}

#[test]
fn a_mask_of_zeros_and_ones_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    mask(folder, "init.png", 32, 16);
    for (value, said) in [
        (1, "--mask: m.png has the values 0 and 1, which are both black in an image of 0 to 255: multiply them by 255"),
        (100, "--mask: m.png has no value above 100: nothing is left to generate; values from 128 on are generated"),
    ] {
        write_grey(&folder.join("m.png"), 32, 32, |row, _| if row < 16 { 0 } else { value });
        let error = run_in(folder, &words("sample --class 3 --init init.png --mask m.png --out x.png")).failed(2);
        assert_eq!(error, format!("error: {said}\n"));
    }
}

#[test]
fn unsuitable_pictures_and_masks_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    mask(folder, "black.png", 32, 32);
    mask(folder, "lower.png", 32, 16);
    mask(folder, "small.png", 16, 8);
    mask(folder, "odd.png", 33, 8);
    fs::write(folder.join("text.png"), "no picture").unwrap();
    fs::write(folder.join("photo.png"), b"\xff\xd8\xff\xe0\0\x10JFIF").unwrap();
    let whole = fs::read(folder.join("lower.png")).unwrap();
    fs::write(folder.join("half.png"), &whole[..whole.len() / 2]).unwrap();
    let mut lines = String::new();
    for (flags, code) in [
        ("--init lower.png", 2),
        ("--mask lower.png", 2),
        ("--init lower.png --dilate 2", 2),
        ("--init lower.png --mask lower.png --dilate 0", 2),
        ("--init lower.png --mask lower.png --plan p.json", 2),
        ("--reseed-reconstruction 2 --trace t.safetensors", 2),
        ("--init lower.png --mask black.png", 2),
        ("--init lower.png --mask small.png", 1),
        ("--init small.png --mask small.png", 1),
        ("--init odd.png --mask odd.png", 1),
        ("--init none.png --mask lower.png", 1),
        ("--init text.png --mask lower.png", 1),
        ("--init photo.png --mask lower.png", 1),
        ("--init half.png --mask lower.png", 1),
        ("--init lower.png --mask half.png", 1),
        ("--init . --mask lower.png", 1),
        ("--init lower.png --mask lower.png --stages 5", 2),
        ("--reseed-reconstruction 1", 2),
        ("--reseed-reconstruction 2 --preset mar-8", 2),
        ("--reseed-reconstruction 2 --animate a.gif", 2),
    ] {
        let line = format!("sample --class 3 --out x.png {flags}");
        let _ = write!(lines, "{flags}\n  {}", run_in(folder, &words(&line)).failed(code));
    }
    for flag in ["--init lower.png --mask lower.png", "--reseed-reconstruction 2", "--animate a.gif", "--preview"] {
        let line = format!("sample --classes balanced --count 20 --out many.npz {flag}");
        let _ = write!(lines, "many: {flag}\n  {}", run_in(folder, &words(&line)).failed(2));
    }
    let run = run_in(folder, &words("sample --class 3 --out . --reseed-reconstruction 2"));
    let _ = write!(lines, "--out . --reseed-reconstruction 2\n  {}", run.failed(2));
    assert_snapshot!("inpainting_refused", lines);
}

#[test]
fn a_run_from_an_image_is_traced_and_reproduced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_grey(&folder.join("init.png"), 32, 32, |row, column| u8::try_from((row * 37 + column * 101) % 256).unwrap());
    mask(folder, "lower.png", 32, 16);
    let flags = format!("--class 8 --count 3 --batch 2 {QUICK} --scale 1 --init init.png --mask lower.png");
    sample(folder, &format!("{flags} --out plain.png"));
    sample(folder, &format!("{flags} --trace run.safetensors --out traced.png"));
    assert_eq!(pixels(folder, "plain.png"), pixels(folder, "traced.png"));
    let replayed = run_in(folder, &["conform", "run.safetensors", "--format", "json"]).succeeded();
    let report: Value = serde_json::from_str(&replayed).unwrap();
    assert!(replayed.contains("tokens"), "{report}");
    let trace = run_in(folder, &["inspect", "run.safetensors", "--format", "json"]).succeeded();
    let trace: Value = serde_json::from_str(&trace).unwrap();
    assert_eq!(trace["images"][0]["order"].as_array().unwrap().len(), 32);
    run_in(folder, &["inspect", "run.safetensors", "--format", "html", "--out", "page.html"]).succeeded();
}

#[test]
fn reconstructions_share_their_generation() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for order in ["bisection", "block"] {
        let flags = format!("--class 3..4 {QUICK} --order {order} --seed 5 --scale 1");
        let summary = sample(folder, &format!("{flags} --reseed-reconstruction 3 --out sheet.png"));
        assert!(
            summary.contains(": 2 images, 8 AR steps, ") && summary.contains(" over 3 reconstructions"),
            "{summary}"
        );
        let (width, height, sheet) = decode(&folder.join("sheet.png"));
        assert_eq!((width, height), (3 * 34 - 2, 2 * 34 - 2));
        let tile = |row: usize, column: usize| -> Vec<u8> {
            (0..32).flat_map(|line| sheet[(row * 34 + line) * width + column * 34..][..32].to_vec()).collect()
        };
        sample(folder, &format!("{flags} --out plain.png"));
        let (width, _, plain) = decode(&folder.join("plain.png"));
        for row in 0..2 {
            let alone: Vec<u8> = (0..32).flat_map(|line| plain[line * width + row * 34..][..32].to_vec()).collect();
            assert_eq!(tile(row, 0), alone, "the first image is not that of the plain run");
            for variant in 1..3 {
                let other = tile(row, variant);
                assert_ne!(other, alone);
                // Cells of the generation are equal in all images.
                for (pixel, (a, b)) in other.iter().zip(&alone).enumerate() {
                    let (token_row, token_column) = (pixel / 32 / 4, pixel % 32 / 4);
                    let generated = if order == "block" { token_row < 4 } else { (token_row + token_column) % 2 == 0 };
                    assert!(!generated || a == b, "{order}: pixel {pixel}");
                }
            }
        }
    }
}

/// Figure 3 of the paper, on the digits: a checkerboard determines the image, a block does not.
#[test]
fn a_checkerboard_determines_more_than_a_block() {
    let folder = tempfile::tempdir().unwrap();
    let variance = |order: &str| {
        let flags = format!("--class 1,3,5,7 {QUICK} --reseed-reconstruction 2 --json --out a.png --order {order}");
        let summary: Value = serde_json::from_str(&sample(folder.path(), &flags)).unwrap();
        summary["pixel_variance"].as_f64().unwrap()
    };
    let (checkerboard, block) = (variance("bisection"), variance("block"));
    assert!(checkerboard > 0.0 && checkerboard * 1.2 < block, "{checkerboard} and {block}");
}
