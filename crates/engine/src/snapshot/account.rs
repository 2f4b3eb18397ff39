//! A configured account: where its API lives, how it is authorised, and its pool of credentials.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use trunkline_domain::Text;
use trunkline_domain::access::RateLimits;
use trunkline_domain::plan::Timeouts;
use trunkline_ledger::window::RateState;
use trunkline_providers::spec::ProviderSpec;
use trunkline_routing::world::Standing;
use trunkline_upstream::auth::access::Access;
use trunkline_upstream::dispatch::Dispatch;
use trunkline_upstream::origin::Origin;

use super::CloudRoots;
use crate::health::{Breaker, Headroom};

/// One account at one provider.
pub struct Account {
    /// Its name in the configuration.
    pub name: Text,
    /// Who speaks there.
    pub provider: &'static ProviderSpec,
    /// Where its API lives, for display.
    pub base_url: Text,
    /// What carries calls there.
    pub dispatch: Arc<dyn Dispatch>,
    /// Its credentials; at least one, which may be the empty one.
    pub credentials: Vec<Credential>,
    /// What the tokens of a cloud depend on, where it has such.
    pub cloud: Option<CloudRoots>,
    /// Deadlines that differ from the default.
    pub timeouts: Timeouts,
    /// Windows of the limits the operator set for the account as a whole; kept over reloads.
    pub rates: Arc<RateState>,
    /// The version of its API that the operator named.
    pub api_version: Option<Text>,
    turn: AtomicUsize,
}

/// One credential of a pool.
#[derive(Debug)]
pub struct Credential {
    /// Its public label: what rows and logs show.
    pub label: Text,
    /// What authorises its calls; a cloud's tokens are kept over reloads.
    pub access: Arc<Access>,
    /// Where its calls go. Connections are not shared between credentials.
    pub origin: Arc<Origin>,
    /// What is left of its limits at the provider; kept over reloads.
    pub headroom: Arc<Headroom>,
}

impl Account {
    /// An account without credentials and without timeouts of its own.
    pub fn new(
        name: Text,
        provider: &'static ProviderSpec,
        base_url: Text,
        dispatch: Arc<dyn Dispatch>,
    ) -> Self {
        Self {
            name,
            provider,
            base_url,
            dispatch,
            credentials: Vec::new(),
            cloud: None,
            timeouts: Timeouts::default(),
            rates: Arc::new(RateState::new(RateLimits::default())),
            api_version: None,
            turn: AtomicUsize::new(0),
        }
    }

    /// Chooses the credential for a call of about so many tokens among those that are not barred: the best standing
    /// first, then those with room in the provider's limits, taking turns among equals. `breakers` are those of the
    /// deployment, one per credential.
    pub fn choose(&self, breakers: &[Arc<Breaker>], now_ms: u64, tokens: u64) -> Result<usize, Standing> {
        let count = breakers.len().max(1);
        let start = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut best: Option<((u8, bool), usize)> = None;
        let mut rest = Standing::Open;
        for offset in 0..count {
            let place = (start.wrapping_add(offset)) % count;
            let standing = breakers.get(place).map_or(Standing::Healthy, |breaker| breaker.standing(now_ms));
            let worth = match standing {
                Standing::Healthy => 0,
                Standing::Degraded => 1,
                Standing::Open => 2,
                Standing::Barred { .. } => {
                    rest = standing;
                    continue;
                }
            };
            let strained = self
                .credentials
                .get(place)
                .is_some_and(|credential| !credential.headroom.takes(now_ms, tokens));
            let worth = (worth, strained);
            if best.is_none_or(|(known, _)| worth < known) {
                best = Some((worth, place));
            }
        }
        best.map(|(_, place)| place).ok_or(rest)
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("provider", &self.provider.id)
            .finish_non_exhaustive()
    }
}
