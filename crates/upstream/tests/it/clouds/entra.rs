//! Microsoft's authority and the metadata service of a virtual machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use trunkline_upstream::auth::entra::{EntraSource, Proof, SCOPE};
use trunkline_upstream::auth::lease::{AccessError, Source as _};

use super::{Asked, Fake, NOW, around, reads, secret};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const CLIENT: &str = "535fb089-9ff3-47b6-9bfb-4f1264799865";

fn token() -> (u16, String) {
    (200, json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "eyJ.canary" }).to_string())
}

/// As `login.microsoftonline.com` refuses.
fn refuse(status: u16, error: &str, description: &str) -> (u16, String) {
    let description =
        format!("{description}\r\nTrace ID: 0\r\nCorrelation ID: 0\r\nTimestamp: 2026-01-02 03:04:05Z");
    (status, json!({ "error": error, "error_description": description, "error_codes": [0] }).to_string())
}

fn authority(asked: &Asked) -> (u16, String) {
    if asked.line != format!("POST /{TENANT}/oauth2/v2.0/token") {
        return refuse(400, "invalid_request", "AADSTS90002: Tenant not found.");
    }
    if asked.field("grant_type") != Some("client_credentials") {
        return refuse(
            400,
            "unsupported_grant_type",
            "AADSTS70003: The app requested an unsupported grant type.",
        );
    }
    if !asked.field("scope").is_some_and(|scope| scope.ends_with("/.default")) {
        return refuse(400, "invalid_scope", "AADSTS1002012: The provided value for scope is not valid.");
    }
    if asked.field("client_id") != Some(CLIENT) {
        return refuse(
            400,
            "unauthorized_client",
            "AADSTS700016: Application was not found in the directory.",
        );
    }
    let jwt_bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    match (
        asked.field("client_secret"),
        asked.field("client_assertion_type"),
        asked.field("client_assertion"),
    ) {
        (Some("s3cret~"), None, None) => token(),
        (None, Some(kind), Some("federated.jwt")) if kind == jwt_bearer => token(),
        (None, None, None) => refuse(
            401,
            "invalid_client",
            "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        ),
        (None, ..) => {
            refuse(401, "invalid_client", "AADSTS700027: Client assertion contains an invalid signature.")
        }
        (Some(_), ..) => refuse(401, "invalid_client", "AADSTS7000215: Invalid client secret provided."),
    }
}

fn application(fake: &Fake, proof: Proof) -> EntraSource {
    EntraSource::Application {
        endpoint: fake.origin.clone(),
        tenant: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        proof,
        scope: SCOPE.to_owned(),
    }
}

async fn obtained(source: EntraSource) -> Result<(String, i64), AccessError> {
    let issued = source.obtain(&around()).await?;
    Ok((issued.value.to_str().unwrap().to_owned(), issued.expires.0 - NOW.0))
}

#[tokio::test]
async fn an_application_gets_a_token_for_its_secret() {
    let fake = Fake::new(authority).await;
    let token = obtained(application(&fake, Proof::Secret(secret("s3cret~")))).await.unwrap();
    assert_eq!(token, ("Bearer eyJ.canary".to_owned(), 3_599_000));
    let error = obtained(application(&fake, Proof::Secret(secret("wrong")))).await.unwrap_err();
    let expected = "status 401: invalid_client: AADSTS7000215: Invalid client secret provided.";
    assert_eq!(error.message, expected);
    assert_eq!(error.endpoint, format!("{}/{TENANT}/oauth2/v2.0/token", fake.origin));
}

#[tokio::test]
async fn an_application_gets_a_token_for_a_federated_one_read_each_time() {
    let fake = Fake::new(authority).await;
    let reads_made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads_made);
    let read = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(secret("federated.jwt"))
    };
    let source = application(&fake, Proof::Federated(Arc::new(read)));
    for expected in 1..=2 {
        assert_eq!(source.obtain(&around()).await.unwrap().value, "Bearer eyJ.canary");
        assert_eq!(reads_made.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn a_federated_token_that_cannot_be_read_is_said() {
    let fake = Fake::new(authority).await;
    let proof = Proof::Federated(Arc::new(|| Err("cannot read token: not found".to_owned())));
    let error = obtained(application(&fake, proof)).await.unwrap_err();
    assert_eq!(error.message, "cannot read token: not found");
    assert!(fake.lines().is_empty());
}

#[tokio::test]
async fn a_tenant_cannot_change_the_path() {
    let fake = Fake::new(authority).await;
    let source = EntraSource::Application {
        endpoint: fake.origin.clone(),
        tenant: "../x?y".to_owned(),
        client_id: CLIENT.to_owned(),
        proof: Proof::Federated(reads("federated.jwt")),
        scope: SCOPE.to_owned(),
    };
    assert!(obtained(source).await.unwrap_err().message.contains("AADSTS90002"));
    assert_eq!(fake.lines(), ["POST /..%2Fx%3Fy/oauth2/v2.0/token"]);
}

#[tokio::test]
async fn a_managed_identity_is_asked_for_with_its_header() {
    let fake = Fake::new(|asked| {
        if asked.header("metadata") != Some("true") {
            let body = json!({ "error": "invalid_request", "error_description": "Required metadata header not specified" });
            return (400, body.to_string());
        }
        let resource = "resource=https%3A%2F%2Fcognitiveservices.azure.com";
        let path = format!("GET /metadata/identity/oauth2/token?api-version=2018-02-01&{resource}");
        match asked.line.strip_prefix(&path) {
            // The metadata service writes its numbers as text.
            Some("" | "&client_id=id-1") => {
                (200, json!({ "access_token": "eyJ.canary", "expires_in": "86399", "expires_on": "0", "token_type": "Bearer" }).to_string())
            }
            Some(_) => (400, json!({ "error": "invalid_request", "error_description": "Identity not found" }).to_string()),
            None => (404, String::new()),
        }
    })
    .await;
    let source = |client_id: Option<&str>| EntraSource::ManagedIdentity {
        endpoint: fake.origin.clone(),
        client_id: client_id.map(str::to_owned),
        scope: SCOPE.to_owned(),
    };
    for id in [None, Some("id-1")] {
        assert_eq!(obtained(source(id)).await.unwrap(), ("Bearer eyJ.canary".to_owned(), 86_399_000));
    }
    let error = obtained(source(Some("id-2"))).await.unwrap_err();
    assert_eq!(error.message, "status 400: invalid_request: Identity not found");
}
