//! Servers on loopback, calls, and pools with the settings a test wants.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use trunkline_upstream::connect::allow::DenyList;
use trunkline_upstream::connect::resolve::{Resolve, ResolveError, ResolveFuture, SystemResolver};
use trunkline_upstream::connect::tls::{Authorities, RootStore};
use trunkline_upstream::dispatch::{Call, Dispatch as _, DispatchError, Response};
use trunkline_upstream::origin::Origin;
use trunkline_upstream::pool::{PoolLimits, PoolOptions, Pools};

/// Long enough never to be reached where time is real.
pub(crate) const LONG: Duration = Duration::from_mins(1);

pub(crate) fn options() -> PoolOptions {
    PoolOptions {
        limits: PoolLimits::default(),
        roots: Arc::new(RootStore::new(&[Authorities::Bundled]).unwrap()),
        resolver: Arc::new(SystemResolver::default()),
        deny: DenyList::default(),
    }
}

pub(crate) fn pools() -> Pools {
    Pools::new(options())
}

/// A resolver that knows one answer.
pub(crate) struct Fixed(pub(crate) Vec<IpAddr>);

impl Resolve for Fixed {
    fn resolve<'a>(&'a self, _: &'a str) -> ResolveFuture<'a> {
        let answer = if self.0.is_empty() { Err(ResolveError("no".to_owned())) } else { Ok(self.0.clone()) };
        Box::pin(std::future::ready(answer))
    }
}

pub(crate) fn pools_resolving_to(addresses: &[&str]) -> Pools {
    let resolver = Arc::new(Fixed(addresses.iter().map(|address| address.parse().unwrap()).collect()));
    Pools::new(PoolOptions { resolver, ..options() })
}

pub(crate) fn origin(base_url: impl AsRef<str>) -> Arc<Origin> {
    Arc::new(Origin::parse(base_url.as_ref()).unwrap())
}

pub(crate) fn at(scheme: &str, address: SocketAddr) -> Arc<Origin> {
    origin(format!("{scheme}://{address}"))
}

pub(crate) fn call(origin: &Arc<Origin>) -> Call {
    Call {
        origin: Arc::clone(origin),
        method: Method::POST,
        path: "/chat".to_owned(),
        headers: HeaderMap::new(),
        authorization: None,
        body: Bytes::from_static(b"{}").into(),
        connect_timeout: LONG,
        headers_timeout: LONG,
    }
}

/// One call, its status and whole body.
pub(crate) async fn exchange(pools: &Pools, call: Call) -> Result<(u16, Bytes), DispatchError> {
    let response = pools.dispatch(call).await?;
    Ok((response.status, whole(response).await))
}

pub(crate) async fn whole(mut response: Response) -> Bytes {
    let mut all = Vec::new();
    while let Some(piece) = response.body.next().await {
        all.extend_from_slice(&piece.unwrap());
    }
    all.into()
}

pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A server whose every connection is handled by `handle`, with its ordinal. Counts the connections.
pub(crate) async fn serve<F>(
    handle: impl Fn(TcpStream, usize) -> F + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listener().await;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let ordinal = counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(handle(stream, ordinal));
        }
    });
    (address, count)
}

/// A whole request with a `content-length` body, as text; `None` when the client is gone.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut read = Vec::new();
    let head_end = loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&read[..head_end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    while read.len() < head_end + length {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8(read).unwrap())
}

/// Answers every request on a connection with its own text.
pub(crate) async fn echo(mut stream: TcpStream) {
    while let Some(request) = read_request(&mut stream).await {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{request}", request.len());
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// What a test's server is called.
const NAMES: [&str; 2] = ["127.0.0.1", "provider.example"];

/// A certificate authority of the test's own, and what it issued to [`NAMES`].
pub(crate) struct Authority {
    pem: String,
    pub(crate) acceptor: TlsAcceptor,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validity {
    Current,
    Expired,
}

impl Authority {
    pub(crate) fn new(protocols: &[&str]) -> Self {
        Self::issuing(protocols, Validity::Current)
    }

    pub(crate) fn issuing(protocols: &[&str], validity: Validity) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.distinguished_name.push(DnType::CommonName, "Test Authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let mut leaf = CertificateParams::new(NAMES.map(str::to_owned)).unwrap();
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if validity == Validity::Expired {
            leaf.not_before = rcgen::date_time_ymd(2001, 1, 1);
            leaf.not_after = rcgen::date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = leaf.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Self { pem, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    pub(crate) fn roots(&self) -> Arc<RootStore> {
        Arc::new(RootStore::new(&[Authorities::Pem(self.pem.as_bytes())]).unwrap())
    }

    /// `https://127.0.0.1:port`, trusting this authority.
    pub(crate) fn origin(&self, address: SocketAddr) -> Arc<Origin> {
        let origin = Origin::parse(&format!("https://{address}")).unwrap();
        Arc::new(origin.with_roots(self.roots()))
    }
}
