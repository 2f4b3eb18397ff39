//! What a credential carries: how its calls are authorised. Not where tokens come from: see [`lease`](super::lease).
//! Look first at [`Access::grant`].

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use trunkline_domain::UnixMs;
use trunkline_domain::attempt::Cause;

use super::header::AuthError;
use super::lease::{AccessError, Lease};
use super::sigv4::{self, Keys, Scope};
use crate::cause::failed;
use crate::dispatch::{Call, DispatchError};

/// How the calls of one credential are authorised.
#[derive(Debug)]
pub enum Access {
    /// Not at all.
    Open,
    /// With a header that never changes, marked sensitive.
    Header(HeaderName, HeaderValue),
    /// With a token that is renewed: the whole value of `authorization`.
    Token(Lease<HeaderValue>),
    /// With a signature by AWS keys, which may be renewed.
    Signature(Lease<Keys>, Scope),
}

/// What authorises one call.
#[derive(Clone, Debug)]
pub enum Grant {
    /// Nothing.
    Open,
    /// A header.
    Header(HeaderName, HeaderValue),
    /// A signature, made when the rest of the call is known.
    Signature(Arc<Keys>, Scope),
}

impl Access {
    /// Begins to obtain what is obtained elsewhere, so that the first request need not wait.
    pub fn start(&self) {
        match self {
            Self::Open | Self::Header(..) => {}
            Self::Token(lease) => lease.start(),
            Self::Signature(lease, _) => lease.start(),
        }
    }

    /// Whether nothing authorises its calls.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// What authorises a call now. Waits only for the very first token or key.
    pub async fn grant(&self) -> Result<Grant, AccessError> {
        Ok(match self {
            Self::Open => Grant::Open,
            Self::Header(name, value) => Grant::Header(name.clone(), value.clone()),
            Self::Token(lease) => {
                Grant::Header(http::header::AUTHORIZATION, lease.get().await?.as_ref().clone())
            }
            Self::Signature(lease, scope) => Grant::Signature(lease.get().await?, scope.clone()),
        })
    }
}

impl Grant {
    /// The header it makes where it is the same for every call: what must never be read out of an answer.
    pub fn header(&self) -> Option<&HeaderValue> {
        match self {
            Self::Header(_, value) => Some(value),
            Self::Open | Self::Signature(..) => None,
        }
    }

    /// Authorises a call whose every other part is final.
    pub fn authorise(self, call: &mut Call, now: UnixMs) -> Result<(), DispatchError> {
        match self {
            Self::Open => {}
            Self::Header(name, value) => call.authorization = Some((name, value)),
            Self::Signature(keys, scope) => sign(&keys, &scope, call, now)?,
        }
        Ok(())
    }
}

/// Signs `host`, `content-type` and every `x-amz-` header: what nothing on the way may change.
fn sign(keys: &Keys, scope: &Scope, call: &mut Call, now: UnixMs) -> Result<(), DispatchError> {
    let unusable = |error: AuthError| failed(Cause::Unauthorized, error.to_string());
    let path =
        call.origin.path(call.path.clone()).map_err(|error| failed(Cause::Internal, error.to_string()))?;
    let covered = |name: &HeaderName| *name == CONTENT_TYPE || name.as_str().starts_with("x-amz-");
    let mut headers: HeaderMap = call
        .headers
        .iter()
        .filter(|(name, _)| covered(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    headers.insert(HOST, call.origin.host_header().clone());
    let request =
        sigv4::Request { method: &call.method, path: path.as_str(), headers: &headers, body: &call.body };
    let mut added = sigv4::sign(keys, scope, &request, now).map_err(unusable)?;
    let authorization = added.remove(http::header::AUTHORIZATION);
    call.authorization = authorization.map(|value| (http::header::AUTHORIZATION, value));
    call.headers.extend(added);
    Ok(())
}
