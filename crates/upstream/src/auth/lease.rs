//! A token or key that expires, renewed ahead of time in the background.
//!
//! Reading the current value never waits for a service, but for the very first value. A renewal that fails leaves the old
//! value in use until it expires; from then on every reader gets the failure at once, until a renewal succeeds. What it
//! is not: a source of tokens, see [`google`](super::google), [`aws`](super::aws), [`entra`](super::entra). Look first
//! at [`Lease::get`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use trunkline_domain::UnixMs;
use trunkline_domain::attempt::Cause;

use crate::dispatch::Dispatch;
use crate::origin::Origin;

/// When values are renewed, and how long a service may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// The part of its life after which a value is renewed, 0 to 1.
    pub renew_at: f64,
    /// How much earlier than that at most, as a part of its life: so that many gateways do not ask at once.
    pub jitter: f64,
    /// The least time between two renewals: services hand out the same value again until shortly before it expires.
    pub pause_min: Duration,
    /// The wait after the first failure; doubled after each further one.
    pub retry_first: Duration,
    /// The longest wait after a failure.
    pub retry_max: Duration,
    /// For each call to a service, from the name to the body's last byte.
    pub deadline: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            renew_at: 0.8,
            jitter: 0.1,
            pause_min: Duration::from_secs(15),
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_mins(1),
            deadline: Duration::from_secs(5),
        }
    }
}

impl Pace {
    fn renewal(&self, life_ms: u64, chance: f64) -> Duration {
        let part = (self.renew_at - self.jitter * chance).clamp(0.0, 1.0);
        Duration::from_millis(life_ms).mul_f64(part).max(self.pause_min)
    }

    fn retry(&self, failures: u32, chance: f64) -> Duration {
        let ceiling = self
            .retry_first
            .saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
        ceiling.min(self.retry_max).mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0)
    }
}

/// What surrounds a source: the way out, the time and chance.
#[derive(Clone)]
pub struct Surroundings {
    /// Carries its calls.
    pub way: Arc<dyn Dispatch>,
    /// Wall-clock time.
    pub now: Arc<dyn Fn() -> UnixMs + Send + Sync>,
    /// A number from 0 to 1 at every call.
    pub chance: Arc<dyn Fn() -> f64 + Send + Sync>,
    /// When and how long.
    pub pace: Pace,
}

/// Where values come from.
pub trait Source: Send + Sync + 'static {
    /// What it yields.
    type Value: Send + Sync + 'static;

    /// Who is asked, for errors.
    fn endpoint(&self) -> &Origin;

    /// Obtains a value now.
    fn obtain<'a>(&'a self, around: &'a Surroundings) -> Obtain<'a, Self::Value>;
}

/// What [`Source::obtain`] returns.
pub type Obtain<'a, T> = Pin<Box<dyn Future<Output = Result<Issued<T>, AccessError>> + Send + 'a>>;

/// A value as it was issued.
pub struct Issued<T> {
    /// The value.
    pub value: T,
    /// When it ceases to be accepted.
    pub expires: UnixMs,
}

/// Why there is no token. Names the service that was asked, never a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no credential from {endpoint}: {message}")]
pub struct AccessError {
    /// The address that was asked.
    pub endpoint: String,
    /// What it answered, or why it could not be asked.
    pub message: String,
}

impl AccessError {
    /// What it means for an attempt: it has no credential.
    pub const fn cause(&self) -> Cause {
        Cause::Unauthorized
    }
}

/// A value that is kept fresh as long as the lease lives.
pub struct Lease<T> {
    shared: Arc<Shared<T>>,
    task: OnceLock<AbortHandle>,
    keeper: Option<Keeper<T>>,
    now: Arc<dyn Fn() -> UnixMs + Send + Sync>,
}

/// Begins to keep a value fresh.
type Keeper<T> = Box<dyn Fn(Arc<Shared<T>>) -> Keeping + Send + Sync>;
type Keeping = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Shared<T> {
    state: watch::Sender<State<T>>,
    /// Somebody found the value expired while the renewal was still asleep: a machine that was suspended.
    overslept: Notify,
}

struct State<T> {
    value: Option<(Arc<T>, UnixMs)>,
    failure: Option<AccessError>,
}

