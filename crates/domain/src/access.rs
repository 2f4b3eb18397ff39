//! Virtual keys and what they allow, as facts: no counters here.

use serde::{Deserialize, Serialize};

use crate::id::{KeyId, OrganisationId, TeamId, UserId};
use crate::model::Text;
use crate::money::NanoUsd;
use crate::time::UnixMs;

/// A virtual key: what a caller presents instead of a provider's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualKey {
    /// Public id, safe to show.
    pub id: KeyId,
    /// A name people recognise; unique among the living keys of its organisation.
    pub name: Text,
    /// Whose key it is.
    pub organisation: OrganisationId,
    /// The team it belongs to, if any.
    pub team: Option<TeamId>,
    /// The user it belongs to, if any.
    pub user: Option<UserId>,
    /// SHA-256 of the secret: what is stored and looked up.
    pub hash: KeyHash,
    /// The last four characters of the secret, to tell keys apart in lists.
    pub hint: Text,
    /// Models it may use; empty means all.
    pub models: Vec<ModelPattern>,
    /// Spending limits; all hold at once.
    pub budgets: Vec<Budget>,
    /// Rate limits.
    pub limits: RateLimits,
    /// When it was made.
    pub created_at: UnixMs,
    /// When it stops working, if ever.
    pub expires_at: Option<UnixMs>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<UnixMs>,
}

/// SHA-256 of a key's secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyHash(pub [u8; 32]);

impl std::fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "KeyHash({a:02x}{b:02x}…)")
    }
}

/// A pattern over model names: exact, or a prefix followed by `*` (`anthropic/*`, `*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelPattern(pub Text);

impl ModelPattern {
    /// Whether `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => *self.0 == *name,
        }
    }
}

/// A spending limit over a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// The most that may be settled and held at any instant of the window.
    pub limit: NanoUsd,
    /// When it starts anew.
    pub window: BudgetWindow,
}

/// When a budget starts anew; calendar windows are UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetWindow {
    /// Midnight.
    Day,
    /// Monday, midnight.
    Week,
    /// The first of the month, midnight.
    Month,
    /// Never.
    Total,
}

impl BudgetWindow {
    /// The start of the window that `now` lies in; the epoch for [`BudgetWindow::Total`].
    pub fn start(self, now: UnixMs) -> UnixMs {
        let Some(at) = now.timestamp() else { return UnixMs(0) };
        let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let first = match self {
            Self::Total => return UnixMs(0),
            Self::Day => Some(date),
            Self::Week => {
                let past_monday = i64::from(date.weekday().to_monday_zero_offset());
                date.checked_sub(jiff::Span::new().days(past_monday)).ok()
            }
            Self::Month => Some(date.first_of_month()),
        };
        first
            .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok())
            .map_or(UnixMs(0), |zoned| zoned.timestamp().into())
    }

    /// What the store and the command line call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
        }
    }
}

/// Limits over sliding windows of a minute, and on how many requests may be under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RateLimits {
    /// Requests per minute.
    pub rpm: Option<u32>,
    /// Tokens per minute, prompt and completion together.
    pub tpm: Option<u64>,
    /// Requests under way at once.
    pub concurrency: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_exactly_or_by_prefix() {
        let pattern = |text: &str| ModelPattern(Text::from(text));
        assert!(pattern("anthropic/*").matches("anthropic/claude"));
        assert!(!pattern("anthropic/*").matches("anthropic-like/claude"));
        assert!(pattern("*").matches("anything"));
        assert!(!pattern("openai/gpt").matches("openai/gpt-5"));
    }

    #[test]
    fn windows_start_on_utc_calendar_bounds() {
        let now: jiff::Timestamp = "2026-11-25T13:14:15Z".parse().unwrap();
        for (window, start) in [
            (BudgetWindow::Day, "2026-11-25T00:00:00Z"),
            (BudgetWindow::Week, "2026-11-23T00:00:00Z"),
            (BudgetWindow::Month, "2026-11-01T00:00:00Z"),
            (BudgetWindow::Total, "1970-01-01T00:00:00Z"),
        ] {
            let expected: jiff::Timestamp = start.parse().unwrap();
            assert_eq!(window.start(now.into()), expected.into(), "{window:?}");
        }
    }
}
