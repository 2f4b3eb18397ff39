//! Live figures, published as an immutable table only after something happened: at once where it decides who is asked
//! next, at most every 200 ms otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use trunkline_routing::world::{Live, LiveTable, Standing};

use crate::snapshot::Snapshot;

/// How old a published table may get while things happen.
const PUBLISH_EVERY_MS: u64 = 200;

/// The current table.
#[derive(Debug, Default)]
pub struct Measure {
    current: ArcSwap<LiveTable>,
    snapshot_version: AtomicU64,
    published_ms: AtomicU64,
    stale: AtomicBool,
    urgent: AtomicBool,
}

impl Measure {
    /// Something happened that the next table should show.
    pub fn touch(&self) {
        self.stale.store(true, Ordering::Relaxed);
    }

    /// Something happened that must not wait: the next question gets a new table.
    pub fn touch_now(&self) {
        self.urgent.store(true, Ordering::Relaxed);
    }

    /// The table for a snapshot, published anew if it is out of date.
    pub fn current(&self, snapshot: &Snapshot, now_ms: u64) -> Arc<LiveTable> {
        let foreign = self.snapshot_version.load(Ordering::Relaxed) != snapshot.version;
        let due = self.published_ms.load(Ordering::Relaxed) + PUBLISH_EVERY_MS <= now_ms;
        let urgent = self.urgent.load(Ordering::Relaxed) && self.urgent.swap(false, Ordering::Relaxed);
        if foreign || urgent || (due && self.stale.swap(false, Ordering::Relaxed)) {
            self.publish(snapshot, now_ms);
        }
        self.current.load_full()
    }

    fn publish(&self, snapshot: &Snapshot, now_ms: u64) {
        let rows: Vec<Live> = snapshot.runtimes.iter().map(|runtime| runtime.live(now_ms)).collect();
        if rows.iter().any(|row| row.standing != Standing::Healthy) {
            self.touch(); // standings heal by the passing of time alone
        }
        let version = self.current.load().version + 1;
        self.current.store(Arc::new(LiveTable { version, rows }));
        self.published_ms.store(now_ms, Ordering::Relaxed);
        self.snapshot_version.store(snapshot.version, Ordering::Relaxed);
    }
}

/// The better of two standings: what a pool of credentials as a whole is worth.
pub(crate) fn better(a: Live, b: Live) -> Live {
    let worth = |standing: Standing| match standing {
        Standing::Healthy => (0, 0),
        Standing::Degraded => (1, 0),
        Standing::Open => (2, 0),
        Standing::Barred { until_ms, .. } => (3, until_ms),
    };
    if worth(b.standing) < worth(a.standing) { b } else { a }
}
