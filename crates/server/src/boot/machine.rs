//! What the machine gives this process: its memory, from which defaults follow.

/// Assumed where the system does not say.
const UNKNOWN_BYTES: u64 = 1 << 30;

/// The memory this process may use, in bytes: the machine's, or its control group's where that is less (proc(5),
/// <https://docs.kernel.org/admin-guide/cgroup-v2.html>).
pub(crate) fn memory_bytes() -> u64 {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| total(&text));
    let group = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    [machine, group].into_iter().flatten().min().unwrap_or(UNKNOWN_BYTES)
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_memory_is_read() {
        assert_eq!(total("MemTotal:       16318480 kB\nMemFree: 1 kB\n"), Some(16_710_123_520));
        assert_eq!(total("nothing"), None);
        assert!(memory_bytes() > 0);
    }
}
