//! `gtr-cli`: the command line of [`gtr_cli`] with the schedulers that are built in.

fn main() -> std::process::ExitCode {
    gtr_cli::run(gtr_core::Registry::builtin(), std::env::args_os())
}
