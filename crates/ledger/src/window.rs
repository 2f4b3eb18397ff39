//! Rate limits of one key: requests and tokens in sliding windows of a minute, and requests under way.
//!
//! A window is a ring of 60 sub-windows of one second behind the current one, the oldest counted whole: never more than
//! the limit in any real 60 seconds, and at most 1/60 too strict. Time is an argument, in monotonic milliseconds.
//! What it is not: a budget (that is money, see [`crate::hold`]). Where to look first: [`RateState::admit`].
//!
//! **Tokens** are held at the door as the caller's estimate and corrected in the sub-window of the hold. The estimate
//! is meant to be a likely figure (bytes / 4 plus the output asked for), not the byte bound that money uses: a bound four
//! times too high would make a limit unusable. A request that alone asks for more than the limit holds the whole limit,
//! so it is admitted when the window is empty and never otherwise; what it turns out to use beyond that is counted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trunkline_domain::access::RateLimits;
use trunkline_domain::id::KeyId;

use crate::succession::{Change, Heir, RateCounts, Seconds};
use crate::sync::Mutex;

/// One second.
const SUB_WINDOW_MS: u64 = 1_000;
/// The current second and the sixty before it.
const SUB_WINDOWS: usize = 61;
/// The second of an instant. It is numbered past a whole window, so that seconds before the process began have numbers
/// too: those a process before has counted.
pub fn second(now_ms: u64) -> u64 {
    now_ms / SUB_WINDOW_MS + SUB_WINDOWS as u64
}

/// What a caller who meets a concurrency limit is told to wait: nobody knows when a request ends.
const CONCURRENCY_RETRY_MS: u64 = 1_000;

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitKind {
    /// Requests per minute.
    Requests,
    /// Tokens per minute.
    Tokens,
    /// Requests under way at once.
    Concurrency,
}

impl RateLimitKind {
    /// For messages and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests per minute",
            Self::Tokens => "tokens per minute",
            Self::Concurrency => "requests at once",
        }
    }
}

/// Why a request was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the limit of {limit} {} is reached; {remaining} remain", .which.as_str())]
pub struct RateRefusal {
    /// The first limit without room.
    pub which: RateLimitKind,
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When the same request would be admitted, if nothing else comes in between.
    pub retry_after_ms: u64,
}

/// Why there is no permit.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NoPermit {
    /// A limit is reached.
    #[error(transparent)]
    Refused(#[from] RateRefusal),
    /// Another process counts now: it is to be asked.
    #[error("the limits are counted by another process")]
    HandedOver(Heir),
}

impl NoPermit {
    /// The limit that is reached, unless another process is to be asked.
    pub fn refusal(&self) -> Option<RateRefusal> {
        match self {
            Self::Refused(refusal) => Some(*refusal),
            Self::HandedOver(_) => None,
        }
    }
}

/// One limit's figures, for `x-ratelimit-*` headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateFigure {
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When all of it is available again, if nothing else comes in.
    pub reset_ms: u64,
}

/// The figures of a key's windows; none where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateFigures {
    /// Requests per minute.
    pub requests: Option<RateFigure>,
    /// Tokens per minute.
    pub tokens: Option<RateFigure>,
}

#[derive(Debug)]
struct Ring {
    counts: [u64; SUB_WINDOWS],
    newest: u64,
    total: u64,
}

impl Ring {
    fn new(now_ms: u64) -> Box<Self> {
        Box::new(Self { counts: [0; SUB_WINDOWS], newest: second(now_ms), total: 0 })
    }

    fn count(&mut self, second: u64) -> Option<&mut u64> {
        let index = usize::try_from(second % SUB_WINDOWS as u64).ok()?;
        self.counts.get_mut(index)
    }

    /// Empties the sub-windows that have left. A reading from before the newest one (two threads, one clock) counts as
    /// the newest: later, so never too lenient.
    fn advance(&mut self, now_ms: u64) {
        let second = second(now_ms);
        let steps = second.saturating_sub(self.newest);
        if steps >= SUB_WINDOWS as u64 {
            self.counts = [0; SUB_WINDOWS];
            self.total = 0;
        } else {
            for entered in self.newest + 1..=second {
                if let Some(count) = self.count(entered) {
                    let left = std::mem::take(count);
                    self.total = self.total.saturating_sub(left);
                }
            }
        }
        self.newest = self.newest.max(second);
    }

