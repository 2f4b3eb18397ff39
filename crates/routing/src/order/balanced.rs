//! The default order: by configured priority, then health, then a weighted draw in which a deployment of half the
//! price is four times as likely to come first. Deployments without a price stand behind those with one: whatever
//! listens on a local port does not take a paid model's traffic by being free.

use trunkline_catalogue::TokenClass;
use trunkline_domain::plan::Candidate;

use crate::world::{Deployment, Standing, World};

/// Prices below this (nano-dollars per million tokens) count as equal: a thousandth of a dollar.
const PRICE_FLOOR: f64 = 1e6;

/// Sorts candidates; the same world, candidates and seed give the same order.
pub fn balanced(world: &World<'_>, candidates: &mut [Candidate], seed: u64) {
    candidates.sort_by_cached_key(|candidate| rank(world, candidate, seed));
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    priority: i32,
    standing: u8,
    free: bool,
    /// Bits of a non-negative float: they sort as the number does.
    draw: u64,
}

fn rank(world: &World<'_>, candidate: &Candidate, seed: u64) -> Rank {
    let price =
        world.offers.get(candidate.deployment).map_or(0.0, |deployment| nominal_price(world, deployment));
    let standing = match world.live.of(candidate.deployment).standing {
        Standing::Healthy => 0,
        Standing::Degraded => 1,
        Standing::Open | Standing::Barred { .. } => 2,
    };
    Rank {
        priority: world.offers.get(candidate.deployment).map_or(0, |deployment| deployment.priority),
        standing,
        free: price <= 0.0,
        draw: exponential(seed, u64::from(candidate.deployment.0), price.max(PRICE_FLOOR)).to_bits(),
    }
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