impl<T: Send + Sync + 'static> Lease<T> {
    /// A lease from a source. Nothing is asked before [`Lease::start`] or the first [`Lease::get`].
    pub fn new(source: impl Source<Value = T>, around: Surroundings) -> Self {
        let source = Arc::new(source);
        let now = Arc::clone(&around.now);
        let keeper = move |shared| -> Keeping { Box::pin(keep(Arc::clone(&source), around.clone(), shared)) };
        Self { shared: Shared::of(None), task: OnceLock::new(), keeper: Some(Box::new(keeper)), now }
    }

    /// A value that never expires.
    pub fn fixed(value: T) -> Self {
        let value = Some((Arc::new(value), UnixMs(i64::MAX)));
        Self { shared: Shared::of(value), task: OnceLock::new(), keeper: None, now: Arc::new(|| UnixMs(0)) }
    }

    /// Begins to keep it fresh; again does nothing. Outside a runtime it begins with the first [`Lease::get`].
    pub fn start(&self) {
        let Some(keeper) = &self.keeper else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.task.get_or_init(|| runtime.spawn(keeper(Arc::clone(&self.shared))).abort_handle());
        }
    }

    /// The value in use, if there is one that has not expired.
    pub fn current(&self) -> Option<Arc<T>> {
        self.shared.state.borrow().valid((self.now)())
    }

    /// The value in use. Waits only where none was ever obtained and the first attempt is under way.
    pub async fn get(&self) -> Result<Arc<T>, AccessError> {
        if let Some(value) = self.current() {
            return Ok(value);
        }
        self.start();
        let mut changed = self.shared.state.subscribe();
        loop {
            {
                let state = changed.borrow_and_update();
                if let Some(value) = state.valid((self.now)()) {
                    return Ok(value);
                }
                if let Some(failure) = &state.failure {
                    return Err(failure.clone());
                }
            }
            self.shared.overslept.notify_one();
            if changed.changed().await.is_err() {
                let message = "its renewal has ended".to_owned();
                return Err(AccessError { endpoint: "the gateway itself".to_owned(), message });
            }
        }
    }
}

impl<T> State<T> {
    fn valid(&self, now: UnixMs) -> Option<Arc<T>> {
        let (value, expires) = self.value.as_ref()?;
        (now < *expires).then(|| Arc::clone(value))
    }
}

impl<T> Drop for Lease<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl<T> fmt::Debug for Lease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

impl<T> Shared<T> {
    fn of(value: Option<(Arc<T>, UnixMs)>) -> Arc<Self> {
        Arc::new(Self { state: watch::Sender::new(State { value, failure: None }), overslept: Notify::new() })
    }
}

/// Renews for ever.
async fn keep<S: Source>(source: Arc<S>, around: Surroundings, shared: Arc<Shared<S::Value>>) {
    let pace = around.pace;
    let mut failures = 0_u32;
    loop {
        let wait = match renew(&*source, &around).await {
            Ok(Issued { value, expires }) => {
                let life = expires.since((around.now)());
                shared.state.send_replace(State { value: Some((Arc::new(value), expires)), failure: None });
                failures = 0;
                pace.renewal(life, (around.chance)())
            }
            Err(error) => {
                tracing::warn!(%error, "a credential could not be renewed");
                shared.state.send_modify(|state| state.failure = Some(error));
                failures = failures.saturating_add(1);
                pace.retry(failures, (around.chance)())
            }
        };
        let asleep = tokio::time::sleep(wait);
        tokio::pin!(asleep);
        loop {
            tokio::select! {
                () = &mut asleep => break,
                () = shared.overslept.notified(), if failures == 0 => {}
            }
            if shared.state.borrow().valid((around.now)()).is_none() {
                break;
            }
        }
    }
}

async fn renew<S: Source>(source: &S, around: &Surroundings) -> Result<Issued<S::Value>, AccessError> {
    let issued = source.obtain(around).await?;
    if issued.expires > (around.now)() {
        return Ok(issued);
    }
    let message =
        "it issued a credential that has expired already: is this machine's clock right?".to_owned();
    Err(AccessError { endpoint: source.endpoint().to_string(), message })
}

#[cfg(test)]
mod tests;
