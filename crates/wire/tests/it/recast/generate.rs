//! Requests and answers of OpenAI's chat dialect, as JSON, made up at random: every documented shape, in any combination,
//! with unknown members strewn in.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A text, often with characters that must be escaped.
pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{1,12}", "[\"\\\\\n\u{e9}\u{1F600}a]{1,6}"]
}

/// Adds a member nobody knows, now and then; sometimes it is `null`.
pub(super) fn strewn(object: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let unknown = prop_oneof![
        6 => Just(None),
        1 => Just(Some(Value::Null)),
        2 => (0..100_u32).prop_map(|number| Some(json!({ "a": [number, 1.0, "x.y"] }))),
    ];
    (object, unknown).prop_map(|(mut object, unknown)| {
        if let (Value::Object(members), Some(value)) = (&mut object, unknown) {
            members.insert("x_future".to_owned(), value);
        }
        object
    })
}

/// Puts some of these members together.
pub(super) fn some_of(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Value> {
    let each: Vec<_> = members
        .into_iter()
        .map(|(key, value)| {
            prop_oneof![3 => Just(None), 2 => value.prop_map(Some)]
                .prop_map(move |value| value.map(|value| (key.to_owned(), value)))
        })
        .collect();
    each.prop_map(|members| Value::Object(members.into_iter().flatten().collect::<Map<_, _>>()))
}

pub(super) fn string() -> BoxedStrategy<Value> {
    text().prop_map(Value::from).boxed()
}

pub(super) fn number() -> BoxedStrategy<Value> {
    prop_oneof![
        (-2..3_i32).prop_map(Value::from),
        (-20..20_i32).prop_map(|tenths| json!(f64::from(tenths) / 10.0))
    ]
    .boxed()
}

pub(super) fn merged(base: Value, more: Value) -> Value {
    match (base, more) {
        (Value::Object(mut base), Value::Object(more)) => {
            base.extend(more);
            Value::Object(base)
        }
        (base, _) => base,
    }
}

fn mark() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(json!({})),
        Just(json!({ "prompt_cache_breakpoint": { "mode": "explicit" } })),
        Just(json!({ "cache_control": { "type": "ephemeral", "ttl": "1h" } })),
        Just(json!({ "cache_control": { "type": "eternal" } })),
    ]
    .boxed()
}

fn part() -> BoxedStrategy<Value> {
    let kinds = prop_oneof![
        4 => text().prop_map(|text| json!({ "type": "text", "text": text })),
        1 => Just(json!({ "type": "text", "text": "" })),
        1 => strewn(some_of(vec![("detail", Just(json!("low")).boxed())])).prop_map(|more| {
            let url = merged(json!({ "url": "https://example.test/a.png" }), more);
            json!({ "type": "image_url", "image_url": url })
        }),
        1 => Just(json!({ "type": "image_url", "image_url": { "url": "data:image/webp;base64,AAAA" } })),
        1 => Just(json!({ "type": "input_audio", "input_audio": { "data": "AAAA", "format": "mp3" } })),
        1 => Just(json!({ "type": "file", "file": { "file_id": "file-1" } })),
        1 => Just(json!({ "type": "file", "file": { "filename": "a", "file_data": "data:application/pdf;base64,AA==" } })),
        1 => Just(json!({ "type": "hologram", "data": [1, 2] })),
    ];
    strewn((kinds, mark()).prop_map(|(part, mark)| merged(part, mark))).boxed()
}

fn content() -> BoxedStrategy<Value> {
    prop_oneof![
        3 => string(),
        1 => Just(json!("")),
        2 => prop::collection::vec(part(), 0..4).prop_map(Value::from),
    ]
    .boxed()
}

fn call(id: usize) -> BoxedStrategy<Value> {
    let arguments = prop_oneof![Just("{\"a\": 1}".to_owned()), Just(String::new()), text()];
    let function = (arguments.clone(), text()).prop_map(move |(arguments, name)| {
        let function = json!({ "name": name, "arguments": arguments });
        json!({ "id": format!("call_{id}"), "type": "function", "function": function })
    });
    let custom = arguments.prop_map(move |input| {
        json!({ "id": format!("call_{id}"), "type": "custom", "custom": { "name": "code", "input": input } })
    });
    let signed = Just(json!({ "extra_content": { "google": { "thought_signature": "c2ln" } } }));
    let extra = prop_oneof![4 => Just(json!({})), 1 => signed];
    let calls = prop_oneof![3 => function, 1 => custom];
    strewn((calls, extra).prop_map(|(call, extra)| merged(call, extra))).boxed()
}

fn thinking() -> BoxedStrategy<Value> {
    prop_oneof![
        5 => Just(json!({})),
        1 => text().prop_map(|text| json!({ "reasoning_content": text })),
        1 => text().prop_map(|text| json!({ "reasoning": text })),
        1 => text().prop_map(|text| {
            let signed = json!({ "type": "reasoning.text", "text": text, "signature": "c2ln", "format": "anthropic-claude-v1" });
            let sealed = json!({ "type": "reasoning.encrypted", "data": "AA==", "format": "openai-responses-v1", "id": "rs_1" });
            json!({ "reasoning_content": text, "reasoning_details": [signed, sealed] })
        }),
    ]
    .boxed()
}

