//! Lock files for file systems without locks. The file identifies the lock owner.
//!
//! A process creates the file atomically if it does not exist, and removes it at the end. The file of a killed process is stale.
//! It is replaced only if its owner has certainly ended: either it ran in the same boot of the same system and no process has
//! its PID and start time any more, or it was the same Slurm task, which has since been restarted. An owner on another machine
//! may still be alive; only the user can decide that.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, Notes};

/// Largest valid lock file, in bytes.
const MOST_BYTES: u64 = 1 << 12;

/// Number of retries, and the delay between them, for a file that is being written.
const PATIENCE: (u32, Duration) = (10, Duration::from_millis(50));

/// Lock owner, as stored in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Process {
    host: String,
    pid: u32,
    /// Identity of the process beyond its PID, if the system provides it.
    #[serde(default)]
    origin: Option<Origin>,
    #[serde(default)]
    slurm: Option<SlurmTask>,
}

/// System and start time of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    /// Boot ID, which is random for each boot.
    boot: String,
    /// PID namespace.
    namespace: String,
    /// Start time in clock ticks since boot.
    start: u64,
}

/// A Slurm task, which runs on one machine at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SlurmTask {
    job: String,
    rank: String,
    restarts: u32,
}

/// A lock owner and its lock file.
#[derive(Clone, Debug)]
pub struct Holder {
    path: PathBuf,
    process: Option<Process>,
}

/// A held lock. Dropping it removes the lock file.
#[derive(Debug)]
pub(super) struct Claim(PathBuf);

/// Result of an attempt to create a lock file.
#[derive(Debug)]
pub(super) enum Claimed {
    Ours(Claim),
    Theirs(Holder),
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A file that is left behind is recognised as stale.
        let _ = fs::remove_file(&self.0);
    }
}

impl Claim {
    /// Creates the lock file, or returns its owner.
    pub(super) fn create(path: &Path, notes: &Notes) -> Result<Claimed, Error> {
        let ours = Process::this();
        let wrong = |error: &io::Error| Error::failure(format_args!("cannot write {}", path.display()), error);
        // Retry if the file disappears between creating and reading.
        for _ in 0..PATIENCE.0 {
            if write_new(path, &ours).map_err(|error| wrong(&error))? {
                return Ok(Claimed::Ours(Self(path.to_owned())));
            }
            let process = match read(path).map_err(|error| wrong(&error))? {
                Named::NoFile => continue,
                Named::Nobody => None,
                Named::Holder(process) => Some(process),
            };
            let holder = Holder { path: path.to_owned(), process };
            let Some(ended) = holder.process.as_ref().filter(|process| process.has_ended(&ours)) else {
                return Ok(Claimed::Theirs(holder));
            };
            return if replace(path, ended, &ours).map_err(|error| wrong(&error))? {
                notes.say(format_args!("{holder} has ended: taking over its part"));
                Ok(Claimed::Ours(Self(path.to_owned())))
            } else {
                Ok(Claimed::Theirs(holder))
            };
        }
        Ok(Claimed::Theirs(Holder { path: path.to_owned(), process: None }))
    }

    /// Path of the lock file.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Holder {
    /// Advice for the user.
    pub fn advice(&self) -> String {
        format!("wait for it or end it first; if it has already ended, remove {}", self.path.display())
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            Some(Process { host, pid, .. }) => write!(f, "process {pid} on {host}"),
            None => f.write_str("another process"),
        }
    }
}

impl Process {
    /// Returns the identity of this process.
    fn this() -> Self {
        let pid = std::process::id();
        let variable = |name: &str| std::env::var(name).ok();
        let slurm = variable("SLURM_JOB_ID").map(|job| SlurmTask {
            job,
            rank: variable("SLURM_PROCID").unwrap_or_default(),
            restarts: variable("SLURM_RESTART_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0),
        });
        Self { host: host(), pid, origin: Origin::of(pid), slurm }
    }

    /// Returns true if the process has certainly ended, as seen from another process.
    fn has_ended(&self, seen_from: &Self) -> bool {
        let ended_here = match (&self.origin, &seen_from.origin) {
            (Some(theirs), Some(ours)) if (&theirs.boot, &theirs.namespace) == (&ours.boot, &ours.namespace) => {
                start(self.pid) != Some(theirs.start)
            }
            _ => false,
        };
        let restarted = match (&self.slurm, &seen_from.slurm) {
            (Some(theirs), Some(ours)) => {
                (&theirs.job, &theirs.rank) == (&ours.job, &ours.rank) && theirs.restarts < ours.restarts
            }
            _ => false,
        };
        ended_here || restarted
    }
}

impl Origin {
    fn of(pid: u32) -> Option<Self> {
        Some(Self {
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned(),
            namespace: fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned(),
            start: start(pid)?,
        })
    }
}

/// Returns the start time of the process with this PID, if it exists.
fn start(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses, which may contain any character; the state is the third, the start the 22nd.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    // A zombie process cannot write any more.
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Returns the host name.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    name.map_or_else(|| "an unnamed machine".to_owned(), |name| name.trim().to_owned())
}

/// Creates the lock file of a process. Returns false if it already exists.
fn write_new(path: &Path, process: &Process) -> io::Result<bool> {
    let mut file = match File::options().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        file => file?,
    };
    let written = serde_json::to_vec(process).map_err(io::Error::other).and_then(|text| file.write_all(&text));
    if written.is_err() {
        // An incomplete lock file would block every process.
        let _ = fs::remove_file(path);
    }
    written.map(|()| true)
}

