//! What clap has to say, in one line.

use clap::error::ErrorKind;

use crate::error::ExitStatus;
use crate::output;

/// Reports help, a version, or an error of the command line.
pub(crate) fn report(error: &clap::Error) -> ExitStatus {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match output::print(&error.render().ansi().to_string()) {
            Ok(()) => ExitStatus::Success,
            Err(error) => {
                output::error(&error);
                error.status()
            }
        },
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitStatus::Usage
        }
        _ => {
            output::error(one_line(&error.render().to_string()));
            ExitStatus::Usage
        }
    }
}

/// The message without usage and without line breaks.
fn one_line(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let mut message = String::new();
    for line in lines {
        if !message.is_empty() {
            message.push_str(if line.starts_with("tip:") { "; " } else { " " });
        }
        message.push_str(line);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_message_of_several_paragraphs_becomes_one_line() {
        let text = "error: the following were not provided:\n  --out <FILE>\n\n  tip: try\n\nUsage: x\n\nFor more information, try '--help'.\n";
        assert_eq!(one_line(text), "the following were not provided: --out <FILE>; tip: try");
    }
}
