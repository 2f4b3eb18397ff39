//! Wall-clock instants as numbers. Not a clock: nothing here can tell what time it is.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z. May be negative for instants before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// The instant as a calendar timestamp, or `None` outside jiff's range (years −9999 to 9999).
    pub fn timestamp(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_millisecond(self.0).ok()
    }

    /// Milliseconds from `earlier` to `self`; zero where the clock went backwards.
    pub fn since(self, earlier: UnixMs) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// The instant `ms` milliseconds later, saturating.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> UnixMs {
        UnixMs(self.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
    }

    /// The UTC month as `YYYY-MM`: the name of the ledger file the instant belongs to.
    pub fn month(self) -> String {
        self.timestamp().map_or_else(|| "0000-00".to_owned(), |at| at.strftime("%Y-%m").to_string())
    }

    /// The UTC day as `YYYY-MM-DD`.
    pub fn day(self) -> String {
        self.timestamp().map_or_else(|| "0000-00-00".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
    }
}

impl From<jiff::Timestamp> for UnixMs {
    fn from(at: jiff::Timestamp) -> Self {
        UnixMs(at.as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_days_are_utc() {
        let at = UnixMs(1_767_225_599_999);
        assert_eq!((at.month().as_str(), at.day().as_str()), ("2025-12", "2025-12-31"));
        assert_eq!(at.plus_ms(1).month(), "2026-01");
    }

    #[test]
    fn a_clock_that_went_backwards_measures_zero() {
        assert_eq!(UnixMs(5).since(UnixMs(9)), 0);
    }
}
