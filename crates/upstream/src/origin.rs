//! Where calls go: scheme, host, port and base path, with the proxy, the certificate authorities and the pool class
//! that belong to them.
//!
//! An origin is made from the operator's configuration only; nothing in a request can name one. What it is not: a
//! connection. Look first at [`Origin::parse`].

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Uri};

use crate::connect::proxy::ProxyConfig;
use crate::connect::tls::RootStore;

/// How an origin is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP/1.1: servers on this machine or in a private network.
    Http,
    /// TLS; HTTP/2 or HTTP/1.1, as negotiated.
    Https,
    /// No socket at all: something in this process answers.
    InProcess,
}

impl Scheme {
    /// As written in a base URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::InProcess => "in-process",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::InProcess => 0,
        }
    }
}

/// Which calls may share a connection: those of one class only. Opaque; the engine gives every credential its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PoolClass(Option<Arc<str>>);

impl PoolClass {
    /// A class by name. The name is compared, never sent.
    pub fn new(name: &str) -> Self {
        Self(Some(Arc::from(name)))
    }
}

/// What must be equal for two origins to share connections. The base path is not part of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) scheme: Scheme,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) proxy: Option<Arc<ProxyConfig>>,
    pub(crate) roots: Option<Arc<RootStore>>,
    pub(crate) class: PoolClass,
}

/// One place calls go to.
#[derive(Clone)]
pub struct Origin {
    identity: Identity,
    literal: Option<IpAddr>,
    authority: Authority,
    host_header: HeaderValue,
    base_path: String,
}

impl Origin {
    /// Reads a base URL such as `https://api.example.com/v1`, `http://[::1]:8000` or `in-process://sandbox`. A trailing
    /// slash is dropped; user information, query and fragment are refused. The error never repeats the URL, which may
    /// hold a password.
    pub fn parse(base_url: &str) -> Result<Self, OriginError> {
        let base_url = base_url.trim();
        if base_url.contains('#') {
            return Err(OriginError::Fragment);
        }
        let uri: Uri = base_url.parse().map_err(|_| OriginError::NotAUrl)?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some("in-process") => Scheme::InProcess,
            _ => return Err(OriginError::Scheme),
        };
        if uri.query().is_some() {
            return Err(OriginError::Query);
        }
        let written = uri.authority().ok_or(OriginError::NoHost)?;
        if written.as_str().contains('@') {
            return Err(OriginError::UserInfo);
        }
        let (host, literal) = read_host(written.host())?;
        let port = match (written.port(), written.port_u16()) {
            (None, _) => scheme.default_port(),
            (Some(_), Some(port)) if port != 0 => port,
            (Some(_), _) => return Err(OriginError::Port),
        };
        let shown = shown_host(&host, literal);
        let written = if port == scheme.default_port() { shown } else { format!("{shown}:{port}") };
        let authority: Authority = written.parse().map_err(|_| OriginError::NoHost)?;
        let host_header = HeaderValue::from_str(&written).map_err(|_| OriginError::NoHost)?;
        let base_path = uri.path().trim_end_matches('/').to_owned();
        let identity = Identity { scheme, host, port, proxy: None, roots: None, class: PoolClass::default() };
        Ok(Self { identity, literal, authority, host_header, base_path })
    }

    /// Goes through an HTTP proxy, unless the proxy's own exceptions name this host.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Arc<ProxyConfig>) -> Self {
        let applies =
            self.scheme() != Scheme::InProcess && proxy.applies_to(self.host(), self.literal, self.port());
        self.identity.proxy = applies.then_some(proxy);
        self
    }

    /// Trusts these certificate authorities instead of the pools' own.
    #[must_use]
    pub fn with_roots(mut self, roots: Arc<RootStore>) -> Self {
        self.identity.roots = Some(roots);
        self
    }

    /// Keeps its connections apart from those of other classes.
    #[must_use]
    pub fn with_class(mut self, class: PoolClass) -> Self {
        self.identity.class = class;
        self
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.identity.scheme
    }

    /// Host name in lower case, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.identity.host
    }

    /// The host, where it is written as an address.
    pub fn literal(&self) -> Option<IpAddr> {
        self.literal
    }

    /// Port.
    pub fn port(&self) -> u16 {
        self.identity.port
    }

    /// Path prefix, without a trailing slash; empty for none.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// The proxy calls go through, exceptions already applied.
    pub fn proxy(&self) -> Option<&Arc<ProxyConfig>> {
        self.identity.proxy.as_ref()
    }

    /// The certificate authorities trusted instead of the pools' own.
    pub fn roots(&self) -> Option<&Arc<RootStore>> {
        self.identity.roots.as_ref()
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// The path of a request: the base path and what the call adds.
    pub(crate) fn path(&self, below: String) -> Result<PathAndQuery, http::uri::InvalidUri> {
        let path = if self.base_path.is_empty() { below } else { format!("{}{below}", self.base_path) };
        PathAndQuery::from_maybe_shared(bytes::Bytes::from(path))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme().as_str(), self.authority, self.base_path)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// Lower case, no brackets, no dot at the end; and the address, where it is one.
fn read_host(written: &str) -> Result<(String, Option<IpAddr>), OriginError> {
    let bare = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(written);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok((address.to_string(), Some(address)));
    }
    let name = bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase();
    let usable = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if name.is_empty() || !usable { Err(OriginError::NoHost) } else { Ok((name, None)) }
}

