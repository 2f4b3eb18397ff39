//! The default order: by configured priority, then health, what is left of the provider's own limits and whether it is
//! fast enough for the request, then a weighted draw in which a deployment of half the price is four times as likely to
//! come first. Deployments without a price stand behind those with one: whatever listens on a local port does not take a
//! paid model's traffic by being free.
//!
//! A request that belongs to others (a session, a long prompt with the same beginning) draws with their number instead
//! of a random one: they all get the same order as long as the same deployments stand, and a deployment that comes or
//! goes moves only its own share (weighted rendezvous hashing, Thaler and Ravishankar 1998). Where that would pile up
//! requests, the busy one goes behind (consistent hashing with bounded loads, Mirrokni, Thorup and Zadimoghaddam 2017).

use trunkline_catalogue::TokenClass;
use trunkline_domain::plan::Candidate;
use trunkline_domain::receipt::{Moved, ReceiptAffinity};

use super::state;
use crate::ask::{Affinity, Ask};
use crate::world::{Deployment, Live, Standing, World};

/// Prices below this (nano-dollars per million tokens) count as equal: a thousandth of a dollar.
const PRICE_FLOOR: f64 = 1e6;
/// A deployment with more than this share of the mean of requests under way, in percent, is not sought out.
const LOAD_PERCENT_MAX: u64 = 150;
/// Fewer requests under way than this are never too many.
const LOAD_MIN: u64 = 4;

/// Sorts candidates; the same world, candidates, ask and seed give the same order. Says what became of the request's
/// affinity, if it has one.
pub fn balanced(world: &World<'_>, ask: &Ask<'_>, candidates: &mut [Candidate]) -> Option<ReceiptAffinity> {
    let crowd = Crowd::of(world, candidates);
    candidates.sort_by_cached_key(|candidate| rank(world, ask, crowd, candidate));
    if let Some(origin) = ask.state {
        return state::tied(world, ask, candidates, origin);
    }
    let affinity = ask.affinity?;
    tied(world, ask, crowd, candidates, affinity)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::struct_excessive_bools, reason = "a sort key: each decides where those before it are equal")]
struct Rank {
    /// Would have to be asked without the state the conversation carries.
    stateless: bool,
    priority: i32,
    standing: u8,
    strained: bool,
    slow: bool,
    free: bool,
    busy: bool,
    /// Bits of a non-negative float: they sort as the number does.
    draw: u64,
}

fn rank(world: &World<'_>, ask: &Ask<'_>, crowd: Crowd, candidate: &Candidate) -> Rank {
    let deployment = world.offers.get(candidate.deployment);
    let price = deployment.map_or(0.0, |deployment| nominal_price(world, deployment));
    let live = world.live.of(candidate.deployment);
    let standing = match live.standing {
        Standing::Healthy => 0,
        Standing::Degraded => 1,
        Standing::Open | Standing::Barred { .. } => 2,
    };
    let keeps = deployment.is_some_and(|deployment| state::takes(ask, deployment)) && state::can_serve(&live);
    Rank {
        stateless: ask.state.is_some() && !keeps,
        priority: deployment.map_or(0, |deployment| deployment.priority),
        standing,
        strained: live.strained,
        slow: is_slow(ask, &live),
        free: price <= 0.0,
        busy: ask.affinity.is_some() && crowd.is_busy(&live),
        draw: draw(world, ask, candidate, price),
    }
}

fn draw(world: &World<'_>, ask: &Ask<'_>, candidate: &Candidate, price: f64) -> u64 {
    // Indices move with every reload, names do not.
    let salt = world.offers.get(candidate.deployment).map_or(0, |deployment| salt(&deployment.label));
    let seed = ask.affinity.map_or(ask.seed, |affinity| affinity.hash);
    exponential(seed, salt, price.max(PRICE_FLOOR)).to_bits()
}

