//! One request to a running gateway over the owner-only socket in its data directory.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::failure::Failure;
use crate::admin::CONTROL_SOCKET;

/// How long one request may take in all.
const DEADLINE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A gateway that listens.
#[derive(Clone, Debug)]
pub(super) struct Control(PathBuf);

impl Control {
    /// The gateway of a data directory, if one answers.
    pub(super) async fn find(data_dir: &Path) -> Result<Option<Self>, Failure> {
        let path = data_dir.join(CONTROL_SOCKET);
        match UnixStream::connect(&path).await {
            Ok(_) => Ok(Some(Self(path))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Failure::new(format!(
                "{} may be opened by its owner only: run this as the gateway's user",
                path.display()
            ))),
            Err(error) => Err(Failure::new(format!("{} cannot be opened: {error}", path.display()))),
        }
    }

    /// Sends one request and reads the whole answer.
    pub(super) async fn call(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure> {
        let failed = |what: String| {
            Failure::new(format!("the gateway at {} did not answer: {what}", self.0.display()))
        };
        match tokio::time::timeout(DEADLINE, self.exchange(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!("nothing within {} s", DEADLINE.as_secs()))),
        }
    }

    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("localhost"));
        let stream = UnixStream::connect(&self.0).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driving = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await?;
        driving.abort();
        Ok((status, body.to_bytes()))
    }
}
