//! The ledger's rows, read from its files, and what must hold between them and the provider's log.
//!
//! - Every call the provider has seen has exactly one row: of the calls of a request, the n-th has the n-th row.
//! - A row without a call is at most the last of its request, and `interrupted`: it was written down before its bytes
//!   left, and the kill came before the provider had read all of them. No other row is without a call.
//! - `settled`: the provider has sent all of its answer; id, tokens and cost are what it billed.
//! - `partial`: the provider cut its answer.
//! - `void`: the provider refused, billed nothing, and nothing is charged.
//! - `interrupted`: the kill came before the end was written down. It is charged its whole hold, which is no less than
//!   what the provider has billed.
//! - What is written down first stays first: the call that was waited for before any other was made is `settled` if
//!   another one was seen.

use std::collections::BTreeMap;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions as _, Row as _};
use trunkline_testkit::fake_provider::{Billed, Ending, Seen};

use crate::support::Gateway;

/// One row of `attempts`.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) session: String,
    pub(crate) ordinal: i64,
    pub(crate) account: String,
    pub(crate) state: String,
    upstream_model: String,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    /// Nano-dollars, as the other amounts.
    pub(crate) bound: i64,
    pub(crate) cost: i64,
    pub(crate) charge: i64,
    pub(crate) status: Option<i64>,
    pub(crate) cause: Option<String>,
    pub(crate) upstream_id: Option<String>,
    /// Milliseconds since 1970, by the gateway's clock.
    pub(crate) opened_at: i64,
    pub(crate) total_ms: i64,
}

/// How often each thing was seen, so that a test that never sees one cannot pass.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    calls: usize,
    states: BTreeMap<String, usize>,
    second_attempts: usize,
    never_read_whole: usize,
    interrupted_midway: usize,
}

impl Tally {
    pub(crate) fn assert_telling(&self) {
        for state in ["settled", "partial", "void", "interrupted"] {
            assert!(self.states.contains_key(state), "no row was {state}: {self:?}");
        }
        assert!(self.second_attempts > 0 && self.interrupted_midway > 0, "{self:?}");
    }
}

/// Compares the calls of a round with its rows.
pub(crate) fn compare(calls: &[Seen], rows: &[Row], first: &str) -> Tally {
    let mut tally = Tally { calls: calls.len(), ..Tally::default() };
    let mut sessions: BTreeMap<&str, (Vec<&Seen>, Vec<&Row>)> = BTreeMap::new();
    for call in calls {
        sessions.entry(call.marker.as_deref().unwrap()).or_default().0.push(call);
    }
    for row in rows {
        sessions.entry(&row.session).or_default().1.push(row);
    }
    for (session, (calls, rows)) in &sessions {
        let ordinals: Vec<i64> = rows.iter().map(|row| row.ordinal).collect();
        let expected: Vec<i64> = (1..).take(rows.len()).collect();
        assert_eq!(ordinals, expected, "{session}: rows are numbered from 1");
        assert!(calls.len() <= rows.len(), "{session}: a call has no row: {calls:#?}\n{rows:#?}");
        for (call, row) in calls.iter().zip(rows) {
            compare_one(call, row);
            let midway = row.state == "interrupted" && call.bytes_sent > 0;
            tally.interrupted_midway += usize::from(midway);
        }
        for row in &rows[calls.len()..] {
            assert_eq!(row.state, "interrupted", "{session}: a row has no call: {row:#?}");
            tally.never_read_whole += 1;
        }
        assert!(rows.len() <= calls.len() + 1, "{session}: two rows have no call: {rows:#?}");
        tally.second_attempts += usize::from(rows.len() > 1);
        for row in rows {
            *tally.states.entry(row.state.clone()).or_default() += 1;
        }
    }
    if let (Some((_, rows)), true) = (sessions.get(first), sessions.len() > 1) {
        assert_eq!(
            rows[0].state, "settled",
            "its end was written down before another call was made: {rows:#?}"
        );
    }
    tally
}