/// Whether nine of ten answers come too late for the request's own budgets. Where nothing is known, nobody is slow.
fn is_slow(ask: &Ask<'_>, live: &Live) -> bool {
    let wishes = &ask.skim.wishes;
    let late = |budget: Option<u64>, usual: Option<u32>| {
        budget.zip(usual).is_some_and(|(budget, usual)| u64::from(usual) > budget)
    };
    let until_content = if ask.skim.stream { live.first_content.p90_ms } else { live.whole.p90_ms };
    late(wishes.ttft_budget_ms, until_content) || late(wishes.latency_budget_ms, live.whole.p90_ms)
}

/// How many requests are under way at the candidates of one model.
#[derive(Clone, Copy)]
struct Crowd {
    most: u64,
}

impl Crowd {
    fn of(world: &World<'_>, candidates: &[Candidate]) -> Self {
        let loads =
            candidates.iter().map(|candidate| u64::from(world.live.of(candidate.deployment).in_flight));
        let count = (candidates.len() as u64).max(1);
        let most = loads.sum::<u64>().saturating_mul(LOAD_PERCENT_MAX).div_ceil(count * 100);
        Self { most: most.max(LOAD_MIN) }
    }

    fn is_busy(self, live: &Live) -> bool {
        u64::from(live.in_flight) > self.most
    }
}

/// Where the request belongs: first by priority and price class and draw alone, whatever stands against it now.
fn tied(
    world: &World<'_>,
    ask: &Ask<'_>,
    crowd: Crowd,
    candidates: &[Candidate],
    affinity: Affinity,
) -> Option<ReceiptAffinity> {
    let home = candidates.iter().min_by_key(|candidate| {
        let Rank { priority, free, draw, .. } = rank(world, ask, crowd, candidate);
        (priority, free, draw)
    })?;
    let live = world.live.of(home.deployment);
    let moved = if candidates.first() == Some(home) {
        None
    } else if live.standing != Standing::Healthy {
        Some(Moved::Unhealthy)
    } else if live.strained {
        Some(Moved::Strained)
    } else if is_slow(ask, &live) {
        Some(Moved::Slow)
    } else {
        Some(Moved::Busy)
    };
    let deployment = world.offers.get(home.deployment)?.label.clone();
    Some(ReceiptAffinity { by: affinity.by, deployment, moved })
}

/// Input and output price together: how dear the deployment is, roughly. A fee per request counts as if it were paid
/// for every thousand tokens.
#[expect(clippy::cast_precision_loss, reason = "a weight, not an amount")]
fn nominal_price(world: &World<'_>, deployment: &Deployment) -> f64 {
    let Some(period) = deployment.offer.prices.period(world.now) else { return 0.0 };
    let rates = deployment.offer.prices.standard(world.now);
    let rate = |class| rates.and_then(|rates| rates.billed(class)).map_or(0, |price| price.0);
    let tokens = rate(TokenClass::Input).saturating_add(rate(TokenClass::Output));
    let fee = period.fees.request.map_or(0, |fee| fee.0.saturating_mul(1_000));
    tokens.saturating_add(fee) as f64
}

/// A draw from an exponential distribution with rate 1/price²: sorting by it is a weighted shuffle (Efraimidis and
/// Spirakis 2006).
fn exponential(seed: u64, salt: u64, price: f64) -> f64 {
    -unit(seed, salt).ln() * (price / PRICE_FLOOR) * (price / PRICE_FLOOR)
}

/// A number in (0, 1] from seed and salt (SplitMix64, Steele, Lea and Flood 2014).
#[expect(clippy::cast_precision_loss, reason = "53 random bits are exact in a double")]
fn unit(seed: u64, salt: u64) -> f64 {
    let mut z = seed.wrapping_add(salt.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let bits = (z ^ (z >> 31)) >> 11;
    (bits + 1) as f64 / (1_u64 << 53) as f64
}

/// A name as a number (FNV-1a, Fowler, Noll and Vo).
fn salt(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
