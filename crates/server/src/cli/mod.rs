//! The command line.
//!
//! What it is: words and tables around the admin API. Beside a running gateway a command asks it over the owner-only
//! socket; without one it runs the same routes over the data directory itself ([`gateway`]). What it is not: a second
//! place where keys, usage or catalogues are decided about ([`crate::admin`]).
//!
//! Where to look first: [`Command`]. Everything that is printed goes through [`output`].

mod catalogue;
mod check;
mod completions;
mod control;
mod explain;
mod failure;
mod files;
mod gateway;
mod init;
mod keys;
mod models;
mod output;
mod place;
mod providers;
mod serve;
mod usage;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::Failure;
use self::place::Place;

/// One OpenAI-compatible API in front of every model of every provider, on your own machine.
#[derive(Debug, Parser)]
#[command(name = "trunkline", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve(serve::Serve),
    /// Check a configuration file and print every problem
    Check(check::Check),
    /// Write a commented configuration file
    Init(init::Init),
    /// List models and prices
    Models(models::Models),
    /// List providers, and how far each is proven
    Providers(providers::Providers),
    /// Say what would be done with a request, without sending it
    Explain(explain::Explain),
    /// Make, list, rotate and revoke virtual keys
    Keys(keys::Keys),
    /// Show what was consumed and what it cost
    Usage(usage::Usage),
    /// Update the catalogue of models and prices, or look at it
    Catalogue(catalogue::Catalogue),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

/// Runs what the command line asks for: 0 is well, 1 a failure, 2 a mistake in the command or the configuration.
pub(crate) fn run() -> ExitCode {
    let Cli { place, command } = Cli::parse();
    let done = match command {
        Command::Serve(serve) => return serve.run(&place),
        Command::Init(init) => init.run(),
        Command::Completions(completions) => {
            completions.run();
            Ok(())
        }
        Command::Check(check) => wait(check.run(&place)),
        Command::Models(models) => wait(models.run(&place)),
        Command::Providers(providers) => wait(providers.run(&place)),
        Command::Explain(explain) => wait(explain.run(&place)),
        Command::Keys(keys) => wait(keys.run(&place)),
        Command::Usage(usage) => wait(usage.run(&place)),
        Command::Catalogue(catalogue) => wait(catalogue.run(&place)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Commands wait for files and sockets, one after the other.
fn wait(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("the runtime cannot start: {error}")))?;
    runtime.block_on(command)
}
