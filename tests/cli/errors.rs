//! Errors: one line each, which names the cause.

use std::fmt::Write as _;

use insta::assert_snapshot;

use crate::support::{gtr, run_in};

#[test]
fn usage_errors_are_one_line() {
    let mut lines = String::new();
    for flags in [
        "frobnicate",
        "plan --frobnicate",
        "plan --grid 0x4",
        "plan --grid 16y16",
        "plan --grid 99999x99999",
        "plan --preset gtr",
        "plan --rates 0",
        "plan --rates x",
        "plan --rates 1,2",
        "plan --rates 1,2,3 --steps 1,2,3",
        "plan --steps 0,1,1",
        "plan --steps 12,3,1 --grid 1x1",
        "plan --steps 65,1,1",
        "plan --pace cosine --steps 257",
        "plan --stages 40 --grid 4x4",
        "plan --stages 0",
        "plan --stages 65",
        "plan --cut checkerboard",
        "plan --t-max 0",
        "plan --t-max 1001",
        "plan --t-min 60",
        "plan --t-max -1",
        "plan --t 5",
        "plan --beta 1.5",
        "plan --beta NaN",
        "plan --preset mar-64 --beta 0.1",
        "plan --preset mar-64 --detail fts",
        "plan --max-timestep 20",
        "plan --max-timestep 1000",
        "plan --max-timestep 900 --clip-timestep 900",
        "plan --set order",
        "plan --set colour.hue=3",
        "plan --set order.hue=3",
        "plan --compare gtr-8,gtr",
        "plan --compare gtr-8 --stages 2",
        "plan --seed -1",
        "verify",
        "schedulers checkerboard",
        "presets gtr",
        "schema",
        "schema model",
        "completions tcsh",
        "sample --class 7",
        "sample --class 9..0 --out x.png",
        "sample --class seven --out x.png",
        "sample --class 7 --count 0 --out x.png",
        "sample --class 0..9 --count 2000 --out x.png",
        "sample --class 7 --scale 0 --out x.png",
        "sample --class 7 --plan p.json --stages 2 --out x.png",
        "sample --class 10 --out x.png",
        "sample --class 7 --model digit --out x.png",
        "sample --class 7 --cfg -1 --out x.png",
        "sample --class 7 --cfg NaN --out x.png",
        "sample --class 7 --temperature -1 --out x.png",
        "sample --class 7 --cuda-graphs --out x.png",
        "sample --class 7 --stages 40 --out x.png",
        "sample --class 7 --first-image 18446744073709551615 --out x.png",
    ] {
        // Writing to a String cannot fail.
        let _ = write!(lines, "{flags}\n  {}", gtr(flags).failed(2));
    }
    assert_snapshot!("wrong_usage", lines);
}

#[test]
fn failures_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file("empty.json", "");
    file("schedule.json", r#"{"order": {"kind": "raster"}}"#);
    file("odd.json", r#"{"order": {"kind": 3}}"#);
    file("empty.pth", "");
    file("stray\u{1b}[31m\n.json", "");
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let weights = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/mar-digits/mar-digits.safetensors"));
    let weights = weights.unwrap();
    let broken = |name: &str, edit: &dyn Fn(&mut Vec<u8>)| {
        let mut weights = weights.clone();
        edit(&mut weights);
        std::fs::write(folder.path().join(name), weights).unwrap();
    };
    broken("short.safetensors", &|bytes| bytes.truncate(bytes.len() / 2));
    broken("misnamed.safetensors", &|bytes| {
        let name = b"\"class_emb.weight\"";
        let place = bytes.windows(name.len()).position(|window| window == name).unwrap();
        bytes[place + 1] = b'k';
    });
    // In half precision, the bit patterns after the highest finite value are infinity and NaN.
    broken("nan.safetensors", &|bytes| {
        let length = bytes.len();
        bytes[length - 2..].copy_from_slice(&[0xff, 0x7f]);
    });
    std::fs::write(folder.path().join("p.json"), gtr("plan --grid 4x4 --format json").succeeded()).unwrap();
    let mut lines = String::new();
    for flags in [
        "plan --schedule none.json",
        "plan --schedule folder",
        "plan --schedule empty.json",
        "plan --schedule schedule.json",
        "plan --schedule odd.json",
        "plan --schedule stray\u{1b}[31m\n.json",
        "plan --out none/p.json",
        "plan --out folder",
        "verify none.json",
        "verify folder",
        "schema --check folder",
        "schema --out-dir none/none",
        "sample --class 7 --out none/seven.png",
        "sample --class 7 --plan none.json --out x.png",
        "sample --class 7 --plan empty.json --out x.png",
        "sample --class 7 --plan p.json --out x.png",
        "sample --class 7 --model folder --out x.png",
        "sample --class 7 --weights none.pth --out x.png",
        "sample --class 7 --weights empty.pth --out x.png",
        "sample --class 7 --weights short.safetensors --out x.png",
        "sample --class 7 --weights misnamed.safetensors --out x.png",
        "sample --class 7 --weights nan.safetensors --out x.png",
    ] {
        let args: Vec<&str> = flags.split(' ').collect();
        let _ = write!(lines, "{}\n  {}", flags.escape_debug(), run_in(folder.path(), &args).failed(1));
    }
    assert_snapshot!("failures", lines);
    let left = crate::support::files(folder.path());
    assert!(left.iter().all(|name| !name.starts_with('.') && name != "x.png"), "{left:?}");
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_not_a_failure() {
    use std::io::Read;
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_gtr-cli"))
        .args(["plan", "--grid", "512x512", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
