//! Why a measurement could not be made. Not why a single request failed: that is counted (see [`crate::load`]).

use std::io;

/// What went wrong, in words for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file, socket or process.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The client's or the server's side of an HTTP connection.
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// The lock on the ledger file.
    #[error("the ledger file cannot be locked: {0}")]
    Ledger(#[from] sqlx::Error),
    /// A program printed something else than agreed.
    #[error("{0}")]
    Unexpected(String),
    /// The figures may not be compared.
    #[error("refused: {0}")]
    Refused(String),
}

/// What most functions here return.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Says what was being done when the system refused.
pub(crate) trait Context<T> {
    /// Wraps the error.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { what: what(), source })
    }
}
