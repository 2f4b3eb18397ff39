//! Instance metadata, container credentials, STS, and a call that is signed on its way out.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use serde_json::json;
use trunkline_domain::attempt::Cause;
use trunkline_upstream::auth::access::Access;
use trunkline_upstream::auth::aws::AwsSource;
use trunkline_upstream::auth::lease::{AccessError, Lease, Source as _};
use trunkline_upstream::auth::sigv4::{Keys, Scope};

use super::{Asked, Fake, NOW, around, reads, secret};
use crate::support::{call, echo, exchange, origin, pools, serve};

fn document() -> String {
    json!({
        "Code": "Success", "LastUpdated": "2026-01-02T03:00:00Z", "Type": "AWS-HMAC", "AccessKeyId": "ASIAEXAMPLE",
        "SecretAccessKey": "secret-canary", "Token": "token-canary", "Expiration": "2026-01-02T09:04:05Z",
    })
    .to_string()
}

/// The instance metadata service with version 1 switched off.
fn metadata(asked: &Asked) -> (u16, String) {
    let ttl = asked.header("x-aws-ec2-metadata-token-ttl-seconds").and_then(|ttl| ttl.parse::<u32>().ok());
    let session = asked.header("x-aws-ec2-metadata-token");
    match (asked.line.as_str(), ttl, session) {
        ("PUT /latest/api/token", Some(1..=21_600), None) => (200, "AQAEsession==".to_owned()),
        ("PUT /latest/api/token", ..) => (400, "400 - Bad Request".to_owned()),
        (line, None, Some("AQAEsession==")) => match line {
            "GET /latest/meta-data/iam/security-credentials/" => (200, "gateway-role\n".to_owned()),
            "GET /latest/meta-data/iam/security-credentials/gateway-role" => (200, document()),
            _ => (404, "404 - Not Found".to_owned()),
        },
        _ => (401, "401 - Unauthorized".to_owned()),
    }
}

async fn obtained(source: AwsSource) -> Result<Keys, AccessError> {
    let issued = source.obtain(&around()).await?;
    assert_eq!(issued.expires.0 - NOW.0, 6 * 3_600_000);
    Ok(issued.value)
}

fn check(keys: &Keys) {
    assert_eq!(keys.access_key_id, "ASIAEXAMPLE");
    assert_eq!(keys.secret_access_key.expose(), "secret-canary");
    assert_eq!(keys.session_token.as_ref().unwrap().expose(), "token-canary");
}

#[tokio::test]
async fn a_machines_role_is_read_in_a_session() {
    let fake = Fake::new(metadata).await;
    check(&obtained(AwsSource::Instance { endpoint: fake.origin.clone() }).await.unwrap());
    assert_eq!(fake.lines().len(), 3);
}

#[tokio::test]
async fn a_machine_without_a_role_is_said() {
    let fake = Fake::new(|asked| match asked.line.as_str() {
        "GET /latest/meta-data/iam/security-credentials/" => (404, String::new()),
        _ => metadata(asked),
    })
    .await;
    let error = obtained(AwsSource::Instance { endpoint: fake.origin.clone() }).await.unwrap_err();
    assert_eq!(error.message, "status 404: the instance has no role");
}

#[tokio::test]
async fn a_refusal_with_status_200_is_one() {
    let fake = Fake::new(|asked| match asked.line.as_str() {
        "GET /latest/meta-data/iam/security-credentials/gateway-role" => {
            let body =
                json!({ "Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the role" });
            (200, body.to_string())
        }
        _ => metadata(asked),
    })
    .await;
    let error = obtained(AwsSource::Instance { endpoint: fake.origin.clone() }).await.unwrap_err();
    assert_eq!(error.message, "status 200: AssumeRoleUnauthorizedAccess: EC2 cannot assume the role");
}

#[tokio::test]
async fn a_pods_keys_are_read_with_its_token() {
    let fake = Fake::new(|asked| match (asked.line.as_str(), asked.header("authorization")) {
        ("GET /v1/credentials", Some("pod-token")) => (200, document()),
        _ => (401, json!({ "code": "InvalidToken", "message": "bad token: pod-canary" }).to_string()),
    })
    .await;
    let source = |token| AwsSource::Container {
        endpoint: fake.below("/v1/credentials"),
        authorization: Some(reads(token)),
    };
    check(&obtained(source("pod-token")).await.unwrap());
    let error = obtained(source("pod-canary")).await.unwrap_err();
    assert_eq!(error.message, "status 401: InvalidToken: bad token: [secret]");
}

