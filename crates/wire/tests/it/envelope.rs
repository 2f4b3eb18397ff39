//! What is taken as a request, what is refused, and where the refusal points.

use bytes::Bytes;
use proptest::prelude::*;
use trunkline_wire::envelope::{Envelope, EnvelopeError, EnvelopeErrorKind, FIELDS_MAX};

use crate::envelope;

/// A body, why it is refused, and where: line, column, offset.
type Case = (&'static [u8], EnvelopeErrorKind, (usize, usize, usize));

fn refusal(body: &[u8]) -> EnvelopeError {
    Envelope::parse(Bytes::copy_from_slice(body)).expect_err("must be refused")
}

#[test]
fn fields_come_as_written() {
    let body = " {\n \"model\" : \"m\\u00e9\" , \"n\":2,\"stream\":true,\"messages\":[ {\"a\": 1.0e1} ],\"x\\ny\":null } \n";
    let envelope = envelope(body);
    assert_eq!(envelope.fields().collect::<Vec<_>>(), ["model", "n", "stream", "messages", "x\ny"]);
    assert_eq!(envelope.raw("messages"), Some("[ {\"a\": 1.0e1} ]"));
    assert_eq!(envelope.string("model").as_deref(), Some("mé"));
    assert_eq!(envelope.unsigned("n"), Some(2));
    assert_eq!(envelope.boolean("stream"), Some(true));
    assert_eq!(envelope.raw("x\ny"), Some("null"));
    assert!(envelope.contains("x\ny") && !envelope.contains("absent"));
    assert_eq!(envelope.body().as_ref(), body.as_bytes());
    assert_eq!((envelope.string("n"), envelope.unsigned("model"), envelope.boolean("n")), (None, None, None));
}

#[test]
fn nothing_of_a_request_shows_in_debug() {
    assert_eq!(format!("{:?}", envelope(r#"{"a":"canary"}"#)), "Envelope(14 bytes, 1 fields)");
}

#[test]
fn every_refusal_says_where() {
    use EnvelopeErrorKind::{Empty, NotAnObject, NotUtf8, TrailingBytes, Truncated};
    let cases: [Case; 12] = [
        (b"", Empty, (1, 1, 0)),
        (b" \n ", Empty, (2, 2, 3)),
        (b"hello", NotAnObject, (1, 1, 0)),
        (b"\n [1]", NotAnObject, (2, 2, 2)),
        (b"\xEF\xBB\xBF{}", NotAnObject, (1, 1, 0)),
        (b"{\"a\":\"\xC3\xA9\xFF\"}", NotUtf8, (1, 8, 8)),
        (b"{\"a\":1} {}", TrailingBytes, (1, 9, 8)),
        (b"{\"a\":1}\n\n  x", TrailingBytes, (3, 3, 11)),
        (b"{\"a\":[1,2", Truncated, (1, 10, 9)),
        (b"{\"a\":\"x", Truncated, (1, 8, 7)),
        (b"{", Truncated, (1, 2, 1)),
        (b"{\"\xC3\xA9\":1,\n\"b\":", Truncated, (2, 5, 13)),
    ];
    for (body, kind, (line, column, offset)) in cases {
        let expected = EnvelopeError { kind, line, column, offset };
        assert_eq!(refusal(body), expected, "{:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn broken_syntax_is_pointed_at() {
    let cases: [(&str, (usize, usize, usize)); 9] = [
        ("{\"a\" 1}", (1, 6, 5)),
        ("{\"a\":1,}", (1, 8, 7)),
        ("{\"a\":tru}", (1, 9, 8)),
        ("{\"a\":01}", (1, 7, 6)),
        ("{a:1}", (1, 2, 1)),
        ("{\"a\":\"\u{1}\"}", (1, 7, 6)),
        ("{\n \"é\": 1,\n \"b\": NaN}", (3, 7, 18)),
        ("{\"a\":1 \"b\":2}", (1, 8, 7)),
        ("{\"\\ud800\":1}", (1, 2, 1)),
    ];
    for (body, (line, column, offset)) in cases {
        let error = refusal(body.as_bytes());
        assert!(matches!(error.kind, EnvelopeErrorKind::Syntax(_)), "{body}: {error}");
        assert_eq!((error.line, error.column, error.offset), (line, column, offset), "{body}: {error}");
    }
}

#[test]
fn a_key_written_in_another_way_is_the_same_key() {
    for body in [
        r#"{"model":1,"n":2,"model":3}"#,
        r#"{"model":1,"n":2,"m\u006fdel":3}"#,
        r#"{"\u006dodel":1,"n":2,"model":3}"#,
    ] {
        let error = refusal(body.as_bytes());
        assert_eq!(error.kind, EnvelopeErrorKind::DuplicateKey("model".into()), "{body}");
        assert_eq!(error.offset, body.rfind(",\"").map_or(0, |comma| comma + 1), "{body}");
    }
    let words = refusal(br#"{"a":1,"a":2}"#).to_string();
    assert_eq!(words, "the request body has the key \"a\" twice, at line 1, column 8 (byte 7)");
}

#[test]
fn the_number_of_fields_is_capped() {
    let body = |fields: usize| {
        let members: Vec<_> = (0..fields).map(|field| format!("\"f{field}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert_eq!(envelope(&body(FIELDS_MAX)).fields().count(), FIELDS_MAX);
    assert_eq!(refusal(body(FIELDS_MAX + 1).as_bytes()).kind, EnvelopeErrorKind::TooManyFields);
}

#[test]
fn deep_nesting_costs_no_stack() {
    let depth = 1_000_000;
    let body = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(envelope(&body).raw("a").map(str::len), Some(2 * depth));
}

proptest! {
    #[test]
    fn whatever_is_refused_points_into_the_body(body in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Err(error) = Envelope::parse(Bytes::from(body.clone())) {
            prop_assert!(error.offset <= body.len());
        }
    }

    #[test]
    fn what_serde_json_takes_as_an_object_is_taken(members in prop::collection::btree_map(".{0,6}", any::<Option<i32>>(), 0..8)) {
        let body = serde_json::to_string(&members).unwrap();
        let envelope = envelope(&body);
        prop_assert_eq!(envelope.fields().collect::<Vec<_>>(), members.keys().collect::<Vec<_>>());
        for (name, value) in &members {
            let written = serde_json::to_string(value).unwrap();
            prop_assert_eq!(envelope.raw(name), Some(written.as_str()));
        }
    }
}
