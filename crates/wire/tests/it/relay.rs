//! The edits of a relay: which bytes the provider reads in place of the caller's.

use proptest::prelude::*;
use trunkline_domain::Dialect;
use trunkline_wire::codec::{RelayEdits, RelayTarget};
use trunkline_wire::codec_for;
use trunkline_wire::quirks::{CallIds, Quirks, StreamUsage};
use trunkline_wire::splice::splice;

use crate::envelope;

struct Relayed {
    body: String,
    edits: Vec<String>,
    losses: Vec<String>,
    withhold_usage: bool,
}

fn relay(dialect: Dialect, body: &str, quirks: &Quirks, output_cap: Option<u64>) -> Relayed {
    let codec = codec_for(dialect);
    let envelope = envelope(body);
    let skim = codec.skim(&envelope).expect(body);
    let target = RelayTarget { model: "up", quirks, output_cap };
    let RelayEdits { edits, losses, withhold_usage } = codec.relay(&envelope, &skim, &target);
    let spliced = splice(&envelope, &edits).to_bytes();
    Relayed {
        body: String::from_utf8(spliced.to_vec()).unwrap(),
        edits: edits.iter().map(|edit| edit.name().into_owned()).collect(),
        losses: losses.iter().map(|loss| loss.path.to_string()).collect(),
        withhold_usage,
    }
}

fn chat(body: &str, quirks: &Quirks, output_cap: Option<u64>) -> Relayed {
    relay(Dialect::OpenaiChat, body, quirks, output_cap)
}

#[test]
fn unknown_fields_and_their_writing_pass() {
    let body =
        "{ \"model\":\"m\", \"temperature\": 0.70, \"from_the_future\":{\"a\":[1e0]},\n\"messages\":[ ] }";
    let relayed = chat(body, &Quirks::REFERENCE, None);
    assert_eq!(relayed.body, body.replace("\"m\"", "\"up\""));
    assert_eq!(
        (relayed.edits, relayed.losses, relayed.withhold_usage),
        (vec!["model".to_owned()], vec![], false)
    );
}

