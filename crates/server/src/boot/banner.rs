//! What a start says: where it listens, the first key, and a line to try. And what scripts read: `addresses.json` in
//! the data directory, there as long as the gateway runs, with the addresses as they are (ports chosen by the system
//! included) and the process's id.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use trunkline_engine::config::server::{Listen, Server};

use super::StartError;
use super::first_run::{FirstRun, Fresh};

/// The file's name.
const FILE: &str = "addresses.json";
/// The variable the lines to try take the key from, where it is not shown.
const KEY_VARIABLE: &str = "$TRUNKLINE_KEY";

/// Where a gateway listens.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Addresses {
    listen: String,
    admin_listen: String,
    pid: u32,
    #[serde(skip)]
    public: Listen,
}

impl Addresses {
    pub(super) fn new(listen: &Listen, admin_listen: &Listen) -> Self {
        let (public, pid) = (listen.clone(), std::process::id());
        Self { listen: listen.to_string(), admin_listen: admin_listen.to_string(), pid, public }
    }
}

/// `addresses.json`, removed when dropped.
pub(super) struct AddressFile(Option<PathBuf>);

impl AddressFile {
    pub(super) fn write(data_dir: &Path, addresses: &Addresses) -> Result<Self, StartError> {
        let (path, draft) = (data_dir.join(FILE), data_dir.join("addresses.json.new"));
        let written = serde_json::to_vec(addresses)
            .map_err(std::io::Error::from)
            .and_then(|bytes| std::fs::write(&draft, bytes))
            .and_then(|()| std::fs::rename(&draft, &path));
        written
            .map_err(|error| StartError::Other(format!("{} cannot be written: {error}", path.display())))?;
        Ok(Self(Some(path)))
    }
}

impl AddressFile {
    /// Leaves it: it is another process's now.
    pub(super) fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for AddressFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            std::fs::remove_file(path).unwrap_or_default();
        }
    }
}

/// Says where it listens and what to try. The first key of a machine is shown here and never again.
pub(super) fn print(addresses: &Addresses, server: &Server, first: &FirstRun) {
    if let FirstRun::Written(path) = first {
        tracing::info!(path = %path.display(), "what was made for the first start is in this file: read and delete it");
    }
    tracing::info!(listen = addresses.listen, admin_listen = addresses.admin_listen, "listening");
    // A closed standard output is no reason not to serve.
    std::io::stdout().write_all(text(addresses, server, first).as_bytes()).unwrap_or_default();
}

/// Says why there is no start.
pub(super) fn complain(lines: &[String]) {
    let mut text = lines.join("\n");
    text.push('\n');
    std::io::stderr().write_all(text.as_bytes()).unwrap_or_default();
}

fn text(addresses: &Addresses, server: &Server, first: &FirstRun) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        // Writing to a string cannot fail.
        writeln!(text, "{label:<12} {value}").unwrap_or_default();
    };
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    line("trunkline", env!("CARGO_PKG_VERSION"));
    line("listening", &base_url(&addresses.public, scheme));
    line("admin", &addresses.admin_listen);
    line("data", &server.data_dir.display().to_string());
    let key = match first {
        FirstRun::Shown(Fresh { key, admin_token }) => {
            for (label, secret) in [("key", key), ("admin token", admin_token)] {
                if let Some(secret) = secret {
                    line(label, &format!("{}   (shown once)", secret.expose()));
                }
            }
            key.as_ref().map_or(KEY_VARIABLE, |key| key.expose())
        }
        FirstRun::Written(path) => {
            line("secrets", &format!("in {}", path.display()));
            KEY_VARIABLE
        }
        FirstRun::No => KEY_VARIABLE,
    };
    text.push('\n');
    text.push_str(&curl(addresses, scheme, key));
    text.push_str(&python(addresses, scheme, key));
    text
}

fn base_url(listen: &Listen, scheme: &str) -> String {
    match listen {
        Listen::Tcp { .. } => format!("{scheme}://{listen}/v1"),
        Listen::Unix(path) => format!("unix:{}", path.display()),
    }
}

fn curl(addresses: &Addresses, scheme: &str, key: &str) -> String {
    let target = match &addresses.public {
        Listen::Tcp { .. } => format!("{scheme}://{}/v1/chat/completions", addresses.public),
        Listen::Unix(path) => {
            format!("--unix-socket {} {scheme}://localhost/v1/chat/completions", path.display())
        }
    };
    let body = r#"{"model":"sandbox/echo-small","messages":[{"role":"user","content":"Hello"}]}"#;
    format!(
        "curl {target} -H \"authorization: Bearer {key}\" -H 'content-type: application/json' -d '{body}'\n"
    )
}

fn python(addresses: &Addresses, scheme: &str, key: &str) -> String {
    let Listen::Tcp { .. } = &addresses.public else { return String::new() };
    let base_url = base_url(&addresses.public, scheme);
    let messages = r#"[{"role": "user", "content": "Hello"}]"#;
    format!(
        "python3 -c 'from openai import OpenAI; print(OpenAI(base_url=\"{base_url}\", api_key=\"{}\")\
         .chat.completions.create(model=\"sandbox/echo-small\", messages={}).choices[0].message.content)'\n",
        if key == KEY_VARIABLE { "sk-tl-…" } else { key },
        messages
    )
}

#[cfg(test)]
mod tests {
    use trunkline_domain::Secret;

    use super::*;

    fn addresses() -> Addresses {
        Addresses::new(&"127.0.0.1:4600".parse().unwrap(), &"127.0.0.1:4601".parse().unwrap())
    }

    #[test]
    fn a_terminal_is_shown_the_key_and_lines_to_try() {
        let first = FirstRun::Shown(Fresh {
            key: Some(Secret::new("sk-tl-abc".to_owned())),
            admin_token: Some(Secret::new("tl-admin-xyz".to_owned())),
        });
        let text = text(&addresses(), &Server::default(), &first);
        assert!(text.contains(
            "curl http://127.0.0.1:4600/v1/chat/completions -H \"authorization: Bearer sk-tl-abc\""
        ));
        assert!(text.contains("base_url=\"http://127.0.0.1:4600/v1\", api_key=\"sk-tl-abc\""));
        assert!(text.contains("tl-admin-xyz"));
    }

    #[test]
    fn a_file_is_named_instead_of_a_secret() {
        let text = text(&addresses(), &Server::default(), &FirstRun::Written("data/first-run.txt".into()));
        assert!(text.contains("in data/first-run.txt") && text.contains("Bearer $TRUNKLINE_KEY"));
    }
}
