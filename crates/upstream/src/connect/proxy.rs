//! An outbound HTTP proxy as configured: where it is, how it is authorised, and which hosts go without it.
//!
//! The exceptions follow Go's `golang.org/x/net/http/httpproxy` (`Config.NoProxy`): a comma-separated list of `*`, an
//! address, a network in CIDR form, a name (which covers its subdomains), `.name` or `*.name` (subdomains only), each
//! with an optional port except networks; `localhost` and loopback addresses never go through a proxy.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use trunkline_domain::Secret;

use super::allow::Network;

/// At most this many exceptions are kept.
pub const EXCEPTIONS_MAX: usize = 1024;

/// An HTTP proxy. Spoken to in plain HTTP: `CONNECT` for https origins, absolute form for http ones.
#[derive(PartialEq, Eq)]
pub struct ProxyConfig {
    host: String,
    port: u16,
    authorization: Option<Secret<String>>,
    exceptions: Vec<Exception>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Exception {
    Everything,
    Network(Network),
    Address(IpAddr, Option<u16>),
    Name { name: String, subdomains_only: Subdomains, port: Option<u16> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subdomains {
    Only,
    Too,
}

impl ProxyConfig {
    /// Reads `http://[user:password@]host[:port]`, the port defaulting to 80, and a list of exceptions in `NO_PROXY`
    /// form. Errors never repeat the URL.
    pub fn parse(url: &str, no_proxy: &str) -> Result<Self, ProxyError> {
        let rest = url.trim().strip_prefix("http://").ok_or(ProxyError::Scheme)?;
        let rest = rest.trim_end_matches('/');
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let origin =
            crate::origin::Origin::parse(&format!("http://{place}")).map_err(|_| ProxyError::Host)?;
        if !origin.base_path().is_empty() {
            return Err(ProxyError::Host);
        }
        let authorization = user.map(basic).transpose()?;
        let exceptions = no_proxy.split(',').filter_map(read_exception).take(EXCEPTIONS_MAX).collect();
        Ok(Self { host: origin.host().to_owned(), port: origin.port(), authorization, exceptions })
    }

    /// Host name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of `proxy-authorization`.
    pub(crate) fn authorization(&self) -> Option<&Secret<String>> {
        self.authorization.as_ref()
    }

    /// Whether calls to this host go through the proxy.
    pub(crate) fn applies_to(&self, host: &str, literal: Option<IpAddr>, port: u16) -> bool {
        if host == "localhost" || literal.is_some_and(|address| address.is_loopback()) {
            return false;
        }
        !self.exceptions.iter().any(|exception| exception.covers(host, literal, port))
    }
}

impl Exception {
    fn covers(&self, host: &str, literal: Option<IpAddr>, port: u16) -> bool {
        match self {
            Self::Everything => true,
            Self::Network(network) => literal.is_some_and(|address| network.contains(address)),
            Self::Address(address, only) => literal == Some(*address) && only.is_none_or(|only| only == port),
            Self::Name { name, subdomains_only, port: only } => {
                let below = host.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.'));
                let itself = *subdomains_only == Subdomains::Too && host == name;
                (below || itself) && only.is_none_or(|only| only == port)
            }
        }
    }
}

fn read_exception(text: &str) -> Option<Exception> {
    let text = text.trim().to_ascii_lowercase();
    if text.is_empty() {
        return None;
    }
    if text == "*" {
        return Some(Exception::Everything);
    }
    if let Some(network) = Network::parse(&text) {
        return Some(Exception::Network(network));
    }
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse() {
        return Some(Exception::Address(address, None));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (text.as_str(), None),
    };
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
        return Some(Exception::Address(address, port));
    }
    let bare = host.strip_prefix('*').unwrap_or(host);
    let (name, subdomains_only) = match bare.strip_prefix('.') {
        Some(name) => (name, Subdomains::Only),
        None => (bare, Subdomains::Too),
    };
    (!name.is_empty()).then(|| Exception::Name { name: name.to_owned(), subdomains_only, port })
}

/// `Basic …` of RFC 7617, from the percent-encoded user information of a URL.
fn basic(user: &str) -> Result<Secret<String>, ProxyError> {
    let decoded = Secret::new(percent_decode(user).ok_or(ProxyError::UserInfo)?);
    Ok(Secret::new(format!("Basic {}", BASE64.encode(decoded.expose()))))
}

fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

impl Hash for ProxyConfig {
    /// Leaves the credential out: equal values still hash alike.
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.host, self.port, &self.exceptions).hash(state);
    }
}

impl fmt::Debug for ProxyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyConfig({}:{})", self.host, self.port)
    }
}

/// Why a proxy's URL cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Another scheme.
    #[error("a proxy is written as http://host:port; TLS to the proxy and SOCKS are not supported")]
    Scheme,
    /// No usable host or port, or a path.
    #[error("the proxy's host or port cannot be read")]
    Host,
    /// The user information is not percent-encoded text.
    #[error("the proxy's user name or password is not percent-encoded")]
    UserInfo,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applies(no_proxy: &str, host: &str, port: u16) -> bool {
        let proxy = ProxyConfig::parse("http://proxy.internal:3128", no_proxy).unwrap();
        proxy.applies_to(host, host.parse().ok(), port)
    }

    #[test]
    fn exceptions_are_matched() {
        for (no_proxy, host, port, expected) in [
            ("", "api.example.com", 443, true),
            ("*", "api.example.com", 443, false),
            ("example.com", "example.com", 443, false),
            ("Example.com", "api.example.com", 443, false),
            ("example.com", "badexample.com", 443, true),
            (".example.com", "example.com", 443, true),
            (".example.com", "api.example.com", 443, false),
            ("*.example.com", "api.example.com", 443, false),
            ("other.com, example.com:8443", "example.com", 443, true),
            ("other.com, example.com:8443", "example.com", 8443, false),
            ("10.0.0.0/8", "10.1.2.3", 80, false),
            ("10.0.0.0/8", "11.1.2.3", 80, true),
            ("fd00::/8", "fd12::1", 80, false),
            ("192.0.2.1", "192.0.2.1", 80, false),
            ("192.0.2.1:81", "192.0.2.1", 80, true),
            ("[2001:db8::1]:81", "2001:db8::1", 81, false),
            ("", "localhost", 80, false),
            ("", "127.0.0.1", 80, false),
            ("", "::1", 80, false),
        ] {
            assert_eq!(applies(no_proxy, host, port), expected, "{no_proxy:?} {host}:{port}");
        }
    }

    #[test]
    fn credentials_are_encoded_and_never_shown() {
        // RFC 7617 §2: user "Aladdin", password "open sesame".
        let proxy = ProxyConfig::parse("http://Aladdin:open%20sesame@proxy:3128/", "").unwrap();
        assert_eq!(proxy.authorization().unwrap().expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(format!("{proxy:?}"), "ProxyConfig(proxy:3128)");
    }

    #[test]
    fn what_is_no_proxy_is_refused() {
        for (url, error) in [
            ("https://proxy", ProxyError::Scheme),
            ("socks5://proxy", ProxyError::Scheme),
            ("http://", ProxyError::Host),
            ("http://proxy/path", ProxyError::Host),
            ("http://us%zzer@proxy", ProxyError::UserInfo),
        ] {
            assert_eq!(ProxyConfig::parse(url, "").unwrap_err(), error, "{url}");
        }
    }
}