fn compare_one(call: &Seen, row: &Row) {
    let say = || format!("{call:#?}\n{row:#?}");
    let billed = call.billed.unwrap_or_default();
    assert_eq!(row.upstream_model, "m");
    match row.state.as_str() {
        "settled" => {
            assert_eq!((call.ending, call.status), (Ending::Finished, Some(200)), "{}", say());
            assert_eq!(row.upstream_id, call.answer_id, "{}", say());
            assert_eq!((row.input_tokens, row.output_tokens), tokens(billed), "{}", say());
            assert_eq!((row.cost, row.charge), (cost(billed), cost(billed)), "{}", say());
        }
        "partial" => {
            assert_eq!(call.ending, Ending::Cut, "{}", say());
            assert_eq!(row.upstream_id, call.answer_id, "{}", say());
        }
        "void" => {
            assert_eq!((call.billed, row.charge), (None, 0), "{}", say());
            assert_eq!(row.status, call.status.map(i64::from), "{}", say());
        }
        "interrupted" => {
            assert!(row.bound > 0 && (row.cost, row.charge) == (row.bound, row.bound), "{}", say());
            assert!(cost(billed) <= row.charge, "{}", say());
        }
        state => assert_eq!(state, "settled", "a state that cannot be: {}", say()),
    }
}

fn tokens(billed: Billed) -> (i64, i64) {
    (i64::try_from(billed.prompt_tokens).unwrap(), i64::try_from(billed.completion_tokens).unwrap())
}

/// Nano-dollars, at a dollar a million tokens in and two out.
fn cost(billed: Billed) -> i64 {
    let (input, output) = tokens(billed);
    1_000 * input + 2_000 * output
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        for (state, count) in other.states {
            *self.states.entry(state).or_default() += count;
        }
        self.second_attempts += other.second_attempts;
        self.never_read_whole += other.never_read_whole;
        self.interrupted_midway += other.interrupted_midway;
    }
}

/// The ledger's files, opened beside a running gateway.
pub(crate) struct Ledger(Vec<SqliteConnection>);

impl Ledger {
    pub(crate) async fn open(gateway: &Gateway) -> Self {
        let mut months = Vec::new();
        for entry in std::fs::read_dir(gateway.data("")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if name.starts_with("ledger-") && path.extension().is_some_and(|extension| extension == "db") {
                let options = SqliteConnectOptions::new().filename(&path).read_only(true);
                let mut month = options.connect().await.unwrap();
                // One that was only just made has no table yet.
                if sqlx::query("SELECT 1 FROM attempts LIMIT 1").fetch_optional(&mut month).await.is_ok() {
                    months.push(month);
                }
            }
        }
        Self(months)
    }

    /// The rows of sessions like this.
    pub(crate) async fn rows(&mut self, like: &str) -> Vec<Row> {
        self.find("SELECT * FROM attempts WHERE session LIKE ? ORDER BY request_id, ordinal", like).await
    }

    /// The rows of requests for models like this.
    pub(crate) async fn asked_for(&mut self, model: &str) -> Vec<Row> {
        self.find("SELECT * FROM attempts WHERE model_asked LIKE ? ORDER BY request_id, ordinal", model).await
    }

    async fn find(&mut self, query: &'static str, value: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for month in &mut self.0 {
            let found = sqlx::query(query).bind(value.to_owned()).fetch_all(month).await;
            rows.extend(found.unwrap().iter().map(Row::read));
        }
        rows
    }

    /// How many rows there are and what they charge together; asserts that the sums kept beside them say the same.
    pub(crate) async fn sums(&mut self) -> (i64, i64) {
        let mut all = (0, 0);
        for month in &mut self.0 {
            let [rows, daily] = [
                "SELECT COUNT(*), COALESCE(SUM(charge), 0) FROM attempts",
                "SELECT COALESCE(SUM(attempts), 0), COALESCE(SUM(charge), 0) FROM usage_daily",
            ]
            .map(sqlx::query);
            let rows = rows.fetch_one(&mut *month).await.unwrap();
            let daily = daily.fetch_one(&mut *month).await.unwrap();
            let rows: (i64, i64) = (rows.get(0), rows.get(1));
            assert_eq!(rows, (daily.get(0), daily.get(1)), "rows and their daily sums");
            all = (all.0 + rows.0, all.1 + rows.1);
        }
        all
    }
}

impl Row {
    fn read(row: &SqliteRow) -> Self {
        Self {
            session: row.get::<Option<String>, _>("session").unwrap_or_default(),
            ordinal: row.get("ordinal"),
            account: row.get("account"),
            state: row.get("state"),
            upstream_model: row.get("upstream_model"),
            input_tokens: row.get("input_tokens"),
            output_tokens: row.get("output_tokens"),
            bound: row.get("bound"),
            cost: row.get("cost"),
            charge: row.get("charge"),
            status: row.get("status"),
            cause: row.get("cause"),
            upstream_id: row.get("upstream_id"),
            opened_at: row.get("opened_at"),
            total_ms: row.get("total_ms"),
        }
    }
}
