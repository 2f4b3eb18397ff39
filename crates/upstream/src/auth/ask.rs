//! The third door: one call to a service that issues tokens or keys. Not a retry: see [`lease`](super::lease).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::de::DeserializeOwned;
use trunkline_domain::Secret;

use super::encode::form;
use super::header::sensitive;
use super::lease::{AccessError, Surroundings};
use crate::dispatch::Call;
use crate::fetch::whole;
use crate::origin::Origin;

/// The largest answer read, in bytes: tokens have a few thousand.
const ANSWER_MAX: usize = 64 << 10;
/// How much of a service's own words is repeated, in characters.
const WORDS_MAX: usize = 300;

/// Where a service is asked.
pub(super) struct Ask<'a> {
    around: &'a Surroundings,
    origin: &'a Arc<Origin>,
    path: String,
    headers: HeaderMap,
    /// What must not be repeated in an error.
    secrets: Vec<Secret<String>>,
}

/// What it answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
    endpoint: String,
    secrets: Vec<Secret<String>>,
}

impl<'a> Ask<'a> {
    /// A call to a path below the origin's base path.
    pub(super) fn new(around: &'a Surroundings, origin: &'a Arc<Origin>, path: impl Into<String>) -> Self {
        let mut path = path.into();
        if path.is_empty() && origin.base_path().is_empty() {
            path.push('/');
        }
        Self { around, origin, path, headers: HeaderMap::new(), secrets: Vec::new() }
    }

    /// With a header.
    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// With a header that is a secret.
    pub(super) fn secret_header(
        mut self,
        name: &'static str,
        value: &Secret<String>,
    ) -> Result<Self, AccessError> {
        let header = sensitive(value.expose()).map_err(|error| self.failed(error))?;
        self.headers.insert(HeaderName::from_static(name), header);
        self.secrets.push(value.clone());
        Ok(self)
    }

    /// With something in it that an error must not repeat.
    pub(super) fn hiding(mut self, secret: &Secret<String>) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    pub(super) async fn get(self) -> Result<Answer, AccessError> {
        self.send(Method::GET, Bytes::new()).await
    }

    pub(super) async fn put(self) -> Result<Answer, AccessError> {
        self.send(Method::PUT, Bytes::new()).await
    }

    pub(super) async fn post(self, fields: &[(&str, &str)]) -> Result<Answer, AccessError> {
        let body = Bytes::copy_from_slice(form(fields).as_bytes());
        let mut ask = self;
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        ask.headers.insert(CONTENT_TYPE, kind);
        ask.send(Method::POST, body).await
    }

    /// An error of this call, before or after it.
    pub(super) fn failed(&self, why: impl fmt::Display) -> AccessError {
        AccessError { endpoint: self.endpoint(), message: why.to_string() }
    }

    fn endpoint(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{}{path}", self.origin)
    }

    async fn send(self, method: Method, body: Bytes) -> Result<Answer, AccessError> {
        let endpoint = self.endpoint();
        let Self { around, origin, path, headers, secrets } = self;
        let deadline = around.pace.deadline;
        let call = Call {
            origin: Arc::clone(origin),
            method,
            path,
            headers,
            authorization: None,
            body: body.into(),
            connect_timeout: deadline,
            headers_timeout: deadline,
        };
        match whole(&*around.way, call, deadline, ANSWER_MAX).await {
            Ok(response) => Ok(Answer { status: response.status, body: response.body, endpoint, secrets }),
            Err(error) => Err(AccessError { endpoint, message: error.to_string() }),
        }
    }
}

impl Answer {
    /// The body as JSON, of a success.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, AccessError> {
        // The library's own words could repeat a piece of the token.
        serde_json::from_slice(&self.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            self.failed(format_args!("its answer is not as documented (line {line}, column {column})"))
        })
    }

    /// The body as text.
    pub(super) fn text(&self) -> Result<&str, AccessError> {
        std::str::from_utf8(&self.body).map_err(|_| self.failed("its answer is not text"))
    }

    /// It refused, in these words if it had any.
    pub(super) fn refused(&self, words: Option<&str>) -> AccessError {
        match words {
            Some(words) => self.failed(format_args!("status {}: {words}", self.status)),
            None => self.failed(format_args!("status {}", self.status)),
        }
    }

    /// An error with these words, without secrets in them.
    pub(super) fn failed(&self, why: impl fmt::Display) -> AccessError {
        let mut message = why.to_string();
        for secret in self.secrets.iter().map(Secret::expose).filter(|secret| !secret.is_empty()) {
            message = message.replace(secret.as_str(), "[secret]");
        }
        let message = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_MAX).collect();
        AccessError { endpoint: self.endpoint.clone(), message }
    }
}
