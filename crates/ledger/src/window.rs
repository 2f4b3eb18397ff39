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

use trunkline_domain::access::RateLimits;

use crate::sync::Mutex;

/// One second.
const SUB_WINDOW_MS: u64 = 1_000;
/// The current second and the sixty before it.
const SUB_WINDOWS: usize = 61;
/// What a caller who meets a concurrency limit is told to wait: nobody knows when a request ends.
const CONCURRENCY_RETRY_MS: u64 = 1_000;

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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
        Box::new(Self { counts: [0; SUB_WINDOWS], newest: now_ms / SUB_WINDOW_MS, total: 0 })
    }

    fn count(&mut self, second: u64) -> Option<&mut u64> {
        let index = usize::try_from(second % SUB_WINDOWS as u64).ok()?;
        self.counts.get_mut(index)
    }

    /// Empties the sub-windows that have left. A reading from before the newest one (two threads, one clock) counts as
    /// the newest: later, so never too lenient.
    fn advance(&mut self, now_ms: u64) {
        let second = now_ms / SUB_WINDOW_MS;
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
        (second + SUB_WINDOWS as u64) * SUB_WINDOW_MS
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
        Self { windows: Mutex::new(Windows { limits, requests: None, tokens: None, in_flight: 0 }) }
    }

    /// Changes the limits; what has been counted stays counted.
    pub fn change_limits(&self, limits: RateLimits) {
        self.windows.lock().limits = limits;
    }

    /// Admits one request that will likely use `tokens`, in all windows at once or in none.
    pub fn admit(self: &Arc<Self>, now_ms: u64, tokens: u64) -> Result<RatePermit, RateRefusal> {
        let mut guard = self.windows.lock();
        let windows = &mut *guard;
        if let Some(limit) = windows.limits.concurrency
            && windows.in_flight >= limit
        {
            let (limit, retry_after_ms) = (u64::from(limit), CONCURRENCY_RETRY_MS);
            return Err(RateRefusal {
                which: RateLimitKind::Concurrency,
                limit,
                remaining: 0,
                retry_after_ms,
            });
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
        Ok(RatePermit { state: Arc::clone(self), held })
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

/// One admitted request. Dropping it ends its part in the concurrency limit; what it counted in windows stays.
#[derive(Debug)]
#[must_use = "dropping a permit says that the request has ended"]
pub struct RatePermit {
    state: Arc<RateState>,
    held: Option<TokensHeld>,
}

impl RatePermit {
    /// Replaces the tokens held by the tokens used, in the sub-window in which they were held. May be called again
    /// with a newer figure.
    pub fn correct_tokens(&mut self, actual: u64) {
        let Some(held) = &mut self.held else { return };
        if let Some(ring) = &mut self.state.windows.lock().tokens {
            ring.correct(held.second, held.amount, actual);
        }
        held.amount = actual;
    }
}

impl Drop for RatePermit {
    fn drop(&mut self) {
        let mut windows = self.state.windows.lock();
        windows.in_flight = windows.in_flight.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod loom_tests;
