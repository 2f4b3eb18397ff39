//! Every usage convention, with payloads as documented.

use proptest::prelude::*;
use trunkline_domain::{Dialect, Usage};
use trunkline_wire::codec_for;
use trunkline_wire::frame::Frame;
use trunkline_wire::quirks::{Quirks, UsageConvention};

fn quirks(usage: UsageConvention) -> Quirks {
    Quirks { usage, ..Quirks::REFERENCE }
}

/// The usage of a buffered answer; the same comes out of a stream's last chunk.
fn usage(convention: UsageConvention, json: &str) -> Option<Usage> {
    let codec = codec_for(Dialect::OpenaiChat);
    let answer =
        format!(r#"{{"id":"c","choices":[{{"index":0,"message":{{"content":"x"}}}}],"usage":{json}}}"#);
    let buffered = codec.read_answer(answer.as_bytes(), &quirks(convention)).expect(json).usage;
    let skim = trunkline_wire::codec::Skim::default();
    let mut tap = codec.stream_tap(&skim, &quirks(convention));
    let line = json.replace('\n', " ");
    tap.frame(&Frame::of_event(format!("data: {{\"choices\":[],\"usage\":{line}}}\n\n").into()));
    assert_eq!(tap.facts().usage, buffered, "streamed and buffered cost the same");
    buffered
}

#[test]
fn openai_counts_details_inside() {
    // The example of https://platform.openai.com/docs/api-reference/chat/object, figures changed to be distinct.
    let json = r#"{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500,
        "prompt_tokens_details":{"cached_tokens":600,"audio_tokens":30,"image_tokens":20,"cache_write_tokens":100},
        "completion_tokens_details":{"reasoning_tokens":300,"audio_tokens":50,"accepted_prediction_tokens":5,"rejected_prediction_tokens":7}}"#;
    let expected = Usage {
        input_tokens: 250,
        cache_read_tokens: 600,
        cache_write_5m_tokens: 100,
        audio_input_tokens: 30,
        image_input_tokens: 20,
        output_tokens: 150,
        reasoning_tokens: 300,
        audio_output_tokens: 50,
        ..Usage::default()
    };
    assert_eq!(usage(UsageConvention::OpenAi, json), Some(expected));
}

#[test]
fn deepseek_counts_cache_hits_beside_the_prompt() {
    // Field names and their sum: https://api-docs.deepseek.com/api/create-chat-completion.
    let json = r#"{"prompt_tokens":120,"completion_tokens":30,"total_tokens":150,"prompt_cache_hit_tokens":64,
        "prompt_cache_miss_tokens":56,"completion_tokens_details":{"reasoning_tokens":10}}"#;
    let expected = Usage {
        input_tokens: 56,
        cache_read_tokens: 64,
        output_tokens: 20,
        reasoning_tokens: 10,
        ..Usage::default()
    };
    assert_eq!(usage(UsageConvention::DeepSeek, json), Some(expected));
}

#[test]
fn xai_counts_reasoning_apart() {
    // https://docs.x.ai/docs/key-information/consumption-and-rate-limits; figures as seen in
    // https://github.com/Wei-Shaw/sub2api/issues/5771, whose total is prompt + completion + reasoning.
    let json = r#"{"prompt_tokens":10120,"completion_tokens":1499,"total_tokens":14428,
        "prompt_tokens_details":{"cached_tokens":128},"completion_tokens_details":{"reasoning_tokens":2809}}"#;
    let expected = Usage {
        input_tokens: 9992,
        cache_read_tokens: 128,
        output_tokens: 1499,
        reasoning_tokens: 2809,
        ..Usage::default()
    };
    for convention in [UsageConvention::ReasoningApart, UsageConvention::OpenAi] {
        assert_eq!(
            usage(convention, json),
            Some(expected),
            "the total tells even where the convention does not"
        );
    }
    let no_total =
        r#"{"prompt_tokens":1,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":5}}"#;
    let apart = usage(UsageConvention::ReasoningApart, no_total).unwrap();
    assert_eq!((apart.output_tokens, apart.reasoning_tokens), (2, 5));
}

#[test]
fn openrouter_reports_cache_writes() {
    // The example of https://openrouter.ai/docs/use-cases/usage-accounting.
    let json = r#"{"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":0},"cost":0.95,
        "cost_details":{"upstream_inference_cost":19},"prompt_tokens":194,
        "prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":100,"audio_tokens":0},"total_tokens":196}"#;
    let expected =
        Usage { input_tokens: 94, cache_write_5m_tokens: 100, output_tokens: 2, ..Usage::default() };
    assert_eq!(usage(UsageConvention::OpenAi, json), Some(expected));
}

#[test]
fn embeddings_have_a_prompt_only() {
    // The example of https://platform.openai.com/docs/api-reference/embeddings/create; and a server with totals alone.
    for json in [r#"{"prompt_tokens":8,"total_tokens":8}"#, r#"{"total_tokens":8}"#] {
        let answer =
            format!(r#"{{"object":"list","data":[{{"embedding":[0.1]}}],"model":"e","usage":{json}}}"#);
        let facts =
            codec_for(Dialect::OpenaiEmbeddings).read_answer(answer.as_bytes(), &Quirks::REFERENCE).unwrap();
        assert_eq!(facts.usage, Some(Usage { input_tokens: 8, ..Usage::default() }));
        assert_eq!(facts.model.as_deref(), Some("e"));
    }
}

#[test]
fn odd_reports_are_read_without_inventing() {
    let plain = Usage { input_tokens: 3, output_tokens: 4, ..Usage::default() };
    for json in [
        r#"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":null,"completion_tokens_details":null}"#,
        r#"{"prompt_tokens":3.0,"completion_tokens":4.0}"#,
        r#"{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":null},"future":{"a":1}}"#,
        r#"{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":-9}}"#,
    ] {
        assert_eq!(usage(UsageConvention::OpenAi, json), Some(plain), "{json}");
    }
    for json in ["null", "{}", "[]", "5", r#"{"prompt_tokens":"many"}"#, r#"{"cost":1}"#] {
        assert_eq!(usage(UsageConvention::OpenAi, json), None, "{json}");
    }
}

proptest! {
    #[test]
    fn classes_are_disjoint_whatever_the_details_say(figures in prop::array::uniform8(0..1000_u64), convention in 0..3_usize) {
        let [prompt, completion, cached, written, audio, image, reasoning, spoken] = figures;
        let convention =
            [UsageConvention::OpenAi, UsageConvention::DeepSeek, UsageConvention::ReasoningApart][convention];
        let json = format!(
            r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"prompt_cache_hit_tokens":{cached},
            "prompt_tokens_details":{{"cached_tokens":{cached},"cache_write_tokens":{written},"audio_tokens":{audio},"image_tokens":{image}}},
            "completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":{spoken}}}}}"#
        );
        let usage = usage(convention, &json).unwrap();
        prop_assert_eq!(usage.prompt_total(), prompt);
        let apart = if convention == UsageConvention::ReasoningApart { reasoning } else { 0 };
        prop_assert_eq!(usage.completion_total(), completion + apart);
    }
}