    /// What was counted in each second.
    fn counts(&mut self, now_ms: u64) -> Vec<(u64, u64)> {
        self.advance(now_ms);
        let oldest = self.newest.saturating_sub(SUB_WINDOWS as u64 - 1);
        let counts = (oldest..=self.newest).filter_map(|second| {
            let count = *self.count(second)?;
            (count > 0).then_some((second, count))
        });
        counts.collect()
    }

    /// A ring with what another process has counted.
    fn inherited(counts: &[(u64, u64)], seconds: Seconds, now_ms: u64) -> Option<Box<Self>> {
        if counts.is_empty() {
            return None;
        }
        let mut ring = Self::new(now_ms);
        for (second, count) in counts {
            ring.correct(seconds.ours(*second), 0, *count);
        }
        Some(ring)
    }

    fn add(&mut self, amount: u64) {
        let newest = self.newest;
        if let Some(count) = self.count(newest) {
            *count = count.saturating_add(amount);
        }
        self.total = self.total.saturating_add(amount);
    }

    /// Replaces `held` by `actual` in the sub-window of `second`, if that is still in the ring.
    fn correct(&mut self, second: u64, held: u64, actual: u64) {
        if self.newest.saturating_sub(second) >= SUB_WINDOWS as u64 {
            return;
        }
        if let Some(count) = self.count(second) {
            *count = count.saturating_sub(held).saturating_add(actual);
        }
        self.total = self.total.saturating_sub(held).saturating_add(actual);
    }

    fn fits(&self, asked: u64, limit: u64) -> bool {
        self.total.checked_add(asked).is_some_and(|total| total <= limit)
    }

    /// Milliseconds until sub-windows have left that leave room for `asked` within `limit`.
    fn wait(&mut self, asked: u64, limit: u64, now_ms: u64) -> u64 {
        let mut total = self.total;
        let oldest = self.newest.saturating_sub(SUB_WINDOWS as u64 - 1);
        let mut last = self.newest;
        for second in oldest..=self.newest {
            last = second;
            total -= self.count(second).map_or(0, |count| (*count).min(total));
            if total.saturating_add(asked) <= limit {
                break;
            }
        }
        Self::leaves_at(last).saturating_sub(now_ms)
    }

    fn leaves_at(second: u64) -> u64 {
        // A window later, on a count of seconds that is a window ahead.
        second * SUB_WINDOW_MS
    }

    fn figure(&mut self, limit: u64, now_ms: u64) -> RateFigure {
        self.advance(now_ms);
        let oldest = self.newest.saturating_sub(SUB_WINDOWS as u64 - 1);
        let last_used =
            (oldest..=self.newest).rev().find(|&second| self.count(second).is_some_and(|count| *count > 0));
        RateFigure {
            limit,
            remaining: limit.saturating_sub(self.total),
            reset_ms: last_used.map_or(0, |second| Self::leaves_at(second).saturating_sub(now_ms)),
        }
    }
}

#[derive(Debug)]
struct Windows {
    limits: RateLimits,
    requests: Option<Box<Ring>>,
    tokens: Option<Box<Ring>>,
    in_flight: u32,
    /// Another process counts.
    away: Option<Box<(KeyId, Heir)>>,
}

impl Windows {
    fn new(limits: RateLimits) -> Self {
        Self { limits, requests: None, tokens: None, in_flight: 0, away: None }
    }

    fn counts(&mut self, now_ms: u64) -> RateCounts {
        let counts =
            |ring: &mut Option<Box<Ring>>| ring.as_mut().map_or_else(Vec::new, |ring| ring.counts(now_ms));
        RateCounts {
            in_flight: self.in_flight,
            requests: counts(&mut self.requests),
            tokens: counts(&mut self.tokens),
        }
    }

