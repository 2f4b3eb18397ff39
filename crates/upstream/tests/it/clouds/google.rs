//! Google's token endpoint and metadata server.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use trunkline_upstream::auth::google::{Credentials, CredentialsError, GoogleSource, SCOPE};
use trunkline_upstream::auth::lease::{Lease, Source as _};

use super::{Asked, Fake, NOW, around};

/// Made for these tests; it opens nothing.
const KEY: &str = include_str!("service_account.pem");
const EMAIL: &str = "gateway@project.iam.gserviceaccount.com";

fn service_account() -> String {
    json!({
        "type": "service_account", "project_id": "project", "private_key_id": "key-1", "private_key": KEY,
        "client_email": EMAIL, "token_uri": "https://elsewhere.test/token",
    })
    .to_string()
}

fn token() -> (u16, String) {
    (200, json!({ "access_token": "ya29.canary", "expires_in": 3599, "token_type": "Bearer" }).to_string())
}

/// As `oauth2.googleapis.com` refuses.
fn refuse(error: &str, description: &str) -> (u16, String) {
    (400, json!({ "error": error, "error_description": description }).to_string())
}

/// Whether an assertion is what Google wants: its header, its signature and its claims.
fn judge(audience: &str, asked: &Asked) -> (u16, String) {
    if asked.line != "POST /token"
        || asked.header("content-type") != Some("application/x-www-form-urlencoded")
    {
        return (404, String::new());
    }
    if asked.field("grant_type") != Some("urn:ietf:params:oauth:grant-type:jwt-bearer") {
        return refuse("unsupported_grant_type", "Invalid grant_type");
    }
    let assertion = asked.field("assertion").unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let pair = RsaKeyPair::from_pkcs8(
        PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).unwrap().secret_pkcs8_der(),
    );
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.unwrap().public().clone());
    if public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).is_err() {
        return refuse("invalid_grant", "Invalid JWT Signature.");
    }
    let (header, claims) = signed.split_once('.').unwrap();
    let read = |part| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let seconds = NOW.0 / 1_000;
    let expected = json!({
        "iss": EMAIL, "scope": SCOPE, "aud": audience, "iat": seconds, "exp": seconds + 3_600,
    });
    if read(header) != json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" }) || read(claims) != expected {
        return refuse("invalid_grant", "Invalid JWT: claims");
    }
    token()
}

async fn obtained(source: GoogleSource) -> (String, i64) {
    let issued = source.obtain(&around()).await.unwrap();
    assert!(issued.value.is_sensitive());
    (issued.value.to_str().unwrap().to_owned(), issued.expires.0 - NOW.0)
}

fn exchange(fake: &Fake, credentials: &str) -> GoogleSource {
    let credentials = Credentials::parse(credentials).unwrap();
    GoogleSource::Exchange { endpoint: fake.below("/token"), credentials, scope: SCOPE.to_owned() }
}

#[tokio::test]
async fn a_service_account_signs_an_assertion_and_gets_a_token() {
    let audience = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let told = audience.clone();
    let fake = Fake::new(move |asked| judge(told.get().unwrap(), asked)).await;
    audience.set(fake.below("/token").to_string()).unwrap();
    assert_eq!(
        obtained(exchange(&fake, &service_account())).await,
        ("Bearer ya29.canary".to_owned(), 3_599_000)
    );
}

#[tokio::test]
async fn a_persons_refresh_token_gets_a_token() {
    let fake = Fake::new(|asked| {
        let right = asked.field("grant_type") == Some("refresh_token")
            && asked.field("client_id") == Some("app.apps.googleusercontent.com")
            && asked.field("client_secret") == Some("secret+/&=")
            && asked.form.len() == 4;
        match asked.field("refresh_token") {
            Some("1//refresh") if right => token(),
            _ => refuse("invalid_grant", "Token has been expired or revoked."),
        }
    })
    .await;
    let file = |refresh: &str| {
        json!({
            "type": "authorized_user", "client_id": "app.apps.googleusercontent.com",
            "client_secret": "secret+/&=", "refresh_token": refresh,
        })
        .to_string()
    };
    assert_eq!(obtained(exchange(&fake, &file("1//refresh"))).await.0, "Bearer ya29.canary");
    let error = exchange(&fake, &file("1//gone")).obtain(&around()).await.err().unwrap();
    assert_eq!(error.message, "status 400: invalid_grant: Token has been expired or revoked.");
    assert_eq!(error.endpoint, fake.below("/token").to_string());
}

#[tokio::test]
async fn the_metadata_server_wants_its_header() {
    let fake = Fake::new(|asked| match (asked.line.as_str(), asked.header("metadata-flavor")) {
        ("GET /computeMetadata/v1/instance/service-accounts/default/token", Some("Google")) => token(),
        (_, None) => (403, "Missing Metadata-Flavor:Google header.".to_owned()),
        _ => (404, String::new()),
    })
    .await;
    let endpoint = fake.origin.clone();
    assert_eq!(obtained(GoogleSource::Metadata { endpoint }).await.0, "Bearer ya29.canary");
}

#[tokio::test]
async fn a_refusal_that_repeats_a_secret_does_not_get_it_through() {
    let fake =
        Fake::new(|asked| refuse("invalid_grant", &format!("no: {}", asked.field("refresh_token").unwrap())))
            .await;
    let file =
        r#"{"type":"authorized_user","client_id":"c","client_secret":"s-canary","refresh_token":"r-canary"}"#;
    let error = exchange(&fake, file).obtain(&around()).await.err().unwrap();
    assert_eq!(error.message, "status 400: invalid_grant: no: [secret]");
}

#[tokio::test]
async fn what_is_no_answer_of_the_service_is_an_error_without_its_content() {
    for body in
        ["<html>canary", r#"{"access_token":"canary"}"#, r#"{"access_token":"canary","expires_in":"soon"}"#]
    {
        let fake = Fake::new(move |_| (200, body.to_owned())).await;
        let endpoint = fake.origin.clone();
        let error = GoogleSource::Metadata { endpoint }.obtain(&around()).await.err().unwrap();
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn a_lease_over_the_network_reaches_its_first_reader() {
    let fake = Fake::new(|_| token()).await;
    let lease = Lease::new(GoogleSource::Metadata { endpoint: fake.origin.clone() }, around());
    assert_eq!(*lease.get().await.unwrap(), "Bearer ya29.canary");
    assert_eq!(*lease.get().await.unwrap(), "Bearer ya29.canary");
    assert_eq!(fake.lines().len(), 1);
}

#[test]
fn files_that_cannot_be_used_are_refused_without_repeating_them() {
    let refused = |text: &str| Credentials::parse(text).unwrap_err();
    assert_eq!(refused("canary"), CredentialsError::NotJson);
    assert_eq!(refused(r#"{"type":"external_account"}"#), CredentialsError::Type);
    assert_eq!(
        refused(r#"{"type":"authorized_user","client_id":"c"}"#),
        CredentialsError::Missing("client_secret")
    );
    let file = r#"{"type":"service_account","client_email":"a","private_key":"canary"}"#;
    assert_eq!(refused(file), CredentialsError::Key);
    assert_eq!(
        format!("{:?}", Credentials::parse(&service_account()).unwrap()),
        format!("ServiceAccount({EMAIL})")
    );
}
