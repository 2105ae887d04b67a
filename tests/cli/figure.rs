//! `plan --format svg` and `--format png`.

use std::collections::BTreeSet;
use std::fs;

use insta::assert_snapshot;

use crate::support::{decode, gtr, run_in, sample, write_grey};

fn svg(flags: &str) -> String {
    let file = gtr(&format!("plan --format svg {flags}")).succeeded();
    assert!(file.starts_with("<svg ") && file.ends_with("</svg>\n"), "{flags}");
    file
}

#[test]
fn a_small_figure() {
    let file = svg("--preset gtr-8 --grid 2x4");
    assert_snapshot!("figure_2x4", file);
    assert_eq!(file, svg("--preset gtr-8 --grid 2x4"));
    assert_ne!(file, svg("--preset gtr-8 --grid 2x4 --seed 1"));
}

#[test]
fn figures_of_all_sizes_are_small() {
    for (flags, most) in [
        ("--grid 1x1", 20_000),
        ("--grid 5x9", 60_000),
        ("--grid 32x32 --preset mar-64", 400_000),
        ("--grid 64x64", 1_000_000),
        ("--grid 1024x1024", 1_000_000),
        ("--grid 1x4096 --preset raster-64", 100_000),
        ("--grid 64x64 --pace uniform --steps 4096 --order random", 1_000_000),
        ("--compare gtr-paper,mar-64,disa-24,gtr-8 --grid 16x16", 400_000),
    ] {
        let length = svg(flags).len();
        assert!(length < most, "{flags}: {length}");
    }
}

#[test]
fn omitted_parts_are_mentioned() {
    assert!(svg("--grid 1024x1024").contains(">the upper left 64x64 of 1024x1024</text>"));
    assert!(svg("--preset mar-64").contains(">(f) Known after 33 of 64 AR steps</text>"));
    assert!(svg("--pace uniform --steps 1000 --order random --grid 64x64").contains("one of 3 drawn"));
}

#[test]
fn a_png_figure_has_its_text() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["plan", "--grid", "8x8", "--out", "p.png"]).succeeded();
    let (width, height, bytes) = decode(&folder.path().join("p.png"));
    let pixels: Vec<&[u8]> = bytes.chunks_exact(bytes.len() / (width * height)).collect();
    // The header of the figure, in which only text is dark.
    let dark = pixels[..width * 100].iter().filter(|pixel| pixel[..3].iter().all(|&level| level < 100)).count();
    assert!(dark > 500, "{dark}");
    let colours: BTreeSet<_> = pixels.iter().map(|pixel| pixel[..3].to_vec()).collect();
    for colour in [[0x00, 0x72, 0xb2], [0xe6, 0x9f, 0x00], [0x00, 0x9e, 0x73]] {
        assert!(colours.contains(colour.as_slice()), "{colour:?}");
    }
}

#[test]
fn the_file_name_selects_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let begins = |name: &str, format: &[&str]| {
        run_in(folder.path(), &[&["plan", "--grid", "4x4", "--out", name], format].concat()).succeeded();
        fs::read(folder.path().join(name)).unwrap()[..4].to_vec()
    };
    assert_eq!(begins("p.SVG", &[]), b"<svg");
    assert_eq!(begins("p.png", &[]), b"\x89PNG");
    assert_eq!(begins("p.json", &[]), b"{\n  ");
    assert_eq!(begins("p.txt", &[]), b"gtr-");
    assert_eq!(begins("q", &["--format", "table"]), b"gtr-");
    let error = run_in(folder.path(), &["plan", "--grid", "4x4", "--out", "q.svg", "--format", "table"]).failed(2);
    assert!(error.contains("--out q.svg contradicts --format"), "{error}");
}

#[test]
fn a_plan_around_known_tokens_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    write_grey(&folder.path().join("init.png"), 32, 32, |_, _| 128);
    write_grey(&folder.path().join("mask.png"), 32, 32, |row, _| if row < 16 { 0 } else { 255 });
    let flags = "--class 3 --preset gtr-8 --diffusion constant --t 2 --detail none";
    sample(folder.path(), &format!("{flags} --init init.png --mask mask.png --out three.png"));
    run_in(folder.path(), &["inspect", "three.png", "--plan-out", "rest.json"]).succeeded();
    let file = run_in(folder.path(), &["plan", "--plan", "rest.json", "--format", "svg"]).succeeded();
    assert!(file.contains(">64 tokens, 32 known before, 8 AR steps,"), "{file}");
    let table = run_in(folder.path(), &["plan", "--plan", "rest.json"]).succeeded();
    assert!(table.starts_with("rest.json on 8x8\n"), "{table}");
    // The plan is printed as it was read.
    let again = run_in(folder.path(), &["plan", "--plan", "rest.json", "--format", "json"]).succeeded();
    assert_eq!(again, fs::read_to_string(folder.path().join("rest.json")).unwrap());
}

#[test]
fn names_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let name = "<b>&\"'.json";
    run_in(folder.path(), &["plan", "--grid", "4x4", "--out", name]).succeeded();
    let file = run_in(folder.path(), &["plan", "--plan", name, "--format", "svg"]).succeeded();
    assert_eq!(file.matches("&lt;b&gt;&amp;&quot;&apos;.json on 4x4").count(), 2, "{file}");
    assert!(!file.contains("<b>"));
    run_in(folder.path(), &["plan", "--plan", name, "--out", "p.png"]).succeeded();
}

#[test]
fn unsupported_figures_are_refused() {
    let message = gtr("plan --format svg --compare gtr-8,gtr-16,mar-8,mar-16,mar-32").failed(2);
    assert!(message.contains("at most 4 presets side by side, not 5"), "{message}");
    let message = gtr("plan --plan nothing.json --format svg").failed(1);
    assert!(message.contains("nothing.json: cannot be read"), "{message}");
    let message = gtr("plan --plan p.json --preset gtr-8").failed(2);
    assert!(message.contains("--plan"), "{message}");
}

/// The figures of plans in the documentation equal the output of the script. The sampled images depend on the kind of processor, so
/// they are compared by hand with `scripts/gallery.sh samples` and `git diff`.
#[cfg(unix)]
#[test]
fn the_gallery_is_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let made = std::process::Command::new("bash")
        .arg(root.join("scripts/gallery.sh"))
        .arg("plans")
        .arg(folder.path())
        .env("GTR", env!("CARGO_BIN_EXE_gtr-cli"))
        .status()
        .unwrap();
    assert!(made.success());
    let names = crate::support::files(folder.path());
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let read = |folder: &std::path::Path| fs::read_to_string(folder.join(&name)).unwrap();
        let kept = read(&root.join("docs/images"));
        assert!(read(folder.path()) == kept, "docs/images/{name} is out of date: run scripts/gallery.sh plans");
    }
}
