//! AWS Signature Version 4: a pure function from a request, keys and an instant to the headers that authorise it.
//!
//! The payload is hashed segment by segment where it lies. The path is signed as every service but S3 wants it:
//! normalised, then encoded once more than it is sent. What it is not: a choice of keys, see [`aws`](super::aws).
//! Where to look first: [`sign`].
//!
//! Read at <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html> and in botocore
//! 1.44.8 `botocore/auth.py` (`SigV4Auth`) and `botocore/utils.py` (`remove_dot_segments`). The tests hold it to AWS's
//! published suite (`aws-sig-v4-test-suite`, linked from
//! <https://docs.aws.amazon.com/general/latest/gr/signature-v4-test-suite.html>).

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ring::digest::{Context, SHA256, digest};
use ring::hmac;
use trunkline_domain::{Secret, UnixMs};
use trunkline_wire::splice::SplicedBody;
use zeroize::Zeroizing;

use super::encode::{hex, percent};
use super::header::{AuthError, sensitive};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Keys of an AWS identity.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Names the identity; no secret.
    pub access_key_id: String,
    /// What signatures are made with.
    pub secret_access_key: Secret<String>,
    /// Sent along with temporary keys.
    pub session_token: Option<Secret<String>>,
}

/// What a signature is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Region, such as `us-east-1`.
    pub region: String,
    /// The service's signing name, such as `bedrock`.
    pub service: String,
}

/// The request to sign, as it will be sent.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Method.
    pub method: &'a Method,
    /// The whole path with its query, encoded as it is sent.
    pub path: &'a str,
    /// The headers the signature covers; `host` must be among them.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a SplicedBody,
}

/// The headers to add: `x-amz-date`, `x-amz-security-token` for temporary keys, `authorization`. Those that hold a
/// secret are sensitive.
pub fn sign(keys: &Keys, scope: &Scope, request: &Request<'_>, now: UnixMs) -> Result<HeaderMap, AuthError> {
    let at = now.timestamp().map(|at| at.strftime("%Y%m%dT%H%M%SZ").to_string()).unwrap_or_default();
    let day = at.split('T').next().unwrap_or_default();
    let mut added = HeaderMap::new();
    added.insert(DATE, HeaderValue::from_str(&at)?);
    if let Some(token) = &keys.session_token {
        added.insert(TOKEN, sensitive(token.expose())?);
    }
    let (lines, names) = canonical_headers(request.headers, &added);
    let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
    let canonical = Zeroizing::new(format!(
        "{}\n{}\n{}\n{}\n{names}\n{}",
        request.method,
        canonical_path(path),
        canonical_query(query),
        *lines,
        payload_hash(request.body)
    ));
    let granted = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let hashed = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let signature = signature(keys, day, scope, &format!("{ALGORITHM}\n{at}\n{granted}\n{hashed}"));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{granted}, SignedHeaders={names}, Signature={signature}",
        keys.access_key_id
    );
    added.insert(AUTHORIZATION, sensitive(&authorization)?);
    Ok(added)
}

fn signature(keys: &Keys, day: &str, scope: &Scope, text: &str) -> String {
    let first = Zeroizing::new(format!("AWS4{}", keys.secret_access_key.expose()));
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, first.as_bytes());
    for part in [day, &scope.region, &scope.service, "aws4_request"] {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
    }
    hex(hmac::sign(&key, text.as_bytes()).as_ref())
}

fn payload_hash(body: &SplicedBody) -> String {
    let mut context = Context::new(&SHA256);
    for segment in body.segments() {
        context.update(segment);
    }
    hex(context.finish().as_ref())
}

/// Without empty, `.` and `..` segments, encoded.
fn canonical_path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let last = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    percent(&format!("/{}{last}", kept.join("/")), b"/")
}

/// In order of the encoded names, then of the values. What is encoded already stays so.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (percent(name, b"%"), percent(value, b"%")))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// A line for each name, in their order, and the names. The lines hold the session token.
fn canonical_headers(given: &HeaderMap, added: &HeaderMap) -> (Zeroizing<String>, String) {
    let mut names: Vec<&HeaderName> = given.keys().filter(|name| !added.contains_key(*name)).collect();
    names.extend(added.keys());
    names.sort_by_key(|name| name.as_str());
    let mut lines = Zeroizing::new(String::new());
    for name in &names {
        let from = if added.contains_key(*name) { added } else { given };
        lines.push_str(name.as_str());
        for (value, separator) in
            from.get_all(*name).iter().zip(std::iter::once(':').chain(std::iter::repeat(',')))
        {
            lines.push(separator);
            let value = String::from_utf8_lossy(value.as_bytes());
            for (word, place) in value.split_ascii_whitespace().zip(0_usize..) {
                if place > 0 {
                    lines.push(' ');
                }
                lines.push_str(word);
            }
        }
        lines.push('\n');
    }
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    (lines, names.join(";"))
}

#[cfg(test)]
mod tests;