#[test]
fn the_model_is_named_as_the_provider_names_it() {
    assert_eq!(chat(r#"{"model":"up","messages":[]}"#, &Quirks::REFERENCE, None).edits, Vec::<String>::new());
    assert_eq!(chat(r#"{"messages":[]}"#, &Quirks::REFERENCE, None).body, r#"{"messages":[],"model":"up"}"#);
}

#[test]
fn gateway_fields_stay_here_unless_the_server_knows_them() {
    let body = r#"{"model":"up","messages":[],"models":["a"],"provider":{"sort":"price"},"session_id":"s","usage":{"include":true},"routing":{},"fallbacks":["b"],"num_retries":1,"timeout":3,"tags":["t"],"cache":{},"user":"u","metadata":{}}"#;
    let relayed = chat(body, &Quirks::REFERENCE, None);
    assert_eq!(relayed.body, r#"{"model":"up","messages":[],"user":"u","metadata":{}}"#);
    assert!(relayed.losses.is_empty());
    let openrouter =
        Quirks { understands: &["models", "provider", "session_id", "usage"], ..Quirks::REFERENCE };
    assert_eq!(
        chat(body, &openrouter, None).body,
        r#"{"model":"up","messages":[],"models":["a"],"provider":{"sort":"price"},"session_id":"s","usage":{"include":true},"user":"u","metadata":{}}"#
    );
}

#[test]
fn a_turn_sent_back_as_it_was_answered_has_no_members_the_server_refuses() {
    let strict = Quirks { unsupported_members: &["refusal", "reasoning_content"], ..Quirks::REFERENCE };
    let relayed = chat(
        r#"{"model":"up","messages":[ {"role":"user","content":"a", "x":1.0},{"role":"assistant","content":"b","refusal":null} ]}"#,
        &strict,
        None,
    );
    let cleaned = r#"{"model":"up","messages":[{"role":"user","content":"a", "x":1.0},{"role":"assistant","content":"b"}]}"#;
    assert_eq!(relayed.body, cleaned);
    assert_eq!((relayed.edits, relayed.losses), (vec!["messages".to_owned()], vec![]));
    let said = r#"{"model":"up","messages":[{"reasoning_content":"c","role":"assistant","refusal":"no"}]}"#;
    let relayed = chat(said, &strict, None);
    assert_eq!(relayed.body, r#"{"model":"up","messages":[{"role":"assistant"}]}"#);
    assert_eq!(relayed.losses, ["messages[0].refusal", "messages[0].reasoning_content"]);
    assert_eq!(chat(cleaned, &strict, None).edits, Vec::<String>::new());
    assert_eq!(chat(said, &Quirks::REFERENCE, None).body, said);
}

#[test]
fn a_call_made_elsewhere_has_an_id_the_server_takes_and_its_result_the_same() {
    let nine = Quirks { call_ids: CallIds::Nine, ..Quirks::REFERENCE };
    let of = |first: &str, second: &str| {
        format!(
            r#"{{"model":"up","messages":[{{"role":"assistant","tool_calls":[{{"id":"{first}","x":1.0}},{{"id":"{second}"}}]}},{{"role":"tool","tool_call_id":"{first}"}}]}}"#
        )
    };
    let relayed = chat(&of("call_chatcmpl-1", "a1B2c3D4e"), &nine, None);
    let (_, made) = relayed.body.split_once(r#"[{"id":""#).unwrap();
    let made = made.get(..9).unwrap().to_owned();
    assert!(made.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{made}");
    assert_eq!((relayed.body, relayed.losses), (of(&made, "a1B2c3D4e"), vec![]));
    let own = of("abcdefgh1", "a1B2c3D4e");
    assert_eq!(chat(&own, &nine, None).edits, Vec::<String>::new());
    let other = chat(&of("call_chatcmpl-2", "a1B2c3D4e"), &nine, None).body;
    assert!(!other.contains(&made), "{other}");
}

#[test]
fn usage_is_asked_for_where_the_stream_must_be_metered() {
    let always = Quirks { stream_usage: StreamUsage::Always, ..Quirks::REFERENCE };
    let tolerant = Quirks { stream_usage: StreamUsage::AlwaysTolerant, ..Quirks::REFERENCE };
    let refusing = Quirks { unsupported: &["stream_options"], ..Quirks::REFERENCE };
    let asked = r#","stream_options":{"include_usage":true}"#;
    let other = r#","stream_options":{ "include_obfuscation" : false }"#;
    let both = r#","stream_options":{ "include_obfuscation" : false,"include_usage":true }"#;
    let denied = r#","stream_options":{"include_usage":false,"x":1.0}"#;
    let turned = r#","stream_options":{"include_usage":true,"x":1.0}"#;
    let null = r#","stream_options":null"#;
    for (quirks, options, expected, withhold_usage, lost) in [
        (&Quirks::REFERENCE, "", asked, true, false),
        (&Quirks::REFERENCE, null, asked, true, false),
        (&Quirks::REFERENCE, other, both, true, false),
        (&Quirks::REFERENCE, denied, turned, true, false),
        (&Quirks::REFERENCE, asked, asked, false, false),
        (&tolerant, other, other, false, false),
        (&tolerant, "", "", false, false),
        (&always, "", "", false, false),
        (&always, asked, "", false, true),
        (&always, null, "", false, false),
        (&refusing, asked, "", false, true),
        (&refusing, "", "", false, false),
    ] {
        for dialect in [Dialect::OpenaiChat, Dialect::OpenaiCompletions] {
            let request = |options: &str| format!(r#"{{"model":"up","messages":[],"stream":true{options}}}"#);
            let relayed = relay(dialect, &request(options), quirks, None);
            assert_eq!(relayed.body, request(expected), "{quirks:?} {options}");
            assert_eq!(relayed.withhold_usage, withhold_usage, "{quirks:?} {options}");
            assert_eq!(
                relayed.losses,
                if lost { vec!["stream_options"] } else { vec![] },
                "{quirks:?} {options}"
            );
            if withhold_usage {
                assert_eq!(relayed.edits, ["stream_options.include_usage"]);
            }
        }
    }
    for body in [r#"{"model":"up","messages":[]}"#, r#"{"model":"up","messages":[],"stream":false}"#] {
        assert_eq!(chat(body, &Quirks::REFERENCE, None).body, body);
    }
    let embeddings = r#"{"model":"up","input":"a","stream":true}"#;
    assert_eq!(relay(Dialect::OpenaiEmbeddings, embeddings, &Quirks::REFERENCE, Some(5)).body, embeddings);
}

#[test]
fn no_cap_stays_above_what_governs() {
    let old = Quirks { renamed: &[("max_completion_tokens", "max_tokens")], ..Quirks::REFERENCE };
    let new = Quirks { renamed: &[("max_tokens", "max_completion_tokens")], ..Quirks::REFERENCE };
    let lacking = Quirks { unsupported: &["max_completion_tokens"], ..Quirks::REFERENCE };
    for (quirks, caps, output_cap, expected) in [
        (&Quirks::REFERENCE, "", None, ""),
        (&Quirks::REFERENCE, "", Some(9), r#","max_completion_tokens":9"#),
        (&Quirks::REFERENCE, r#","max_completion_tokens":null"#, Some(9), r#","max_completion_tokens":9"#),
        (&Quirks::REFERENCE, r#","max_tokens":5"#, Some(9), r#","max_tokens":5"#),
        (&Quirks::REFERENCE, r#","max_tokens":50"#, Some(9), r#","max_tokens":9"#),
        (
            &Quirks::REFERENCE,
            r#","max_tokens":50,"max_completion_tokens":7"#,
            None,
            r#","max_tokens":7,"max_completion_tokens":7"#,
        ),
        (
            &Quirks::REFERENCE,
            r#","max_tokens":50,"max_completion_tokens":7"#,
            Some(3),
            r#","max_tokens":3,"max_completion_tokens":3"#,
        ),
        (&old, "", Some(9), r#","max_tokens":9"#),
        (&old, r#","max_completion_tokens":5"#, None, r#","max_tokens":5"#),
        (&old, r#","max_completion_tokens":50"#, Some(9), r#","max_tokens":9"#),
        (&old, r#","max_completion_tokens":5,"max_tokens":50"#, None, r#","max_tokens":5"#),
        (&old, r#","max_completion_tokens":50,"max_tokens":5"#, None, r#","max_tokens":5"#),
        (&old, r#","max_completion_tokens":50,"max_tokens":null"#, None, r#","max_tokens":50"#),
        (&new, r#","max_tokens":50"#, Some(9), r#","max_completion_tokens":9"#),
        (&lacking, "", Some(9), r#","max_tokens":9"#),
    ] {
        let request = |caps: &str| format!(r#"{{"model":"up","messages":[]{caps}}}"#);
        let relayed = chat(&request(caps), quirks, output_cap);
        assert_eq!(relayed.body, request(expected), "{caps} {output_cap:?}");
        assert!(relayed.losses.is_empty(), "{caps} {output_cap:?}");
    }
    let legacy =
        relay(Dialect::OpenaiCompletions, r#"{"model":"up","prompt":"a"}"#, &Quirks::REFERENCE, Some(9));
    assert_eq!(legacy.body, r#"{"model":"up","prompt":"a","max_tokens":9}"#);
    assert_eq!(legacy.edits, ["max_tokens"]);
}

#[test]
fn what_the_provider_does_not_take_is_lost_by_name() {
    let quirks = Quirks {
        unsupported: &["logprobs", "seed", "n"],
        renamed: &[("seed", "random_seed")],
        ..Quirks::REFERENCE
    };
    let relayed = chat(r#"{"model":"up","logprobs":true,"seed":7,"messages":[],"n":null}"#, &quirks, None);
    assert_eq!(relayed.body, r#"{"model":"up","messages":[],"random_seed":7}"#);
    assert_eq!(relayed.losses, ["logprobs"]);
    let twice = chat(r#"{"model":"up","seed":7,"messages":[],"random_seed":8}"#, &quirks, None);
    assert_eq!(
        (twice.body.as_str(), twice.losses),
        (r#"{"model":"up","messages":[],"random_seed":8}"#, vec!["seed".to_owned()])
    );
}

proptest! {
    #[test]
    fn a_relayed_request_is_metered_and_capped_as_planned(
        caps in (prop::option::of(0..100_u64), prop::option::of(0..100_u64)),
        output_cap in prop::option::of(0..100_u64),
        stream: bool,
        renamed in prop::sample::select(vec![
            &[][..], &[("max_completion_tokens", "max_tokens")][..], &[("max_tokens", "max_completion_tokens")][..],
        ]),
    ) {
        let quirks = Quirks { renamed, ..Quirks::REFERENCE };
        let field = |name: &str, cap: Option<u64>| cap.map_or_else(String::new, |cap| format!(r#","{name}":{cap}"#));
        let body = format!(
            r#"{{"messages":[],"stream":{stream}{}{}}}"#, field("max_tokens", caps.0), field("max_completion_tokens", caps.1)
        );
        let relayed = chat(&body, &quirks, output_cap);
        let after = codec_for(Dialect::OpenaiChat).skim(&envelope(&relayed.body)).unwrap();
        let governs = [caps.0, caps.1, output_cap].into_iter().flatten().min();
        prop_assert_eq!(after.output_max.map(|max| max.tokens), governs);
        prop_assert_eq!(after.model.as_ref(), "up");
        prop_assert_eq!(after.include_usage, stream);
        for (gone, _) in renamed {
            prop_assert!(!envelope(&relayed.body).contains(gone));
        }
    }
}
