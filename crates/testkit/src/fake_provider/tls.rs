//! The certificate of a provider on loopback: its own authority, valid or expired.

use std::io;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate for 127.0.0.1.
#[derive(Clone)]
pub struct Certificate {
    pem: String,
    config: Arc<rustls::ServerConfig>,
}

/// Whether a certificate is good at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It is.
    Valid,
    /// It was until 2002.
    Expired,
}

impl Certificate {
    /// A new one. Fails only where no key can be made.
    pub fn new(validity: Validity) -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut wanted = CertificateParams::new(vec!["127.0.0.1".to_owned()]).map_err(io::Error::other)?;
        if validity == Validity::Expired {
            wanted.not_before = rcgen::date_time_ymd(2001, 1, 1);
            wanted.not_after = rcgen::date_time_ymd(2002, 1, 1);
        }
        let certificate = wanted.self_signed(&key).map_err(io::Error::other)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { pem: certificate.pem(), config: Arc::new(config) })
    }

    /// What a client must trust, in PEM form.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate")
    }
}
