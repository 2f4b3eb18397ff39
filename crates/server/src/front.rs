//! What happens around every request of a listener, whatever its route: its identity, CORS, its line in the access
//! log, and a panic that becomes a 500. What it is not: a route (see [`crate::routes`]).

use std::fmt;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use ipnet::IpNet;
use tower_service::Service as _;
use trunkline_domain::{Error, ErrorKind, Text};
use uuid::Uuid;

use crate::access::Entry;
use crate::admin::refusal::Refusal;
use crate::ingress::cors::Cors;
use crate::listen::pulse::Active;
use crate::render;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ROOT: u32 = 0;
const GENERATION_ID: HeaderName = HeaderName::from_static("x-generation-id");
/// The longest request id of a client that is echoed, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// At this address.
    Tcp(SocketAddr),
    /// On this machine, as this user; `None` where the system does not say.
    Unix(Option<u32>),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.ip().fmt(f),
            Self::Unix(_) => f.write_str("unix"),
        }
    }
}

/// Whether each request leaves a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessLog {
    /// It does.
    On,
    /// Only errors do.
    Off,
}

/// The routes of a listener and what surrounds them.
pub(crate) struct Front {
    routes: Router,
    cors: Cors,
    trusted: Vec<IpNet>,
    access_log: AccessLog,
    /// The only user who is answered, besides root.
    owner: Option<u32>,
}

impl Front {
    /// Routes without CORS and without an access log.
    pub(crate) fn new(routes: Router) -> Self {
        Self { routes, cors: Cors::off(), trusted: Vec::new(), access_log: AccessLog::Off, owner: None }
    }

    /// Lets web pages of these origins call; `*` is all of them.
    pub(crate) fn with_cors(mut self, origins: &[Text]) -> Self {
        self.cors = Cors::new(origins);
        self
    }

    /// Keeps an access log, believing forwarded addresses of these networks.
    pub(crate) fn with_access_log(mut self, access_log: AccessLog, trusted: Vec<IpNet>) -> Self {
        (self.access_log, self.trusted) = (access_log, trusted);
        self
    }

    /// Answers the user this process runs as, and root, whatever the modes of the socket's file and folders let in.
    pub(crate) fn for_owner(mut self) -> Self {
        self.owner = Some(rustix::process::geteuid().as_raw());
        self
    }

    /// Why a peer gets no answer.
    fn refusal(&self, peer: Peer) -> Option<Refusal> {
        let owner = self.owner?;
        if matches!(peer, Peer::Unix(Some(user)) if user == owner || user == ROOT) {
            return None;
        }
        tracing::warn!(?peer, owner, "somebody else's request to the owner's socket was refused");
        Some(Refusal::not_the_owner(owner))
    }

    /// Answers a request.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: Peer,
        active: Active,
    ) -> Response<Answering> {
        let mut entry = (self.access_log == AccessLog::On).then(|| Entry::new(&request, peer, &self.trusted));
        let client_id = client_id(request.headers());
        let origin = request.headers().get(http::header::ORIGIN).cloned();
        let mut response = match self.cors.preflight(&request) {
            Some(preflight) => preflight,
            None => match self.refusal(peer) {
                Some(refusal) => refusal.into_response(),
                None => self.route(request).await,
            },
        };
        let headers = response.headers_mut();
        self.cors.allow(origin.as_ref(), headers);
        identify(client_id, headers);
        if let Some(entry) = &mut entry {
            entry.answered(response.status(), response.headers());
        }
        response.map(|body| Answering { body, entry, _active: active })
    }

    async fn route<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let mut routes = self.routes.clone();
        let answering = AssertUnwindSafe(routes.call(request)).catch_unwind();
        match answering.await {
            Ok(Ok(response)) => response,
            Err(_) => {
                let message =
                    "the gateway failed at this request; nothing it began is lost, and it may be sent again";
                render::plain(&Error::new(ErrorKind::Internal, message))
            }
        }
    }
}

/// The client's own id of the request, where it is one that can be echoed.
fn client_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID)?;
    let echoes = id.len() <= REQUEST_ID_BYTES_MAX && id.as_bytes().iter().all(u8::is_ascii_graphic);
    (echoes && !id.is_empty()).then(|| id.clone())
}

/// Every answer has an id: the client's, else the generation's, else one of its own.
fn identify(client_id: Option<HeaderValue>, headers: &mut HeaderMap) {
    let own = || HeaderValue::try_from(format!("req-{}", Uuid::now_v7().simple())).ok();
    if let Some(id) = client_id.or_else(|| headers.get(GENERATION_ID).cloned()).or_else(own) {
        headers.insert(REQUEST_ID, id);
    }
}

/// An answer on its way: its request is under way until the last byte is sent, or the client has gone.
pub(crate) struct Answering {
    body: Body,
    entry: Option<Entry>,
    _active: Active,
}

impl http_body::Body for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let (Poll::Ready(Some(Ok(frame))), Some(entry)) = (&polled, &mut self.entry) {
            entry.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sane_request_id_is_echoed() {
        let echoed = |id: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(id).unwrap());
            client_id(&headers).is_some()
        };
        assert!(echoed(b"my-id-1"));
        assert!(echoed(&[b'x'; 128]));
        for bad in [&b""[..], b"two words", b"\xc3\xa4", &[b'x'; 129]] {
            assert!(!echoed(bad), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_gateways() {
        async fn defect() {
            panic!("a defect");
        }
        let front = Front::new(Router::new().route("/", axum::routing::get(defect)));
        let response = front.route(Request::new(Body::empty())).await;
        assert_eq!(response.status(), 500);
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(body.starts_with(b"{\"error\""), "{body:?}");
    }

    #[test]
    fn an_answer_without_any_id_gets_one_of_its_own() {
        let mut headers = HeaderMap::new();
        identify(None, &mut headers);
        assert!(headers[REQUEST_ID].to_str().unwrap().starts_with("req-"));
        headers.insert(GENERATION_ID, HeaderValue::from_static("gen-1"));
        identify(None, &mut headers);
        assert_eq!(headers[REQUEST_ID], "gen-1");
        identify(Some(HeaderValue::from_static("mine")), &mut headers);
        assert_eq!(headers[REQUEST_ID], "mine");
    }
}
