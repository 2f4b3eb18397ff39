//! Hedges may add at most a twentieth to the traffic, in requests and in dollars: what all requests together have earned.
//! Where to look first: [`HedgeBudget::take`].

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use trunkline_domain::NanoUsd;

/// A hedge costs this many points; a request earns one.
const HEDGE_COST: i64 = 20;
/// The most that can be saved: fifty hedges in a row.
const SAVED_MAX: i64 = 50 * HEDGE_COST;
/// The share of what is spent that is earned.
const SPENT_SHARE: i64 = 20;
/// The most money that can be saved: ten dollars.
const MONEY_SAVED_MAX: i64 = 10_000_000_000;

/// A budget shared by all requests.
#[derive(Debug, Default)]
pub struct HedgeBudget {
    points: AtomicI64,
    /// Nano-dollars.
    money: AtomicI64,
}

impl HedgeBudget {
    /// A request earns its share.
    pub fn earn(&self) {
        add(&self.points, 1, SAVED_MAX);
    }

    /// What a request cost earns its share.
    pub fn earn_from(&self, cost: NanoUsd) {
        add(&self.money, cost.0 / SPENT_SHARE, MONEY_SAVED_MAX);
    }

    /// Takes one hedge that may cost up to `bound`, if both are there.
    pub fn take(self: &Arc<Self>, bound: NanoUsd) -> Option<Stake> {
        if !subtract(&self.money, bound.0) {
            return None;
        }
        if !subtract(&self.points, HEDGE_COST) {
            self.money.fetch_add(bound.0, Ordering::Relaxed);
            return None;
        }
        Some(Stake { budget: Arc::clone(self), bound })
    }
}

/// What a hedge has taken; what it does not cost comes back.
#[derive(Debug)]
pub struct Stake {
    budget: Arc<HedgeBudget>,
    bound: NanoUsd,
}

impl Stake {
    /// The hedge has ended and cost this much.
    pub fn settle(self, cost: NanoUsd) {
        self.budget.money.fetch_add(self.bound.saturating_sub(cost).0, Ordering::Relaxed);
    }

    /// The hedge was not made after all.
    pub fn give_back(self) {
        self.budget.points.fetch_add(HEDGE_COST, Ordering::Relaxed);
        self.settle(NanoUsd::ZERO);
    }
}

fn add(saved: &AtomicI64, amount: i64, most: i64) {
    if amount > 0 && saved.load(Ordering::Relaxed) < most {
        saved.fetch_add(amount, Ordering::Relaxed);
    }
}

fn subtract(saved: &AtomicI64, amount: i64) -> bool {
    let left = |saved: i64| (saved >= amount).then_some(saved - amount);
    saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hedges_add_at_most_a_twentieth_in_requests_and_in_dollars() {
        let budget = Arc::new(HedgeBudget::default());
        assert!(budget.take(NanoUsd::ZERO).is_none(), "nothing is earned yet");
        for _ in 0..100 {
            budget.earn();
            budget.earn_from(NanoUsd(1_000));
        }
        // 100 requests and 100,000 nano-dollars have earned five hedges and 5,000.
        assert!(budget.take(NanoUsd(5_001)).is_none());
        for _ in 0..5 {
            budget.take(NanoUsd(1_000)).unwrap().settle(NanoUsd(1_000));
        }
        assert!(budget.take(NanoUsd::ZERO).is_none(), "no more than one in twenty requests");
        for _ in 0..20 {
            budget.earn();
        }
        assert!(budget.take(NanoUsd(1)).is_none(), "no more than one in twenty dollars");
        budget.take(NanoUsd::ZERO).unwrap().give_back();
        assert!(budget.take(NanoUsd::ZERO).is_some());
    }
}
