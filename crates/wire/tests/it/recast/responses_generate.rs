//! Requests and answers of OpenAI's Responses, as JSON, made up at random: every documented shape, in any combination,
//! with unknown members strewn in.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::generate::{merged, number, some_of, strewn, string, text};

fn mark() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => Just(json!({})),
        1 => Just(json!({ "prompt_cache_breakpoint": { "mode": "explicit", "ttl": "30m" } })),
        1 => Just(json!({ "prompt_cache_breakpoint": { "mode": "telepathic" } })),
    ]
    .boxed()
}

fn said() -> BoxedStrategy<Value> {
    let part = prop_oneof![
        4 => text().prop_map(|text| json!({ "type": "input_text", "text": text })),
        1 => Just(json!({ "type": "input_text", "text": "" })),
        1 => Just(json!({ "type": "input_image", "image_url": "https://example.test/a.png", "detail": "low" })),
        1 => Just(json!({ "type": "input_image", "image_url": "data:image/webp;base64,AAAA" })),
        1 => Just(json!({ "type": "input_file", "file_id": "file-1" })),
        1 => Just(json!({ "type": "input_file", "filename": "a", "file_data": "data:application/pdf;base64,AA==" })),
        1 => Just(json!({ "type": "input_audio", "input_audio": { "data": "AAAA", "format": "mp3" } })),
        1 => Just(json!({ "type": "hologram", "text": [1, 2] })),
    ];
    strewn((part, mark()).prop_map(|(part, mark)| merged(part, mark))).boxed()
}