fn shown_host(host: &str, literal: Option<IpAddr>) -> String {
    match literal {
        Some(IpAddr::V6(_)) => format!("[{host}]"),
        Some(IpAddr::V4(_)) | None => host.to_owned(),
    }
}

/// Why a base URL is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not a URL at all.
    #[error("this is not a URL; write it as https://host/path")]
    NotAUrl,
    /// Another scheme.
    #[error("a base URL begins with http:// or https://")]
    Scheme,
    /// No usable host.
    #[error("the URL has no host")]
    NoHost,
    /// A port outside 1..=65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// `user:password@`.
    #[error("a base URL holds no user name or password; configure the credential instead")]
    UserInfo,
    /// `?…`.
    #[error("a base URL has no query")]
    Query,
    /// `#…`.
    #[error("a base URL has no fragment")]
    Fragment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_read() {
        let origin = Origin::parse("https://API.Example.com/openai/v1/").unwrap();
        assert_eq!((origin.scheme(), origin.host(), origin.port()), (Scheme::Https, "api.example.com", 443));
        assert_eq!(origin.base_path(), "/openai/v1");
        assert_eq!(origin.to_string(), "https://api.example.com/openai/v1");
        assert_eq!(origin.path("/chat?x=1".to_owned()).unwrap().as_str(), "/openai/v1/chat?x=1");
    }

    #[test]
    fn addresses_and_ports_are_read() {
        let origin = Origin::parse("http://[::1]:8000").unwrap();
        assert_eq!((origin.host(), origin.port()), ("::1", 8000));
        assert_eq!(origin.host_header(), "[::1]:8000");
        assert_eq!(Origin::parse("http://127.0.0.1").unwrap().literal(), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(Origin::parse("https://host.:443").unwrap().host_header(), "host");
        assert_eq!(Origin::parse("in-process://sandbox").unwrap().scheme(), Scheme::InProcess);
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for (url, error) in [
            ("", OriginError::NotAUrl),
            ("not a url", OriginError::NotAUrl),
            ("ftp://host", OriginError::Scheme),
            ("host:80", OriginError::Scheme),
            ("/v1", OriginError::Scheme),
            ("https://user:canary@host", OriginError::UserInfo),
            ("https://host?key=canary", OriginError::Query),
            ("https://host/#x", OriginError::Fragment),
            ("https://host:0", OriginError::Port),
            ("https://ho!st", OriginError::NoHost),
        ] {
            let refused = Origin::parse(url).unwrap_err();
            assert_eq!(refused, error, "{url}");
            assert!(!refused.to_string().contains("canary"));
        }
    }
}
