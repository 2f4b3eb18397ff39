//! A gateway with one provider, callers of every sort at once, and the comparison of what they saw with the ledger's
//! rows and the provider's log.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use trunkline_testkit::fake_provider::script::Answer as Spoken;
use trunkline_testkit::fake_provider::{Ending, FakeProvider, Script, Seen, Server, Setup};

use super::Failure;
use crate::chaos::cases::{
    DIALECTS, Dialect, Form, Providers, Switch, TEXT, account, calls, mismatch, request, wishes,
};
use crate::chaos::seen::{Outcome, ask};
use crate::chaos::table::{Table, Tried};
use crate::kill::rows::{Ledger, Row};
use crate::support::{Answer, Gateway, USUAL, chat, directory, serve, until};

/// Callers at once: each dialect, buffered and streamed, hedge and resume on and off.
const CALLERS: usize = 32;
/// How often they may ask. Each request is for a model of its own, by which its calls and rows are found.
const ROUNDS_MAX: usize = 12;
/// Milliseconds between two words of a stream: the last callers have asked long before the first stream ends.
const INTERVAL_MS: u64 = 15;
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);
/// What no attempt can have taken, in milliseconds.
const DURATION_MAX: i64 = 60_000;

/// Where a chat is asked for.
pub(super) const CHAT: &str = "/v1/chat/completions";
/// A model that is not counted.
pub(super) const WARM: &str = "acme/warm";

/// A gateway with one provider.
pub(super) struct Scene {
    pub(super) gateway: Gateway,
    provider: FakeProvider,
    _server: Server,
    next: Cell<usize>,
}

/// A caller and what it saw.
pub(super) struct Asked {
    number: usize,
    dialect: Dialect,
    form: Form,
    hedge: Switch,
    resume: Switch,
    pub(super) outcome: Outcome,
    /// Milliseconds.
    took: u128,
}

/// What callers must see.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    Whole,
    /// 503 with this code, before anything is sent.
    Refused(&'static str),
    /// A whole answer, or a connection that breaks.
    WholeOrGone,
}

impl Scene {
    /// Starts with accounts beside the provider's. `prepare` makes the command, and whatever must be there before.
    pub(super) async fn start(more: &str, prepare: impl FnOnce(&Arc<TempDir>) -> Command) -> Self {
        let spoken = Spoken { text: TEXT.to_owned(), interval_ms: INTERVAL_MS, ..Spoken::default() };
        let setup = Setup { otherwise: vec![Script::answers(spoken)], ..Setup::default() };
        let provider = FakeProvider::new(setup).unwrap();
        let server = provider.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let mut models: Vec<String> = (0..CALLERS * ROUNDS_MAX).map(model).collect();
        models.push(WARM.to_owned());
        let account = patient(&account("one", &server.base_url(), 0, &models));
        let directory = directory(&format!("{more}\n{account}"));
        let command = prepare(&directory);
        let mut gateway = Gateway::start_as(&directory, command);
        let budget = json!({ "name": "known", "budgets": [{ "limit_usd": "1000" }] });
        gateway.key = gateway.another_key(&budget).await;
        let scene = Self { gateway, provider, _server: server, next: Cell::new(0) };
        scene.warm_up().await;
        scene
    }

    /// The usual one.
    pub(super) async fn usual(more: &str) -> Self {
        Self::start(more, |directory| serve(directory, &USUAL)).await
    }

    /// One answer, and its row: the month's file is there.
    async fn warm_up(&self) {
        assert_eq!(self.gateway.post(CHAT, &chat(WARM)).await.status, 200);
        self.rows_are(WARM, 1).await;
    }

    /// Starts again in the same directory.
    pub(super) fn start_again(&mut self) {
        let mut gateway = Gateway::start_in(&self.gateway.directory, &USUAL);
        gateway.key.clone_from(&self.gateway.key);
        self.gateway = gateway;
    }

    /// All callers ask once, at the same time.
    pub(super) async fn ask(&self) -> Vec<Asked> {
        let from = self.next.replace(self.next.get() + CALLERS);
        let switch =
            |number: usize, bit: usize| if (number >> bit) & 1 == 1 { Switch::On } else { Switch::Off };
        join_all((from..from + CALLERS).map(|number| async move {
            let form = if switch(number, 2) == Switch::On { Form::Streamed } else { Form::Buffered };
            let (hedge, resume) = (switch(number, 3), switch(number, 4));
            let dialect = DIALECTS[number % DIALECTS.len()];
            let request = request(&self.gateway, (dialect, form), &model(number), wishes(hedge, resume));
            let (outcome, took) = ask(&self.gateway, (dialect, form), request).await;
            Asked { number, dialect, form, hedge, resume, outcome, took }
        }))
        .await
    }

