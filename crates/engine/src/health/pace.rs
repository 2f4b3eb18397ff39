//! How fast a deployment answers, as quantiles of the last minutes, and how much it has under way. Not an average, which one slow answer moves, and not
//! what metrics export: this is what the planner and hedging read. Where to look first: [`Pace`].

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Answers are weighed over two windows of this length, the current and the last.
const WINDOW_MS: u64 = 300_000;
/// Fewer answers than this say nothing.
const SAMPLES_MIN: u32 = 20;
/// Four buckets to each doubling, up to two hours: a quantile is at most a fifth too high.
const BUCKETS: usize = 92;

/// One deployment's pace: until the first content of streams, and until the end of whole answers.
#[derive(Debug, Default)]
pub struct Pace {
    first_content: Measured,
    whole: Measured,
    in_flight: AtomicU32,
}

/// A call under way, until it is dropped.
#[derive(Debug)]
pub struct InFlight(Arc<Pace>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pace {
    /// A call leaves.
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Calls under way.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// A stream's first content came after `ms`.
    pub fn first_content(&self, now_ms: u64, ms: u64) {
        self.first_content.record(now_ms, ms);
    }

    /// A whole answer came after `ms`.
    pub fn whole(&self, now_ms: u64, ms: u64) {
        self.whole.record(now_ms, ms);
    }

    /// Milliseconds within which `percent` of the streams had their first content; `None` while too few are known.
    pub fn first_content_quantile(&self, now_ms: u64, percent: u32) -> Option<u32> {
        self.first_content.quantile(now_ms, percent)
    }

    /// Milliseconds within which `percent` of the whole answers had come; `None` while too few are known.
    pub fn whole_quantile(&self, now_ms: u64, percent: u32) -> Option<u32> {
        self.whole.quantile(now_ms, percent)
    }
}

/// Room is made for a deployment that has answered once: most never do.
#[derive(Debug, Default)]
struct Measured(OnceLock<Box<Windows>>);

#[derive(Debug)]
struct Windows {
    /// The number of the current window.
    current: AtomicU64,
    counts: [[AtomicU32; BUCKETS]; 2],
}

impl Default for Windows {
    fn default() -> Self {
        let empty = || std::array::from_fn(|_| AtomicU32::new(0));
        Self { current: AtomicU64::new(0), counts: [empty(), empty()] }
    }
}

impl Measured {
    fn record(&self, now_ms: u64, ms: u64) {
        let windows = self.0.get_or_init(Box::default);
        let window = now_ms / WINDOW_MS;
        let before = windows.current.swap(window, Ordering::Relaxed);
        let [current, last] = slots(window);
        if before != window {
            windows.clear(current);
            if before + 1 != window {
                windows.clear(last);
            }
        }
        if let Some(count) = windows.counts.get(current).and_then(|counts| counts.get(bucket(ms))) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn quantile(&self, now_ms: u64, percent: u32) -> Option<u32> {
        let windows = self.0.get()?;
        let recorded = windows.current.load(Ordering::Relaxed);
        let age = (now_ms / WINDOW_MS).saturating_sub(recorded);
        let used: &[[AtomicU32; BUCKETS]] = match age {
            0 => &windows.counts,
            // What was current when something was last recorded is the last window now.
            1 => windows.counts.get(slots(recorded).first().copied()?..)?.get(..1)?,
            _ => return None,
        };
        let count = |place: usize| {
            let counts = used.iter().filter_map(|counts| counts.get(place));
            counts.map(|count| count.load(Ordering::Relaxed)).fold(0, u32::saturating_add)
        };
        let total = (0..BUCKETS).map(count).fold(0, u32::saturating_add);
        if total < SAMPLES_MIN {
            return None;
        }
        let wanted = u64::from(total) * u64::from(percent);
        let mut seen = 0;
        (0..BUCKETS)
            .find(|place| {
                seen += u64::from(count(*place)) * 100;
                seen >= wanted
            })
            .map(ceiling)
    }
}

impl Windows {
    fn clear(&self, slot: usize) {
        for count in self.counts.get(slot).into_iter().flatten() {
            count.store(0, Ordering::Relaxed);
        }
    }
}

/// The slots of a window and of the one before it.
fn slots(window: u64) -> [usize; 2] {
    if window.is_multiple_of(2) { [0, 1] } else { [1, 0] }
}

/// The bucket of a duration: its leading bit and the two after it.
fn bucket(ms: u64) -> usize {
    let octave = ms.max(1).ilog2();
    let place = match octave {
        0 | 1 => ms,
        _ => u64::from(octave - 1) * 4 + ((ms >> (octave - 2)) & 3),
    };
    usize::try_from(place).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

/// The longest duration of a bucket.
fn ceiling(place: usize) -> u32 {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    let (octave, quarter) = (place / 4, place % 4);
    if octave == 0 { quarter } else { ((5 + quarter) << (octave - 1)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_the_bucket_whose_ceiling_is_next_above() {
        for ms in (0..5_000).chain([65_535, 65_536, 1_000_000]) {
            let place = bucket(ms);
            assert!(u64::from(ceiling(place)) >= ms, "{ms}");
            assert!(place == 0 || u64::from(ceiling(place - 1)) < ms, "{ms}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_quantile_is_known_once_there_are_enough_answers() {
        let pace = Pace::default();
        for ms in 1..=19 {
            pace.first_content(1_000, ms * 10);
        }
        assert_eq!(pace.first_content_quantile(1_000, 95), None);
        pace.first_content(1_000, 200);
        let p95 = pace.first_content_quantile(1_000, 95).unwrap();
        assert!((190..=223).contains(&p95), "{p95}");
        let p50 = pace.first_content_quantile(1_000, 50).unwrap();
        assert!((100..=111).contains(&p50), "{p50}");
        assert_eq!(pace.whole_quantile(1_000, 95), None);
    }

    #[test]
    fn what_is_under_way_is_counted_until_it_ends() {
        let pace = Arc::new(Pace::default());
        let (one, two) = (pace.begin(), pace.begin());
        drop(one);
        assert_eq!(pace.in_flight(), 1);
        drop(two);
        assert_eq!(pace.in_flight(), 0);
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let pace = Pace::default();
        for _ in 0..40 {
            pace.whole(0, 1_000);
        }
        assert!(pace.whole_quantile(WINDOW_MS, 50).is_some());
        assert_eq!(pace.whole_quantile(2 * WINDOW_MS, 50), None);
        for _ in 0..40 {
            pace.whole(2 * WINDOW_MS, 10);
        }
        assert!(pace.whole_quantile(2 * WINDOW_MS, 99).unwrap() < 20);
    }
}
