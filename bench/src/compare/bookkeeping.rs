//! What remembering how deployments are doing costs a request: the calls of the engine's `health` and `measure` that one
//! makes, in their order and in this process. Not the rest of a request, which is measured from outside (see
//! [`super::rounds`]).

use std::collections::HashMap;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;
use trunkline_catalogue::Catalogue;
use trunkline_domain::NanoUsd;
use trunkline_domain::id::KeyId;
use trunkline_engine::config::{AnyModel, Environment, Loaded, check, discover};
use trunkline_engine::health::{HedgeBudget, RetryBudget};
use trunkline_engine::measure::Measure;
use trunkline_engine::snapshot::{Parts, Snapshot, build};
use trunkline_providers::rate_limits::RateLimitState;
use trunkline_upstream::dispatch::Dispatch;
use trunkline_upstream::sandbox::Sandbox;

use super::gateway::CONFIGURATION;
use crate::error::{Error, Result};
use crate::load::ratio;

const REQUESTS: u64 = 20_000;
/// As many as a busy gateway serves: the table is published every 1,600th.
const REQUESTS_PER_MS: u64 = 8;
/// About what a small request weighs, in tokens.
const TOKENS: u64 = 500;
/// An answer without a wait.
const ANSWERED_MS: u64 = 1;
/// What one costs.
const COST: NanoUsd = NanoUsd(365_000);

/// Nanoseconds a request, a value for each batch of [`REQUESTS`].
pub(super) fn measure(batches: u32) -> Result<Vec<f64>> {
    let gateway = Gateway::new()?;
    let mut number = 0;
    let mut batch = || {
        let start = Instant::now();
        for _ in 0..REQUESTS {
            number += 1;
            gateway.request(number / REQUESTS_PER_MS);
        }
        ratio(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX), REQUESTS)
    };
    // The first is for the caches.
    batch();
    Ok((0..batches).map(|_| batch()).collect())
}

/// What a gateway remembers.
struct Gateway {
    snapshot: Snapshot,
    measure: Measure,
    retries: RetryBudget,
    hedges: Arc<HedgeBudget>,
    key: KeyId,
    limits: RateLimitState,
}

impl Gateway {
    fn new() -> Result<Self> {
        let wrong = |what: String| Error::Unexpected(format!("no gateway can be built: {what}"));
        let checked = check(CONFIGURATION, &AnyModel);
        let config = checked.config.ok_or_else(|| wrong(format!("{:?}", checked.problems)))?;
        let environment: Arc<dyn Environment + Send + Sync> = Arc::new(Keys);
        let accounts =
            discover::from_file(&config, &*environment).map_err(|problems| wrong(format!("{problems:?}")))?;
        let catalogue = Catalogue::embedded().map_err(|error| wrong(error.to_string()))?;
        let sandbox: Arc<dyn Dispatch> = Arc::new(Sandbox::new(7));
        let snapshot = build(&Parts {
            loaded: &Loaded { config, accounts, warnings: Vec::new() },
            catalogue: &catalogue,
            network: Arc::clone(&sandbox),
            in_process: sandbox,
            discovered: &HashMap::new(),
            previous: None,
            environment: &environment,
        })
        .map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            snapshot,
            measure: Measure::default(),
            retries: RetryBudget::default(),
            hedges: Arc::default(),
            key: KeyId(uuid::Uuid::from_u128(1)),
            limits: RateLimitState {
                limit_requests: Some(100_000_000),
                remaining_requests: Some(99_999_999),
                ..RateLimitState::default()
            },
        })
    }

    /// What a request that is answered makes its gateway remember.
    fn request(&self, now_ms: u64) {
        self.retries.earn();
        self.hedges.earn();
        black_box(self.measure.current(&self.snapshot, now_ms));
        let Some(runtime) = self.snapshot.runtimes.first() else { return };
        let Ok(place) = runtime.account.choose(&runtime.breakers, now_ms, TOKENS) else { return };
        let (Some(breaker), Some(credential)) =
            (runtime.breakers.get(place), runtime.account.credentials.get(place))
        else {
            return;
        };
        let pass = breaker.begin(now_ms, self.key);
        credential.headroom.spend(now_ms, TOKENS);
        let in_flight = runtime.pace.begin();
        let before = credential.headroom.takes(now_ms, 1);
        credential.headroom.observe(now_ms, &self.limits);
        if credential.headroom.takes(now_ms, 1) != before {
            self.measure.touch_now();
        }
        black_box(breaker.succeeded(now_ms, pass, ANSWERED_MS));
        runtime.pace.first_content(now_ms, ANSWERED_MS);
        runtime.pace.whole(now_ms, ANSWERED_MS);
        self.measure.touch();
        drop(in_flight);
        self.hedges.earn_from(COST);
    }
}

/// Every variable is set, and there are no files.
struct Keys;

impl Environment for Keys {
    fn var(&self, _: &str) -> Option<String> {
        Some("none".to_owned())
    }

    fn read_file(&self, _: &Path, _: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_remembered() {
        let gateway = Gateway::new().unwrap();
        for number in 0..40 {
            gateway.request(number);
        }
        let runtime = &gateway.snapshot.runtimes[0];
        assert_eq!(runtime.breakers[0].figures(40).calls, 40);
        assert_eq!(runtime.pace.in_flight(), 0);
        assert!(runtime.pace.whole_quantile(40, 95).is_some());
        assert!(gateway.hedges.take(NanoUsd(1)).is_some(), "forty requests have earned two hedges");
    }
}
