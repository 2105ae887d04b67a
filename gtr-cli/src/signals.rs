//! Handles requests to stop: Ctrl-C, and the signals of job schedulers.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use gtr_run::{Interrupt, Interruption};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::{CliError, ExitStatus};
use crate::output;

/// Polling interval for signals.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The process exits this long after a signal, even within an AR step.
const MOST: Duration = Duration::from_secs(5);

/// Received signals, and how to react to them. Global, because signals belong to the process.
struct State {
    /// Last signal that has not been handled; 0 if there is none.
    received: Arc<AtomicUsize>,
    /// First signal; 0 if there is none.
    first: AtomicUsize,
    /// True while a batch is running that can be finished.
    busy: AtomicBool,
    /// Advice on how to resume after a stop.
    next: OnceLock<&'static str>,
}

static STATE: LazyLock<State> = LazyLock::new(|| State {
    received: Arc::default(),
    first: AtomicUsize::new(0),
    busy: AtomicBool::new(false),
    next: OnceLock::new(),
});

/// Signals that request a stop. Slurm sends USR1, USR2 or HUP before the time limit if a script requests it.
#[cfg(unix)]
const SIGNALS: [i32; 5] = {
    use signal_hook::consts::{SIGHUP, SIGUSR1, SIGUSR2};
    [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2]
};
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Installs the signal handlers. Unfinished files are removed before a signal ends the process.
pub(crate) fn listen() -> Result<(), CliError> {
    for signal in SIGNALS.into_iter().filter(|&signal| !is_ignored(signal)) {
        flag::register_usize(signal, Arc::clone(&STATE.received), usize::try_from(signal).unwrap_or_default())
            .map_err(|error| CliError::failure("cannot install signal handlers", &error))?;
    }
    thread::spawn(watch);
    Ok(())
}

/// Returns true if the parent process made this process ignore a signal, as `nohup` does.
fn is_ignored(signal: i32) -> bool {
    ignores(&std::fs::read_to_string("/proc/self/status").unwrap_or_default(), signal)
}

/// Returns true if the text of `/proc/PID/status` lists a signal as ignored.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    (mask >> (signal - 1)) & 1 == 1
}

/// Handles signals in a loop.
fn watch() {
    let mut deadline: Option<Instant> = None;
    loop {
        thread::sleep(BETWEEN_LOOKS);
        let signal = STATE.received.swap(0, Ordering::SeqCst);
        if signal != 0 {
            let is_first = STATE.first.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst).is_ok();
            match (is_first, is_interrupt(signal)) {
                (true, _) if !STATE.busy.load(Ordering::SeqCst) => end(signal),
                (true, true) => output::note("finishing the current batch; press Ctrl-C again to stop now"),
                (true, false) => output::note("stop requested: finishing the current batch"),
                (false, true) => end(signal),
                (false, false) => {}
            }
            deadline.get_or_insert_with(|| Instant::now() + MOST);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let next = STATE.next.get().copied().unwrap_or_default();
            output::note(format_args!("stopped during a long batch: {next}"));
            end(STATE.first.load(Ordering::SeqCst));
        }
    }
}

fn is_interrupt(signal: usize) -> bool {
    i32::try_from(signal) == Ok(SIGINT)
}

/// Removes unfinished files and exits.
fn end(signal: usize) -> ! {
    gtr_backends::remove_unfinished();
    process::exit(ExitStatus::from(reason(signal)).code())
}

/// Returns the origin of a signal: the user (Ctrl-C) or another program.
fn reason(signal: usize) -> Interruption {
    if is_interrupt(signal) { Interruption::User } else { Interruption::Program }
}

/// Returns a handle through which work polls for stop requests. From this call on, the first signal no longer ends the process at
/// once: the current batch is finished if that takes at most a few seconds. `next` is the advice on how to resume.
pub(crate) fn interrupt(next: &'static str) -> Interrupt {
    let _ = STATE.next.set(next);
    STATE.busy.store(true, Ordering::SeqCst);
    Interrupt::new(|| {
        let first = STATE.first.load(Ordering::SeqCst);
        let signal = if first == 0 { STATE.received.load(Ordering::SeqCst) } else { first };
        (signal != 0).then(|| reason(signal))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        // SIGHUP (1) and SIGTERM (15).
        let status = "Name:\tgtr-cli\nSigIgn:\t0000000000004001\nSigCgt:\tffffffffffffffff\n";
        assert_eq!(
            [1, 2, 14, 15, 16, 64].map(|signal| ignores(status, signal)),
            [true, false, false, true, false, false]
        );
        assert!(!ignores("", 1));
    }
}
