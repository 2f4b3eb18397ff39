//! Hedging: a second attempt beside one that is slow. The first content wins; the other one is cancelled, its row kept.
//! Where to look first: `Walk::hedge`.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::timeout_at;
use trunkline_domain::plan::{Candidate, CauseSet};

use super::attempt::{Started, begin};
use super::receive::{Committed, receive};
use super::walk::{Next, Stop, Walk, note};
use crate::request::{Outgoing, Request};

impl Walk {
    /// Tries the first candidate; where it fails, the second; where it is slow, both.
    pub(super) async fn hedge(
        &mut self,
        request: &mut Request,
        outgoing: &Outgoing,
        [first, second]: [&Candidate; 2],
        after: Duration,
        next: Next,
    ) -> Result<Committed, Stop> {
        self.may_try()?;
        let mut one = match begin(request, outgoing, first, self.deadline).await {
            Ok(started) => started,
            Err(miss) => match self.missed(request, first.deployment, miss) {
                Stop::Exhausted => return self.attempt(request, outgoing, second, next).await,
                refused @ Stop::Refused(_) => return Err(refused),
            },
        };
        self.left -= 1;
        let patience = self.patience(request, outgoing, Next::Somebody);
        let result = match timeout_at(one.dispatched + after, receive(request, &mut one, None)).await {
            Ok(result) => result,
            // It speaks already, though nothing has committed: it is not slow to begin.
            Err(_) if one.arrived.has_content() => receive(request, &mut one, None).await,
            Err(_) => match self.beside(request, outgoing, second).await {
                Some(two) => return self.race(request, one, two).await,
                None => receive(request, &mut one, patience).await,
            },
        };
        match self.conclude(request, one, result) {
            Err(Stop::Exhausted) if self.moves_on(CauseSet::failover()) => {
                self.attempt(request, outgoing, second, next).await
            }
            ended => ended,
        }
    }

    /// Sends the second request, if attempts, the budget of hedges and the key's own budget allow it.
    async fn beside(
        &mut self,
        request: &Request,
        outgoing: &Outgoing,
        candidate: &Candidate,
    ) -> Option<Started> {
        self.may_try().ok()?;
        let stake = request.core.hedges.take(candidate.bound)?;
        let Ok(mut two) = begin(request, outgoing, candidate, self.deadline).await else {
            stake.give_back();
            return None;
        };
        self.left -= 1;
        two.exchange.back(stake);
        request.core.metrics.hedged();
        Some(two)
    }

    /// Waits for whichever has content first.
    async fn race(
        &mut self,
        request: &mut Request,
        mut one: Started,
        mut two: Started,
    ) -> Result<Committed, Stop> {
        let first = {
            let (one, two) = (pin!(receive(request, &mut one, None)), pin!(receive(request, &mut two, None)));
            match select(one, two).await {
                Either::Left((result, _)) => Either::Left(result),
                Either::Right((result, _)) => Either::Right(result),
            }
        };
        let (ended, mut other, result) = match first {
            Either::Left(result) => (one, two, result),
            Either::Right(result) => (two, one, result),
        };
        match result {
            Ok(ready) => {
                let cancelled = other.exchange.cancel();
                let committed = self.conclude(request, ended, Ok(ready));
                note(request, cancelled);
                committed
            }
            Err(short) => {
                let lost = self.lost(request, ended, short);
                note(request, lost);
                let result = receive(request, &mut other, None).await;
                self.conclude(request, other, result)
            }
        }
    }
}