    fn tell(&self, change: impl FnOnce(KeyId) -> Change) {
        if let Some(away) = &self.away {
            let (key, heir) = &**away;
            heir.tell(change(*key));
        }
    }

    fn correct(&mut self, second: u64, held: u64, actual: u64) {
        if let Some(ring) = &mut self.tokens {
            ring.correct(second, held, actual);
        }
        self.tell(|key| Change::Tokens { key, second, held, actual });
    }

    fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.tell(|key| Change::Ended { key });
    }
}

/// The windows of one key behind one short mutex. Rings are made at the first request that a limit applies to: a key
/// nobody uses costs a few dozen bytes.
#[derive(Debug)]
pub struct RateState {
    windows: Mutex<Windows>,
}

impl RateState {
    /// Windows in which nothing has happened yet.
    pub fn new(limits: RateLimits) -> Self {
        Self { windows: Mutex::new(Windows::new(limits)) }
    }

    /// Windows with what another process has counted, and no limits yet.
    pub fn inherit(counts: &RateCounts, seconds: Seconds, now_ms: u64) -> Self {
        let inherited = |counts: &[(u64, u64)]| Ring::inherited(counts, seconds, now_ms);
        Self {
            windows: Mutex::new(Windows {
                requests: inherited(&counts.requests),
                tokens: inherited(&counts.tokens),
                in_flight: counts.in_flight,
                ..Windows::new(RateLimits::default())
            }),
        }
    }

    /// What is counted now: for windows that each process goes on counting for itself.
    pub fn counts(&self, now_ms: u64) -> RateCounts {
        self.windows.lock().counts(now_ms)
    }

    /// Starts from what another process has counted, but for what it has under way.
    pub fn start_from(&self, counts: &RateCounts, seconds: Seconds, now_ms: u64) {
        let mut windows = self.windows.lock();
        windows.requests = Ring::inherited(&counts.requests, seconds, now_ms);
        windows.tokens = Ring::inherited(&counts.tokens, seconds, now_ms);
    }

    /// Lets another process count from now on, and says what it starts from. From here on nothing is admitted here where
    /// there are limits; how requests end that are under way is told to the successor.
    pub fn hand_over(&self, key: KeyId, heir: Heir, now_ms: u64) -> RateCounts {
        let mut windows = self.windows.lock();
        windows.away = Some(Box::new((key, heir)));
        windows.counts(now_ms)
    }

    /// Counts here again: the successor did not begin.
    pub fn take_back(&self) {
        self.windows.lock().away = None;
    }

    /// The process before says that a request of its own used other tokens than were held.
    pub fn correct(&self, second: u64, held: u64, actual: u64) {
        self.windows.lock().correct(second, held, actual);
    }

    /// The process before says that a request of its own has ended.
    pub fn end(&self) {
        self.windows.lock().end();
    }

    /// Changes the limits; what has been counted stays counted.
    pub fn change_limits(&self, limits: RateLimits) {
        self.windows.lock().limits = limits;
    }

    /// Admits one request that will likely use `tokens`, in all windows at once or in none.
    pub fn admit(self: &Arc<Self>, now_ms: u64, tokens: u64) -> Result<RatePermit, NoPermit> {
        let mut guard = self.windows.lock();
        let windows = &mut *guard;
        if let Some(away) = &windows.away {
            if windows.limits == RateLimits::default() {
                return Ok(RatePermit { held: None, counted: Counted::Nowhere });
            }
            return Err(NoPermit::HandedOver(away.1.clone()));
        }
        if let Some(limit) = windows.limits.concurrency
            && windows.in_flight >= limit
        {
            let (limit, retry_after_ms) = (u64::from(limit), CONCURRENCY_RETRY_MS);
            return Err(RateRefusal {
                which: RateLimitKind::Concurrency,
                limit,
                remaining: 0,
                retry_after_ms,
            }
            .into());
        }
        let requests = room(&mut windows.requests, windows.limits.rpm.map(u64::from), 1, now_ms)
            .map_err(|refused| refused.of(RateLimitKind::Requests))?;
        let asked = windows.limits.tpm.map_or(tokens, |limit| tokens.min(limit).max(1));
        let tokens = room(&mut windows.tokens, windows.limits.tpm, asked, now_ms)
            .map_err(|refused| refused.of(RateLimitKind::Tokens))?;
        if let Some(ring) = requests {
            ring.add(1);
        }
        let held = tokens.map(|ring| {
            ring.add(asked);
            TokensHeld { second: ring.newest, amount: asked }
        });
        windows.in_flight = windows.in_flight.saturating_add(1);
        drop(guard);
        Ok(RatePermit { held, counted: Counted::Here(Arc::clone(self)) })
    }

