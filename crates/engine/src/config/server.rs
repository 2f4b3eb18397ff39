//! `[server]`: where the gateway listens, where it keeps its data, how it reaches the outside.
//!
//! Not the listening itself. Look first at [`Server`]; addresses are [`Listen`], also for the command line's flags.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use trunkline_domain::{Secret, Text};

use super::limits::ServerLimits;
use super::problem::Problem;
use super::reader::{Table, Value};
use super::secrets::{Environment, SecretRef};

/// The table `[server]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where callers connect.
    pub listen: Listen,
    /// Where administrators connect.
    pub admin_listen: Listen,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// TLS of the callers' listener.
    pub tls: Option<Tls>,
    /// Whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Web pages that may call, as origins, or `*`.
    pub cors_origins: Vec<Text>,
    /// The proxy towards providers.
    pub proxy: Option<ProxyRef>,
    /// Hosts reached without the proxy.
    pub no_proxy: Vec<Text>,
    /// A file of further certificate authorities, PEM.
    pub ca_bundle: Option<PathBuf>,
    /// How long streams may go on once the gateway was told to stop.
    pub drain_timeout: Duration,
    /// Caps.
    pub limits: ServerLimits,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// TCP; the host is a name or an address, IPv6 without brackets. Port 0 lets the system choose.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A Unix socket at this path.
    Unix(PathBuf),
}

/// A text that is no address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an address: write 127.0.0.1:4600, [::1]:4600 or unix:/run/trunkline.sock")]
pub struct InvalidListen;

impl FromStr for Listen {
    type Err = InvalidListen;

    fn from_str(text: &str) -> Result<Self, InvalidListen> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(InvalidListen) } else { Ok(Self::Unix(PathBuf::from(path))) };
        }
        if let Ok(address) = text.parse::<std::net::SocketAddr>() {
            return Ok(Self::Tcp { host: address.ip().to_string(), port: address.port() });
        }
        let (host, port) = text.rsplit_once(':').ok_or(InvalidListen)?;
        let is_name = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        let port = port.parse().map_err(|_| InvalidListen)?;
        if is_name { Ok(Self::Tcp { host: host.to_owned(), port }) } else { Err(InvalidListen) }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The address of an outbound proxy; one with credentials is a secret and only named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyRef {
    /// Written in the file: it holds no credentials.
    Url(Text),
    /// Kept elsewhere.
    Secret(SecretRef),
}

impl ProxyRef {
    /// The proxy's URL. It is treated as a secret wherever it came from.
    pub(super) fn resolve(&self, environment: &dyn Environment) -> Result<Secret<String>, Problem> {
        match self {
            Self::Url(url) => Ok(Secret::new(url.to_string())),
            Self::Secret(secret) => {
                let url = secret.resolve_or_report(environment)?;
                match proxy_url_fault(url.expose()) {
                    None => Ok(url),
                    Some(fault) => Err(secret.problem(fault)),
                }
            }
        }
    }

    pub(super) fn read(value: &Value<'_>) -> Option<Self> {
        if !value.is_text() {
            return SecretRef::read(value).map(Self::Secret);
        }
        let url = value.text()?;
        if url.contains('@') {
            value.error_hint("holds credentials", "write { env = \"NAME\" } or { file = \"PATH\" }");
            return None;
        }
        match proxy_url_fault(url) {
            None => Some(Self::Url(Text::from(url))),
            Some(fault) => {
                value.error(fault);
                None
            }
        }
    }
}

fn proxy_url_fault(url: &str) -> Option<&'static str> {
    let parsed = url.parse::<http::Uri>().ok().filter(|uri| uri.scheme_str() == Some("http"));
    let plain =
        parsed.is_some_and(|uri| uri.host().is_some_and(|host| !host.is_empty()) && uri.path() == "/");
    if plain { None } else { Some("must be a proxy's address such as http://proxy.example.com:3128") }
}

impl Server {
    /// Default of `drain_timeout_s`: half a minute.
    pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let defaults = Self::default();
        let before = table.findings().count();
        let server = Self {
            listen: table.get("listen").and_then(|value| listen(&value)).unwrap_or(defaults.listen),
            admin_listen: table
                .get("admin_listen")
                .and_then(|value| listen(&value))
                .unwrap_or(defaults.admin_listen),
            data_dir: table.text("data_dir").map_or(defaults.data_dir, PathBuf::from),
            tls: table.table("tls", tls).flatten(),
            trusted_proxies: table.list("trusted_proxies").iter().filter_map(network).collect(),
            cors_origins: table.list("cors_origins").iter().filter_map(cors_origin).collect(),
            proxy: table.get("proxy").and_then(|value| ProxyRef::read(&value)),
            no_proxy: table.list("no_proxy").iter().filter_map(|host| host.text().map(Text::from)).collect(),
            ca_bundle: table.text("ca_bundle").map(PathBuf::from),
            drain_timeout: table
                .number("drain_timeout_s", 0..=3600)
                .map_or(defaults.drain_timeout, Duration::from_secs),
            limits: table.table("limits", ServerLimits::read).unwrap_or(defaults.limits),
        };
        let ephemeral = matches!(server.listen, Listen::Tcp { port: 0, .. });
        let read_well = table.findings().count() == before;
        if server.listen == server.admin_listen && !ephemeral && read_well {
            let place = table.place().clone();
            table.findings().error(&place, "listen and admin_listen are the same address");
        }
        server
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: Listen::Tcp { host: "127.0.0.1".to_owned(), port: 4600 },
            admin_listen: Listen::Tcp { host: "127.0.0.1".to_owned(), port: 4601 },
            data_dir: PathBuf::from("./trunkline-data"),
            tls: None,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            proxy: None,
            no_proxy: Vec::new(),
            ca_bundle: None,
            drain_timeout: Self::DRAIN_TIMEOUT,
            limits: ServerLimits::default(),
        }
    }
}

fn listen(value: &Value<'_>) -> Option<Listen> {
    value.text()?.parse().map_err(|fault: InvalidListen| value.error(fault.to_string())).ok()
}

fn tls(table: &mut Table<'_>) -> Option<Tls> {
    let (certificate, key) = (table.text("certificate"), table.text("key"));
    if certificate.is_none() {
        table.missing("certificate", "TLS needs both certificate and key");
    }
    if key.is_none() {
        table.missing("key", "TLS needs both certificate and key");
    }
    Some(Tls { certificate: certificate?.into(), key: key?.into() })
}

/// A network, or one address.
fn network(value: &Value<'_>) -> Option<IpNet> {
    let text = value.text()?;
    let network =
        text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    if network.is_none() {
        value.error("is not a network: write 10.0.0.0/8, fd00::/8 or one address");
    }
    network
}

fn cors_origin(value: &Value<'_>) -> Option<Text> {
    let text = value.text()?;
    let is_origin = |text: &str| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '@', '?', '#', '*', ' ']))
    };
    if text == "*" || is_origin(text) {
        return Some(Text::from(text));
    }
    value.error("is not an origin: write https://app.example.com, without a path, or \"*\"");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_they_are_read() {
        for text in ["127.0.0.1:4600", "[::1]:4600", "localhost:0", "unix:/run/trunkline.sock", "[fe80::1]:1"]
        {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        for text in ["", "4600", ":4600", "::1:4600", "host:", "host:65536", "unix:", "http://h:1"] {
            assert_eq!(text.parse::<Listen>(), Err(InvalidListen), "{text:?}");
        }
    }
}
