//! One caller within its share of the gateway's places, alone and beside one that asks for fifty times its own. The promise
//! itself, that the first does not wait longer, is a test of the engine in paused time:
//! `one_tenant_at_fifty_times_its_share_is_not_noticed_by_one_that_was_there`, and its sibling.

use std::path::Path;
use std::time::Duration;

use super::gateway::{Setup, configuration};
use super::plan::GATEWAY;
use super::results::Fair;
use super::subject::Subject;
use super::upstream::Upstream;
use super::{Options, progress};
use crate::error::Result;
use crate::load::{Bound, Fleet, REQUESTS_MAX, Target};
use crate::mock::SERVICE;
use crate::question::{Provider, Question};

pub(super) const CONFIGURATION: &str = include_str!("fairness.toml");
/// Places at the door (`in_flight_max`); each caller's share is half of them.
const PLACES: u32 = 16;
/// Connections of the quiet one, and of the noisy one: more than may wait and be under way.
const CONNECTIONS: [usize; 2] = [32, 512];
/// How long each of them asks, in seconds.
const SECONDS: u64 = 10;
/// By how much the quiet one comes first: places that are taken are not taken back, and what is measured is a quiet one that
/// is at work when the noisy one comes.
const HEAD_START: Duration = Duration::from_secs(1);
/// Of its share, what the quiet one asks for.
const QUIET: f64 = 0.75;
/// And the noisy one.
const NOISY: f64 = 50.0;

/// Measures in a gateway with few places, once a round.
pub(super) async fn run(
    options: &Options,
    upstream: &Upstream,
    directory: &Path,
) -> Result<(Vec<Fair>, Vec<String>)> {
    let text = configuration(CONFIGURATION, upstream.address(), upstream.address());
    let setup = Setup::new(&options.gateway, "fairness", text, directory)?;
    let ledger = setup.ledger("fairness");
    let quiet = setup.create_key(&ledger, "quiet")?;
    let noisy = setup.create_key(&ledger, "noisy")?;
    let gateway = setup.start(&ledger, Some(quiet)).await?;
    let noisy = Target { authorization: Some(noisy), ..gateway.target.clone() };
    let mut gateway = Subject::new(GATEWAY, gateway.server, gateway.target, Some(ledger));
    let mut found = Vec::new();
    for round in 1..=options.rounds {
        progress(&format!("fairness: round {round} of {}", options.rounds));
        found.push(measure(options, upstream, &mut gateway, &noisy).await?);
    }
    let doubts = gateway.doubts.clone();
    gateway.server.stop().await?;
    Ok((found, doubts))
}

async fn measure(
    options: &Options,
    upstream: &Upstream,
    gateway: &mut Subject,
    noisy: &Target,
) -> Result<Fair> {
    let question = Question { provider: Provider::Patient, ..super::plan::SMALL };
    let time = Duration::from_secs(options.scaled(SECONDS).max(2));
    let bound = |share: f64| {
        let rate = Some(share * f64::from(PLACES / 2) / SERVICE.as_secs_f64());
        Bound { time, rate, ..Bound::requests(REQUESTS_MAX) }
    };
    let [few, many] = CONNECTIONS;
    let served_before = upstream.served().await?;
    let mut quiet = Fleet::connect(&gateway.target, question, few).await?;
    let alone = quiet.run(bound(QUIET)).await;
    let mut flood = Fleet::connect(noisy, question, many).await?;
    // Its refusals are what is expected of it.
    let flood_bound = Bound { errors: REQUESTS_MAX, ..bound(NOISY) };
    let flooding = async {
        tokio::time::sleep(HEAD_START).await;
        flood.run(flood_bound).await
    };
    let (beside, flood) = tokio::join!(quiet.run(bound(QUIET)), flooding);
    gateway.served += upstream.served().await? - served_before;
    gateway.check(question, &alone);
    gateway.check(question, &beside);
    gateway.settle().await?;
    let waited = |latency_us: f64| (latency_us - SERVICE.as_secs_f64() * 1e6) / 1e3;
    Ok(Fair {
        alone_ms: waited(alone.latency_us(0.99)),
        beside_ms: waited(beside.latency_us(0.99)),
        quiet: beside.answers,
        served: flood.answers,
        refused: flood.errors,
    })
}
