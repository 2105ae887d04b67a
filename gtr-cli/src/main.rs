//! `gtr-cli`: the command line of [`gtr_cli`] with the built-in schedulers and model families.

fn main() -> std::process::ExitCode {
    gtr_cli::run(gtr_core::Registry::builtin(), gtr_backends::Families::builtin(), std::env::args_os())
}
