//! Requests and answers of Cohere's dialect, as JSON, made up at random: every documented shape, in any combination, with
//! unknown members strewn in.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::generate::{merged, some_of, strewn, string, text};

fn within(least: i32, most: i32) -> BoxedStrategy<Value> {
    (least..=most).prop_map(|hundredths| json!(f64::from(hundredths) / 100.0)).boxed()
}

fn part() -> BoxedStrategy<Value> {
    let image = strewn(some_of(vec![("detail", Just(json!("low")).boxed())])).prop_map(|more| {
        let url = merged(json!({ "url": "https://example.test/a.png" }), more);
        json!({ "type": "image_url", "image_url": url })
    });
    let kinds = prop_oneof![
        4 => text().prop_map(|text| json!({ "type": "text", "text": text })),
        1 => Just(json!({ "type": "text", "text": "" })),
        1 => image,
        1 => Just(json!({ "type": "image_url", "image_url": { "url": "data:image/webp;base64,AAAA" } })),
        1 => Just(json!({ "type": "hologram", "data": [1, 2] })),
    ];
    strewn(kinds).boxed()
}

fn content(part: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop_oneof![
        3 => string(),
        1 => Just(json!("")),
        2 => prop::collection::vec(part, 0..4).prop_map(Value::from),
    ]
    .boxed()
}

fn call(id: usize) -> BoxedStrategy<Value> {
    let arguments = prop_oneof![Just("{\"a\": 1}".to_owned()), Just(String::new()), text()];
    let function = strewn(
        (arguments, text()).prop_map(|(arguments, name)| json!({ "name": name, "arguments": arguments })),
    );
    strewn(function.prop_map(
        move |function| json!({ "id": format!("call_{id}"), "type": "function", "function": function }),
    ))
    .boxed()
}

fn citation() -> BoxedStrategy<Value> {
    let source = prop_oneof![
        Just(json!({ "type": "document", "id": "d", "document": { "title": "T", "url": "https://a.test" } })),
        Just(json!({ "type": "tool", "id": "t", "tool_output": { "url": 5, "x": [1.0] } })),
    ];
    (0..3_u64, source)
        .prop_map(|(start, source)| {
            json!({ "start": start, "end": start + 2, "text": "ab", "sources": [source], "type": "TEXT_CONTENT" })
        })
        .boxed()
}

fn said() -> BoxedStrategy<Vec<Value>> {
    let thinking = strewn(text().prop_map(|text| json!({ "type": "thinking", "thinking": text })));
    let text = strewn(text().prop_map(|text| json!({ "type": "text", "text": text })));
    prop::collection::vec(prop_oneof![thinking, text], 0..3).boxed()
}

fn answer() -> BoxedStrategy<Value> {
    let with_text =
        |content: &[Value]| content.iter().find(|block| block.get("type") == Some(&json!("text"))).cloned();
    let members = some_of(vec![
        ("tool_plan", string()),
        (
            "tool_calls",
            prop::collection::vec((0..9_usize).prop_flat_map(call), 1..3).prop_map(Value::from).boxed(),
        ),
    ]);
    (said(), members, prop::collection::vec(citation(), 0..3))
        .prop_map(move |(content, members, citations)| {
            let cited = with_text(&content).filter(|_| !citations.is_empty());
            let message = merged(json!({ "role": "assistant" }), members);
            let content = if content.is_empty() { json!({}) } else { json!({ "content": content }) };
            let citations = cited.map_or_else(|| json!({}), |_| json!({ "citations": citations }));
            merged(merged(message, content), citations)
        })
        .boxed()
}

fn message() -> BoxedStrategy<Value> {
    let document = prop_oneof![
        Just(json!({ "type": "document", "document": { "id": "d", "data": { "text": "t", "title": "T" } } })),
        Just(json!({ "type": "document", "document": { "data": { "rows": [1, 2.0] } } })),
        text().prop_map(|text| json!({ "type": "text", "text": text })),
    ];
    let messages = prop_oneof![
        1 => content(text().prop_map(|text| json!({ "type": "text", "text": text })).boxed())
            .prop_map(|content| json!({ "role": "system", "content": content })),
        3 => content(part()).prop_map(|content| json!({ "role": "user", "content": content })),
        3 => answer(),
        2 => (0..9_usize, content(document.boxed())).prop_map(
            |(id, content)| json!({ "role": "tool", "tool_call_id": format!("call_{id}"), "content": content })
        ),
    ];
    strewn(messages).boxed()
}

