//! Which month a row belongs to, and the month files that are open.
//!
//! A row lives in the month of its *request*: a request's id is a UUID v7 and holds the instant it was made. So all
//! rows of one request lie in one file, also when an attempt begins after the midnight that ends a month; finding them
//! needs one file, and a distinct count never spans two. The row's own time decides where the id holds none or lies
//! more than a day off (a clock that jumped).

use std::path::PathBuf;
use std::sync::Arc;

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::Mutex;
use trunkline_domain::UnixMs;
use trunkline_domain::id::RequestId;

use crate::database::{Database, Settings};
use crate::error::{Result, io_error};
use crate::migrate;

/// Month files kept open at once; the one unused for longest is closed.
const MONTHS_OPEN_MAX: usize = 3;
/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// A UTC month, by its first day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Month(Date);

impl Month {
    /// The month an instant lies in; instants outside the calendar count as the epoch.
    pub(crate) fn of(at: UnixMs) -> Self {
        let at = at.timestamp().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Self(at.to_zoned(TimeZone::UTC).date().first_of_month())
    }

    /// The month of a row.
    pub(crate) fn of_row(request: RequestId, at: UnixMs) -> Self {
        match minted_at(request) {
            Some(minted) if minted.0.abs_diff(at.0) <= DAY_MS.unsigned_abs() => Self::of(minted),
            _ => Self::of(at),
        }
    }

    fn file_name(self) -> String {
        format!("ledger-{}.db", self.0.strftime("%Y-%m"))
    }

    fn from_file_name(name: &str) -> Option<Self> {
        let month = name.strip_prefix("ledger-")?.strip_suffix(".db")?;
        format!("{month}-01").parse().ok().map(Self).filter(|parsed| parsed.file_name() == name)
    }

    /// Whether its file may hold rows of `[from, to)`: a row's time can lie a day outside its file's month.
    pub(crate) fn may_hold(self, from: Option<UnixMs>, to: Option<UnixMs>) -> bool {
        let start = |date: Date| date.to_zoned(TimeZone::UTC).map_or(0, |at| at.timestamp().as_millisecond());
        let next = self.0.checked_add(1.month()).unwrap_or(Date::MAX);
        let first = start(self.0).saturating_sub(DAY_MS);
        let end = start(next).saturating_add(DAY_MS);
        from.is_none_or(|from| from.0 < end) && to.is_none_or(|to| first < to.0)
    }
}

/// The instant a UUID v7 was made.
fn minted_at(request: RequestId) -> Option<UnixMs> {
    let ms = request.0.as_u128() >> 80;
    (request.0.get_version_num() == 7).then(|| UnixMs(i64::try_from(ms).unwrap_or(i64::MAX)))
}

/// The month files of a directory.
#[derive(Debug)]
pub(crate) struct Months {
    directory: PathBuf,
    settings: Settings,
    /// The most recently used last.
    open: Mutex<Vec<(Month, Arc<Database>)>>,
}

impl Months {
    pub(crate) fn new(directory: PathBuf, settings: Settings) -> Self {
        Self { directory, settings, open: Mutex::new(Vec::new()) }
    }

    /// The month's file, made where it is missing and the mode allows.
    pub(crate) async fn database(&self, month: Month) -> Result<Arc<Database>> {
        let mut open = self.open.lock().await;
        if let Some(at) = open.iter().position(|(other, _)| *other == month) {
            let found = open.remove(at);
            let database = Arc::clone(&found.1);
            open.push(found);
            return Ok(database);
        }
        let path = self.directory.join(month.file_name());
        let database = Arc::new(Database::open(&path, &migrate::LEDGER, self.settings).await?);
        if open.len() >= MONTHS_OPEN_MAX {
            open.remove(0);
        }
        open.push((month, Arc::clone(&database)));
        Ok(database)
    }

    /// Months that have a file, newest first: the directory is asked each time, so files that another process made or
    /// unlinked are noticed.
    pub(crate) async fn present(&self) -> Result<Vec<Month>> {
        let failed = |error| io_error(&format!("{} cannot be listed", self.directory.display()), &error);
        let mut months = Vec::new();
        let mut entries = tokio::fs::read_dir(&self.directory).await.map_err(failed)?;
        while let Some(entry) = entries.next_entry().await.map_err(failed)? {
            months.extend(entry.file_name().to_str().and_then(Month::from_file_name));
        }
        months.sort_unstable_by(|a, b| b.cmp(a));
        Ok(months)
    }

    /// Months that have a file, the likeliest for a request first: its own, then the newest.
    pub(crate) async fn likeliest_for(&self, request: RequestId) -> Result<Vec<Month>> {
        let mut months = self.present().await?;
        if let Some(minted) = minted_at(request) {
            let own = Month::of(minted);
            months.sort_by_key(|month| *month != own);
        }
        Ok(months)
    }

    pub(crate) async fn close(&self) {
        for (_, database) in self.open.lock().await.drain(..) {
            database.close().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMs {
        text.parse::<jiff::Timestamp>().unwrap().into()
    }

    fn minted(ms: UnixMs) -> RequestId {
        let ms = u128::from(ms.0.unsigned_abs());
        RequestId(uuid::Uuid::from_u128((ms << 80) | (7 << 76) | (0b10 << 62) | 1))
    }

    #[test]
    fn a_row_lives_in_its_requests_month() {
        let (before, after) = (at("2026-01-31T23:59:59Z"), at("2026-02-01T00:00:01Z"));
        assert_eq!(Month::of_row(minted(before), after), Month::of(before));
    }

    #[test]
    fn an_id_far_off_or_without_a_time_is_not_believed() {
        let row = at("2026-05-05T00:00:00Z");
        assert_eq!(Month::of_row(minted(at("2020-01-01T00:00:00Z")), row), Month::of(row));
        assert_eq!(Month::of_row(RequestId(uuid::Uuid::from_u128(7)), row), Month::of(row));
    }

    #[test]
    fn file_names_read_back_and_others_are_ignored() {
        let month = Month::of(at("2026-02-10T00:00:00Z"));
        assert_eq!(month.file_name(), "ledger-2026-02.db");
        assert_eq!(Month::from_file_name("ledger-2026-02.db"), Some(month));
        for other in
            ["ledger-2026-02.db-wal", "ledger-2026-2.db", "ledger-2026-13.db", "control.db", "ledger-.db"]
        {
            assert_eq!(Month::from_file_name(other), None, "{other}");
        }
    }

    #[test]
    fn a_file_may_hold_rows_a_day_outside_its_month() {
        let month = Month::of(at("2026-02-10T00:00:00Z"));
        assert!(month.may_hold(None, None));
        assert!(month.may_hold(Some(at("2026-03-01T12:00:00Z")), None));
        assert!(!month.may_hold(Some(at("2026-03-02T00:00:00Z")), None));
        assert!(month.may_hold(None, Some(at("2026-01-31T12:00:00Z"))));
        assert!(!month.may_hold(None, Some(at("2026-01-31T00:00:00Z"))));
    }
}