    /// Calls that the callers led to.
    pub(super) fn calls(&self) -> Vec<Seen> {
        calls(&self.provider)
    }

    /// The files of the store.
    pub(super) fn databases(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.gateway.data("")).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "db")).collect()
    }

    /// The rows of requests for models like this.
    pub(super) async fn rows(&self, model: &str) -> Vec<Row> {
        Ledger::open(&self.gateway).await.asked_for(model).await
    }

    /// Waits until there are so many.
    pub(super) async fn rows_are(&self, model: &str, count: usize) {
        let counted = async {
            while self.rows(model).await.len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LONG, counted).await.expect("the rows never came");
    }

    /// Waits until everything is over and written down; says what is wrong about it.
    pub(super) async fn judge(
        &self,
        (failure, expected): (Failure, Expected),
        asked: &[Asked],
        table: &mut Table<Failure>,
    ) -> Vec<String> {
        until(|| self.calls().iter().all(|call| call.ending != Ending::Open).then_some(())).await;
        let nothing_held = |answer: &Answer| answer.json()["data"]["budgets"][0]["held_usd"] == "0";
        self.gateway.get_until("/v1/key", nothing_held).await;
        let calls = self.calls();
        let called = |number: usize| {
            let id = format!("m{number}");
            calls.iter().filter(move |call| asks_for(call, &id)).collect::<Vec<_>>()
        };
        self.rows_are("acme/c%", (0..self.next.get()).map(|number| called(number).len()).sum()).await;
        let mut wrong = Vec::new();
        for asked in asked {
            let rows = self.rows(&model(asked.number)).await;
            let Asked { form, hedge, resume, .. } = *asked;
            let tried = Tried { failure, form, providers: Providers::One, hedge, resume };
            table.add(tried, &asked.outcome, asked.took, &rows);
            let found = judge(expected, &asked.outcome, &called(asked.number), &rows);
            let who = format!("{failure}: {:?} {form:?}: {:?}", asked.dialect, asked.outcome);
            wrong.extend(found.iter().map(|found| format!("{who}: {found}")));
        }
        wrong.extend(self.provider.violations());
        wrong
    }
}

fn model(number: usize) -> String {
    format!("acme/c{number}")
}

/// An account that waits longer than anything here takes.
pub(super) fn patient(account: &str) -> String {
    account.replace("1500", "30000").replace("idle_ms = 1000", "idle_ms = 30000")
}

fn asks_for(call: &Seen, id: &str) -> bool {
    serde_json::from_str::<Value>(&call.body).is_ok_and(|body| body["model"] == id)
}

/// What is wrong about one caller's outcome, the calls it led to and its rows.
fn judge(expected: Expected, outcome: &Outcome, calls: &[&Seen], rows: &[Row]) -> Vec<String> {
    let mut wrong = Vec::new();
    let (seen, count) = match (expected, outcome) {
        (Expected::Whole | Expected::WholeOrGone, Outcome::Whole(text)) => (text == TEXT, Some(1)),
        (Expected::WholeOrGone, Outcome::Gone) => (true, None),
        (Expected::Refused(wanted), Outcome::Refused { status, code }) => {
            (*status == 503 && code.as_deref().is_none_or(|code| code == wanted), Some(0))
        }
        _ => (false, None),
    };
    if !seen {
        wrong.push(format!("{expected:?} was expected"));
    }
    if count.is_some_and(|count| (calls.len(), rows.len()) != (count, count)) {
        wrong.push(format!("{} calls, {} rows", calls.len(), rows.len()));
    }
    // What was written down may have been killed before it left, and nothing may have left that was not.
    if calls.len() > rows.len() || rows.len() > 1 {
        wrong.push(format!("{} calls, {} rows", calls.len(), rows.len()));
    }
    for (at, row) in rows.iter().enumerate() {
        if !(0..=DURATION_MAX).contains(&row.total_ms) {
            wrong.push(format!("an attempt of {} ms", row.total_ms));
        }
        let interrupted = row.state == "interrupted" && matches!(expected, Expected::WholeOrGone);
        match calls.get(at) {
            Some(call) if interrupted => {
                let billed = call.billed.unwrap_or_default();
                let billed = 100 * billed.prompt_tokens + 200 * billed.completion_tokens;
                if row.charge != row.bound || row.charge < i64::try_from(billed).unwrap() {
                    wrong.push(format!("{call:#?}\n{row:#?}"));
                }
            }
            Some(call) => wrong.extend(mismatch(call, row)),
            None if interrupted => {}
            None => wrong.push(format!("a row of nobody's: {row:#?}")),
        }
    }
    wrong
}
