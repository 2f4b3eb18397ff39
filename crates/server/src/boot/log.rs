//! Where log lines go: to standard error, for people or as JSON. `TRUNKLINE_LOG` filters them (`debug`,
//! `trunkline=debug,warn` …); by default everything from `info` on.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use trunkline_engine::config::file::LogFormat;

const FILTER_VARIABLE: &str = "TRUNKLINE_LOG";

/// Starts the log. A panic becomes a line of it.
pub(super) fn start(format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .with_env_var(FILTER_VARIABLE)
        .from_env_lossy();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => builder.with_ansi(rustix::termios::isatty(std::io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a defect: please report it")));
    }
}
