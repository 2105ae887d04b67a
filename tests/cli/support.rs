//! Helpers that run the program.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The result of a run.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Returns the standard output of a run, which must have succeeded.
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout
    }

    /// Returns the error of a run, which must have failed with exactly one line.
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.starts_with("error: ") && self.stderr.ends_with('\n'), "{}", self.stderr);
        self.stderr
    }
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gtr-cli"));
    command.current_dir(folder).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["COLUMNS", "CLICOLOR", "CLICOLOR_FORCE", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

/// Starts the program in a folder.
pub(crate) fn start_in(folder: &Path, args: &[&str]) -> std::process::Child {
    command(folder, args).spawn().unwrap()
}

/// Starts the program in a folder, with changes to its environment.
pub(crate) fn start_with(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> std::process::Child {
    command(folder, args).envs(environment.iter().copied()).spawn().unwrap()
}

/// Runs the program in a folder.
pub(crate) fn run_in(folder: &Path, args: &[&str]) -> Run {
    finish(command(folder, args).spawn().unwrap())
}

/// Runs the program in a folder, with changes to its environment.
pub(crate) fn run_with(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> Run {
    finish(command(folder, args).envs(environment.iter().copied()).spawn().unwrap())
}

/// Runs the program with arguments that name no files.
pub(crate) fn run(args: &[&str]) -> Run {
    run_in(&std::env::temp_dir(), args)
}

/// Runs the program with the arguments of a command line without quotes.
pub(crate) fn gtr(line: &str) -> Run {
    run(&line.split_whitespace().collect::<Vec<_>>())
}

/// Runs the program with standard input.
pub(crate) fn run_with_input(args: &[&str], input: &[u8]) -> Run {
    let mut child = command(&std::env::temp_dir(), args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // The program may stop reading before the end.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let run = finish(child);
    let _ = writer.join();
    run
}

fn finish(child: std::process::Child) -> Run {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Returns the plan for some flags, as JSON.
pub(crate) fn plan_json(flags: &str) -> Value {
    serde_json::from_str(&gtr(&format!("plan --format json {flags}")).succeeded()).unwrap()
}

/// Returns the names of the presets.
pub(crate) fn presets() -> Vec<String> {
    let presets: Vec<Value> = serde_json::from_str(&gtr("presets --format json").succeeded()).unwrap();
    presets.iter().map(|preset| preset["name"].as_str().unwrap().to_owned()).collect()
}

/// Returns the names of the files in a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Writes a grey PNG file.
pub(crate) fn write_grey(path: &Path, width: u32, height: u32, pixel: impl Fn(u32, u32) -> u8) {
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), width, height);
    encoder.set_color(png::ColorType::Grayscale);
    let bytes: Vec<u8> =
        (0..height).flat_map(|row| (0..width).map(move |column| (row, column))).map(|(r, c)| pixel(r, c)).collect();
    encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
}

/// Writes a PNG file of 32x32 pixels; the colour type determines the bytes per pixel.
pub(crate) fn write_pixels<const N: usize>(path: &Path, colour: png::ColorType, pixel: impl Fn(u32, u32) -> [u8; N]) {
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), 32, 32);
    encoder.set_color(colour);
    let places = (0..32).flat_map(|row| (0..32).map(move |column| (row, column)));
    let bytes: Vec<u8> = places.flat_map(|(row, column)| pixel(row, column)).collect();
    encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
}

/// Runs `sample` in a folder.
pub(crate) fn sample(folder: &Path, flags: &str) -> String {
    let line = format!("sample {flags}");
    run_in(folder, &line.split_whitespace().collect::<Vec<_>>()).succeeded()
}

/// Decodes a PNG file to width, height and bytes.
pub(crate) fn decode(path: &Path) -> (usize, usize, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::BufReader::new(fs::File::open(path).unwrap())).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut bytes).unwrap();
    (frame.width as usize, frame.height as usize, bytes)
}

/// Writes the configuration of a tiny model, whose images have the format of `digits`.
pub(crate) fn write_tiny_model(folder: &Path) {
    let config = r#"{ "model": "tiny", "grid": [8, 8], "patch_size": 4, "vae_embed_dim": 1, "token_embed_dim": 16,
        "image": [32, 32], "encoder_embed_dim": 16, "encoder_depth": 1, "encoder_num_heads": 2, "decoder_embed_dim": 16,
        "decoder_depth": 1, "decoder_num_heads": 2, "mlp_ratio": 4, "buffer_size": 4, "class_num": 10, "diffloss_d": 1,
        "diffloss_w": 16, "layer_norm_eps": 1e-06, "noise_schedule": "cosine", "diffusion_steps": 1000,
        "max_timestep": 949, "cfg": 3.0, "cfg_schedule": "linear", "latent_scale": 1.0, "decoder": "identity" }"#;
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("config.json"), config).unwrap();
}