fn sts(asked: &Asked) -> (u16, String) {
    let refuse = |status, code: &str, message: &str| {
        let namespace = "https://sts.amazonaws.com/doc/2011-06-15/";
        let error = format!("<Type>Sender</Type>\n    <Code>{code}</Code>\n    <Message>{message}</Message>");
        (
            status,
            format!(
                "<ErrorResponse xmlns=\"{namespace}\">\n  <Error>\n    {error}\n  </Error>\n</ErrorResponse>"
            ),
        )
    };
    if asked.line != "POST /" || asked.field("Version") != Some("2011-06-15") {
        return refuse(400, "InvalidAction", "Could not find operation");
    }
    if asked.header("authorization").is_some() || asked.field("Action") != Some("AssumeRoleWithWebIdentity") {
        return refuse(403, "AccessDenied", "Not authorized");
    }
    if asked.field("RoleArn") != Some("arn:aws:iam::1:role/gateway")
        || asked.field("RoleSessionName").is_none()
    {
        return refuse(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    }
    match asked.field("WebIdentityToken") {
        Some("web.identity.jwt") => (
            200,
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n\
             <AssumeRoleWithWebIdentityResult>\n<Credentials>\n<SessionToken>token-canary</SessionToken>\n\
             <SecretAccessKey>secret-canary</SecretAccessKey>\n<Expiration>2026-01-02T09:04:05Z</Expiration>\n\
             <AccessKeyId>ASIAEXAMPLE</AccessKeyId>\n</Credentials>\n</AssumeRoleWithWebIdentityResult>\n\
             </AssumeRoleWithWebIdentityResponse>"
                .to_owned(),
        ),
        Some(_) => refuse(400, "ExpiredTokenException", "Token expired"),
        None => refuse(400, "ValidationError", "1 validation error detected"),
    }
}

#[tokio::test]
async fn a_role_is_assumed_with_a_web_identity() {
    let fake = Fake::new(sts).await;
    let source = |token| AwsSource::WebIdentity {
        endpoint: fake.origin.clone(),
        role: "arn:aws:iam::1:role/gateway".to_owned(),
        session: "trunkline".to_owned(),
        token: reads(token),
    };
    check(&obtained(source("web.identity.jwt")).await.unwrap());
    let error = obtained(source("old")).await.unwrap_err();
    assert_eq!(error.message, "status 400: ExpiredTokenException: Token expired");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_named() {
    let (address, _) = serve(|stream, _| async move { drop(stream) }).await;
    let endpoint = origin(format!("http://{address}"));
    let error = obtained(AwsSource::Instance { endpoint }).await.unwrap_err();
    assert_eq!(error.endpoint, format!("http://{address}/latest/api/token"));
    assert_eq!(error.cause(), Cause::Unauthorized);
}

#[tokio::test]
async fn a_call_is_signed_over_what_is_sent() {
    let (address, _) = serve(|stream, _| echo(stream)).await;
    let keys = Keys {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: secret("secret-canary"),
        session_token: Some(secret("session")),
    };
    let scope = Scope { region: "us-east-1".to_owned(), service: "bedrock".to_owned() };
    let access = Access::Signature(Lease::fixed(keys), scope);
    let mut call = call(&Arc::new(
        trunkline_upstream::origin::Origin::parse(&format!("http://{address}/base")).unwrap(),
    ));
    call.headers.insert("content-type", HeaderValue::from_static("application/json"));
    call.headers.insert("user-agent", HeaderValue::from_static("unsigned"));
    call.body = Bytes::from_static(b"{\"a\":1}").into();
    let grant = access.grant().await.unwrap();
    assert!(grant.header().is_none() && !format!("{grant:?}").contains("canary"));
    grant.authorise(&mut call, NOW).unwrap();
    let (_, body) = exchange(&pools(), call).await.unwrap();
    let sent = Asked::read(std::str::from_utf8(&body).unwrap());
    assert_eq!(sent.line, "POST /base/chat");
    assert_eq!(sent.header("x-amz-date"), Some("20260102T030405Z"));
    assert_eq!(sent.header("x-amz-security-token"), Some("session"));
    let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/bedrock/aws4_request, \
                    SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=";
    assert!(sent.header("authorization").unwrap().starts_with(expected), "{:?}", sent.headers);
}
