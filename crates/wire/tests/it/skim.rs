//! The facts of requests, and the requests that are refused for what their fields hold.

use trunkline_domain::{Dialect, Text};
use trunkline_wire::codec::{Needs, OutputMax, Skim};
use trunkline_wire::codec_for;

use crate::envelope;

fn chat(body: &str) -> Skim {
    codec_for(Dialect::OpenaiChat).skim(&envelope(body)).expect(body)
}

fn message(content: &str) -> Skim {
    chat(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":{content}}}]}}"#))
}

fn refused(dialect: Dialect, body: &str) -> String {
    codec_for(dialect).skim(&envelope(body)).expect_err(body).field.into_owned()
}

#[test]
fn a_plain_request() {
    let skim = chat(
        r#"{"model":"gpt-5","messages":[{"role":"system","content":"abc"},{"role":"user","content":"\u00e9"}]}"#,
    );
    let expected = Skim {
        model: Text::from("gpt-5"),
        choices: 1,
        messages: 2,
        text_bytes: ("system".len() + 3 + "user".len() + r"\u00e9".len()) as u64,
        ..Skim::default()
    };
    assert_eq!(skim, expected);
}

#[test]
fn every_gateway_field_is_read() {
    let skim = chat(
        r#"{"model":"m","messages":[],"models":["a","b"],"fallbacks":["c"],"session_id":"s","provider":{"order":["x"]},
        "usage":{"include":true},"num_retries":2,"timeout":1.5,"tags":["t"],"cache":{"no-cache":true},"user":"u",
        "routing":{"strict":true},"n":3,"stream":true,"stream_options":{"include_usage":true}}"#,
    );
    assert_eq!(skim.models.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "b", "c"]);
    assert_eq!(skim.wishes.strict, Some(true));
    assert_eq!((skim.session.as_deref(), skim.end_user.as_deref()), (Some("s"), Some("u")));
    assert_eq!((skim.retries_max, skim.timeout_ms, skim.choices), (Some(2), Some(1500), 3));
    assert_eq!(skim.tags, [Text::from("t")]);
    assert!(skim.provider_preferences && skim.annotate && skim.stream && skim.include_usage);
}

