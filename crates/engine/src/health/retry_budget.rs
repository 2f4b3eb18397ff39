//! Retries may add at most a tenth to the traffic, plus a small reserve for quiet times, so that an outage is not
//! made worse by everybody trying again.

use std::sync::atomic::{AtomicI64, Ordering};

/// A retry costs this many points; a request earns one tenth of it.
const RETRY_COST: i64 = 10;
/// The most that can be saved: fifty retries in a row.
const SAVED_MAX: i64 = 50 * RETRY_COST;

/// A budget shared by all requests.
#[derive(Debug)]
pub struct RetryBudget(AtomicI64);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicI64::new(SAVED_MAX))
    }
}

impl RetryBudget {
    /// A request earns its share.
    pub fn earn(&self) {
        if self.0.load(Ordering::Relaxed) < SAVED_MAX {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes one retry, if there is one.
    pub fn spend(&self) -> bool {
        let took = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| {
            (saved >= RETRY_COST).then_some(saved - RETRY_COST)
        });
        took.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_add_at_most_a_tenth_in_the_long_run() {
        let budget = RetryBudget::default();
        while budget.spend() {}
        for _ in 0..100 {
            budget.earn();
        }
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10);
    }
}
