//! Requests and answers of Bedrock's dialect, as JSON, made up at random: every documented shape, in any combination, with
//! unknown members strewn in.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::generate::{merged, number, some_of, strewn, text};

/// A text that is not blank.
fn words() -> BoxedStrategy<String> {
    text().prop_map(|text| format!("w{text}")).boxed()
}

fn wrapped(member: &'static str, inner: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    strewn(strewn(inner).prop_map(move |inner| json!({ member: inner }))).boxed()
}

fn source() -> BoxedStrategy<Value> {
    let s3 = strewn(Just(json!({ "uri": "s3://bucket/a" })));
    strewn(prop_oneof![
        2 => Just(json!({ "bytes": "AAAA" })),
        1 => s3.prop_map(|s3| json!({ "s3Location": s3 })),
    ])
    .boxed()
}

fn media(member: &'static str, formats: &'static [&'static str]) -> BoxedStrategy<Value> {
    let format = prop::sample::select(formats);
    wrapped(
        member,
        (format, source()).prop_map(|(format, source)| json!({ "format": format, "source": source })),
    )
}

fn document() -> BoxedStrategy<Value> {
    let source = prop_oneof![
        source(),
        words().prop_map(|text| json!({ "text": text })),
        prop::collection::vec(words().prop_map(|text| json!({ "text": text })), 0..3)
            .prop_map(|content| json!({ "content": content })),
    ];
    let more = some_of(vec![
        ("context", words().prop_map(Value::from).boxed()),
        (
            "citations",
            strewn(some_of(vec![("enabled", any::<bool>().prop_map(Value::from).boxed())])).boxed(),
        ),
    ]);
    let name = prop_oneof![Just("Plain (1)"), Just("odd_name.pdf"), Just("two  spaces")];
    let document = (source, more, name).prop_map(|(source, more, name)| {
        merged(json!({ "format": "pdf", "name": name, "source": source }), more)
    });
    wrapped("document", document)
}

fn citation() -> BoxedStrategy<Value> {
    let content = prop_oneof![
        Just(json!([{ "text": "a" }])),
        Just(json!([{ "text": "a" }, { "text": "b", "x": 1 }])),
        Just(json!([])),
    ];
    let location = prop_oneof![
        Just(json!({ "web": { "url": "https://a.test", "domain": "a.test" } })),
        Just(json!({ "documentChar": { "documentIndex": 0, "start": 1, "end": 2 } })),
    ];
    strewn(some_of(vec![
        ("title", words().prop_map(Value::from).boxed()),
        ("source", words().prop_map(Value::from).boxed()),
        ("sourceContent", content.boxed()),
        ("location", location.boxed()),
    ]))
    .boxed()
}

fn cited() -> BoxedStrategy<Value> {
    (words(), prop::collection::vec(citation(), 1..3))
        .prop_map(|(text, citations)| {
            json!({ "citationsContent": { "content": [{ "text": text }], "citations": citations } })
        })
        .boxed()
}

fn said() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => strewn(words().prop_map(|text| json!({ "text": text }))),
        1 => media("image", &["png", "jpeg", "gif", "webp"]),
        1 => media("video", &["mp4", "three_gp", "mpg"]),
        1 => media("audio", &["mp3", "wav", "x-aac"]),
        1 => document(),
        1 => Just(json!({ "guardContent": { "text": { "text": "g" } } })),
        1 => Just(json!({ "searchResult": { "source": "s", "title": "t", "content": [] } })),
    ]
    .boxed()
}

fn result(id: usize) -> BoxedStrategy<Value> {
    let inner = prop_oneof![
        2 => strewn(words().prop_map(|text| json!({ "text": text }))),
        2 => number().prop_map(|number| json!({ "json": { "a": [number, 1.0] } })),
        1 => media("image", &["png"]),
        1 => document(),
    ];
    let members =
        some_of(vec![("status", prop_oneof![Just(json!("success")), Just(json!("error"))].boxed())]);
    let result = (members, prop::collection::vec(inner, 0..3)).prop_map(move |(members, content)| {
        merged(json!({ "toolUseId": format!("tooluse_{id}"), "content": content }), members)
    });
    wrapped("toolResult", result)
}