#[test]
fn null_is_as_good_as_absent() {
    let plain = chat(r#"{"messages":[]}"#);
    let nulls = chat(
        r#"{"messages":[],"model":null,"models":null,"n":null,"stream":null,"stream_options":null,"max_tokens":null,
        "max_completion_tokens":null,"provider":null,"usage":null,"tags":null,"timeout":null,"num_retries":null,"tools":null,
        "session_id":null,"user":null,"routing":null,"logprobs":null,"web_search_options":null,"functions":null}"#,
    );
    assert_eq!(nulls, plain);
    assert!(!chat(r#"{"messages":[],"provider":{},"usage":{"include":false}}"#).provider_preferences);
}

#[test]
fn the_smaller_output_cap_governs() {
    for (fields, field, tokens) in [
        (r#""max_tokens":5"#, "max_tokens", 5),
        (r#""max_completion_tokens":6"#, "max_completion_tokens", 6),
        (r#""max_tokens":5,"max_completion_tokens":6"#, "max_tokens", 5),
        (r#""max_tokens":7,"max_completion_tokens":6"#, "max_completion_tokens", 6),
        (r#""max_tokens":0"#, "max_tokens", 0),
    ] {
        let skim = chat(&format!(r#"{{"messages":[],{fields}}}"#));
        assert_eq!(skim.output_max, Some(OutputMax { field, tokens }), "{fields}");
    }
}

#[test]
fn fields_of_the_wrong_type_are_refused_by_name() {
    for (field, value) in [
        ("max_tokens", "-1"),
        ("max_tokens", "1.5"),
        ("max_tokens", "1e3"),
        ("max_tokens", "\"5\""),
        ("max_completion_tokens", "99999999999999999999"),
        ("n", "0"),
        ("n", "5000000000"),
        ("stream", "\"yes\""),
        ("model", "5"),
        ("model", "\"\\ud800\""),
        ("models", "\"m\""),
        ("models", "[1]"),
        ("fallbacks", "[{\"a\":[\"b\"]}]"),
        ("provider", "\"openai\""),
        ("session_id", "{}"),
        ("tags", "{}"),
        ("num_retries", "-1"),
        ("timeout", "0"),
        ("timeout", "\"1\""),
        ("routing", "[]"),
        ("tools", "{}"),
        ("functions", "\"f\""),
    ] {
        assert_eq!(
            refused(Dialect::OpenaiChat, &format!(r#"{{"messages":[],"{field}":{value}}}"#)),
            field,
            "{value}"
        );
    }
    let long = format!(r#"{{"messages":[],"session_id":"{}"}}"#, "s".repeat(513));
    assert_eq!(refused(Dialect::OpenaiChat, &long), "session_id");
    let many = format!(r#"{{"messages":[],"models":[{}]}}"#, ["\"m\""; 65].join(","));
    assert_eq!(refused(Dialect::OpenaiChat, &many), "models");
    assert_eq!(refused(Dialect::OpenaiCompletions, r#"{"prompt":"a","best_of":0}"#), "best_of");
}

#[test]
fn what_the_model_reads_must_be_there() {
    for (body, field) in [
        ("{}", "messages"),
        (r#"{"messages":"hi"}"#, "messages"),
        (r#"{"messages":null}"#, "messages"),
        (r#"{"messages":[{"role":"user"},"hi"]}"#, "messages[1]"),
    ] {
        assert_eq!(refused(Dialect::OpenaiChat, body), field);
    }
    assert_eq!(refused(Dialect::OpenaiEmbeddings, "{}"), "input");
    assert_eq!(refused(Dialect::OpenaiEmbeddings, r#"{"input":5}"#), "input");
    assert_eq!(refused(Dialect::OpenaiCompletions, r#"{"prompt":{}}"#), "prompt");
}

#[test]
fn media_are_told_apart_by_where_they_are() {
    let vision = Needs { vision: true, ..Needs::default() };
    let audio = Needs { audio: true, ..Needs::default() };
    let files = Needs { files: true, ..Needs::default() };
    for (part, inline, referenced, needs) in [
        (
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}"#,
            1,
            0,
            vision,
        ),
        (r#"{"type":"image_url","image_url":{"url":"DATA:image\/png;base64,AAAA"}}"#, 1, 0, vision),
        (r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#, 0, 1, vision),
        (r#"{"type":"image_url","image_url":"https:\/\/example.com/a.png"}"#, 0, 1, vision),
        (r#"{"type":"image_url","image_url":{"url":"https\u003a//example.com/a.png"}}"#, 0, 1, vision),
        (r#"{"type":"text","im\u0061ge_url":{"\u0075rl":"https://example.com/a.png"}}"#, 0, 1, vision),
        (r#"{"type":"video","video":["https://example.com/1","https://example.com/2"]}"#, 0, 2, vision),
        (r#"{"type":"input_audio","input_audio":{"data":"UklG\/Rg==","format":"wav"}}"#, 1, 0, audio),
        (r#"{"type":"input_audio","input_audio":{"data":"https://example.com/a.wav"}}"#, 0, 1, audio),
        (
            r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA","filename":"a.pdf"}}"#,
            1,
            0,
            files,
        ),
        (r#"{"type":"file","file":{"file_id":"file-1"}}"#, 0, 1, files),
    ] {
        let skim = message(&format!("[{{\"type\":\"text\",\"text\":\"hello\"}},{part}]"));
        assert_eq!(
            (skim.inline_media, skim.referenced_media, skim.needs),
            (inline, referenced, needs),
            "{part}"
        );
        assert!(skim.text_bytes >= 5 && skim.text_bytes < 100, "{part}: {}", skim.text_bytes);
    }
}

#[test]
fn an_inline_image_is_no_text_but_an_inline_file_may_be() {
    let blob = "A".repeat(100_000);
    let image =
        message(&format!(r#"[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{blob}"}}}}]"#));
    let file = message(&format!(r#"[{{"type":"file","file":{{"file_data":"{blob}"}}}}]"#));
    assert!(image.text_bytes < 100 && file.text_bytes >= 100_000);
}

#[test]
fn text_cannot_hide_from_the_bound() {
    let secret = "s".repeat(1000);
    for body in [
        format!(r#"{{"messages":[{{"role":"{secret}","content":null}}]}}"#),
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"unheard_of","body":{{"deep":["{secret}"]}}}}]}}]}}"#
        ),
        format!(r#"{{"messages":[{{"role":"user","content":["{secret}"]}}]}}"#),
        format!(r#"{{"messages":[{{"role":"user","content":{{"x":"{secret}"}}}}]}}"#),
        format!(
            r#"{{"messages":[{{"role":"assistant","tool_calls":[{{"function":{{"arguments":"{secret}"}}}}]}}]}}"#
        ),
        format!(r#"{{"messages":[{{"role":"user","content":"a","content":"{secret}"}}]}}"#),
        format!(r#"{{"messages":[],"tools":[{{"type":"function","function":{{"name":"{secret}"}}}}]}}"#),
        format!(
            r#"{{"messages":[],"response_format":{{"type":"json_schema","json_schema":{{"name":"{secret}"}}}}}}"#
        ),
        format!(r#"{{"messages":[],"prediction":{{"type":"content","content":"{secret}"}}}}"#),
    ] {
        assert!(chat(&body).text_bytes >= 1000, "{body}");
    }
}

#[test]
fn needs_follow_from_what_is_asked() {
    let needs = |fields: &str| chat(&format!(r#"{{"messages":[],{fields}}}"#)).needs;
    let tools = Needs { tools: true, ..Needs::default() };
    let fees = Needs { unbounded_fees: true, ..Needs::default() };
    for (fields, expected) in [
        (r#""tools":[]"#, Needs::default()),
        (r#""tools":[{"type":"function","function":{}},{"type":"custom","custom":{}}]"#, tools),
        (r#""functions":[{"name":"f","type":"x"}]"#, tools),
        (r#""tools":[{"type":"web_search"}]"#, Needs { unbounded_fees: true, ..tools }),
        (r#""web_search_options":{}"#, fees),
        (r#""search_parameters":{"mode":"auto"}"#, fees),
        (r#""plugins":[{"id":"web"}]"#, fees),
        (r#""plugins":[]"#, Needs::default()),
        (r#""response_format":{"type":"json_object"}"#, Needs::default()),
        (
            r#""response_format":{"type":"json_schema","json_schema":{}}"#,
            Needs { schema: true, ..Needs::default() },
        ),
        (r#""logprobs":true"#, Needs { logprobs: true, ..Needs::default() }),
        (r#""logprobs":false"#, Needs::default()),
    ] {
        assert_eq!(needs(fields), expected, "{fields}");
    }
    let two = chat(
        r#"{"messages":[],"tools":[{"type":"function"},{"type":"function"}],"functions":[{"name":"f"}]}"#,
    );
    assert_eq!(two.tools, 3);
}

#[test]
fn completions_generate_for_every_prompt() {
    let skim = |body: &str| codec_for(Dialect::OpenaiCompletions).skim(&envelope(body)).expect(body);
    for (body, text_bytes, messages, choices) in [
        (r#"{"prompt":"abc"}"#, 3, 1, 1),
        (r#"{"prompt":"abc","suffix":"de","n":2}"#, 5, 1, 2),
        (r#"{"prompt":["abc","d"],"n":2}"#, 4, 2, 4),
        (r#"{"prompt":["abc","d"],"best_of":5,"n":2}"#, 4, 2, 10),
        (r#"{"prompt":[1,2,3]}"#, 3, 1, 1),
        (r#"{"prompt":[[1,2],[3]]}"#, 3, 2, 2),
        (r#"{"prompt":null}"#, 0, 0, 1),
        ("{}", 0, 0, 1),
    ] {
        let skim = skim(body);
        assert_eq!((skim.text_bytes, skim.messages, skim.choices), (text_bytes, messages, choices), "{body}");
    }
    assert!(skim(r#"{"prompt":"a","logprobs":1}"#).needs.logprobs);
    let uncapped = skim(r#"{"prompt":"a","max_completion_tokens":5}"#);
    assert_eq!(uncapped.output_max, None, "no field of this dialect");
}

#[test]
fn embeddings_count_their_inputs() {
    let skim = |body: &str| codec_for(Dialect::OpenaiEmbeddings).skim(&envelope(body)).expect(body);
    for (body, text_bytes, messages) in [
        (r#"{"model":"e","input":"abc"}"#, 3, 1),
        (r#"{"model":"e","input":["abc","é"]}"#, 5, 2),
        (r#"{"model":"e","input":[1,2,3]}"#, 3, 1),
        (r#"{"model":"e","input":[[1,2],[3]],"stream":true}"#, 3, 2),
        (r#"{"model":"e","input":[]}"#, 0, 0),
    ] {
        let skim = skim(body);
        assert_eq!((skim.text_bytes, skim.messages, skim.stream), (text_bytes, messages, false), "{body}");
    }
}
