//! `xtask catalogue …`: from gathered facts to the embedded catalogue, and from a catalogue to a signed bundle.
//!
//! Where to look first: `build.rs` (facts to offers), `prices.rs` (what is refused and why).

mod build;
mod check;
mod facts;
mod keygen;
mod prices;
mod review;
mod sign;

use std::path::{Path, PathBuf};

use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Chore {
    /// Turns a folder of facts (models.json, providers.json) into the catalogue, and lists what was refused
    Build {
        /// The folder of facts
        #[arg(long)]
        facts: PathBuf,
        /// Where catalogue.bin and REVIEW.md go
        #[arg(long, default_value = "crates/catalogue/data")]
        out: PathBuf,
    },
    /// Decodes all of a built catalogue; with facts, also compares it with a fresh build
    Check {
        /// The folder of catalogue.bin
        #[arg(long, default_value = "crates/catalogue/data")]
        data: PathBuf,
        /// The folder of facts
        #[arg(long)]
        facts: Option<PathBuf>,
    },
    /// Makes a key pair for signing; the private half goes to a file only its owner can read
    Keygen {
        /// The file for the private key (PKCS#8); must not exist
        #[arg(long)]
        out: PathBuf,
    },
    /// Signs a catalogue
    Sign {
        /// The private key's file
        #[arg(long)]
        key: PathBuf,
        /// The catalogue
        #[arg(long, default_value = "crates/catalogue/data/catalogue.bin")]
        catalogue: PathBuf,
        /// Where the signed bundle goes
        #[arg(long)]
        out: PathBuf,
    },
}

/// Why a chore could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{}: {error}", .path.display())]
    File { path: PathBuf, error: std::io::Error },
    #[error("{}: {error}", .path.display())]
    Json { path: PathBuf, error: serde_json::Error },
    #[error(transparent)]
    Catalogue(#[from] trunkline_catalogue::CatalogueError),
    #[error(transparent)]
    Update(#[from] trunkline_catalogue::update::UpdateError),
    #[error("{0}")]
    Other(String),
}

pub(crate) fn run(chore: Chore) -> Result<String, Problem> {
    match chore {
        Chore::Build { facts, out } => build::run(&facts, &out),
        Chore::Check { data, facts } => check::run(&data, facts.as_deref()),
        Chore::Keygen { out } => keygen::run(&out),
        Chore::Sign { key, catalogue, out } => sign::run(&key, &catalogue, &out),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(path).map_err(|error| Problem::File { path: path.to_owned(), error })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    std::fs::write(path, bytes).map_err(|error| Problem::File { path: path.to_owned(), error })
}
