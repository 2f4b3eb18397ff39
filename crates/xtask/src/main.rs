//! The project's own chores, run as `cargo run -p trunkline-xtask -- …`. Never shipped.
//!
//! Where to look first: one module per subcommand; this file only chooses among them.

mod catalogue;
mod reference;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", about = "Chores of the Trunkline workspace")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Builds, checks and signs the catalogue of models and prices
    #[command(subcommand)]
    Catalogue(catalogue::Chore),
    /// Writes or checks the generated pages of docs/reference
    #[command(subcommand)]
    Reference(reference::Chore),
    /// Checks the rules of the house that no compiler holds
    Tidy,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore's result is its output")]
fn main() -> ExitCode {
    let result: Result<String, Box<dyn std::error::Error>> = match Arguments::parse().chore {
        Chore::Catalogue(chore) => catalogue::run(chore).map_err(Into::into),
        Chore::Reference(chore) => reference::run(chore).map_err(Into::into),
        Chore::Tidy => tidy::run().map_err(Into::into),
    };
    match result {
        Ok(done) => {
            println!("{done}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}
