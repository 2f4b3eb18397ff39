//! AWS's published vectors (`aws-sig-v4-test-suite`) but two: `post-sts-header-after`, whose token is added after the
//! signature, and `post-x-www-form-urlencoded-parameters`, of which no copy was found that agrees with its own signature.
//! And signatures that botocore 1.44.8 made for Bedrock's paths.

use bytes::Bytes;

use super::*;

/// 2015-08-30T12:36:00Z.
const NOW: UnixMs = UnixMs(1_440_938_160_000);
const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

/// Name, request line, headers but `host` with `|` between them, body, signature.
const SUITE: [(&str, &str, &str, &str, &str); 26] = [
    (
        "get-header-key-duplicate",
        "GET /",
        "My-Header1:value2|My-Header1:value2|My-Header1:value1",
        "",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    (
        "get-header-value-order",
        "GET /",
        "My-Header1:value4|My-Header1:value1|My-Header1:value3|My-Header1:value2",
        "",
        "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    ),
    (
        "get-header-value-trim",
        "GET /",
        "My-Header1: value1|My-Header2: \"a   b   c\"",
        "",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    (
        "get-unreserved",
        "GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        "",
        "",
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ),
    ("get-vanilla", "GET /", "", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    (
        "get-vanilla-empty-query-key",
        "GET /?Param1=value1",
        "",
        "",
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
    (
        "get-vanilla-query",
        "GET /",
        "",
        "",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        "get-vanilla-query-order-key",
        "GET /?Param1=value2&Param1=Value1",
        "",
        "",
        "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1",
    ),
    (
        "get-vanilla-query-order-key-case",
        "GET /?Param2=value2&Param1=value1",
        "",
        "",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    (
        "get-vanilla-query-order-value",
        "GET /?Param1=value2&Param1=value1",
        "",
        "",
        "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
    ),
    (
        "get-vanilla-query-unreserved",
        "GET /?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        "",
        "",
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    ),
    (
        "get-vanilla-utf8-query",
        "GET /?ሴ=bar",
        "",
        "",
        "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    ),
    (
        "post-header-key-case",
        "POST /",
        "",
        "",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    (
        "post-header-key-sort",
        "POST /",
        "My-Header1:value1",
        "",
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    (
        "post-header-value-case",
        "POST /",
        "My-Header1:VALUE1",
        "",
        "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ),
    ("post-vanilla", "POST /", "", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    (
        "post-vanilla-empty-query-value",
        "POST /?Param1=value1",
        "",
        "",
        "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    ),
    (
        "post-vanilla-query",
        "POST /?Param1=value1",
        "",
        "",
        "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    ),
    (
        "post-x-www-form-urlencoded",
        "POST /",
        "Content-Type:application/x-www-form-urlencoded",
        "Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    (
        "get-relative",
        "GET /example/..",
        "",
        "",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        "get-relative-relative",
        "GET /example1/example2/../..",
        "",
        "",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    ("get-slash", "GET //", "", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    (
        "get-slash-dot-slash",
        "GET /./",
        "",
        "",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        "get-slash-pointless-dot",
        "GET /./example",
        "",
        "",
        "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
    ),
    (
        "get-slashes",
        "GET //example//",
        "",
        "",
        "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    ),
    (
        "post-sts-header-before",
        "POST /",
        "",
        "",
        "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
    ),
];

fn keys(token: Option<&str>) -> Keys {
    Keys {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
        session_token: token.map(|token| Secret::new(token.to_owned())),
    }
}

fn scope(service: &str) -> Scope {
    Scope { region: "us-east-1".to_owned(), service: service.to_owned() }
}

fn signed(keys: &Keys, scope: &Scope, line: &str, headers: &HeaderMap, body: &SplicedBody) -> HeaderMap {
    let (method, path) = line.split_once(' ').unwrap();
    let method = method.parse().unwrap();
    sign(keys, scope, &Request { method: &method, path, headers, body }, NOW).unwrap()
}

fn signature_of(signed: &HeaderMap) -> &str {
    signed[AUTHORIZATION].to_str().unwrap().rsplit_once("Signature=").unwrap().1
}

#[test]
fn the_published_vectors_are_met() {
    for (name, line, headers, body, expected) in SUITE {
        let mut map = HeaderMap::new();
        map.insert("host", HeaderValue::from_static("example.amazonaws.com"));
        for header in headers.split('|').filter(|header| !header.is_empty()) {
            let (name, value) = header.split_once(':').unwrap();
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value));
        }
        let token = name.starts_with("post-sts").then_some(TOKEN);
        let signed =
            signed(&keys(token), &scope("service"), line, &map, &Bytes::from_static(body.as_bytes()).into());
        assert_eq!(signature_of(&signed), expected, "{name}");
    }
}

#[test]
fn bedrocks_paths_are_signed_as_amazons_own_client_signs_them() {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("bedrock-runtime.us-east-1.amazonaws.com"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let body: SplicedBody = Bytes::from_static(br#"{"messages":[]}"#).into();
    for (path, expected) in [
        (
            "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse",
            "0d4a0bff09157226b1387fe628269f086aab4b617b1adbe7ea5ac9318df7c4a1",
        ),
        (
            "/model/anthropic.claude-3-haiku-20240307-v1:0/converse",
            "07e75c24702731f69df0685bf4bd42f4d8f3329ffc8deeee5812da527c77d735",
        ),
        (
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprompt-router%2Fx/converse-stream",
            "759b005ff1f4e51fba50f38aa169086b098f694152f7399e5d83be71ae5d5852",
        ),
    ] {
        let line = format!("POST {path}");
        let signed = signed(&keys(Some("token+/==")), &scope("bedrock"), &line, &headers, &body);
        assert_eq!(signature_of(&signed), expected, "{path}");
        let all = signed[AUTHORIZATION].to_str().unwrap();
        assert!(all.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,"), "{all}");
    }
}

#[test]
fn a_body_in_pieces_is_signed_as_the_same_body_in_one() {
    use trunkline_wire::envelope::Envelope;
    use trunkline_wire::splice::{Edit, EditValue, splice};
    let envelope = Envelope::parse(Bytes::from_static(br#"{"model":"a","n":1}"#)).unwrap();
    let pieces = splice(&envelope, &[Edit::replace("model", EditValue::string("b"))]);
    assert!(pieces.segments().len() > 1);
    let whole: SplicedBody = pieces.to_bytes().into();
    let sign = |body: &SplicedBody| signed(&keys(None), &scope("s"), "POST /", &HeaderMap::new(), body);
    assert_eq!(sign(&pieces), sign(&whole));
    assert_ne!(sign(&pieces), sign(&SplicedBody::default()));
}

#[test]
fn nothing_secret_is_printed() {
    let keys = keys(Some("token-canary"));
    let signed = signed(&keys, &scope("s"), "GET /", &HeaderMap::new(), &SplicedBody::default());
    let printed = format!("{signed:?} {keys:?}");
    assert!(!printed.contains("canary") && !printed.contains("wJalr"), "{printed}");
    assert!(signed[AUTHORIZATION].is_sensitive());
}