fn annotations() -> BoxedStrategy<Value> {
    let page = json!({ "type": "url_citation", "url": "https://a.test", "title": "T", "start_index": 0, "end_index": 1 });
    let file = json!({ "type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 0 });
    prop_oneof![4 => Just(json!([])), 1 => Just(json!([page])), 1 => Just(json!([page, file]))].boxed()
}

/// A part of an answer.
fn answered() -> BoxedStrategy<Value> {
    let words = (text(), annotations()).prop_map(|(text, annotations)| {
        json!({ "type": "output_text", "text": text, "annotations": annotations, "logprobs": [] })
    });
    let refused = text().prop_map(|text| json!({ "type": "refusal", "refusal": text }));
    strewn(prop_oneof![4 => words, 1 => refused]).boxed()
}

fn content(part: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop_oneof![
        3 => string(),
        1 => Just(json!("")),
        3 => prop::collection::vec(part, 0..4).prop_map(Value::from),
    ]
    .boxed()
}

fn status() -> BoxedStrategy<Value> {
    const STATES: &[&str] = &["completed", "incomplete", "in_progress", "levitating"];
    prop_oneof![Just(json!({})), prop::sample::select(STATES).prop_map(|state| json!({ "status": state }))]
        .boxed()
}

fn reasoning() -> BoxedStrategy<Value> {
    let summary = prop::collection::vec(text(), 0..3).prop_map(|texts| {
        texts.into_iter().map(|text| json!({ "type": "summary_text", "text": text })).collect::<Value>()
    });
    let more = some_of(vec![
        ("encrypted_content", string()),
        (
            "content",
            prop_oneof![Just(json!([])), Just(json!([{ "type": "reasoning_text", "text": "t" }]))].boxed(),
        ),
    ]);
    (summary, more, 0..9_u32)
        .prop_map(|(summary, more, id)| {
            merged(json!({ "type": "reasoning", "id": format!("rs_{id}"), "summary": summary }), more)
        })
        .boxed()
}

fn call() -> BoxedStrategy<Value> {
    let arguments = prop_oneof![Just("{\"a\": 1}".to_owned()), Just(String::new()), text()];
    (0..9_u32, arguments, any::<bool>())
        .prop_map(|(id, arguments, custom)| {
            let head = json!({ "call_id": format!("call_{id}"), "name": "f", "id": format!("i_{id}") });
            let own = if custom {
                json!({ "type": "custom_tool_call", "input": arguments })
            } else {
                json!({ "type": "function_call", "arguments": arguments })
            };
            merged(head, own)
        })
        .boxed()
}

fn output() -> BoxedStrategy<Value> {
    let kind = prop_oneof![Just("function_call_output"), Just("custom_tool_call_output")];
    (0..9_u32, kind, content(said()))
        .prop_map(
            |(id, kind, output)| json!({ "type": kind, "call_id": format!("call_{id}"), "output": output }),
        )
        .boxed()
}

fn item() -> BoxedStrategy<Value> {
    let typed = prop_oneof![Just(json!({})), Just(json!({ "type": "message" }))];
    let role = prop_oneof![Just("user"), Just("system"), Just("developer")];
    let message =
        (role, content(said())).prop_map(|(role, content)| json!({ "role": role, "content": content }));
    let answer = content(answered()).prop_map(|content| json!({ "role": "assistant", "content": content }));
    let messages = (prop_oneof![message, answer], typed).prop_map(|(message, typed)| merged(message, typed));
    let items = prop_oneof![5 => messages, 2 => call(), 2 => output(), 1 => reasoning()];
    let known = (items, status()).prop_map(|(item, status)| merged(item, status));
    let opaque = prop_oneof![
        Just(json!({ "type": "web_search_call", "id": "ws", "action": { "query": "q" } })),
        Just(json!({ "type": "shell_call_output", "call_id": "c", "output": [] })),
    ];
    strewn(prop_oneof![8 => known, 1 => opaque]).boxed()
}

fn tool() -> BoxedStrategy<Value> {
    let more = some_of(vec![
        ("description", string()),
        ("parameters", Just(json!({ "type": "object", "properties": { "b": {}, "a": {} } })).boxed()),
        ("strict", any::<bool>().prop_map(Value::from).boxed()),
    ]);
    let function = more.prop_map(|more| merged(json!({ "type": "function", "name": "f" }), more));
    let custom = Just(json!({ "type": "custom", "name": "c", "format": { "type": "text" } }));
    strewn(prop_oneof![3 => function, 1 => custom, 1 => Just(json!({ "type": "web_search" }))]).boxed()
}

/// A request.
pub(super) fn request() -> BoxedStrategy<Value> {
    let choice = prop_oneof![
        Just(json!("auto")),
        Just(json!({ "type": "function", "name": "f" })),
        Just(
            json!({ "type": "allowed_tools", "mode": "required", "tools": [{ "type": "function", "name": "f" }] })
        ),
        Just(json!({ "type": "moon" })),
    ];
    let format = prop_oneof![
        Just(json!({ "type": "text" })),
        Just(json!({ "type": "json_schema", "name": "n", "schema": { "type": "object" }, "strict": true })),
        Just(json!({ "type": "grammar" })),
    ];
    let include = prop_oneof![
        Just(json!([])),
        Just(json!(["reasoning.encrypted_content", "message.output_text.logprobs"])),
        Just(json!(["message.output_text.logprobs", "reasoning.encrypted_content"])),
        Just(json!(["file_search_call.results"])),
    ];
    let fields = some_of(vec![
        ("instructions", prop_oneof![string(), Just(json!("")), Just(Value::Null)].boxed()),
        ("tools", prop::collection::vec(tool(), 0..3).prop_map(Value::from).boxed()),
        ("tool_choice", choice.boxed()),
        ("parallel_tool_calls", any::<bool>().prop_map(Value::from).boxed()),
        ("max_output_tokens", Just(json!(99)).boxed()),
        ("temperature", number()),
        ("top_logprobs", Just(json!(2)).boxed()),
        ("text", strewn(some_of(vec![("format", format.boxed()), ("verbosity", string())])).boxed()),
        (
            "reasoning",
            strewn(some_of(vec![
                ("effort", prop_oneof![Just(json!("low")), Just(json!("titanic"))].boxed()),
                ("summary", Just(json!("auto")).boxed()),
            ]))
            .boxed(),
        ),
        ("include", include.boxed()),
        ("metadata", Just(json!({ "k": "v" })).boxed()),
        ("store", any::<bool>().prop_map(Value::from).boxed()),
        ("background", prop_oneof![Just(json!(false)), Just(Value::Null)].boxed()),
        ("truncation", prop_oneof![Just(json!("auto")), Just(json!("disabled"))].boxed()),
        ("stream", any::<bool>().prop_map(Value::from).boxed()),
        ("stream_options", Just(json!({ "include_obfuscation": true })).boxed()),
    ]);
    let input = prop_oneof![
        1 => string(),
        1 => Just(json!("")),
        6 => prop::collection::vec(item(), 0..8).prop_map(Value::from),
    ];
    strewn(
        (fields, input).prop_map(|(fields, input)| merged(json!({ "model": "m", "input": input }), fields)),
    )
    .boxed()
}

/// An answer.
pub(super) fn response() -> BoxedStrategy<Value> {
    let message = (prop::collection::vec(answered(), 1..4), 0..9_u32).prop_map(|(content, id)| {
        json!({ "type": "message", "id": format!("msg_{id}"), "role": "assistant", "status": "completed", "content": content })
    });
    let search = Just(json!({ "type": "web_search_call", "id": "ws", "status": "completed" }));
    let item = prop_oneof![4 => message, 2 => call(), 2 => reasoning(), 1 => search];
    let ending = prop_oneof![
        Just(json!({ "status": "completed" })),
        Just(json!({ "status": "incomplete", "incomplete_details": { "reason": "max_output_tokens" } })),
        Just(json!({ "status": "incomplete", "incomplete_details": { "reason": "steered" } })),
    ];
    let usage = (0..99_u64, 0..99_u64, 0..99_u64).prop_map(|(input, cached, output)| {
        json!({
            "input_tokens": input + cached, "input_tokens_details": { "cached_tokens": cached },
            "output_tokens": output, "output_tokens_details": { "reasoning_tokens": output / 2 },
            "total_tokens": input + cached + output
        })
    });
    (prop::collection::vec(strewn(item), 0..5), ending, usage)
        .prop_map(|(output, ending, usage)| {
            merged(
                json!({ "id": "resp_1", "created_at": 7, "model": "m", "output": output, "usage": usage }),
                ending,
            )
        })
        .boxed()
}
