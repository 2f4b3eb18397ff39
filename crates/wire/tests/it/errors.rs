//! Errors read from providers and written to callers.

use std::borrow::Cow;

use trunkline_domain::error::UpstreamAnswer;
use trunkline_domain::{Dialect, Error, ErrorKind};
use trunkline_wire::codec::{AnswerProblem, ErrorWords};
use trunkline_wire::codec_for;
use trunkline_wire::quirks::Quirks;

fn words(message: &str, code: &str, kind: &str, param: &str) -> ErrorWords {
    let text = |text: &str| (!text.is_empty()).then(|| text.into());
    ErrorWords {
        message: text(message),
        code: text(code),
        kind: text(kind),
        param: text(param),
        ..ErrorWords::default()
    }
}

#[test]
fn providers_errors_are_read_in_every_shape() {
    for (body, expected) in [
        (
            r#"{"error":{"message":"No such model","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#,
            words("No such model", "model_not_found", "invalid_request_error", "model"),
        ),
        (
            r#"{"error":{"message":"quota","type":"insufficient_quota","param":null,"code":null}}"#,
            words("quota", "insufficient_quota", "insufficient_quota", ""),
        ),
        (
            r#"{"error":{"code":429,"message":"slow down","metadata":{"provider_name":"x"}},"user_id":"u"}"#,
            words("slow down", "429", "", ""),
        ),
        (
            r#"{"error":{"code":400,"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"too long\",\"code\":400}}","provider_name":"x"}}}"#,
            ErrorWords {
                wrapped: Some("too long".into()),
                ..words("Provider returned error", "400", "", "")
            },
        ),
        (
            r#"{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"x is busy"}}}"#,
            ErrorWords {
                wrapped: Some("x is busy".into()),
                ..words("Provider returned error", "429", "", "")
            },
        ),
        (
            r#"{"code":"Client specified an invalid argument","error":"bad key"}"#,
            words("bad key", "Client specified an invalid argument", "", ""),
        ),
        (
            r#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]"#,
            words("bad", "400", "INVALID_ARGUMENT", ""),
        ),
        (r#"{"error":"model 'x' not found"}"#, words("model 'x' not found", "", "", "")),
        (
            r#"{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}"#,
            words("too long", "400", "BadRequestError", ""),
        ),
        (r#" {"message":"Unauthorized"} "#, words("Unauthorized", "", "", "")),
        (r#"{"detail":"Not Found"}"#, words("Not Found", "", "", "")),
        (
            r#"{"detail":[{"loc":["body","messages",0,"role"],"msg":"field required","type":"missing"},{"msg":"more"}]}"#,
            words("field required", "missing", "missing", "messages.0.role"),
        ),
    ] {
        assert_eq!(codec_for(Dialect::OpenaiChat).read_error(body.as_bytes()), Some(expected), "{body}");
    }
}

#[test]
fn what_is_no_error_is_not_read_as_one() {
    for body in [
        "",
        "<html>502 Bad Gateway</html>",
        "{}",
        "[]",
        "null",
        r#"{"error":null}"#,
        r#"{"error":""}"#,
        r#"{"choices":[],"message":"x"}"#,
        r#"{"data":[],"detail":"x"}"#,
        r#"{"detail":[]}"#,
    ] {
        assert_eq!(codec_for(Dialect::OpenaiChat).read_error(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn long_messages_are_cut_between_characters() {
    let body = format!(r#"{{"error":{{"message":"a{}"}}}}"#, "é".repeat(5000));
    let message =
        codec_for(Dialect::OpenaiChat).read_error(body.as_bytes()).and_then(|words| words.message).unwrap();
    assert_eq!(message.len(), 2047);
}

#[test]
fn a_success_that_is_an_error_is_seen() {
    let read = |dialect, body: &str| {
        codec_for(dialect).read_answer(body.as_bytes(), &Quirks::REFERENCE).unwrap_err()
    };
    let busy = AnswerProblem::Error(words("busy", "", "", ""));
    assert_eq!(read(Dialect::OpenaiChat, r#"{"error":{"message":"busy"},"choices":[]}"#), busy);
    assert_eq!(read(Dialect::OpenaiChat, r#"{"message":"busy"}"#), busy);
    assert_eq!(read(Dialect::OpenaiEmbeddings, r#"{"detail":"busy"}"#), busy);
    for body in
        ["", "<html>", "{}", "[]", r#"{"choices":[{"message":{"content":"trunc"#, r#"{"id":"c","data":[]}"#]
    {
        assert_eq!(read(Dialect::OpenaiChat, body), AnswerProblem::Malformed, "{body}");
    }
    assert_eq!(read(Dialect::OpenaiEmbeddings, r#"{"choices":[]}"#), AnswerProblem::Malformed);
}

#[test]
fn our_errors_are_written_as_openai_writes_them() {
    let error = Error::new(ErrorKind::InvalidRequest, "say \"hi\"").about("messages");
    let body = r#"{"error":{"message":"say \"hi\"","type":"invalid_request_error","param":"messages","code":"invalid_request"}}"#;
    for dialect in [Dialect::OpenaiChat, Dialect::OpenaiCompletions, Dialect::OpenaiEmbeddings] {
        let codec = codec_for(dialect);
        assert_eq!(codec.error_body(&error), body);
        assert_eq!(codec.error_event(&error), format!("data: {body}\n\ndata: [DONE]\n\n"));
    }
}

#[test]
fn a_relayed_refusal_keeps_the_providers_code() {
    let mut error = Error::new(ErrorKind::UpstreamRejected, Cow::Borrowed("too long"));
    error.upstream = Some(UpstreamAnswer { status: 400, code: Some("context_length_exceeded".to_owned()) });
    assert_eq!(
        codec_for(Dialect::OpenaiChat).error_body(&error),
        r#"{"error":{"message":"too long","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}"#
    );
}

#[test]
fn every_error_we_write_can_be_read_back() {
    let codec = codec_for(Dialect::OpenaiChat);
    for kind in ErrorKind::ALL {
        let read = codec.read_error(&codec.error_body(&Error::new(*kind, "x"))).unwrap();
        assert_eq!(read.code.as_deref(), Some(kind.facts().code));
    }
}
