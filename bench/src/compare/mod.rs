//! The comparison: nginx and the gateway, in turns, against the same mock upstream on the same machine.
//!
//! What is compared is CPU time of the server's own process per request, and ratios of the same round: they hold on a
//! busy machine too, where latencies do not. Two servers never work at the same time. Where to look first:
//! [`plan`] for what is measured, [`rounds`] for the order of things, [`subject`] for one measurement.

mod bookkeeping;
mod child;
mod fairness;
mod gateway;
mod ledger;
mod litellm;
mod machine;
mod nginx;
mod plan;
mod report;
mod results;
mod rounds;
mod subject;
mod upstream;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::error::{Context as _, Error, Result};

/// What is asked of a comparison.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// The gateway's release binary
    #[arg(long, default_value = "target/release/trunkline")]
    gateway: PathBuf,
    /// nginx
    #[arg(long, default_value = "/usr/sbin/nginx")]
    nginx: PathBuf,
    /// LiteLLM's `litellm` command; without it LiteLLM is left out
    #[arg(long)]
    litellm: Option<PathBuf>,
    /// How often everything is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// Percent of the usual requests in each measurement
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1000))]
    amount: u64,
    /// Measure this part alone; may be given more than once
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Where to write the report, as YYYY-MM-DD.md; without it, it is only printed
    #[arg(long)]
    write: Option<PathBuf>,
}

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Requests passed on as they are, beside nginx: CPU, latency, memory, starts.
    Relay,
    /// Requests and answers written anew for another API.
    Recast,
    /// Going on after a provider that refuses, or is not there.
    Failover,
    /// Ending the attempt that lost.
    Hedge,
    /// Remembering how deployments are doing.
    Bookkeeping,
    /// Waiting at the door beside somebody who asks for far more than its share.
    Fairness,
}

impl Options {
    /// Whether a part is asked for: all are, unless some are named.
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// So many of what is usually sent.
    fn scaled(&self, usual: u64) -> u64 {
        usual * self.amount / 100
    }
}

/// Measures, and returns the report. Ratios are refused, and the result is an error, where a row is missing.
#[expect(clippy::print_stdout, reason = "the report is the command's output")]
pub(crate) async fn run(options: Options) -> Result<()> {
    let directory = std::env::temp_dir().join(format!("trunkline-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory).context(|| format!("cannot make {}", directory.display()))?;
    let measured = rounds::run(&options, &directory).await;
    if measured.is_ok() {
        std::fs::remove_dir_all(&directory).context(|| format!("cannot remove {}", directory.display()))?;
    } else {
        progress(&format!("logs and configuration are in {}", directory.display()));
    }
    let results = measured?;
    let report = report::markdown(&results, &options);
    println!("{report}");
    if !results.doubts.is_empty() {
        return Err(Error::Refused(results.doubts.join("; ")));
    }
    if let Some(folder) = &options.write {
        let file = folder.join(format!("{}.md", machine::today()));
        std::fs::write(&file, report).context(|| format!("cannot write {}", file.display()))?;
        progress(&format!("written to {}", file.display()));
    }
    Ok(())
}

/// A line for who waits.
#[expect(clippy::print_stderr, reason = "progress must not be part of the report")]
fn progress(line: &str) {
    eprintln!("{line}");
}
