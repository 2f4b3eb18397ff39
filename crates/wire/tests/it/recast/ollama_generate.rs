//! Requests and answers of Ollama's dialect, as JSON, made up at random: every documented shape, in any combination, with
//! unknown members strewn in.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::generate::{merged, number, some_of, strewn, string, text};

fn call(id: usize) -> BoxedStrategy<Value> {
    let arguments = prop_oneof![Just(json!({})), text().prop_map(|text| json!({ "a": text, "b": [1, 1.5] }))];
    let function = strewn(
        (arguments, text()).prop_map(|(arguments, name)| json!({ "name": name, "arguments": arguments })),
    );
    let id = some_of(vec![("id", Just(json!(format!("call_{id}"))).boxed())]);
    strewn((id, function).prop_map(|(id, function)| merged(id, json!({ "function": function })))).boxed()
}

fn calls() -> BoxedStrategy<Value> {
    prop::collection::vec((0..9_usize).prop_flat_map(call), 1..3).prop_map(Value::from).boxed()
}

fn content() -> BoxedStrategy<Value> {
    prop_oneof![4 => string(), 1 => Just(json!(""))].boxed()
}

fn message() -> BoxedStrategy<Value> {
    let images = || Just(json!(["AAAA", "BBBB"])).boxed();
    let messages = prop_oneof![
        1 => content().prop_map(|content| json!({ "role": "system", "content": content })),
        3 => (content(), some_of(vec![("images", images())]))
            .prop_map(|(content, more)| merged(json!({ "role": "user", "content": content }), more)),
        3 => some_of(vec![("content", content()), ("thinking", string()), ("tool_calls", calls())])
            .prop_map(|more| merged(json!({ "role": "assistant" }), more)),
        2 => (content(), some_of(vec![("tool_call_id", Just(json!("r1")).boxed()), ("images", images())]))
            .prop_map(|(content, more)| merged(json!({ "role": "tool", "tool_name": "f", "content": content }), more)),
    ];
    strewn(messages).boxed()
}

/// A request.
pub(super) fn request() -> BoxedStrategy<Value> {
    let function = (some_of(vec![("description", string())]), any::<bool>()).prop_map(|(more, takes)| {
        let parameters = json!({ "name": "f", "parameters": { "type": "object" } });
        merged(if takes { parameters } else { json!({ "name": "g" }) }, more)
    });
    let tool = prop_oneof![
        4 => strewn(strewn(function).prop_map(|function| json!({ "type": "function", "function": function }))).boxed(),
        1 => Just(json!({ "type": "moon" })).boxed(),
    ];
    let options = some_of(vec![
        ("num_predict", prop_oneof![Just(json!(-2)), Just(json!(77))].boxed()),
        ("temperature", number()),
        ("top_p", number()),
        ("top_k", prop_oneof![Just(json!(-1)), Just(json!(40))].boxed()),
        ("min_p", number()),
        ("repeat_penalty", number()),
        ("presence_penalty", number()),
        ("frequency_penalty", number()),
        ("seed", (-9..99_i64).prop_map(Value::from).boxed()),
        ("stop", prop::collection::vec(text(), 0..3).prop_map(Value::from).boxed()),
        ("num_ctx", Just(json!(4096)).boxed()),
    ]);
    let format = prop_oneof![Just(json!("json")), Just(json!({ "type": "object" })), Just(json!("xml"))];
    let think = prop_oneof![
        Just(json!(true)),
        Just(json!(false)),
        Just(json!("low")),
        Just(json!("max")),
        Just(json!("moon"))
    ];
    let fields = some_of(vec![
        ("tools", prop::collection::vec(tool, 0..4).prop_map(Value::from).boxed()),
        ("format", format.boxed()),
        ("think", think.boxed()),
        ("options", strewn(options).boxed()),
        ("stream", any::<bool>().prop_map(Value::from).boxed()),
        ("keep_alive", prop_oneof![Just(json!("5m")), Just(json!(0)), Just(Value::Null)].boxed()),
        ("logprobs", any::<bool>().prop_map(Value::from).boxed()),
        ("top_logprobs", (0..20_u64).prop_map(Value::from).boxed()),
    ]);
    let messages = prop::collection::vec(message(), 0..6).prop_map(Value::from);
    let request = (messages, fields)
        .prop_map(|(messages, fields)| merged(json!({ "model": "qwen3", "messages": messages }), fields));
    strewn(request).boxed()
}

/// An answer.
pub(super) fn response() -> BoxedStrategy<Value> {
    let message = some_of(vec![
        ("content", content()),
        ("thinking", string()),
        ("images", Just(json!(["AAAA"])).boxed()),
        ("tool_calls", calls()),
    ])
    .prop_map(|more| merged(json!({ "role": "assistant" }), more));
    let logprobs = prop::collection::vec(
        string().prop_map(|token| json!({ "token": token, "logprob": -0.5, "bytes": [1], "top_logprobs": [{ "token": "a", "logprob": -1.0 }] })),
        1..3,
    );
    let members = some_of(vec![
        ("prompt_eval_count", (0..99_u64).prop_map(Value::from).boxed()),
        ("eval_count", (0..99_u64).prop_map(Value::from).boxed()),
        ("logprobs", logprobs.prop_map(Value::from).boxed()),
        ("done_reason", prop_oneof![Just(json!("stop")), Just(json!("length")), Just(json!("load"))].boxed()),
        ("total_duration", Just(json!(5)).boxed()),
    ]);
    strewn((message, members).prop_map(|(message, members)| {
        merged(json!({ "model": "qwen3", "created_at": "2026-07-07T20:22:19.18Z", "message": message, "done": true }), members)
    }))
    .boxed()
}
