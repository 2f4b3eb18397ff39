//! The access log: one line a request, when its answer has been sent or its client has gone. Never a body, a query or
//! a credential.

use http::{HeaderMap, Method, Request, StatusCode};
use ipnet::IpNet;
use tokio::time::Instant;

use crate::front::Peer;
use crate::ingress::forwarded;

/// What nginx made the custom for "the client went away".
const CLIENT_GONE: u16 = 499;

/// A line in the making; written when dropped.
pub(crate) struct Entry {
    method: Method,
    path: String,
    client: String,
    started: Instant,
    status: Option<StatusCode>,
    generation: Option<String>,
    bytes: u64,
}

impl Entry {
    pub(crate) fn new<B>(request: &Request<B>, peer: Peer, trusted: &[IpNet]) -> Self {
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            client: forwarded::client(peer, request.headers(), trusted),
            started: Instant::now(),
            status: None,
            generation: None,
            bytes: 0,
        }
    }

    /// The head of the answer is known.
    pub(crate) fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = Some(status);
        let id = headers.get("x-generation-id").and_then(|id| id.to_str().ok());
        self.generation = id.map(str::to_owned);
    }

    /// Bytes of the body have been handed over.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let Self { method, path, client, started, status, generation, bytes } = self;
        tracing::info!(
            target: "trunkline::access",
            client,
            %method,
            path,
            status = status.map_or(CLIENT_GONE, |status| status.as_u16()),
            bytes,
            ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            generation,
            "request"
        );
    }
}
