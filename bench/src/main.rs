//! The load benchmark: a mock upstream, a load generator, and the comparison of the gateway with nginx.
//!
//! Never shipped. `bench/run` builds everything and calls `compare`; look first at [`compare`] for what is measured
//! and how, at [`load`] for the generator. Not micro benchmarks of single functions.

mod compare;
mod error;
mod load;
mod mock;
mod process;
mod question;
mod statistics;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use http::HeaderValue;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use error::{Context as _, Error, Result};
use load::{Bound, Fleet, Target};
use mock::Mock;
use process::{CpuReading, CpuSpent, resident_bytes};
use question::Question;

#[derive(Parser)]
#[command(name = "trunkline-bench", about = "The load benchmark of Trunkline")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Serves chat answers and streams, counts them at /served, and prints its port
    MockUpstream {
        /// The loopback port; 0 takes a free one
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Sends a bounded number of requests and prints what it saw as JSON
    Loadgen(Loadgen),
    /// Compares the gateway with nginx and prints the report
    Compare(compare::Options),
}

#[derive(Args)]
struct Loadgen {
    /// Where to send requests: a loopback address and port
    address: SocketAddr,
    #[command(flatten)]
    question: Question,
    /// Connections, at most 4096
    #[arg(long, default_value_t = 10)]
    connections: usize,
    /// Requests, at most ten million
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=load::REQUESTS_MAX))]
    requests: u64,
    /// Seconds after which no further request is sent
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Requests a second; without it, as fast as answers come
    #[arg(long)]
    rate: Option<f64>,
    /// A key, sent as `authorization: Bearer`
    #[arg(long, env = "TRUNKLINE_BENCH_KEY", hide_env_values = true)]
    key: Option<String>,
    /// A process whose CPU time and memory are read around the run
    #[arg(long)]
    pid: Option<u32>,
}

/// What a run cost the process that was named.
#[derive(Serialize)]
struct Process {
    cpu_us_per_answer: f64,
    cpu_us_per_event: f64,
    cpu_us_by_thread: Vec<(String, u64)>,
    resident_bytes: u64,
}

#[derive(Serialize)]
struct Printed {
    #[serde(flatten)]
    seen: load::Summary,
    process: Option<Process>,
}

/// One thread: the generator must not take a core from who is measured more often than it must.
#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stderr, reason = "an error's place is the terminal")]
async fn main() -> ExitCode {
    let task = Arguments::parse().task;
    let result = tokio::select! {
        result = perform(task) => result,
        result = ended() => result,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn perform(task: Task) -> Result<()> {
    match task {
        Task::MockUpstream { port } => mock_upstream(port).await,
        Task::Loadgen(arguments) => loadgen(arguments).await,
        Task::Compare(options) => compare::run(options).await,
    }
}

/// Waits for a signal to end; dropping the task then ends every server it started.
async fn ended() -> Result<()> {
    let listen = |kind| signal(kind).context(|| "signals cannot be received".to_owned());
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Err(Error::Unexpected("ended by a signal".to_owned()))
}

#[expect(clippy::print_stdout, reason = "whoever started it reads the port")]
async fn mock_upstream(port: u16) -> Result<()> {
    let mock = Mock::bind(port).await?;
    println!("{}", mock.address()?.port());
    mock.run().await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are the command's output")]
async fn loadgen(arguments: Loadgen) -> Result<()> {
    if !arguments.address.ip().is_loopback() {
        return Err(Error::Unexpected(
            "load is only sent to this machine: give a loopback address".to_owned(),
        ));
    }
    let authorization = arguments.key.map(|key| HeaderValue::from_str(&format!("Bearer {key}")));
    let authorization =
        authorization.transpose().map_err(|_| Error::Unexpected("the key is no header value".to_owned()))?;
    let target = Target { address: arguments.address, authorization };
    let mut fleet = Fleet::connect(&target, arguments.question, arguments.connections).await?;
    let read = || arguments.pid.map(CpuReading::of).transpose();
    let before = read()?;
    let time = Duration::from_secs(arguments.seconds);
    let outcome =
        fleet.run(Bound { time, rate: arguments.rate, ..Bound::requests(arguments.requests) }).await;
    let spent = read()?.zip(before).map(|(after, before)| after.since(&before));
    let process = match (spent, arguments.pid) {
        (Some(spent), Some(pid)) => Some(process(spent, pid, &outcome)?),
        _ => None,
    };
    let printed = Printed { seen: outcome.summary(), process };
    let text =
        serde_json::to_string_pretty(&printed).map_err(|error| Error::Unexpected(error.to_string()))?;
    println!("{text}");
    Ok(())
}

fn process(spent: CpuSpent, pid: u32, outcome: &load::Outcome) -> Result<Process> {
    Ok(Process {
        cpu_us_per_answer: load::ratio(spent.total_ns, outcome.answers) / 1e3,
        cpu_us_per_event: load::ratio(spent.total_ns, outcome.events) / 1e3,
        cpu_us_by_thread: spent.by_name.into_iter().map(|(name, ns)| (name, ns / 1_000)).collect(),
        resident_bytes: resident_bytes(pid)?,
    })
}
