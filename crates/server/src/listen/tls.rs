//! TLS for callers: a certificate and its key from files, read again when they change. A bad pair changes nothing:
//! the last good one stays. rustls with ring, TLS 1.2 and 1.3.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use trunkline_engine::config::server::Tls;

use crate::reload::Stamp;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The pair in use: each connection takes the one of its moment.
pub(crate) type Current = watch::Receiver<Arc<ServerConfig>>;

/// Why a pair of files cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("server.tls.{key}: {path}: {reason}")]
    File { key: &'static str, path: String, reason: String },
    #[error("server.tls: certificate and key do not work together: {0}")]
    Pair(#[from] rustls::Error),
}

/// Reads the pair, and a task that reads it again whenever a file changes.
pub(crate) fn open(files: Tls) -> Result<(Current, impl Future<Output = ()>), TlsError> {
    let stamps = stamps(&files);
    let (sender, current) = watch::channel(Arc::new(read(&files)?));
    Ok((current, follow(files, stamps, sender)))
}

async fn follow(files: Tls, mut seen: [Option<Stamp>; 2], sender: watch::Sender<Arc<ServerConfig>>) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    loop {
        tick.tick().await;
        let now = stamps(&files);
        if now == seen {
            continue;
        }
        seen = now;
        match read(&files) {
            Ok(config) => {
                tracing::info!("another TLS certificate is in use");
                sender.send_replace(Arc::new(config));
            }
            Err(error) => {
                tracing::error!(%error, "the TLS certificate was not taken; the last good one stays");
            }
        }
    }
}

fn stamps(files: &Tls) -> [Option<Stamp>; 2] {
    [Stamp::of(&files.certificate), Stamp::of(&files.key)]
}

fn read(files: &Tls) -> Result<ServerConfig, TlsError> {
    let failed = |key: &'static str, path: &Path, reason: String| TlsError::File {
        key,
        path: path.display().to_string(),
        reason,
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(&files.certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| failed("certificate", &files.certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(failed("certificate", &files.certificate, "no certificate in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| failed("key", &files.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
