//! Memory of the machine and peak memory of the process.

/// Returns the peak memory of the process in bytes; `None` if the system does not report it.
#[cfg(unix)]
pub(crate) fn peak() -> Option<u64> {
    use nix::sys::resource::{UsageWho, getrusage};
    let most = u64::try_from(getrusage(UsageWho::RUSAGE_SELF).ok()?.max_rss()).ok()?;
    // Apple systems report bytes, all others kibibytes.
    Some(if cfg!(target_vendor = "apple") { most } else { most * 1024 })
}

/// Returns the peak memory of the process in bytes; `None` if the system does not report it.
#[cfg(not(unix))]
pub(crate) fn peak() -> Option<u64> {
    None
}

/// Returns the total memory of the machine in bytes; `None` if the system does not report it.
pub(crate) fn of_machine() -> Option<u64> {
    let found = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = found.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kilobytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
