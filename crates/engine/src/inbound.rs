//! A request at the door: its language, its headers, and a promise of its body. The body is read only after the key
//! is known.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::OwnedSemaphorePermit;
use trunkline_domain::attempt::Origin;
use trunkline_domain::{Dialect, Error, Text};
use trunkline_wire::gemini::path::Framing;

/// One request.
pub struct Inbound {
    /// On whose behalf.
    pub origin: Origin,
    /// The language it is written in, and wants its answer in.
    pub dialect: Dialect,
    /// What its path says, where the dialect says it there and not in the body.
    pub path: Option<PathFacts>,
    /// What is wanted.
    pub purpose: Purpose,
    /// Its headers, credentials included.
    pub headers: HeaderMap,
    /// Its body, not yet read.
    pub body: BodySource,
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An answer.
    Answer,
    /// The number of tokens of its prompt.
    Count,
}

/// What the path of a request says of it: Gemini's names the model, and whether and how to stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathFacts {
    /// The model's name as asked.
    pub model: Text,
    /// How the answer is to come; `None` for all at once.
    pub stream: Option<Framing>,
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
