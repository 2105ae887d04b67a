//! Requests to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::{CliError, ExitStatus};

/// Listens for ctrl-C and for the request to end that schedulers send. The first is an appeal to finish what is in hand; a
/// second ctrl-C ends the program at once.
#[derive(Debug)]
pub(crate) struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// Begins to listen; before that, a signal ends the program.
    pub(crate) fn listen() -> Result<Self, CliError> {
        let (received, twice) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let listen = || {
            // The first registered is the first asked: it sees what a signal before has left.
            flag::register_conditional_shutdown(SIGINT, SIGINT + 128, Arc::clone(&twice))?;
            flag::register(SIGINT, twice)?;
            for signal in [SIGINT, SIGTERM] {
                flag::register_usize(signal, Arc::clone(&received), usize::try_from(signal).unwrap_or_default())?;
            }
            Ok(())
        };
        listen().map_err(|error: std::io::Error| CliError::failure("cannot listen for signals", &error))?;
        Ok(Self(received))
    }

    /// How the program is to end, if it was asked to.
    pub(crate) fn asked(&self) -> Option<ExitStatus> {
        match i32::try_from(self.0.load(Ordering::SeqCst)) {
            Ok(SIGINT) => Some(ExitStatus::Interrupted),
            Ok(SIGTERM) => Some(ExitStatus::Terminated),
            _ => None,
        }
    }
}
