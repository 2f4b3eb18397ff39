//! Who calls: a key, or a signature, which is made again with the same secret and compared. A difference means that
//! caller and signer disagree about the request.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use trunkline_domain::{Secret, UnixMs};
use trunkline_upstream::auth::sigv4::{self, Keys, Scope};
use trunkline_wire::splice::SplicedBody;

use super::{error, named};
use crate::fake_provider::findings::Said;
use crate::fake_provider::headers::text;
use crate::fake_provider::{Arrived, Setup};

/// How a credential for this service ends.
const SCOPE: &str = "/bedrock/aws4_request";

const NO_KEY: &str = "Authentication failed: Please make sure your API Key is valid.";

/// What is wrong with a call's authorisation.
pub(super) fn wrong(setup: &Setup, arrived: &Arrived) -> Option<Said> {
    if setup.key.is_none() && setup.signing.is_none() {
        return None;
    }
    let Some(value) = text(&arrived.headers, AUTHORIZATION.as_str()) else {
        return Some(named(403, "MissingAuthenticationTokenException", "Missing Authentication Token"));
    };
    match value.strip_prefix("Bearer ") {
        Some(key) => (setup.key.as_deref() != Some(key)).then(|| error(403, NO_KEY)),
        None => signature(setup, arrived, value).err().map(|said| *said),
    }
}

fn signature(setup: &Setup, arrived: &Arrived, value: &str) -> Result<(), Box<Said>> {
    let incomplete = |what: &str| {
        let message = format!("Authorization header requires '{what}' parameter.");
        Box::new(named(400, "IncompleteSignatureException", &message))
    };
    let parameters = value.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(|| incomplete("Credential"))?;
    let parameter = |name: &'static str| {
        let mut pairs = parameters.split(',').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value).ok_or_else(|| incomplete(name))
    };
    let names: Vec<&str> = parameter("SignedHeaders")?.split(';').collect();
    parameter("Signature")?;
    let credential: Vec<&str> = parameter("Credential")?.split('/').collect();
    let [id, day, region, service, "aws4_request"] = credential.as_slice() else {
        return Err(incomplete("Credential"));
    };
    let date = text(&arrived.headers, "x-amz-date").ok_or_else(|| incomplete("X-Amz-Date"))?;
    let at = DateTime::strptime("%Y%m%dT%H%M%SZ", date).and_then(|at| at.to_zoned(TimeZone::UTC));
    let at = at.map_err(|_| incomplete("X-Amz-Date"))?;
    if !date.starts_with(day) || !parameter("Credential")?.ends_with(SCOPE) || !names.contains(&"host") {
        return Err(Box::new(differs("Credential should be scoped to correct service: 'bedrock'.")));
    }
    let signing = setup.signing.as_ref().filter(|signing| signing.access_key_id == *id);
    let signing = signing.ok_or_else(|| {
        let message = "The security token included in the request is invalid.";
        Box::new(named(403, "UnrecognizedClientException", message))
    })?;
    let keys = Keys {
        access_key_id: signing.access_key_id.clone(),
        secret_access_key: Secret::new(signing.secret_access_key.clone()),
        session_token: None,
    };
    let scope = Scope { region: (*region).to_owned(), service: (*service).to_owned() };
    let covered = arrived.headers.iter().filter(|(name, _)| names.contains(&name.as_str()));
    let covered = covered.filter(|(name, _)| *name != "x-amz-date");
    let headers: HeaderMap = covered.map(|(name, value)| (name.clone(), value.clone())).collect();
    let body = SplicedBody::from(arrived.body.clone());
    let request =
        sigv4::Request { method: &arrived.method, path: &arrived.path, headers: &headers, body: &body };
    let made = sigv4::sign(&keys, &scope, &request, UnixMs(at.timestamp().as_millisecond()));
    let same = made.is_ok_and(|made| made.get(AUTHORIZATION).is_some_and(|made| made == value));
    let message = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                   Access Key and signing method. Consult the service documentation for details.";
    if same { Ok(()) } else { Err(Box::new(differs(message))) }
}

fn differs(message: &str) -> Said {
    named(403, "InvalidSignatureException", message)
}
