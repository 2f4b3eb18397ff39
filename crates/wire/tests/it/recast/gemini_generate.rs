//! Requests and answers of Gemini's dialect, as JSON, made up at random: every documented shape, in any combination, with
//! unknown members strewn in.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::generate::{merged, number, some_of, strewn, string, text};

fn signature() -> BoxedStrategy<Value> {
    prop_oneof![3 => Just(json!({})), 1 => Just(json!({ "thoughtSignature": "c2ln" }))].boxed()
}

fn medium() -> BoxedStrategy<Value> {
    let mime = prop_oneof![Just("image/png"), Just("audio/wav"), Just("video/mp4"), Just("application/pdf")];
    let inline = strewn(mime.clone().prop_map(|mime| json!({ "mimeType": mime, "data": "AAAA" })));
    let uri = prop_oneof![
        Just("https://generativelanguage.googleapis.com/v1beta/files/a"),
        Just("https://a.test/b"),
        Just("gs://b/c"),
    ];
    let file = strewn((mime, uri).prop_map(|(mime, uri)| json!({ "mimeType": mime, "fileUri": uri })));
    prop_oneof![
        inline.prop_map(|blob| json!({ "inlineData": blob })),
        file.prop_map(|file| json!({ "fileData": file })),
    ]
    .boxed()
}

fn said() -> BoxedStrategy<Value> {
    let part = prop_oneof![
        4 => text().prop_map(|text| json!({ "text": text })),
        1 => Just(json!({ "text": "" })),
        1 => Just(json!({ "text": "a", "thought": false })),
        2 => medium(),
        1 => Just(json!({ "hologram": { "a": 1.0 } })),
        1 => Just(json!({ "executableCode": { "language": "PYTHON", "code": "1" } })),
    ];
    strewn(part).boxed()
}

fn result(id: usize) -> BoxedStrategy<Value> {
    let response = prop_oneof![
        text().prop_map(|text| json!({ "output": text })),
        text().prop_map(|text| json!({ "error": text })),
        Just(json!({})),
        Just(json!({ "a": [1, 1.5], "output": "x" })),
    ];
    let media = some_of(vec![("parts", prop::collection::vec(medium(), 1..3).prop_map(Value::from).boxed())]);
    let made = (response, media).prop_map(move |(response, media)| {
        merged(json!({ "id": format!("fc_{id}"), "name": "f", "response": response }), media)
    });
    strewn(strewn(made).prop_map(|result| json!({ "functionResponse": result }))).boxed()
}

fn call() -> BoxedStrategy<Value> {
    let args = prop_oneof![Just(json!({})), text().prop_map(|text| json!({ "a": text, "b": [1, 1.5] }))];
    let call = strewn(
        (0..9_usize, args)
            .prop_map(|(id, args)| json!({ "id": format!("fc_{id}"), "name": "f", "args": args })),
    );
    (call, signature())
        .prop_map(|(call, signature)| merged(json!({ "functionCall": call }), signature))
        .boxed()
}

/// Parts of answers, each unlike the ones beside it.
fn answered() -> BoxedStrategy<Vec<Value>> {
    let thought = (text(), signature())
        .prop_map(|(text, signature)| merged(json!({ "text": text, "thought": true }), signature));
    let text = (text(), signature()).prop_map(|(text, signature)| merged(json!({ "text": text }), signature));
    let other = prop_oneof![
        call(),
        Just(json!({ "executableCode": { "language": "PYTHON", "code": "1" } })),
        Just(json!({ "inlineData": { "mimeType": "image/png", "data": "AAAA" } })),
    ];
    prop::collection::vec((thought, text, other), 0..3)
        .prop_map(|all| all.into_iter().flat_map(|(a, b, c)| [a, b, c]).collect())
        .boxed()
}

fn content() -> BoxedStrategy<Value> {
    let users = prop_oneof![3 => said(), 2 => (0..9_usize).prop_flat_map(result)];
    let user = prop::collection::vec(users, 0..4);
    let content = prop_oneof![
        3 => user.clone().prop_map(|parts| json!({ "role": "user", "parts": parts })),
        1 => user.prop_map(|parts| json!({ "parts": parts })),
        3 => answered().prop_map(|parts| json!({ "role": "model", "parts": parts })),
    ];
    strewn(content).boxed()
}

fn tool() -> BoxedStrategy<Value> {
    let schema = prop_oneof![
        Just(
            json!({ "parameters": { "type": "OBJECT", "properties": { "a": { "type": "STRING", "nullable": true } } } })
        ),
        Just(json!({ "parameters": { "type": "object" } })),
        Just(json!({ "parameters": { "type": "OBJECT", "items": { "type": "string" } } })),
        Just(json!({ "parametersJsonSchema": { "type": "object" } })),
        Just(json!({})),
    ];
    let function = (schema, some_of(vec![("description", string())]))
        .prop_map(|(schema, more)| merged(merged(json!({ "name": "f" }), schema), more));
    let functions = prop::collection::vec(strewn(function), 0..3);
    prop_oneof![
        3 => strewn(functions.prop_map(|functions| json!({ "functionDeclarations": functions }))).boxed(),
        1 => Just(json!({ "googleSearch": {} })).boxed(),
    ]
    .boxed()
}