/// Owner according to a lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    /// The file does not exist.
    NoFile,
    /// The file has no valid owner.
    Nobody,
    Holder(Process),
}

fn read(path: &Path) -> io::Result<Named> {
    for _ in 0..PATIENCE.0 {
        let mut text = Vec::new();
        match File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Named::NoFile),
            read => drop(read?),
        }
        if let Ok(process) = serde_json::from_slice(&text) {
            return Ok(Named::Holder(process));
        }
        // The file may be incomplete while its owner writes it.
        thread::sleep(PATIENCE.1);
    }
    Ok(Named::Nobody)
}

/// Replaces the stale lock file of an ended process. Returns false if another process was faster. A second lock file serializes
/// replacements, so that only the inspected file is replaced.
fn replace(path: &Path, ended: &Process, ours: &Process) -> io::Result<bool> {
    let next = path.with_extension("next-holder");
    if !write_new(&next, ours)? {
        return Ok(false);
    }
    let still = read(path)? == Named::Holder(ended.clone());
    if still {
        fs::rename(&next, path)?;
    } else {
        fs::remove_file(&next)?;
    }
    Ok(still)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    fn holder(edit: impl Fn(&mut Process)) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0-of-1.holder");
        let mut process = Process::this();
        edit(&mut process);
        assert!(write_new(&path, &process).unwrap());
        (folder, path)
    }

    fn is_taken_over(edit: impl Fn(&mut Process)) -> bool {
        let (folder, path) = holder(edit);
        let claimed = Claim::create(&path, &Notes::none()).unwrap();
        let over = matches!(claimed, Claimed::Ours(_));
        drop(claimed);
        // Only the file of a process that may be alive remains.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), usize::from(!over));
        over
    }

    #[test]
    fn only_stale_locks_are_taken_over() {
        assert!(!is_taken_over(|_| {}), "this process is alive");
        let origin = |process: &mut Process, edit: &dyn Fn(&mut Origin)| edit(process.origin.as_mut().unwrap());
        assert!(
            is_taken_over(|process| origin(process, &|origin| origin.start += 1)),
            "an earlier process with the same PID"
        );
        // No process has such a high PID.
        assert!(is_taken_over(|process| process.pid = u32::MAX));
        for elsewhere in [
            (|process: &mut Process| process.origin = None) as fn(&mut Process),
            |process| process.origin.as_mut().unwrap().boot = "another".to_owned(),
            |process| process.origin.as_mut().unwrap().namespace = "another".to_owned(),
        ] {
            assert!(!is_taken_over(|process| {
                process.pid = u32::MAX;
                elsewhere(process);
            }));
        }
    }

    #[test]
    fn a_restarted_slurm_task_takes_over() {
        let task = |job: &str, rank: &str, restarts| SlurmTask { job: job.to_owned(), rank: rank.to_owned(), restarts };
        let process = |slurm| Process { host: "a".to_owned(), pid: 1, origin: None, slurm };
        let ours = process(Some(task("7", "0", 1)));
        assert!(process(Some(task("7", "0", 0))).has_ended(&ours));
        for other in [Some(task("7", "0", 1)), Some(task("7", "1", 0)), Some(task("6", "0", 0)), None] {
            assert!(!process(other.clone()).has_ended(&ours), "{other:?}");
        }
    }

    #[test]
    fn a_lock_without_owner_is_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0-of-1.holder");
        for text in ["", "{", "{\"host\": 3}"] {
            fs::write(&path, text).unwrap();
            let Claimed::Theirs(holder) = Claim::create(&path, &Notes::none()).unwrap() else {
                panic!("{text} was taken over")
            };
            assert_eq!(holder.to_string(), "another process");
            assert!(holder.advice().ends_with(&format!("remove {}", path.display())));
        }
    }

    /// Many processes try to take over a stale lock at the same time.
    #[test]
    fn only_one_process_takes_over() {
        for _ in 0..20 {
            let (_folder, path) = holder(|process| process.pid = u32::MAX);
            let claims: Vec<_> = thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..8).map(|_| scope.spawn(|| Claim::create(&path, &Notes::none()).unwrap())).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(claims.iter().filter(|claim| matches!(claim, Claimed::Ours(_))).count(), 1);
        }
    }
}
