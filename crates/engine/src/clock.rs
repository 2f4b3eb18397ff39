//! The real clock. Durations come from tokio's time, so that tests can pause it.

use trunkline_domain::UnixMs;
use trunkline_ledger::clock::Clock;

/// Wall-clock time from the system, durations from tokio.
#[derive(Debug)]
pub struct SystemClock {
    started: tokio::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts at zero now.
    pub fn start() -> Self {
        Self { started: tokio::time::Instant::now() }
    }
}

/// Wall-clock time from the system.
pub fn wall() -> UnixMs {
    jiff::Timestamp::now().into()
}

impl Clock for SystemClock {
    fn now(&self) -> UnixMs {
        wall()
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
