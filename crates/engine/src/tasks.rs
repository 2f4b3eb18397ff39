//! Background work that is waited for when the gateway stops: draining a stream its caller has left, returning a
//! connection to its pool.

use std::future::Future;
use std::time::Duration;

use tokio_util::task::TaskTracker;

/// The tasks under way. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Tasks(TaskTracker);

impl Tasks {
    /// Runs a task that [`Tasks::finish`] waits for. May be called from a `Drop`; outside a runtime the task is
    /// dropped, and with it its guards act.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(self.0.spawn_on(task, &runtime));
        }
    }

    /// How many are under way.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits until none is under way. New ones may begin meanwhile.
    pub async fn settled(&self) {
        while !self.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until all have ended, at most `limit`.
    pub async fn finish(&self, limit: Duration) {
        self.0.close();
        if tokio::time::timeout(limit, self.0.wait()).await.is_err() {
            tracing::warn!(left = self.0.len(), "background tasks did not end in time");
        }
    }
}
