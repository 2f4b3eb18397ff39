//! Where log lines go: to standard error, for people or as JSON. `TRUNKLINE_LOG` filters them (`debug`,
//! `trunkline=debug,warn` …); by default everything from `info` on.
//!
//! A thread of the log's own writes them, so that nobody waits where standard error is not read: a pipe that is full, a
//! terminal that was stopped. Lines that find no room are left out and counted in a line at the end.

use std::io;
use std::sync::{Mutex, PoisonError};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use trunkline_engine::config::file::LogFormat;

const FILTER_VARIABLE: &str = "TRUNKLINE_LOG";
/// Lines that wait to be written, at most.
const LINES_MAX: usize = 4_096;

/// The log of this process.
static LOG: Mutex<Option<Log>> = Mutex::new(None);

struct Log {
    /// Dropping it waits for the lines so far, a second at most.
    writer: WorkerGuard,
    /// Lines that found no room.
    lost: ErrorCounter,
}

/// Starts the log. A panic becomes a line of it.
pub(super) fn start(format: LogFormat) {
    let queue = NonBlockingBuilder::default().buffered_lines_limit(LINES_MAX).thread_name("trunkline-log");
    let (queue, writer) = queue.finish(io::stderr());
    let lost = queue.error_counter();
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .with_env_var(FILTER_VARIABLE)
        .from_env_lossy();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(queue);
    let started = match format {
        LogFormat::Text => builder.with_ansi(rustix::termios::isatty(io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a defect: please report it")));
        *LOG.lock().unwrap_or_else(PoisonError::into_inner) = Some(Log { writer, lost });
    }
}

/// Waits until the lines so far are written, for a second at most: before the process ends.
pub(super) fn finish() {
    let Some(Log { writer, lost }) = LOG.lock().unwrap_or_else(PoisonError::into_inner).take() else {
        return;
    };
    let lines = lost.dropped_lines();
    if lines > 0 {
        tracing::warn!(lines, "the log was not read in time: lines are missing");
    }
    drop(writer);
}
