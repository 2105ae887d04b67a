//! Arguments of `completions`.

use clap::Args;

/// Print shell completions.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// Shell to print completions for.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli completions bash > ~/.local/share/bash-completion/completions/gtr-cli
  gtr-cli completions fish > ~/.config/fish/completions/gtr-cli.fish";
