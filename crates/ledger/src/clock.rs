//! What time it is, as something handed in: tests pause it, recovery replays it.

use trunkline_domain::UnixMs;

/// A source of time.
pub trait Clock: Send + Sync {
    /// Wall-clock time: for rows and calendar windows. May jump.
    fn now(&self) -> UnixMs;

    /// Milliseconds since some fixed instant of this process: for durations and sliding windows. Never goes back.
    fn monotonic_ms(&self) -> u64;
}