/// A request.
pub(super) fn request() -> BoxedStrategy<Value> {
    let function = (some_of(vec![("description", string())]), any::<bool>()).prop_map(|(more, takes)| {
        let base = if takes {
            json!({ "name": "f", "parameters": { "type": "object" } })
        } else {
            json!({ "name": "g" })
        };
        merged(base, more)
    });
    let tool = prop_oneof![
        4 => strewn(strewn(function).prop_map(|function| json!({ "type": "function", "function": function }))).boxed(),
        1 => Just(json!({ "type": "moon" })).boxed(),
    ];
    let format = prop_oneof![
        Just(json!({ "type": "text" })),
        Just(json!({ "type": "json_object" })),
        strewn(Just(json!({ "type": "json_object", "json_schema": { "type": "object" } }))),
        Just(json!({ "type": "grammar" })),
    ];
    let thinking = strewn(prop_oneof![
        Just(json!({ "type": "disabled" })),
        Just(json!({ "type": "enabled" })),
        Just(json!({ "type": "enabled", "token_budget": 100 })),
    ]);
    let fields = some_of(vec![
        ("tools", prop::collection::vec(tool, 0..4).prop_map(Value::from).boxed()),
        ("strict_tools", any::<bool>().prop_map(Value::from).boxed()),
        (
            "tool_choice",
            prop_oneof![Just(json!("REQUIRED")), Just(json!("NONE")), Just(json!("SOME"))].boxed(),
        ),
        ("documents", Just(json!(["a", { "data": { "text": "b" } }])).boxed()),
        ("citation_options", Just(json!({ "mode": "FAST" })).boxed()),
        ("response_format", format.boxed()),
        ("safety_mode", Just(json!("STRICT")).boxed()),
        ("max_tokens", (0..999_u64).prop_map(Value::from).boxed()),
        ("stop_sequences", prop::collection::vec(text(), 0..5).prop_map(Value::from).boxed()),
        ("temperature", within(0, 200)),
        ("seed", (0..99_i64).prop_map(Value::from).boxed()),
        ("frequency_penalty", within(0, 100)),
        ("presence_penalty", Just(json!(0)).boxed()),
        ("k", (0..=500_u64).prop_map(Value::from).boxed()),
        ("p", within(1, 99)),
        ("logprobs", any::<bool>().prop_map(Value::from).boxed()),
        ("thinking", thinking.boxed()),
        ("stream", any::<bool>().prop_map(Value::from).boxed()),
        ("priority", Just(Value::Null).boxed()),
    ]);
    let messages = prop::collection::vec(message(), 0..6).prop_map(Value::from);
    let request = (messages, fields)
        .prop_map(|(messages, fields)| merged(json!({ "model": "command-a", "messages": messages }), fields));
    strewn(request).boxed()
}

/// An answer.
pub(super) fn response() -> BoxedStrategy<Value> {
    let reasons = ["COMPLETE", "STOP_SEQUENCE", "MAX_TOKENS", "TOOL_CALL", "ERROR", "MOON"];
    let usage = (0..99_u64, 0..99_u64, 0..99_u64).prop_map(|(input, cached, output)| {
        json!({ "billed_units": { "input_tokens": input + cached, "output_tokens": output }, "cached_tokens": cached })
    });
    let logprobs = prop::collection::vec(
        string().prop_map(|text| json!({ "text": text, "token_ids": [1], "logprobs": [-0.5] })),
        1..3,
    );
    let members =
        some_of(vec![("usage", usage.boxed()), ("logprobs", logprobs.prop_map(Value::from).boxed())]);
    strewn((answer(), prop::sample::select(reasons.to_vec()), members).prop_map(
        |(message, reason, members)| {
            merged(json!({ "id": "a-1", "message": message, "finish_reason": reason }), members)
        },
    ))
    .boxed()
}
