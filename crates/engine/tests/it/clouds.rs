//! Accounts with a cloud's own credentials, from the configuration to the call.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use trunkline_domain::ErrorKind;
use trunkline_upstream::dispatch::{BodyError, ByteStream, Call, DispatchFuture, Response, ResponseBytes};

use crate::rig::{Rig, TWO_ACCOUNTS, ask};

/// A token service on `tokens.test`: Google's metadata server hands out the key the providers want, Azure's refuses.
pub fn token(call: &Call) -> DispatchFuture<'static> {
    let google = call.headers.get("metadata-flavor").is_some_and(|value| value == "Google");
    let (status, body) = if google {
        (200, r#"{"access_token":"provider-key-canary","expires_in":3600,"token_type":"Bearer"}"#)
    } else {
        (400, r#"{"error":"invalid_request","error_description":"Identity not found"}"#)
    };
    let body = ResponseBytes::new(Once(Some(Bytes::from_static(body.as_bytes()))));
    Box::pin(async move { Ok(Response { status, headers: HeaderMap::new(), body, address: None }) })
}

struct Once(Option<Bytes>);

impl ByteStream for Once {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

/// The two accounts, of which the first has this `auth` instead of its key.
fn with_auth(auth: &str) -> String {
    TWO_ACCOUNTS.replacen("api_key = { env = \"KEY\" }", &format!("auth = {{ {auth} }}"), 1)
}

const GOOGLE: &str = r#"kind = "google", endpoint = "http://tokens.test/""#;
const ENTRA: &str = r#"kind = "entra", endpoint = "http://tokens.test/""#;

#[tokio::test]
async fn a_call_carries_the_clouds_token_and_no_row_or_answer_shows_it() {
    let rig = Rig::new(&with_auth(GOOGLE)).await;
    let seen = rig.chat(&ask("acme/m")).await.unwrap();
    assert_eq!(seen.headers["x-trunkline-attempts"], "1");
    let rows = rig.rows_of(seen.request).await;
    assert_eq!((&*rows[0].opening.account, rows[0].settlement.cause), ("east", None));
    assert!(!format!("{rows:?} {seen:?}").contains("canary"));
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_another_account_serves() {
    let rig = Rig::new(&with_auth(ENTRA)).await;
    let seen = rig.chat(&ask("acme/m")).await.unwrap();
    let rows = rig.rows_of(seen.request).await;
    let accounts: Vec<_> = rows.iter().map(|row| &*row.opening.account).collect();
    assert_eq!(accounts, ["west"]);
    rig.assert_nothing_held();
}

#[tokio::test]
async fn where_no_account_has_a_token_the_caller_learns_that_and_no_more() {
    let rig = Rig::new(&with_auth(ENTRA)).await;
    let error = rig.chat(&ask("east/m-1")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UpstreamAuth);
    assert!(error.message.contains("east/m-1: no credential, not tried"), "{}", error.message);
    assert!(!error.message.contains("tokens.test"));
    rig.assert_nothing_held();
}

#[tokio::test]
async fn a_call_to_aws_is_signed() {
    let keys = r#"access_key_id = { env = "KEY" }, secret_access_key = { env = "KEY" }"#;
    let rig =
        Rig::new(&with_auth(&format!("kind = \"aws\", region = \"eu-west-1\", service = \"svc\", {keys}")))
            .await;
    let refused = rig.chat(&ask("east/m-1")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::UpstreamAuth);
    let call = rig.provider("east").log().pop().unwrap();
    let has = |name: &str| call.headers.iter().any(|(known, _)| known == name);
    assert!(has("authorization") && has("x-amz-date"), "{:?}", call.headers);
}

#[tokio::test]
async fn a_token_is_kept_over_a_reload_that_does_not_touch_it() {
    let text = with_auth(GOOGLE);
    let rig = Rig::new(&text).await;
    let access = || Arc::clone(&rig.engine.snapshot().accounts["east"].credentials[0].access);
    let before = access();
    rig.reload(&text.replace("priority = 1", "priority = 2")).await;
    assert!(Arc::ptr_eq(&before, &access()));
    rig.reload(&text.replace("endpoint", "scope = \"x\", endpoint")).await;
    assert!(!Arc::ptr_eq(&before, &access()));
}

#[tokio::test]
async fn azures_older_api_is_asked_at_the_deployment_and_by_version() {
    let rig = Rig::new(&TWO_ACCOUNTS.replacen(
        "kind = \"custom\"\n    base_url = \"http://east.test/v1\"",
        "kind = \"azure\"\n    base_url = \"http://east.test/openai\"\n    api_version = \"2024-10-21\"",
        1,
    ))
    .await;
    // The fake provider has no such path: what was asked is what counts.
    rig.chat(&ask("east/m-1")).await.unwrap_err();
    let call = rig.provider("east").log().pop().unwrap();
    assert_eq!(call.path, "/deployments/m-1/chat/completions?api-version=2024-10-21");
    assert!(call.headers.iter().any(|(name, _)| name == "api-key"), "{:?}", call.headers);
}
