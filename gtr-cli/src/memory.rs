//! How much memory the program has taken.

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