    /// Limit, remaining and reset of each window.
    pub fn figures(&self, now_ms: u64) -> RateFigures {
        let mut guard = self.windows.lock();
        let windows = &mut *guard;
        let figure = |ring: &mut Option<Box<Ring>>, limit: Option<u64>| {
            limit.map(|limit| match ring {
                Some(ring) => ring.figure(limit, now_ms),
                None => RateFigure { limit, remaining: limit, reset_ms: 0 },
            })
        };
        RateFigures {
            requests: figure(&mut windows.requests, windows.limits.rpm.map(u64::from)),
            tokens: figure(&mut windows.tokens, windows.limits.tpm),
        }
    }

    /// Requests under way.
    pub fn in_flight(&self) -> u32 {
        self.windows.lock().in_flight
    }
}

struct NoRoom {
    limit: u64,
    remaining: u64,
    retry_after_ms: u64,
}

impl NoRoom {
    fn of(self, which: RateLimitKind) -> RateRefusal {
        let Self { limit, remaining, retry_after_ms } = self;
        RateRefusal { which, limit, remaining, retry_after_ms }
    }
}

/// The ring to count `asked` in; none where there is no limit.
fn room(
    ring: &mut Option<Box<Ring>>,
    limit: Option<u64>,
    asked: u64,
    now_ms: u64,
) -> Result<Option<&mut Ring>, NoRoom> {
    let Some(limit) = limit else { return Ok(None) };
    let ring = ring.get_or_insert_with(|| Ring::new(now_ms)).as_mut();
    ring.advance(now_ms);
    if ring.fits(asked, limit) {
        return Ok(Some(ring));
    }
    let remaining = limit.saturating_sub(ring.total);
    Err(NoRoom { limit, remaining, retry_after_ms: ring.wait(asked, limit, now_ms) })
}

#[derive(Clone, Copy, Debug)]
struct TokensHeld {
    second: u64,
    amount: u64,
}

/// Where an admitted request counts.
#[derive(Debug)]
enum Counted {
    /// In no window: there is no limit.
    Nowhere,
    /// In these windows.
    Here(Arc<RateState>),
    /// At the process that counts now, under this number.
    Successor(Heir, u64),
}

/// One admitted request. Dropping it ends its part in the concurrency limit; what it counted in windows stays.
#[derive(Debug)]
#[must_use = "dropping a permit says that the request has ended"]
pub struct RatePermit {
    held: Option<TokensHeld>,
    counted: Counted,
}

impl RatePermit {
    /// A permit that the successor has granted.
    pub fn granted(heir: Heir, number: u64) -> Self {
        Self { held: None, counted: Counted::Successor(heir, number) }
    }

    /// Replaces the tokens held by the tokens used, in the sub-window in which they were held. May be called again
    /// with a newer figure.
    pub fn correct_tokens(&mut self, actual: u64) {
        match (&self.counted, &mut self.held) {
            (Counted::Here(state), Some(held)) => {
                state.correct(held.second, held.amount, actual);
                held.amount = actual;
            }
            (Counted::Successor(heir, number), _) => {
                heir.tell(Change::PermitTokens { number: *number, actual });
            }
            (Counted::Here(_) | Counted::Nowhere, _) => {}
        }
    }
}

impl Drop for RatePermit {
    fn drop(&mut self) {
        match &self.counted {
            Counted::Nowhere => {}
            Counted::Here(state) => state.end(),
            Counted::Successor(heir, number) => heir.tell(Change::PermitEnded { number: *number }),
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod loom_tests;
