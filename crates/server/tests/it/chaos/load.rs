//! An hour in short: streams of all dialects over three providers, two of which misbehave in turn by a seeded schedule.
//! No stream breaks where somebody else could answer; where nobody could, it ends in an error of its dialect; and what
//! the ledger says is what the providers have in their logs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use tokio::task::JoinSet;
use trunkline_testkit::fake_provider::script::Begun;
use trunkline_testkit::fake_provider::{Ending, FakeProvider, Script, Seen, Setup};

use super::cases::{DIALECTS, Form, TEXT, account, calls, mismatch, request};
use super::modes::Mode;
use super::seen::{Outcome, ask};
use super::{SEED, is_full, keep};
use crate::kill::rows::{Ledger, Row};
use crate::support::{Gateway, until};

/// Streams in all, in the short form and in the long one.
const STREAMS: [usize; 2] = [100, 2_000];
const CALLERS: usize = 12;
/// Of so many streams one is asked of a model that only a misbehaving provider has.
const LONELY: usize = 10;
/// Calls of a turn, and how many of them go wrong. The retries that all requests share bear no more.
const TURN: usize = 40;
const BAD: usize = 8;
/// Turns of a schedule before it begins again.
const TURNS: usize = 20;

/// The provider that is always well.
const WELL: usize = 2;

/// What only the first provider has.
const ALONE: &str = "acme/lonely";
/// Models of all three. Each is known to have failed somewhere for half a minute, which is longer than this hour: many of
/// them meet more failures.
const SHARED: usize = 48;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_stream_breaks_while_one_of_three_providers_is_well() {
    let streams = STREAMS[usize::from(is_full())];
    let mut rng = StdRng::seed_from_u64(SEED);
    // In turn: the second one's bad time lies half a turn after the first one's.
    let schedules = [schedule(0, &mut rng), schedule(TURN / 2, &mut rng), vec![well()]];
    let mut models: Vec<String> = (0..SHARED).map(|number| format!("acme/shared-{number}")).collect();
    models.push(ALONE.to_owned());
    let (mut providers, mut servers, mut config) = (Vec::new(), Vec::new(), String::new());
    for (number, otherwise) in schedules.into_iter().enumerate() {
        let provider = FakeProvider::new(Setup { otherwise, ..Setup::default() }).unwrap();
        let server = provider.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let models = if number == 0 { &models[..] } else { &models[..SHARED] };
        config += &account(&format!("p{number}"), &server.base_url(), 0, models);
        providers.push(provider);
        servers.push(server);
    }
    let mut gateway = Gateway::start(&config);
    let budget = serde_json::json!({ "name": "load", "budgets": [{ "limit_usd": "1000" }] });
    gateway.key = gateway.another_key(&budget).await;

    let gateway = Arc::new(gateway);
    let (next, mut callers) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for _ in 0..CALLERS {
        callers.spawn(stream(Arc::clone(&gateway), Arc::clone(&next), streams));
    }
    let (mut seen, mut wrong) = (BTreeMap::<&str, usize>::new(), Vec::new());
    while let Some(ended) = callers.join_next().await {
        for (model, outcome) in ended.unwrap() {
            let judged = judge(&model, &outcome);
            *seen.entry(judged).or_default() += 1;
            if judged == "WRONG" {
                wrong.push(format!("{model}: {outcome:?}"));
            }
        }
    }
    let open = |provider: &FakeProvider| calls(provider).iter().any(|call| call.ending == Ending::Open);
    until(|| (!providers.iter().any(open)).then_some(())).await;
    let held = |answer: &crate::support::Answer| answer.json()["data"]["budgets"][0]["held_usd"] == "0";
    let spent = gateway.get_until("/v1/key", held).await.json()["data"]["budgets"][0]["spent_usd"].clone();
    let mut gateway = Arc::into_inner(gateway).unwrap();
    gateway.signal(Signal::TERM);
    assert!(gateway.ended().await.success());

    let mut ledger = Ledger::open(&gateway).await;
    let rows = ledger.asked_for("acme/%").await;
    let mut sums = Sums::default();
    for (number, provider) in providers.iter().enumerate() {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.account == format!("p{number}")).collect();
        wrong.extend(sums.compare(&calls(provider), &rows));
    }
    // One provider is always well: all it has in its log is in the ledger as it is there.
    let unwell = rows.iter().filter(|row| row.account == format!("p{WELL}") && row.state != "settled");
    wrong.extend(unwell.map(|row| format!("nothing was wrong with this: {row:?}")));
    let charged: i64 = rows.iter().map(|row| row.charge).sum();
    let all = (i64::try_from(rows.len()).unwrap(), charged);
    assert_eq!(ledger.sums().await, all, "what the ledger adds up itself");
    assert_eq!(
        spent.as_str().unwrap().parse(),
        Ok(trunkline_domain::NanoUsd(charged)),
        "what the budget says"
    );
    let told = format!("{streams} streams, three providers of which two misbehave: {seen:?}; {sums:?}\n");
    println!("{told}");
    keep(&told);
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(sums.settled.0, sums.settled.1, "what was answered whole: tokens and money, as billed");
    assert!(sums.others.0 >= sums.others.1, "nothing that was billed is missing: {sums:?}");
    assert!(sums.failed > 0 && sums.settled_calls > 0, "nothing went wrong: {sums:?}");
}

