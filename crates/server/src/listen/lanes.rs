//! The threads that serve callers' connections, each with a runtime of its own. A connection stays on the thread it came
//! to, with everything done for its requests, so nothing is handed from core to core on the way and no thread has to wake
//! another. There is one for each core but one, which is left to the drainer, the store and the kernel: a thread that
//! has to share its core is woken more often and finds less to do each time.
//!
//! What it is not: the runtime of everything else (the ledger's drainer, jobs, the admin API), which runs beside it.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;

/// The threads. Dropping it ends them, with whatever still runs there.
#[derive(Debug)]
pub(crate) struct Lanes {
    all: Arc<[Lane]>,
    threads: Vec<JoinHandle<()>>,
    end: CancellationToken,
}

/// The threads as a listener sees them.
#[derive(Clone, Debug)]
pub(crate) struct Way(Arc<[Lane]>);

#[derive(Debug)]
struct Lane {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
}

/// A connection's place on a thread.
#[derive(Debug)]
pub(super) struct Place {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl Lanes {
    /// Starts them.
    pub(crate) fn start() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let count = cores.saturating_sub(1).max(1);
        let end = CancellationToken::new();
        let (mut lanes, mut threads) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for number in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let connections = Arc::new(AtomicUsize::new(0));
            lanes.push(Lane { runtime: runtime.handle().clone(), connections });
            let end = end.clone();
            let thread = std::thread::Builder::new().name(format!("trunkline-{number}"));
            threads.push(thread.spawn(move || run(runtime, &end))?);
        }
        Ok(Self { all: lanes.into(), threads, end })
    }

    /// The way to them.
    pub(crate) fn way(&self) -> Way {
        Way(Arc::clone(&self.all))
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.end.cancel();
        for thread in self.threads.drain(..) {
            // One that panicked has ended too.
            thread.join().unwrap_or_default();
        }
    }
}

/// Ends with whatever still runs: it was told to end, and its guards act as it is dropped.
fn run(runtime: Runtime, end: &CancellationToken) {
    runtime.block_on(end.cancelled());
    runtime.shutdown_background();
}

impl Way {
    /// Runs one of these on each thread, until the threads end.
    pub(crate) fn everywhere<F: Future<Output = ()> + Send + 'static>(&self, make: impl Fn() -> F) {
        for lane in self.0.iter() {
            drop(lane.runtime.spawn(make()));
        }
    }

    /// A place on the thread with the fewest connections.
    pub(super) fn place(&self) -> Option<Place> {
        let lane = self.0.iter().min_by_key(|lane| lane.connections.load(Ordering::Relaxed))?;
        lane.connections.fetch_add(1, Ordering::Relaxed);
        Some(Place { runtime: lane.runtime.clone(), connections: Arc::clone(&lane.connections) })
    }
}

impl Place {
    /// What is done there, for as long as the place is taken.
    pub(super) fn hold<F: Future>(self, serving: F) -> (Handle, impl Future<Output = F::Output>) {
        let runtime = self.runtime.clone();
        (runtime, async move {
            let _place = self;
            serving.await
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_spread_and_their_places_return() {
        let lanes = Lanes::start().unwrap();
        let way = lanes.way();
        let places: Vec<_> = (0..3 * lanes.all.len()).map(|_| way.place().unwrap()).collect();
        let taken =
            || -> Vec<_> { lanes.all.iter().map(|lane| lane.connections.load(Ordering::Relaxed)).collect() };
        assert!(taken().iter().all(|taken| *taken == 3), "{:?}", taken());
        drop(places);
        assert!(taken().iter().all(|taken| *taken == 0), "{:?}", taken());
    }

    #[test]
    fn what_is_held_runs_on_the_place_s_own_thread() {
        let lanes = Lanes::start().unwrap();
        let place = lanes.way().place().unwrap();
        let (runtime, held) = place.hold(async { std::thread::current().name().map(str::to_owned) });
        let (told, heard) = std::sync::mpsc::channel();
        runtime.spawn(async move { told.send(held.await).unwrap() });
        assert!(heard.recv().unwrap().unwrap().starts_with("trunkline-"));
    }
}
