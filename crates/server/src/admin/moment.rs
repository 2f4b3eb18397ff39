//! Instants as people write them: `2027-01-31T12:00:00Z`, `2027-01-31`, or a span such as `30d`.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};
use trunkline_domain::UnixMs;

/// The longest text looked at, in bytes.
const BYTES_MAX: usize = 64;

/// An instant, or how far away one is.
enum Moment {
    At(Timestamp),
    Day(Date),
    Away(Span),
}

fn parse(text: &str) -> Option<Moment> {
    if text.len() > BYTES_MAX {
        return None;
    }
    let at = text.parse().ok().map(Moment::At);
    let at = at.or_else(|| text.parse().ok().filter(|_| text.len() == 10).map(Moment::Day));
    at.or_else(|| text.parse().ok().filter(|span: &Span| span.is_positive()).map(Moment::Away))
}

/// When something ends: an instant, the start of a day (UTC), or a span from now on.
pub(super) fn expiry(text: &str, now: UnixMs) -> Option<UnixMs> {
    match parse(text)? {
        Moment::At(at) => Some(at.into()),
        Moment::Day(day) => start(day),
        Moment::Away(span) => {
            let later = now.timestamp()?.to_zoned(TimeZone::UTC).checked_add(span).ok()?;
            Some(later.timestamp().into())
        }
    }
}

/// Where a report begins: an instant, the start of a day (UTC), or a span before now.
pub(super) fn since(text: &str, now: UnixMs) -> Option<UnixMs> {
    match parse(text)? {
        Moment::At(at) => Some(at.into()),
        Moment::Day(day) => start(day),
        Moment::Away(span) => {
            let earlier = now.timestamp()?.to_zoned(TimeZone::UTC).checked_sub(span).ok()?;
            Some(earlier.timestamp().into())
        }
    }
}

/// Where a report ends: before an instant, after a day (UTC), or before a span ago.
pub(super) fn until(text: &str, now: UnixMs) -> Option<UnixMs> {
    match parse(text)? {
        Moment::Day(day) => start(day.checked_add(1.day()).ok()?),
        Moment::At(_) | Moment::Away(_) => since(text, now),
    }
}

fn start(day: Date) -> Option<UnixMs> {
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp().into())
}

/// RFC 3339, in UTC.
pub(super) fn show(at: UnixMs) -> String {
    at.timestamp().map_or_else(|| at.0.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMs {
        text.parse::<Timestamp>().unwrap().into()
    }

    #[test]
    fn instants_days_and_spans_are_understood() {
        let now = at("2026-11-25T10:00:00Z");
        for (text, expected) in [
            ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2027-01-01T01:00:00+01:00", "2027-01-01T00:00:00Z"),
            ("2027-01-01", "2027-01-01T00:00:00Z"),
            ("30d", "2026-12-25T10:00:00Z"),
            ("12h", "2026-11-25T22:00:00Z"),
            ("1mo", "2026-12-25T10:00:00Z"),
        ] {
            assert_eq!(expiry(text, now), Some(at(expected)), "{text}");
        }
        for text in ["", "soon", "-3d", "0d", "30", "2027-13-01"] {
            assert_eq!(expiry(text, now), None, "{text:?}");
        }
    }

    #[test]
    fn a_report_begins_before_now_and_ends_after_a_whole_day() {
        let now = at("2026-11-25T10:00:00Z");
        assert_eq!(since("7d", now), Some(at("2026-11-18T10:00:00Z")));
        assert_eq!(since("2026-11-01", now), Some(at("2026-11-01T00:00:00Z")));
        assert_eq!(until("2026-11-01", now), Some(at("2026-11-02T00:00:00Z")));
    }
}