/// What is said to a stream.
fn judge(model: &str, outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Whole(text) if text == TEXT => "whole",
        Outcome::Refused { .. } if model == ALONE => "lonely: an error",
        Outcome::Broken { text, .. } if model == ALONE && TEXT.starts_with(text.as_str()) => {
            "lonely: begun, an error"
        }
        Outcome::Whole(_)
        | Outcome::Refused { .. }
        | Outcome::Broken { .. }
        | Outcome::Gone
        | Outcome::Neither(_) => "WRONG",
    }
}

async fn stream(gateway: Arc<Gateway>, next: Arc<AtomicUsize>, streams: usize) -> Vec<(String, Outcome)> {
    let mut seen = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= streams {
            return seen;
        }
        let lonely = number.is_multiple_of(LONELY);
        let model = if lonely { ALONE.to_owned() } else { format!("acme/shared-{}", number % SHARED) };
        let form = (DIALECTS[number % DIALECTS.len()], Form::Streamed);
        let wishes = vec![("x-trunkline-resume", "true".to_owned())];
        let outcome = ask(&gateway, form, request(&gateway, form, &model, wishes)).await.0;
        seen.push((model, outcome));
    }
}

fn well() -> Script {
    Script::goes_on(TEXT, Begun::GoesOn)
}

/// Scripts of the calls of a provider that misbehaves for a part of each turn, from a place in it on.
fn schedule(from: usize, rng: &mut StdRng) -> Vec<Script> {
    let modes = [
        Mode::Status(500, None),
        Mode::Status(429, Some(1)),
        Mode::Closed,
        Mode::Overloaded,
        Mode::Garbage,
        Mode::Stall,
        Mode::Cut,
        Mode::Reset,
        Mode::Truncated,
        Mode::OverloadedMidway,
    ];
    let call = |at: usize| {
        let bad = (from..from + BAD).contains(&(at % TURN));
        let mode = modes[rng.random_range(0..modes.len())];
        bad.then(|| mode.script(Form::Streamed)).flatten().unwrap_or_else(well)
    };
    (0..TURN * TURNS).map(call).collect()
}

/// Tokens read and written, and nano-dollars.
type Figures = [i64; 3];

/// What ledger and logs add up to.
#[derive(Debug, Default)]
struct Sums {
    calls: usize,
    settled_calls: usize,
    /// Of what was answered whole, in the ledger and in the logs.
    settled: (Figures, Figures),
    /// Nano-dollars of everything else: what is charged for attempts that failed, by estimate where a provider could not
    /// say it any more, and what they were billed.
    others: (i64, i64),
    /// Attempts that failed.
    failed: usize,
}

impl Sums {
    /// Adds a provider's calls and rows up; what is wrong about them.
    fn compare(&mut self, calls: &[Seen], rows: &[&Row]) -> Vec<String> {
        let mut wrong = Vec::new();
        self.calls += calls.len();
        if calls.len() != rows.len() {
            wrong.push(format!("{} calls, {} rows", calls.len(), rows.len()));
        }
        let by_id: BTreeMap<&str, &Seen> =
            calls.iter().filter_map(|call| Some((call.answer_id.as_deref()?, call))).collect();
        let mut settled = BTreeSet::new();
        for row in rows {
            self.failed += usize::from(row.cause.is_some());
            if row.state != "settled" {
                self.others.0 += row.charge;
                if row.cause.is_none() {
                    wrong.push(format!("nothing is said of why it failed: {row:?}"));
                }
                continue;
            }
            self.settled_calls += 1;
            let id = row.upstream_id.as_deref().unwrap_or_default();
            let Some(call) = by_id.get(id).filter(|_| settled.insert(id)) else {
                wrong.push(format!("nobody has answered this, or it is here twice: {row:?}"));
                continue;
            };
            wrong.extend(mismatch(call, row));
            add(&mut self.settled.0, [row.input_tokens, row.output_tokens, row.charge]);
            add(&mut self.settled.1, billed(call));
        }
        let others =
            calls.iter().filter(|call| !settled.contains(call.answer_id.as_deref().unwrap_or_default()));
        self.others.1 += others.map(|call| billed(call)[2]).sum::<i64>();
        wrong
    }
}

fn add(sum: &mut Figures, more: Figures) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// What a call was billed.
fn billed(call: &Seen) -> Figures {
    let billed = call.billed.unwrap_or_default();
    let [read, written] =
        [billed.prompt_tokens, billed.completion_tokens].map(|tokens| i64::try_from(tokens).unwrap());
    [read, written, 100 * read + 200 * written]
}
