//! TLS: which certificate authorities are trusted, and the handshake. rustls with ring; TLS 1.2 and 1.3.
//!
//! A [`RootStore`] is built once per configured set and shared: it holds the finished client configuration, its
//! session cache included.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use trunkline_domain::attempt::Cause;

use crate::cause::failed;
use crate::dispatch::DispatchError;

/// A source of certificate authorities.
#[derive(Clone, Copy, Debug)]
pub enum Authorities<'a> {
    /// Mozilla's list, compiled in: works in an empty file system.
    Bundled,
    /// What the operating system trusts, or `SSL_CERT_FILE` and `SSL_CERT_DIR`. Nothing where it has none.
    System,
    /// Certificates in PEM form: a private authority.
    Pem(&'a [u8]),
}

/// A set of trusted certificate authorities, ready for use. Equal sets share connections.
pub struct RootStore {
    digest: [u8; 32],
    config: Arc<ClientConfig>,
}

impl RootStore {
    /// Trusts everything the sources hold together.
    pub fn new(sources: &[Authorities<'_>]) -> Result<Self, RootStoreError> {
        let mut roots = RootCertStore::empty();
        for source in sources {
            match source {
                Authorities::Bundled => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
                Authorities::System => {
                    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                }
                Authorities::Pem(pem) => add_pem(&mut roots, pem)?,
            }
        }
        if roots.is_empty() {
            return Err(RootStoreError::Empty);
        }
        let digest = digest(&roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| RootStoreError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { digest, config: Arc::new(config) })
    }
}

fn add_pem(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), RootStoreError> {
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| RootStoreError::Pem(error.to_string()))?;
        roots.add(certificate).map_err(|error| RootStoreError::Pem(error.to_string()))?;
        found = true;
    }
    if found { Ok(()) } else { Err(RootStoreError::Pem("no certificate in it".to_owned())) }
}

/// Independent of order; each part is preceded by its length, so that no two sets run together.
fn digest(roots: &RootCertStore) -> [u8; 32] {
    let mut anchors: Vec<[&[u8]; 3]> = roots
        .roots
        .iter()
        .map(|anchor| {
            let constraints = anchor.name_constraints.as_deref().unwrap_or_default();
            [&*anchor.subject, &*anchor.subject_public_key_info, constraints]
        })
        .collect();
    anchors.sort_unstable();
    anchors.dedup();
    let mut hash = Sha256::new();
    for part in anchors.into_iter().flatten() {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl PartialEq for RootStore {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for RootStore {}

impl Hash for RootStore {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

impl fmt::Debug for RootStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootStore")
    }
}

/// Why there is no root store.
#[derive(Debug, thiserror::Error)]
pub enum RootStoreError {
    /// The bundle does not parse.
    #[error("the certificate bundle cannot be used: {0}")]
    Pem(String),
    /// No authority at all.
    #[error("no certificate authority is trusted; no TLS connection could be made")]
    Empty,
    /// The TLS library refused.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// The handshake; the caller holds the deadline.
pub(super) async fn handshake(
    roots: &RootStore,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, DispatchError> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| failed(Cause::TlsFailed, format!("no certificate can be issued to the name {host}")))?;
    TlsConnector::from(Arc::clone(&roots.config))
        .connect(name, stream)
        .await
        .map_err(|error| failed(Cause::TlsFailed, format!("TLS with {host}: {error}")))
}

/// Whether the server chose HTTP/2.
pub(super) fn chose_h2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}
