//! Requests and answers of Anthropic's dialect, as JSON, made up at random: every documented shape, in any combination,
//! with unknown members strewn in.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::generate::{merged, number, some_of, strewn, string, text};

fn mark() -> BoxedStrategy<Value> {
    prop_oneof![
        3 => Just(json!({})),
        1 => Just(json!({ "cache_control": { "type": "ephemeral" } })),
        1 => Just(json!({ "cache_control": { "type": "ephemeral", "ttl": "1h", "x_future": 1 } })),
        1 => Just(json!({ "cache_control": { "type": "eternal" } })),
    ]
    .boxed()
}

fn citations() -> BoxedStrategy<Value> {
    let web = json!({ "type": "web_search_result_location", "url": "https://a.test", "title": null, "cited_text": "c", "encrypted_index": "Eo8B" });
    let page = json!({ "type": "page_location", "document_index": 0, "document_title": "T", "cited_text": "c", "start_page_number": 1, "end_page_number": 2 });
    let shown = json!({ "type": "search_result_location", "source": "s", "title": "T", "cited_text": "c", "search_result_index": 0, "start_block_index": 0, "end_block_index": 1 });
    prop_oneof![
        4 => Just(json!({})),
        1 => Just(json!({ "citations": [] })),
        1 => Just(json!({ "citations": null })),
        1 => Just(json!({ "citations": [web, page, shown] })),
    ]
    .boxed()
}

fn text_block() -> BoxedStrategy<Value> {
    (text(), citations(), mark())
        .prop_map(|(text, citations, mark)| {
            merged(merged(json!({ "type": "text", "text": text }), citations), mark)
        })
        .boxed()
}

fn image() -> BoxedStrategy<Value> {
    let source = prop_oneof![
        Just(json!({ "type": "base64", "media_type": "image/png", "data": "AAAA" })),
        Just(json!({ "type": "url", "url": "https://example.test/a.png" })),
        Just(json!({ "type": "file", "file_id": "file_1" })),
        Just(json!({ "type": "hologram", "data": "AAAA" })),
    ];
    strewn(source).prop_map(|source| json!({ "type": "image", "source": source })).boxed()
}

fn document() -> BoxedStrategy<Value> {
    let source = prop_oneof![
        Just(json!({ "type": "base64", "media_type": "application/pdf", "data": "AAAA" })),
        Just(json!({ "type": "text", "media_type": "text/plain", "data": "green" })),
        Just(json!({ "type": "content", "content": "one" })),
        prop::collection::vec(text_block(), 0..3)
            .prop_map(|content| json!({ "type": "content", "content": content })),
    ];
    let more = some_of(vec![
        ("title", string()),
        ("context", string()),
        ("citations", prop_oneof![Just(json!({ "enabled": true })), Just(json!({}))].boxed()),
    ]);
    (strewn(source), more)
        .prop_map(|(source, more)| merged(json!({ "type": "document", "source": source }), more))
        .boxed()
}

fn said() -> BoxedStrategy<Value> {
    let blocks = prop_oneof![
        4 => text_block(),
        1 => image(),
        1 => document(),
        1 => Just(json!({ "type": "search_result", "source": "s", "title": "t", "content": [] })),
        1 => Just(json!({ "type": "text", "text": "", "thinking": "odd" })),
    ];
    strewn((blocks, mark()).prop_map(|(block, mark)| merged(block, mark))).boxed()
}

fn result(id: usize) -> BoxedStrategy<Value> {
    let content =
        prop_oneof![string(), Just(json!("")), prop::collection::vec(said(), 0..3).prop_map(Value::from),];
    let members = some_of(vec![
        ("content", content.boxed()),
        ("is_error", any::<bool>().prop_map(Value::from).boxed()),
    ]);
    strewn(members.prop_map(move |members| {
        merged(json!({ "type": "tool_result", "tool_use_id": format!("toolu_{id}") }), members)
    }))
    .boxed()
}

/// Blocks of answers; `input` is an object, as the API has it.
fn answered() -> BoxedStrategy<Value> {
    let input = prop_oneof![Just(json!({})), text().prop_map(|text| json!({ "a": text, "b": [1, 1.5] }))];
    let call = (0..9_usize, input).prop_map(
        |(id, input)| json!({ "type": "tool_use", "id": format!("toolu_{id}"), "name": "f", "input": input }),
    );
    let block = prop_oneof![
        4 => text().prop_map(|text| json!({ "type": "text", "text": text })),
        2 => call,
        1 => text().prop_map(|text| json!({ "type": "thinking", "thinking": text, "signature": "c2ln" })),
        1 => Just(json!({ "type": "thinking", "thinking": "", "signature": "c2ln" })),
        1 => Just(json!({ "type": "redacted_thinking", "data": "ZGF0YQ==" })),
        1 => Just(json!({ "type": "server_tool_use", "id": "s", "name": "web_search", "input": { "query": "q" } })),
    ];
    strewn(block).boxed()
}

