//! The gateway with what people use it for switched on: a key with budget and limits, the ledger, the metrics.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use http::HeaderValue;
use serde::Deserialize;

use super::child::{Server, free_address, output};
use super::ledger::Ledger;
use super::plan::FAILOVERS;
use crate::error::{Context as _, Error, Result};
use crate::load::Target;
use crate::mock::{FAILING, SILENT};
use crate::question::{BURST, Provider};

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

/// An account at the mock.
struct Account {
    name: &'static str,
    kind: &'static str,
    base_url: String,
    /// What gives no answer comes first.
    priority: u8,
    /// Whose questions it is asked.
    providers: &'static [Provider],
}

/// Nobody listens at `absent`.
fn accounts(upstream: SocketAddr, absent: SocketAddr) -> [Account; 6] {
    use Provider::{Absent, Anthropic, Failing, Gemini, Hedged, Openai};
    let account =
        |name, kind, base_url, priority, providers| Account { name, kind, base_url, priority, providers };
    let at = |path: &str| format!("http://{upstream}{path}");
    [
        account("mock", "custom", at("/v1"), 1, &[Openai, Failing, Absent, Hedged]),
        account("anthropic", "anthropic", at("/v1"), 1, &[Anthropic]),
        account("gemini", "gemini", at("/v1beta"), 1, &[Gemini]),
        account("failing", "custom", at(&format!("{FAILING}/v1")), 0, &[Failing]),
        account("absent", "custom", format!("http://{absent}/v1"), 0, &[Absent]),
        // Of a kind that bills no further when it is left: from others the loser of a hedge is read to its end.
        account("silent", "vllm", at(&format!("{SILENT}/v1")), 0, &[Hedged]),
    ]
}

/// Accounts at the mock, their models with prices; everything else as it is by default. Nobody listens at `absent`.
pub(super) fn configuration(upstream: SocketAddr, absent: SocketAddr) -> String {
    let mut text = String::new();
    for Account { name, kind, base_url, priority, providers } in accounts(upstream, absent) {
        text.push_str(&account(name, kind, &base_url, priority));
        for provider in providers {
            text.push_str(&model(name, provider.model()));
            if !FAILOVERS.contains(provider) {
                text.push_str(&model(name, &format!("{}{BURST}", provider.model())));
            }
        }
    }
    text.push_str("[catalogue]\nlisting_refresh = false\n");
    text
}

/// An account, without models.
pub(super) fn account(name: &str, kind: &str, base_url: &str, priority: u8) -> String {
    let key =
        if kind == "custom" { String::new() } else { format!("api_key = {{ env = \"{UPSTREAM_KEY}\" }}\n") };
    format!(
        "[providers.{name}]\nkind = \"{kind}\"\nbase_url = \"{base_url}\"\n{key}priority = {priority}\n\n"
    )
}

/// A model of an account.
pub(super) fn model(account: &str, id: &str) -> String {
    format!(
        "[[providers.{account}.models]]
id = \"{id}\"
name = \"bench/{id}\"
context_window = 1000000
output_max = 4096
input_usd_per_million = 0.25
output_usd_per_million = 2.0

"
    )
}
