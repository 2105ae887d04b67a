//! Detects the graphics support of the terminal.

use std::env;

/// Method of drawing images in a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Graphics {
    /// Graphics protocol of kitty.
    Kitty,
    /// Inline images of iTerm2.
    Iterm,
    /// Sixel graphics.
    Sixel,
    /// Half block characters, two pixels per cell.
    Blocks(Colours),
}

/// Colours of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    /// 24 bits.
    True,
    /// 256 colours of xterm.
    Indexed,
}

/// Queries support for the kitty protocol, then the device attributes. Every terminal answers the second query.
#[cfg(unix)]
const QUESTION: &str = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c";

/// Environment variables, and the values that they contain in terminals that support inline images of iTerm2.
const ITERM: [(&str, &[&str]); 3] = [
    ("TERM_PROGRAM", &["iTerm", "WezTerm", "mintty", "rio", "WarpTerminal"]),
    ("LC_TERMINAL", &["iTerm", "WezTerm", "mintty", "rio"]),
    ("KONSOLE_VERSION", &[""]),
];

impl Graphics {
    /// Returns the best method that the terminal supports, or half blocks if it does not answer.
    pub(super) fn of_terminal() -> Self {
        answer().and_then(|answer| Self::by_answer(&answer, is_iterm())).unwrap_or(Self::Blocks(Colours::of_terminal()))
    }

    fn by_answer(answer: &str, is_iterm: bool) -> Option<Self> {
        if answer.contains("_Gi=31;OK") {
            return Some(Self::Kitty);
        }
        if is_iterm {
            return Some(Self::Iterm);
        }
        let (_, attributes) = answer.split_once("\x1b[?")?;
        let mut attributes = attributes.trim_end_matches('c').split(';').skip(1);
        attributes.any(|attribute| attribute == "4").then_some(Self::Sixel)
    }
}

impl Colours {
    fn of_terminal() -> Self {
        let true_colour = env::var("COLORTERM").is_ok_and(|it| it.contains("truecolor") || it.contains("24bit"));
        if true_colour { Self::True } else { Self::Indexed }
    }
}

fn is_iterm() -> bool {
    ITERM.iter().any(|(name, contents)| {
        env::var(name).is_ok_and(|value| !value.is_empty() && contents.iter().any(|it| value.contains(it)))
    })
}

/// Returns the terminal's answer to [`QUESTION`]. Session recorders and containers may never answer, so there is a timeout of two
/// seconds.
#[cfg(unix)]
fn answer() -> Option<String> {
    use std::io::{self, IsTerminal as _, Write as _};
    use std::time::{Duration, Instant};

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::unistd::read;
    use std::os::fd::AsFd as _;

    const PATIENCE: Duration = Duration::from_secs(2);
    // Answers are shorter.
    const LONGEST: usize = 512;

    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return None;
    }
    let _unbuffered = Unbuffered::new().ok()?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(QUESTION.as_bytes()).and_then(|()| stdout.flush()).ok()?;
    let end = Instant::now() + PATIENCE;
    let mut answer = Vec::new();
    while answer.len() < LONGEST {
        let left = PollTimeout::try_from(end.saturating_duration_since(Instant::now())).ok()?;
        let mut waiting = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waiting, left).ok()? == 0 {
            return None;
        }
        let mut bytes = [0; 64];
        match read(stdin.as_fd(), &mut bytes).ok()? {
            0 => return None,
            count => answer.extend_from_slice(&bytes[..count]),
        }
        if is_whole(&answer) {
            return String::from_utf8(answer).ok();
        }
    }
    None
}

/// Returns `None`: on Windows only half blocks are used.
#[cfg(not(unix))]
fn answer() -> Option<String> {
    None
}

/// Returns true if the answer to the second query is complete.
#[cfg(unix)]
fn is_whole(answer: &[u8]) -> bool {
    let attributes = answer.windows(3).position(|bytes| bytes == b"\x1b[?");
    attributes.is_some_and(|start| answer[start..].contains(&b'c'))
}

/// Sets standard input to unbuffered mode without echo, and restores it when dropped.
#[cfg(unix)]
struct Unbuffered(nix::sys::termios::Termios);

#[cfg(unix)]
impl Unbuffered {
    fn new() -> nix::Result<Self> {
        use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin())?;
        let mut settings = before.clone();
        settings.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(std::io::stdin(), SetArg::TCSANOW, &settings)?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Unbuffered {
    fn drop(&mut self) {
        // An error means that the terminal is gone.
        let _ = nix::sys::termios::tcsetattr(std::io::stdin(), nix::sys::termios::SetArg::TCSANOW, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_the_graphics() {
        let graphics = |answer| Graphics::by_answer(answer, false);
        assert_eq!(graphics("\x1b_Gi=31;OK\x1b\\\x1b[?62;c"), Some(Graphics::Kitty));
        assert_eq!(graphics("\x1b_Gi=31;ENOTSUPPORTED:no\x1b\\\x1b[?62;4c"), Some(Graphics::Sixel));
        assert_eq!(graphics("\x1b[?1;2;4c"), Some(Graphics::Sixel));
        assert_eq!(graphics("\x1b[?62;22c"), None);
        assert_eq!(graphics("\x1b[?4c"), None, "a VT132, the first number is the model");
        assert_eq!(Graphics::by_answer("\x1b[?1;2;4c", true), Some(Graphics::Iterm));
    }

    #[cfg(unix)]
    #[test]
    fn an_answer_ends_with_the_attributes() {
        assert!(is_whole(b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c"));
        assert!(!is_whole(b"\x1b_Gi=31;c\x1b\\"));
        assert!(!is_whole(b"\x1b[?62;"));
    }
}