fn content(block: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop_oneof![
        3 => string(),
        1 => Just(json!("")),
        3 => prop::collection::vec(block, 0..4).prop_map(Value::from),
    ]
    .boxed()
}

fn message() -> BoxedStrategy<Value> {
    let users = prop_oneof![3 => said(), 2 => (0..9_usize).prop_flat_map(result)].boxed();
    let message = prop_oneof![
        4 => content(users).prop_map(|content| json!({ "role": "user", "content": content })),
        3 => content(answered()).prop_map(|content| json!({ "role": "assistant", "content": content })),
        1 => content(text_block()).prop_map(|content| json!({ "role": "system", "content": content })),
    ];
    strewn(message).boxed()
}

fn tool() -> BoxedStrategy<Value> {
    let more = some_of(vec![
        ("type", Just(json!("custom")).boxed()),
        ("description", string()),
        ("strict", any::<bool>().prop_map(Value::from).boxed()),
    ]);
    let own =
        more.prop_map(|more| merged(json!({ "name": "f", "input_schema": { "type": "object" } }), more));
    let servers = Just(json!({ "type": "web_search_20250305", "name": "web_search", "max_uses": 2 }));
    strewn((prop_oneof![3 => own, 1 => servers], mark()).prop_map(|(tool, mark)| merged(tool, mark))).boxed()
}

/// A request.
pub(super) fn request() -> BoxedStrategy<Value> {
    let choice = prop_oneof![
        Just(json!({ "type": "auto" })),
        Just(json!({ "type": "any", "disable_parallel_tool_use": true })),
        Just(json!({ "type": "tool", "name": "f", "disable_parallel_tool_use": false })),
        Just(json!({ "type": "none" })),
        Just(json!({ "type": "moon" })),
    ];
    let thinking = prop_oneof![
        Just(json!({ "type": "enabled", "budget_tokens": 2048 })),
        Just(json!({ "type": "adaptive", "display": "omitted", "x_future": 1 })),
        Just(json!({ "type": "disabled" })),
        Just(json!({ "type": "sideways" })),
    ];
    let config = some_of(vec![
        ("effort", prop_oneof![Just(json!("high")), Just(json!("none"))].boxed()),
        (
            "format",
            prop_oneof![
                Just(json!({ "type": "json_schema", "schema": { "type": "object" } })),
                Just(json!({ "type": "xml" }))
            ]
            .boxed(),
        ),
        ("task_budget", Just(json!({ "total": 1 })).boxed()),
    ]);
    let warmth = prop_oneof![Just(json!(0)), Just(json!(0.5)), Just(json!(1.0))];
    let fields = some_of(vec![
        ("system", content(text_block())),
        ("tools", prop::collection::vec(tool(), 0..3).prop_map(Value::from).boxed()),
        ("tool_choice", choice.boxed()),
        ("thinking", thinking.boxed()),
        ("output_config", config.boxed()),
        ("metadata", some_of(vec![("user_id", string()), ("x_future", number())]).boxed()),
        ("service_tier", prop_oneof![Just(json!("auto")), Just(json!("standard_only"))].boxed()),
        ("stop_sequences", prop_oneof![Just(json!([])), Just(json!(["a", "b"]))].boxed()),
        ("temperature", warmth.boxed()),
        ("top_p", Just(json!(0.9)).boxed()),
        ("top_k", Just(json!(5)).boxed()),
        ("stream", any::<bool>().prop_map(Value::from).boxed()),
        ("container", Just(Value::Null).boxed()),
    ]);
    let messages = prop::collection::vec(message(), 0..6);
    strewn((fields, messages).prop_map(|(fields, messages)| {
        merged(json!({ "model": "m", "max_tokens": 4000, "messages": messages }), fields)
    }))
    .boxed()
}

/// An answer.
pub(super) fn response() -> BoxedStrategy<Value> {
    let stop = prop_oneof![
        Just(json!({ "stop_reason": "end_turn" })),
        Just(json!({ "stop_reason": "tool_use" })),
        Just(json!({ "stop_reason": "stop_sequence", "stop_sequence": "x" })),
        Just(json!({ "stop_reason": "moonrise" })),
    ];
    let usage = (0..99_u64, 0..99_u64, 0..99_u64).prop_map(|(input, cached, output)| {
        json!({
            "input_tokens": input, "cache_read_input_tokens": cached, "cache_creation_input_tokens": 5,
            "cache_creation": { "ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 2 },
            "output_tokens": output, "output_tokens_details": { "thinking_tokens": output / 2 },
            "server_tool_use": { "web_search_requests": 1, "web_fetch_requests": 0 }, "service_tier": "standard"
        })
    });
    (prop::collection::vec(answered(), 0..5), stop, usage)
        .prop_map(|(content, stop, usage)| {
            let message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content, "usage": usage });
            merged(message, stop)
        })
        .boxed()
}
