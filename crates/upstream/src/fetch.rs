//! The second door: what carries no caller's words, such as model listings, discovery of local servers, catalogue updates,
//! and answers that a provider keeps. No body, by its type.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::time::timeout;
use trunkline_domain::attempt::Cause;
use trunkline_wire::splice::SplicedBody;

use crate::cause::failed;
use crate::dispatch::{Call, Dispatch, DispatchError, ResponseBytes};
use crate::origin::Origin;

/// How much is read of a body unless said otherwise: 16 MiB.
pub const BODY_MAX: usize = 16 << 20;

/// What to read.
#[derive(Debug)]
pub struct Fetch {
    /// How it is asked.
    pub method: Method,
    /// Where.
    pub origin: Arc<Origin>,
    /// Path below the origin's base path, with its leading slash, and query.
    pub path: String,
    /// Headers, without authorisation.
    pub headers: HeaderMap,
    /// Authorisation, made sensitive.
    pub authorization: Option<(HeaderName, HeaderValue)>,
    /// For everything together, from the name to the body's last byte.
    pub deadline: Duration,
    /// A longer body is an error.
    pub body_max: usize,
}

/// A whole response. Any status: a redirect too is handed back as it is.
#[derive(Debug)]
pub struct FetchResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Reads one response whole. Beyond the causes of a dispatch: [`Cause::TotalTimeout`] past the deadline,
/// [`Cause::Cut`] for a body that broke off, [`Cause::Malformed`] for one beyond the cap.
pub async fn fetch(way: &dyn Dispatch, fetch: Fetch) -> Result<FetchResponse, DispatchError> {
    let Fetch { method, origin, path, headers, authorization, deadline, body_max } = fetch;
    let call = Call {
        origin,
        method,
        path,
        headers,
        authorization,
        body: SplicedBody::default(),
        connect_timeout: deadline,
        headers_timeout: deadline,
    };
    whole(way, call, deadline, body_max).await
}

/// Makes a call and reads its response whole, all within the deadline.
pub(crate) async fn whole(
    way: &dyn Dispatch,
    call: Call,
    deadline: Duration,
    body_max: usize,
) -> Result<FetchResponse, DispatchError> {
    let whole = async {
        let response = way.dispatch(call).await?;
        let body = read(response.body, body_max).await?;
        Ok(FetchResponse { status: response.status, headers: response.headers, body })
    };
    let late = |_| failed(Cause::TotalTimeout, format!("no whole answer within {} ms", deadline.as_millis()));
    timeout(deadline, whole).await.map_err(late)?
}

async fn read(mut body: ResponseBytes, body_max: usize) -> Result<Bytes, DispatchError> {
    let mut whole = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| failed(Cause::Cut, error.to_string()))?;
        if whole.len() + piece.len() > body_max {
            return Err(failed(Cause::Malformed, format!("the body is longer than {body_max} bytes")));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}
