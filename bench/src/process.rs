//! What a process and its children cost, read from Linux's `/proc`: CPU time by thread, resident memory.
//!
//! CPU time is that of the scheduler (`/proc/PID/task/TID/schedstat`, nanoseconds). A thread that ends takes its file
//! with it; where one ended within a measurement the coarser sum of `/proc/PID/stat` (10 ms) is used instead.
//! Formats: proc(5).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Context as _, Error, Result};

/// The clock of `/proc/PID/stat`: `USER_HZ`, 100 on every Linux architecture in use.
const TICK_NS: u64 = 10_000_000;
/// Most children followed; a server has a few.
const PROCESSES_MAX: usize = 64;

/// CPU time of a process and its children up to one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct CpuReading {
    /// Thread id to its name and nanoseconds.
    threads: BTreeMap<u32, (String, u64)>,
    /// The processes' own sums, ended threads included, in nanoseconds of coarse resolution.
    coarse_ns: u64,
}

/// CPU time between two readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuSpent {
    /// All threads together.
    pub(crate) total_ns: u64,
    /// By thread name, with numbers at the end of a name dropped.
    pub(crate) by_name: BTreeMap<String, u64>,
}

impl CpuReading {
    /// Reads a process and its children now.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let mut reading = Self::default();
        for process in family(pid)? {
            let tasks = PathBuf::from(format!("/proc/{process}/task"));
            for task in std::fs::read_dir(&tasks).context(|| format!("cannot read {}", tasks.display()))? {
                let path = task.context(|| format!("cannot read {}", tasks.display()))?.path();
                if let Some((thread, name, nanoseconds)) = read_thread(&path) {
                    reading.threads.insert(thread, (name, nanoseconds));
                }
            }
            reading.coarse_ns += coarse(process)?;
        }
        Ok(reading)
    }

    /// What was spent since an earlier reading.
    pub(crate) fn since(&self, earlier: &Self) -> CpuSpent {
        let mut spent = CpuSpent::default();
        for (thread, (name, nanoseconds)) in &self.threads {
            let before = earlier.threads.get(thread).map_or(0, |(_, before)| *before);
            let delta = nanoseconds.saturating_sub(before);
            spent.total_ns += delta;
            *spent.by_name.entry(kind_of(name)).or_default() += delta;
        }
        if earlier.threads.keys().any(|thread| !self.threads.contains_key(thread)) {
            spent.total_ns = spent.total_ns.max(self.coarse_ns.saturating_sub(earlier.coarse_ns));
        }
        spent
    }
}

/// `sqlite-3` and `sqlite-11` are of one kind.
fn kind_of(name: &str) -> String {
    name.trim_end_matches(|end: char| end.is_ascii_digit() || end == '-').to_owned()
}

/// Nothing where the thread has just ended.
fn read_thread(task: &Path) -> Option<(u32, String, u64)> {
    let thread = task.file_name()?.to_str()?.parse().ok()?;
    let name = std::fs::read_to_string(task.join("comm")).ok()?.trim_end().to_owned();
    let figures = std::fs::read_to_string(task.join("schedstat")).ok()?;
    Some((thread, name, figures.split_whitespace().next()?.parse().ok()?))
}

/// The process and its children, theirs included.
fn family(pid: u32) -> Result<Vec<u32>> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(process) = found.get(next).copied() {
        next += 1;
        let tasks = PathBuf::from(format!("/proc/{process}/task"));
        for task in std::fs::read_dir(&tasks).context(|| format!("process {pid} is gone"))? {
            let path = task.context(|| format!("cannot read {}", tasks.display()))?.path();
            let children = std::fs::read_to_string(path.join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        found.truncate(PROCESSES_MAX);
    }
    Ok(found)
}

fn coarse(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).context(|| format!("cannot read {path}"))?;
    // The second field, a name in brackets, may hold spaces; user and system time are the 14th and 15th.
    let after_name = text.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Ok(ticks.sum::<u64>() * TICK_NS)
}

/// Resident memory of a process and its children, in bytes. Pages that processes share count in each.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let mut bytes = 0;
    for process in family(pid)? {
        let path = format!("/proc/{process}/status");
        let text = std::fs::read_to_string(&path).context(|| format!("cannot read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib =
            line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
        bytes += kib.ok_or_else(|| Error::Unexpected(format!("{path} has no VmRSS")))? * 1024;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_under_the_name_of_the_thread_that_did_it() {
        let before = CpuReading::of(std::process::id()).unwrap();
        let (spent, total) = std::thread::Builder::new()
            .name("worker-7".to_owned())
            .spawn(move || {
                let mut figure = 1_u64;
                loop {
                    for _ in 0..100_000 {
                        figure = std::hint::black_box(figure.wrapping_mul(3));
                    }
                    let spent = CpuReading::of(std::process::id()).unwrap().since(&before);
                    if let Some(worker) = spent.by_name.get("worker").filter(|worker| **worker > 0) {
                        return (*worker, spent.total_ns);
                    }
                }
            })
            .unwrap()
            .join()
            .unwrap();
        assert!(total >= spent);
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
    }

    #[test]
    fn an_ended_thread_is_counted_by_the_coarse_clock() {
        let thread = |nanoseconds| ("t".to_owned(), nanoseconds);
        let before = CpuReading { threads: [(1, thread(5)), (2, thread(7))].into(), coarse_ns: TICK_NS };
        let after = CpuReading { threads: [(1, thread(9))].into(), coarse_ns: 4 * TICK_NS };
        assert_eq!(after.since(&before).total_ns, 3 * TICK_NS);
        let alive = CpuReading { threads: [(1, thread(9)), (2, thread(8))].into(), coarse_ns: 4 * TICK_NS };
        assert_eq!(alive.since(&before).total_ns, 5);
        assert_eq!(alive.since(&before).by_name, [("t".to_owned(), 5)].into());
    }
}
