//! The gateway with what people use it for switched on: a key with budget and limits, the ledger, the metrics.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use http::HeaderValue;
use serde::Deserialize;

use super::child::{Server, free_address, output};
use super::ledger::Ledger;
use crate::error::{Context as _, Error, Result};
use crate::load::Target;

/// The limits of the key: so high that they are counted and never met.
const KEY_LIMITS: &[&str] = &["--budget-usd", "1000000", "--rpm", "100000000", "--tpm", "1000000000000"];
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// Where the credential of accounts comes from that must have one; the mock does not ask for it.
const UPSTREAM_KEY: &str = "TRUNKLINE_BENCH_UPSTREAM_KEY";

/// What is needed to start it, again and again.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) program: PathBuf,
    pub(super) directory: PathBuf,
    file: PathBuf,
    /// The configuration file's text.
    pub(super) configuration: String,
}

/// A running gateway.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) server: Server,
    pub(super) target: Target,
    pub(super) ready_after: Duration,
}

/// What `trunkline keys create --json` prints.
#[derive(Deserialize)]
struct NewKey {
    key: String,
}

impl Setup {
    /// With a configuration, which is written to `NAME.toml` in the directory.
    pub(super) fn new(program: &Path, name: &str, configuration: String, directory: &Path) -> Result<Self> {
        let file = directory.join(format!("{name}.toml"));
        std::fs::write(&file, &configuration).context(|| format!("cannot write {}", file.display()))?;
        Ok(Self { program: program.to_owned(), directory: directory.to_owned(), file, configuration })
    }

    /// A data directory by name.
    pub(super) fn ledger(&self, name: &str) -> Ledger {
        Ledger { program: self.program.clone(), data_dir: self.directory.join(name) }
    }

    /// The command that makes a key, for the report.
    pub(super) fn key_command() -> String {
        format!("trunkline keys create --name bench {} --json", KEY_LIMITS.join(" "))
    }

    /// Makes a key in a data directory; the whole `authorization` header.
    pub(super) fn create_key(&self, ledger: &Ledger, name: &str) -> Result<HeaderValue> {
        let mut command = Command::new(&self.program);
        command.args(["keys", "create", "--name", name]).args(KEY_LIMITS);
        let text = output(command.arg("--json").arg("--data-dir").arg(&ledger.data_dir))?;
        let key: NewKey = serde_json::from_str(&text)
            .map_err(|error| Error::Unexpected(format!("`keys create --json` cannot be read: {error}")))?;
        HeaderValue::from_str(&format!("Bearer {}", key.key))
            .map_err(|_| Error::Unexpected("the key is no header value".to_owned()))
    }

    /// Starts it on a data directory and waits until it is ready.
    pub(super) async fn start(&self, ledger: &Ledger, authorization: Option<HeaderValue>) -> Result<Gateway> {
        let (address, admin) = (free_address()?, free_address()?);
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(&self.file).arg("--data-dir").arg(&ledger.data_dir);
        command.env(UPSTREAM_KEY, "none");
        command.arg("--listen").arg(address.to_string()).arg("--admin-listen").arg(admin.to_string());
        let mut server = Server::start("gateway", &mut command, &self.directory)?;
        let ready_after = server.ready(address, "/readyz", READY_DEADLINE).await?;
        Ok(Gateway { server, target: Target { address, authorization }, ready_after })
    }
}

/// What it runs with, but for addresses.
pub(super) const CONFIGURATION: &str = include_str!("trunkline.toml");

/// A configuration with the mock's address, and one where nobody listens.
pub(super) fn configuration(text: &str, upstream: SocketAddr, absent: SocketAddr) -> String {
    text.replace("upstream.invalid", &upstream.to_string()).replace("absent.invalid", &absent.to_string())
}

#[cfg(test)]
mod tests {
    use trunkline_engine::config::{AnyModel, check};

    use super::*;
    use crate::compare::fairness;

    #[test]
    fn the_configurations_are_accepted() {
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        for text in [CONFIGURATION, fairness::CONFIGURATION] {
            let text = configuration(text, address, address);
            let checked = check(&text, &AnyModel);
            assert!(checked.problems.is_empty(), "{:?}", checked.problems);
            assert!(!text.contains(".invalid/"));
        }
    }
}
