//! A request at the door: its language, its headers, and a promise of its body. The body is read only after the key
//! is known.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::OwnedSemaphorePermit;
use trunkline_domain::attempt::Origin;
use trunkline_domain::{Dialect, Error};

/// One request.
pub struct Inbound {
    /// On whose behalf.
    pub origin: Origin,
    /// The language it is written in, and wants its answer in.
    pub dialect: Dialect,
    /// Its headers, credentials included.
    pub headers: HeaderMap,
    /// Its body, not yet read.
    pub body: BodySource,
}

/// Reads the body when polled: bounded in size, in time, and by the memory budget of all bodies.
pub type BodySource = Pin<Box<dyn Future<Output = Result<Body, Error>> + Send>>;

/// A body that has been read.
#[derive(Debug)]
pub struct Body {
    /// The bytes, as the client sent them.
    pub bytes: Bytes,
    /// Its share of the memory budget, given back when the request no longer needs the body.
    pub memory: Option<OwnedSemaphorePermit>,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}