fn call() -> BoxedStrategy<Value> {
    let input = prop_oneof![Just(json!({})), words().prop_map(|text| json!({ "a": text, "b": [1, 1.5] }))];
    let kind = some_of(vec![("type", Just(json!("tool_use")).boxed())]);
    let call = (0..9_usize, input, kind).prop_map(|(id, input, kind)| {
        merged(json!({ "toolUseId": format!("tooluse_{id}"), "name": "f", "input": input }), kind)
    });
    wrapped("toolUse", call)
}

fn thought() -> BoxedStrategy<Value> {
    let signed = (words(), prop_oneof![Just(""), Just("c2ln")]);
    let text =
        signed.prop_map(|(text, state)| json!({ "reasoningText": { "text": text, "signature": state } }));
    wrapped(
        "reasoningContent",
        prop_oneof![
            2 => text,
            1 => words().prop_map(|text| json!({ "reasoningText": { "text": text } })),
            1 => Just(json!({ "reasoningText": { "text": "", "signature": "c2ln" } })),
            1 => Just(json!({ "redactedContent": "ZGF0YQ==" })),
        ],
    )
}

fn answered() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => strewn(words().prop_map(|text| json!({ "text": text }))),
        2 => call(),
        2 => thought(),
        1 => cited(),
        1 => Just(json!({ "toolUse": { "toolUseId": "s", "name": "w", "type": "server_tool_use", "input": { "q": 1 } } })),
    ]
    .boxed()
}

/// Blocks, some with a cache point behind.
fn blocks(block: BoxedStrategy<Value>) -> BoxedStrategy<Vec<Value>> {
    let point = prop_oneof![
        4 => Just(vec![]),
        1 => strewn(strewn(Just(json!({ "type": "default", "ttl": "5m" }))).prop_map(|point| json!({ "cachePoint": point })))
            .prop_map(|point| vec![point]),
        1 => Just(vec![json!({ "cachePoint": { "type": "default" } }), json!({ "cachePoint": { "type": "default" } })]),
    ];
    prop::collection::vec((block, point), 0..4)
        .prop_map(|blocks| {
            blocks.into_iter().flat_map(|(block, points)| std::iter::once(block).chain(points)).collect()
        })
        .boxed()
}

fn message() -> BoxedStrategy<Value> {
    let users = prop_oneof![3 => said(), 2 => (0..9_usize).prop_flat_map(result)].boxed();
    let of = |role: &'static str, block| {
        blocks(block).prop_map(move |content| json!({ "role": role, "content": content }))
    };
    strewn(prop_oneof![
        4 => of("user", users),
        3 => of("assistant", answered()),
        1 => of("system", words().prop_map(|text| json!({ "text": text })).boxed()),
    ])
    .boxed()
}

fn tool() -> BoxedStrategy<Value> {
    let more = some_of(vec![
        ("description", words().prop_map(Value::from).boxed()),
        ("strict", any::<bool>().prop_map(Value::from).boxed()),
    ]);
    let schema = strewn(Just(json!({ "json": { "type": "object" } })));
    let spec =
        (more, schema).prop_map(|(more, schema)| merged(json!({ "name": "f", "inputSchema": schema }), more));
    prop_oneof![3 => wrapped("toolSpec", spec), 1 => Just(json!({ "systemTool": { "name": "g" } }))].boxed()
}

fn inference() -> BoxedStrategy<Value> {
    let share = prop_oneof![Just(json!(0)), Just(json!(0.5)), Just(json!(1.0))];
    strewn(some_of(vec![
        ("maxTokens", Just(json!(4000)).boxed()),
        ("temperature", share.clone().boxed()),
        ("topP", share.boxed()),
        ("stopSequences", prop_oneof![Just(json!([])), Just(json!(["a", "b"]))].boxed()),
    ]))
    .boxed()
}

