//! How much memory there is, and how much the program has taken.

/// The most memory that the program has had at once, in bytes; nothing where the system does not tell.
#[cfg(unix)]
pub(crate) fn peak() -> Option<u64> {
    use nix::sys::resource::{UsageWho, getrusage};
    let most = u64::try_from(getrusage(UsageWho::RUSAGE_SELF).ok()?.max_rss()).ok()?;
    // Apple counts bytes, everyone else kilobytes.
    Some(if cfg!(target_vendor = "apple") { most } else { most * 1024 })
}

/// The most memory that the program has had at once, in bytes; nothing where the system does not tell.
#[cfg(not(unix))]
pub(crate) fn peak() -> Option<u64> {
    None
}

/// The memory of the machine, in bytes; nothing where the system does not tell.
pub(crate) fn of_machine() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = told.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kilobytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
