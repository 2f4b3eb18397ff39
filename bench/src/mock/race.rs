//! Hedges seen from the upstream, where both attempts arrive: how long after the winner's first content the loser's
//! connection is gone. One clock, so nothing has to be compared between processes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Ends that are remembered until they are asked for.
const ENDS_MAX: usize = 100_000;

/// Losers under way, and how those before them ended.
#[derive(Debug, Default)]
pub(super) struct Race {
    under_way: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By number, with when somebody else had content.
    losers: Vec<(u64, Option<Instant>)>,
    numbers: u64,
    ends: Ends,
}

/// How losers ended since that was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ends {
    /// From the winner's first content to the end of the loser's connection, in nanoseconds.
    pub(crate) after_ns: Vec<u64>,
    /// Losers that ended though nobody else had content.
    pub(crate) alone: u64,
}

/// An attempt that never has content, until its connection is gone.
#[derive(Debug)]
pub(super) struct Loser {
    race: Arc<Race>,
    number: u64,
}

impl Race {
    /// One that will lose.
    pub(super) fn enter(self: &Arc<Self>) -> Loser {
        let mut state = self.lock();
        state.numbers += 1;
        let number = state.numbers;
        state.losers.push((number, None));
        self.under_way.store(state.losers.len(), Ordering::Relaxed);
        Loser { race: Arc::clone(self), number }
    }

    /// Somebody has content: whoever is under way without has lost now, if not before.
    pub(super) fn content(&self) {
        if self.under_way.load(Ordering::Relaxed) == 0 {
            return;
        }
        let now = Instant::now();
        for (_, lost) in &mut self.lock().losers {
            lost.get_or_insert(now);
        }
    }

    /// How losers ended; asking forgets it.
    pub(super) fn take(&self) -> Ends {
        std::mem::take(&mut self.lock().ends)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Loser {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.race.lock();
        let Some(place) = state.losers.iter().position(|(number, _)| *number == self.number) else { return };
        let (_, lost) = state.losers.swap_remove(place);
        self.race.under_way.store(state.losers.len(), Ordering::Relaxed);
        match lost {
            Some(lost) if state.ends.after_ns.len() < ENDS_MAX => {
                state.ends.after_ns.push(u64::try_from((now - lost).as_nanos()).unwrap_or(u64::MAX));
            }
            Some(_) => {}
            None => state.ends.alone += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loser_is_timed_from_the_first_content_after_it_came() {
        let race = Arc::new(Race::default());
        race.content();
        let loser = race.enter();
        drop(race.enter());
        race.content();
        let late = race.enter();
        drop(loser);
        drop(late);
        let Ends { after_ns, alone } = race.take();
        assert_eq!((after_ns.len(), alone), (1, 2));
        assert_eq!(race.take(), Ends::default());
    }
}