/// A request.
pub(super) fn request() -> BoxedStrategy<Value> {
    let choice = prop_oneof![
        Just(json!({ "auto": {} })),
        Just(json!({ "any": {} })),
        Just(json!({ "tool": { "name": "f" } })),
        Just(json!({ "tool": {} })),
        Just(json!({ "moon": {} })),
    ];
    let tools = strewn((blocks(tool()), some_of(vec![("toolChoice", choice.boxed())])).prop_map(
        |(mut tools, choice)| {
            tools.push(json!({ "toolSpec": { "name": "last", "inputSchema": { "json": {} } } }));
            merged(json!({ "tools": tools }), choice)
        },
    ));
    let thinking = prop_oneof![
        Just(json!({ "type": "enabled", "budget_tokens": 2048 })),
        Just(json!({ "type": "adaptive", "x_future": 1 })),
        Just(json!({ "type": "sideways" })),
    ];
    let additional = strewn(some_of(vec![
        ("thinking", thinking.boxed()),
        ("top_k", prop_oneof![Just(json!(5)), Just(json!("many"))].boxed()),
        ("anthropic_beta", Just(json!(["b"])).boxed()),
    ]));
    let format = prop_oneof![
        Just(
            json!({ "type": "json_schema", "structure": { "jsonSchema": { "schema": "{\"a\": 1}", "name": "n" } } })
        ),
        Just(json!({ "type": "json_schema", "structure": { "jsonSchema": { "schema": "none" } } })),
        Just(json!({ "type": "xml" })),
    ];
    let output = strewn(some_of(vec![
        ("effort", prop_oneof![Just(json!("high")), Just(json!("moderate"))].boxed()),
        ("textFormat", format.boxed()),
    ]));
    let system = prop_oneof![
        2 => words().prop_map(|text| json!({ "text": text })),
        1 => Just(json!({ "guardContent": { "text": { "text": "g" } } })),
    ];
    let fields = some_of(vec![
        ("system", blocks(system.boxed()).prop_map(Value::from).boxed()),
        ("messages", prop::collection::vec(message(), 0..6).prop_map(Value::from).boxed()),
        ("toolConfig", tools.boxed()),
        ("inferenceConfig", inference()),
        ("additionalModelRequestFields", additional.boxed()),
        ("outputConfig", output.boxed()),
        ("requestMetadata", Just(json!({ "team": "a" })).boxed()),
        ("serviceTier", strewn(Just(json!({ "type": "flex" }))).boxed()),
        ("guardrailConfig", Just(json!({ "trace": "enabled" })).boxed()),
    ]);
    strewn(fields).boxed()
}

/// An answer.
pub(super) fn response() -> BoxedStrategy<Value> {
    let stop = prop_oneof![
        Just("end_turn"),
        Just("tool_use"),
        Just("guardrail_intervened"),
        Just("malformed_tool_use"),
        Just("moonrise")
    ];
    let usage = (0..99_u64, 0..99_u64, 0..99_u64).prop_map(|(input, cached, output)| {
        json!({
            "inputTokens": input, "outputTokens": output, "totalTokens": input + cached + output + 5,
            "cacheReadInputTokens": cached, "cacheWriteInputTokens": 5,
            "cacheDetails": [{ "ttl": "1h", "inputTokens": 2 }, { "ttl": "5m", "inputTokens": 3 }],
        })
    });
    let more = some_of(vec![
        ("serviceTier", Just(json!({ "type": "default" })).boxed()),
        ("metrics", Just(json!({ "latencyMs": 1 })).boxed()),
        ("trace", Just(json!({ "promptRouter": {} })).boxed()),
    ]);
    (prop::collection::vec(answered(), 0..5), stop, usage, more)
        .prop_map(|(content, stop, usage, more)| {
            let message = json!({ "role": "assistant", "content": content });
            merged(json!({ "output": { "message": message }, "stopReason": stop, "usage": usage }), more)
        })
        .boxed()
}