/// A request.
pub(super) fn request() -> BoxedStrategy<Value> {
    let calling = prop_oneof![
        Just(json!({ "mode": "AUTO" })),
        Just(json!({ "mode": "NONE" })),
        Just(json!({ "mode": "ANY" })),
        Just(json!({ "mode": "ANY", "allowedFunctionNames": ["f"] })),
        Just(json!({ "mode": "ANY", "allowedFunctionNames": ["f", "g"] })),
        Just(json!({ "mode": "VALIDATED", "allowedFunctionNames": ["f", "g"] })),
        Just(json!({ "mode": "VALIDATED" })),
        Just(json!({ "mode": "VALIDATED", "allowedFunctionNames": [] })),
        Just(json!({ "mode": "MOON" })),
    ];
    let thinking = prop_oneof![
        Just(json!({ "thinkingBudget": 0 })),
        Just(json!({ "thinkingBudget": 1024, "includeThoughts": true })),
        Just(json!({ "thinkingLevel": "HIGH", "x_future": 1 })),
        Just(json!({})),
    ];
    let format = prop_oneof![
        Just(json!({})),
        Just(json!({ "responseMimeType": "application/json" })),
        Just(json!({ "responseMimeType": "text/plain" })),
        Just(json!({ "responseMimeType": "application/json", "responseSchema": { "type": "STRING" } })),
        Just(json!({ "responseMimeType": "application/json", "responseJsonSchema": { "type": "string" } })),
        Just(json!({ "responseMimeType": "text/x.enum", "responseSchema": { "type": "STRING" } })),
    ];
    let config = some_of(vec![
        ("temperature", number()),
        ("topP", number()),
        ("topK", prop_oneof![Just(json!(5)), Just(json!(1.5))].boxed()),
        ("candidateCount", Just(json!(2)).boxed()),
        ("maxOutputTokens", Just(json!(9)).boxed()),
        ("stopSequences", prop_oneof![Just(json!([])), Just(json!(["a", "b"]))].boxed()),
        ("seed", Just(json!(-7)).boxed()),
        ("responseLogprobs", any::<bool>().prop_map(Value::from).boxed()),
        ("responseModalities", prop_oneof![Just(json!(["TEXT"])), Just(json!(["SMELL"]))].boxed()),
        ("thinkingConfig", thinking.boxed()),
        ("mediaResolution", Just(json!("MEDIA_RESOLUTION_LOW")).boxed()),
        ("imageConfig", Just(Value::Null).boxed()),
    ]);
    let config = (config, format).prop_map(|(config, format)| merged(config, format));
    let fields = some_of(vec![
        ("systemInstruction", strewn(prop::collection::vec(text(), 1..3).prop_map(|all| json!({ "parts": all.into_iter().map(|text| json!({ "text": text })).collect::<Vec<_>>() }))).boxed()),
        ("tools", prop::collection::vec(tool(), 0..4).prop_map(Value::from).boxed()),
        ("toolConfig", strewn(some_of(vec![("functionCallingConfig", calling.boxed())])).boxed()),
        ("generationConfig", strewn(config).boxed()),
        ("safetySettings", Just(json!([])).boxed()),
        ("cachedContent", string()),
        ("serviceTier", prop_oneof![Just(json!("standard")), Just(json!("flex"))].boxed()),
    ]);
    let contents = prop::collection::vec(content(), 0..6);
    strewn((fields, contents).prop_map(|(fields, contents)| merged(json!({ "contents": contents }), fields)))
        .boxed()
}

/// An answer.
pub(super) fn response() -> BoxedStrategy<Value> {
    let finish =
        prop_oneof![Just("STOP"), Just("MAX_TOKENS"), Just("RECITATION"), Just("MALFORMED_FUNCTION_CALL")];
    let candidate = (answered(), finish).prop_map(
        |(parts, finish)| json!({ "content": { "role": "model", "parts": parts }, "finishReason": finish }),
    );
    let usage = (0..99_u64, 0..99_u64, 0..99_u64).prop_map(|(prompt, cached, output)| {
        json!({
            "promptTokenCount": prompt + cached + 7, "cachedContentTokenCount": cached, "candidatesTokenCount": output,
            "thoughtsTokenCount": 3, "totalTokenCount": prompt + cached + 7 + output + 3,
            "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": prompt + cached }, { "modality": "AUDIO", "tokenCount": 7 }],
            "serviceTier": "standard",
        })
    });
    (prop::collection::vec(candidate, 1..3), usage)
        .prop_map(|(mut candidates, usage)| {
            for (index, candidate) in candidates.iter_mut().enumerate() {
                candidate["index"] = json!(index);
            }
            json!({ "candidates": candidates, "usageMetadata": usage, "modelVersion": "m", "responseId": "r-1" })
        })
        .boxed()
}
