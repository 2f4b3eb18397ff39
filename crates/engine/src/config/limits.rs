//! `[server.limits]`: every cap of the front door, each a named constant.
//!
//! Not the limits of a key or of an account. Look first at [`ServerLimits`].

use std::time::Duration;

use super::reader::Table;
use crate::door::DoorLimits;

/// What the front door accepts at most. `None` where the default follows from the machine's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// The largest request body, in bytes.
    pub body_bytes_max: u64,
    /// All request bodies under way together, in bytes; by default a quarter of the memory.
    pub bodies_bytes_max: Option<u64>,
    /// All headers of one request, in bytes.
    pub header_bytes_max: u32,
    /// How long a client may take to send a request's headers.
    pub header_read_timeout: Duration,
    /// Open client connections.
    pub connections_max: u32,
    /// Requests under way; by default [`ServerLimits::IN_FLIGHT_MAX`], less on small machines.
    pub in_flight_max: Option<u32>,
    /// Requests that wait to be under way.
    pub waiting_max: u32,
    /// How long one of them waits.
    pub waiting: Duration,
    /// Upstream attempts of one request.
    pub attempts_max: u8,
    /// Silence after which a waiting stream gets a comment line.
    pub heartbeat: Duration,
}

impl ServerLimits {
    /// Default of `body_bytes_max`: 32 MiB.
    pub const BODY_BYTES_MAX: u64 = 32 << 20;
    /// Default of `header_bytes_max`: 64 KiB.
    pub const HEADER_BYTES_MAX: u32 = 64 << 10;
    /// Default of `header_read_timeout_ms`: ten seconds.
    pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
    /// Default of `connections_max`.
    pub const CONNECTIONS_MAX: u32 = 65_536;
    /// Default of `in_flight_max` where memory allows 64 KiB for each.
    pub const IN_FLIGHT_MAX: u32 = 65_536;
    /// Default of `waiting_max`.
    pub const WAITING_MAX: u32 = 1_024;
    /// Default of `waiting_ms`: five seconds.
    pub const WAITING: Duration = Duration::from_secs(5);
    /// Default of `attempts_max`.
    pub const ATTEMPTS_MAX: u8 = 4;
    /// Default of `heartbeat_ms`: ten seconds.
    pub const HEARTBEAT: Duration = Duration::from_secs(10);

    /// `bodies_bytes_max` on a machine with this much memory: as configured, or a quarter, but never less than one
    /// body.
    pub fn bodies_bytes_max(&self, memory_bytes: u64) -> u64 {
        self.bodies_bytes_max.unwrap_or(memory_bytes / 4).max(self.body_bytes_max)
    }

    /// `in_flight_max` on a machine with this much memory: as configured, or one for each 64 KiB up to
    /// [`ServerLimits::IN_FLIGHT_MAX`].
    pub fn in_flight_max(&self, memory_bytes: u64) -> u32 {
        let fits = u32::try_from(memory_bytes >> 16).unwrap_or(u32::MAX).clamp(1, Self::IN_FLIGHT_MAX);
        self.in_flight_max.unwrap_or(fits)
    }

    /// The bounds of the door on a machine with this much memory.
    pub fn door(&self, memory_bytes: u64) -> DoorLimits {
        DoorLimits {
            in_flight_max: self.in_flight_max(memory_bytes),
            waiting_max: self.waiting_max,
            waiting: self.waiting,
        }
    }

    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let defaults = Self::default();
        let limits = Self {
            body_bytes_max: table.number("body_bytes_max", 1024..=1 << 30).unwrap_or(defaults.body_bytes_max),
            bodies_bytes_max: table.number("bodies_bytes_max", 1024..=1 << 40),
            header_bytes_max: table
                .number("header_bytes_max", 4096..=1 << 20)
                .unwrap_or(defaults.header_bytes_max),
            header_read_timeout: milliseconds(table, "header_read_timeout_ms", 100..=600_000)
                .unwrap_or(defaults.header_read_timeout),
            connections_max: table
                .number("connections_max", 1..=1_000_000)
                .unwrap_or(defaults.connections_max),
            in_flight_max: table.number("in_flight_max", 1..=1_000_000),
            waiting_max: table.number("waiting_max", 0..=65_536).unwrap_or(defaults.waiting_max),
            waiting: milliseconds(table, "waiting_ms", 0..=60_000).unwrap_or(defaults.waiting),
            attempts_max: attempts_max(table).unwrap_or(defaults.attempts_max),
            heartbeat: heartbeat(table).unwrap_or(defaults.heartbeat),
        };
        if limits.bodies_bytes_max.is_some_and(|all| all < limits.body_bytes_max) {
            let place = table.place().clone();
            table
                .findings()
                .error(&place, "bodies_bytes_max is smaller than one body may be (body_bytes_max)");
        }
        limits
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: Self::BODY_BYTES_MAX,
            bodies_bytes_max: None,
            header_bytes_max: Self::HEADER_BYTES_MAX,
            header_read_timeout: Self::HEADER_READ_TIMEOUT,
            connections_max: Self::CONNECTIONS_MAX,
            in_flight_max: None,
            waiting_max: Self::WAITING_MAX,
            waiting: Self::WAITING,
            attempts_max: Self::ATTEMPTS_MAX,
            heartbeat: Self::HEARTBEAT,
        }
    }
}

/// The key `attempts_max`, of the limits or of a route.
pub(super) fn attempts_max(table: &mut Table<'_>) -> Option<u8> {
    table.number("attempts_max", 1..=16)
}

/// The key `heartbeat_ms`, of the limits or of a route.
pub(super) fn heartbeat(table: &mut Table<'_>) -> Option<Duration> {
    milliseconds(table, "heartbeat_ms", 1000..=600_000)
}

/// A duration in whole milliseconds.
pub(super) fn milliseconds(
    table: &mut Table<'_>,
    key: &'static str,
    range: std::ops::RangeInclusive<i64>,
) -> Option<Duration> {
    table.number(key, range).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_memory_allows_bounds_the_defaults() {
        let limits = ServerLimits::default();
        assert_eq!(limits.in_flight_max(1 << 40), ServerLimits::IN_FLIGHT_MAX);
        assert_eq!(limits.in_flight_max(1 << 30), 16_384);
        assert_eq!(limits.bodies_bytes_max(1 << 30), 1 << 28);
        assert_eq!(limits.bodies_bytes_max(1 << 20), ServerLimits::BODY_BYTES_MAX);
        assert_eq!(ServerLimits { in_flight_max: Some(7), ..limits }.in_flight_max(1 << 30), 7);
    }
}