/// An assistant's message and the results of its calls.
fn exchange() -> BoxedStrategy<Vec<Value>> {
    let calls = (0..3_usize).prop_flat_map(|count| (0..count).map(call).collect::<Vec<_>>());
    let content = prop_oneof![1 => Just(Value::Null), 2 => string(), 1 => Just(json!([{ "type": "text", "text": "a" }, { "type": "refusal", "refusal": "b" }]))];
    let message = strewn((content, thinking()).prop_map(|(content, thinking)| {
        merged(json!({ "role": "assistant", "content": content }), thinking)
    }));
    (message, calls, content_of_results())
        .prop_map(|(mut message, calls, results)| {
            let answers = calls.iter().zip(results.into_iter().cycle()).map(
                |(call, content)| json!({ "role": "tool", "tool_call_id": call["id"], "content": content }),
            );
            let answers: Vec<Value> = answers.collect();
            if !calls.is_empty() {
                message = merged(message, json!({ "tool_calls": calls }));
            }
            std::iter::once(message).chain(answers).collect()
        })
        .boxed()
}

fn content_of_results() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(prop_oneof![string(), Just(json!([{ "type": "text", "text": "r" }]))], 1..3)
}

fn messages() -> impl Strategy<Value = Value> {
    let role = prop_oneof![Just("system"), Just("developer"), Just("user")];
    let said =
        strewn((role, content()).prop_map(|(role, content)| json!({ "role": role, "content": content })));
    let turn = prop_oneof![said.prop_map(|message| vec![message]), exchange()];
    prop::collection::vec(turn, 0..5).prop_map(|turns| turns.into_iter().flatten().collect())
}

fn tool() -> BoxedStrategy<Value> {
    let function = some_of(vec![
        ("description", string()),
        ("parameters", Just(json!({ "type": "object", "properties": { "b": {}, "a": {} } })).boxed()),
        ("strict", any::<bool>().prop_map(Value::from).boxed()),
    ]);
    let function = strewn(function)
        .prop_map(|more| json!({ "type": "function", "function": merged(json!({ "name": "f" }), more) }));
    let custom = Just(json!({ "type": "custom", "custom": { "name": "c", "format": { "type": "text" } } }));
    strewn(prop_oneof![3 => function, 1 => custom, 1 => Just(json!({ "type": "web_search" }))]).boxed()
}

/// A request.
pub(super) fn request() -> impl Strategy<Value = Value> {
    let flag = || any::<bool>().prop_map(Value::from).boxed();
    let count = || (1..5_u32).prop_map(Value::from).boxed();
    let choice = prop_oneof![
        Just(json!("auto")),
        Just(json!("required")),
        Just(json!({ "type": "function", "function": { "name": "f" } })),
        Just(json!({ "type": "moon" })),
    ];
    let format = prop_oneof![
        Just(json!({ "type": "text" })),
        Just(
            json!({ "type": "json_schema", "json_schema": { "name": "n", "schema": { "type": "object" } } })
        ),
        Just(json!({ "type": "grammar", "grammar": "g" })),
    ];
    let stop = prop_oneof![string(), Just(json!(["a", "b"])), Just(json!([]))];
    let reasoning = Just(json!({ "effort": "low", "exclude": true }));
    let tools = prop::collection::vec(tool(), 0..3).prop_map(Value::from);
    let fields = some_of(vec![
        ("tools", tools.boxed()),
        ("tool_choice", choice.boxed()),
        ("parallel_tool_calls", flag()),
        ("max_tokens", count()),
        ("max_completion_tokens", count()),
        ("temperature", number()),
        ("top_p", number()),
        ("top_k", (-1..3_i32).prop_map(Value::from).boxed()),
        ("frequency_penalty", number()),
        ("seed", Just(json!(-7)).boxed()),
        ("n", count()),
        ("stop", stop.boxed()),
        ("logprobs", flag()),
        ("logit_bias", Just(json!({ "1": -1.50 })).boxed()),
        ("response_format", format.boxed()),
        ("verbosity", string()),
        ("reasoning_effort", Just(json!("xhigh")).boxed()),
        ("reasoning", reasoning.boxed()),
        ("user", string()),
        ("metadata", Just(json!({ "k": "v" })).boxed()),
        ("service_tier", prop_oneof![Just(Value::Null), string()].boxed()),
        ("store", flag()),
        ("stream", flag()),
    ]);
    let streaming = prop_oneof![
        Just(json!({})),
        Just(
            json!({ "stream": true, "stream_options": { "include_usage": true, "include_obfuscation": false } })
        ),
    ];
    strewn((messages(), fields, streaming).prop_map(|(messages, fields, streaming)| {
        merged(merged(json!({ "model": "m", "messages": messages }), fields), streaming)
    }))
}

/// An answer, in the words the dialect's own encoder uses.
pub(super) fn response() -> impl Strategy<Value = Value> {
    let message = some_of(vec![("content", string()), ("refusal", string())]);
    let calls = (0..3_usize).prop_flat_map(|count| (0..count).map(call).collect::<Vec<_>>());
    let choice = (message, thinking(), calls).prop_map(|(message, thinking, calls)| {
        let finish = if calls.is_empty() { "stop" } else { "tool_calls" };
        let mut message = merged(merged(json!({ "role": "assistant" }), message), thinking);
        if !calls.is_empty() {
            message = merged(message, json!({ "tool_calls": calls }));
        }
        json!({ "message": message, "finish_reason": finish })
    });
    let usage = (0..50_u32, 0..50_u32, 0..50_u32).prop_map(|(prompt, cached, output)| {
        json!({ "prompt_tokens": prompt + cached, "completion_tokens": output, "total_tokens": prompt + cached + output,
            "prompt_tokens_details": { "cached_tokens": cached } })
    });
    (prop::collection::vec(choice, 1..3), usage).prop_map(|(mut choices, usage)| {
        for (index, choice) in choices.iter_mut().enumerate() {
            choice["index"] = json!(index);
        }
        json!({ "id": "c1", "object": "chat.completion", "created": 7, "model": "m", "choices": choices, "usage": usage })
    })
}
