//! Which web pages may call from a browser: none, unless the operator names their origins.
//!
//! The Fetch standard, <https://fetch.spec.whatwg.org/#http-cors-protocol>. Cookies are never asked for: a key comes in
//! a header, which a page must hold itself.

use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use trunkline_domain::Text;

/// A browser may keep a preflight's answer for so many seconds.
const MAX_AGE: &str = "600";

/// The origins that may call.
#[derive(Clone, Debug)]
pub(crate) enum Cors {
    Off,
    Any,
    Only(Vec<Text>),
}

impl Cors {
    /// Nobody.
    pub(crate) const fn off() -> Self {
        Self::Off
    }

    /// These origins; `*` is everybody.
    pub(crate) fn new(origins: &[Text]) -> Self {
        if origins.is_empty() {
            Self::Off
        } else if origins.iter().any(|origin| &**origin == "*") {
            Self::Any
        } else {
            Self::Only(origins.to_vec())
        }
    }

    /// The answer to a browser that asks before it calls; none for any other request.
    pub(crate) fn preflight<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let headers = request.headers();
        if request.method() != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        self.allowed(headers.get(ORIGIN)?)?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        if let Some(asked) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        Some(response)
    }

    /// Lets the page read an answer, if its origin may call.
    pub(crate) fn allow(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if matches!(self, Self::Only(_)) {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = origin.and_then(|origin| self.allowed(origin)) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
        }
    }

    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::Off => None,
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Only(origins) => {
                let known = origins.iter().any(|known| known.as_bytes() == origin.as_bytes());
                known.then(|| origin.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preflight(cors: &Cors, origin: &str) -> Option<Response<Body>> {
        let request = Request::options("/v1/models")
            .header(ORIGIN, origin)
            .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
        cors.preflight(&request.body(()).unwrap())
    }

    #[test]
    fn only_the_origins_named_are_answered() {
        let cors = Cors::new(&["https://a.example".into()]);
        let answer = preflight(&cors, "https://a.example").unwrap();
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_HEADERS], "authorization");
        assert!(preflight(&cors, "https://a.example.evil").is_none());
        assert!(preflight(&Cors::off(), "https://a.example").is_none());
        assert!(preflight(&Cors::new(&["*".into()]), "https://b.example").is_some());
    }

    #[test]
    fn an_answer_names_the_origin_it_is_for() {
        let cors = Cors::new(&["https://a.example".into()]);
        let mut headers = HeaderMap::new();
        cors.allow(Some(&HeaderValue::from_static("https://a.example")), &mut headers);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.example");
        assert_eq!(headers[VARY], "origin");
        let mut foreign = HeaderMap::new();
        cors.allow(Some(&HeaderValue::from_static("https://b.example")), &mut foreign);
        assert!(!foreign.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
    }
}
