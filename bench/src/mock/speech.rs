//! What the upstream says in each of its APIs: one answer, and the events of one stream. Always the same, made once.
//!
//! Shapes: OpenAI's API reference, "Create chat completion" and "Chat completion chunk object"; Anthropic's API
//! reference, "Create a Message", and <https://platform.claude.com/docs/en/build-with-claude/streaming>; Gemini's
//! `GenerateContentResponse` (<https://ai.google.dev/api/generate-content>).

use bytes::Bytes;

/// Chunks of content in a stream. OpenAI's events are four more: role, finish, usage, `[DONE]`.
pub(super) const CHUNKS: usize = 100;

const USAGE: &str = r#"{"prompt_tokens":180,"completion_tokens":160,"total_tokens":340,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}"#;

/// An answer and a stream.
#[derive(Debug)]
pub(super) struct Speech {
    /// About 1.2 KB.
    pub(super) answer: Bytes,
    pub(super) events: Vec<Bytes>,
}

/// Everything that is said.
#[derive(Debug)]
pub(super) struct Speeches {
    pub(super) openai: Speech,
    pub(super) anthropic: Speech,
    pub(super) gemini: Speech,
}

impl Speeches {
    pub(super) fn new() -> Self {
        Self { openai: openai(), anthropic: anthropic(), gemini: gemini() }
    }
}

fn content() -> String {
    "A trunk line joins two exchanges and carries many calls at once. ".repeat(11)
}

fn words() -> impl Iterator<Item = &'static str> {
    ["A", " trunk", " line", " joins", " two", " exchanges", "."].into_iter().cycle().take(CHUNKS)
}

fn openai() -> Speech {
    let head = |object: &str| {
        format!(
            r#"{{"id":"chatcmpl-9f8e7d6c5b4a39281706f5e4d3c2b1a0","object":"{object}","created":1793577600,"model":"chat","system_fingerprint":"fp_44709d6fcb","#
        )
    };
    let answer = format!(
        r#"{}"choices":[{{"index":0,"message":{{"role":"assistant","content":"{}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{USAGE}}}"#,
        head("chat.completion"),
        content(),
    );
    let head = head("chat.completion.chunk");
    let chunk = |choices: &str, usage: &str| {
        Bytes::from(format!("data: {head}\"choices\":[{choices}],\"usage\":{usage}}}\n\n"))
    };
    let choice = |delta: &str, finish: &str| {
        format!(r#"{{"index":0,"delta":{{{delta}}},"logprobs":null,"finish_reason":{finish}}}"#)
    };
    let mut events = vec![chunk(&choice(r#""role":"assistant","content":"""#, "null"), "null")];
    events.extend(words().map(|word| chunk(&choice(&format!(r#""content":"{word}""#), "null"), "null")));
    events.push(chunk(&choice("", r#""stop""#), "null"));
    events.push(chunk("", USAGE));
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    Speech { answer: Bytes::from(answer), events }
}

fn anthropic() -> Speech {
    let message = |content: &str, stop: &str, output: u32| {
        format!(
            r#"{{"id":"msg_01Trunk","type":"message","role":"assistant","model":"messages","content":[{content}],"stop_reason":{stop},"stop_sequence":null,"usage":{{"input_tokens":180,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0}},"output_tokens":{output},"service_tier":"standard"}}}}"#
        )
    };
    let answer = message(&format!(r#"{{"type":"text","text":"{}"}}"#, content()), r#""end_turn""#, 160);
    let event = |kind: &str, rest: &str| {
        Bytes::from(format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n"))
    };
    let mut events = vec![
        event("message_start", &format!(r#","message":{}"#, message("", "null", 1))),
        event("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#),
    ];
    events.extend(words().map(|word| {
        let delta = format!(r#","index":0,"delta":{{"type":"text_delta","text":"{word}"}}"#);
        event("content_block_delta", &delta)
    }));
    events.push(event("content_block_stop", r#","index":0"#));
    let end = r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":160}"#;
    events.push(event("message_delta", end));
    events.push(event("message_stop", ""));
    Speech { answer: Bytes::from(answer), events }
}

fn gemini() -> Speech {
    let response = |text: &str, finish: &str, usage: &str| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}}{finish},"index":0}}],"usageMetadata":{{"promptTokenCount":180{usage},"promptTokensDetails":[{{"modality":"TEXT","tokenCount":180}}]}},"modelVersion":"generate","responseId":"pLs1aI7eLpqQmNcPx9fB"}}"#
        )
    };
    let (finish, usage) =
        (r#","finishReason":"STOP""#, r#","candidatesTokenCount":160,"totalTokenCount":340"#);
    let answer = response(&content(), finish, usage);
    let event = |response: String| Bytes::from(format!("data: {response}\n\n"));
    let mut events: Vec<Bytes> =
        words().map(|word| event(response(word, "", r#","totalTokenCount":180"#))).collect();
    if let Some(last) = events.last_mut() {
        *last = event(response(".", finish, usage));
    }
    Speech { answer: Bytes::from(answer), events }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn answers_are_what_clients_of_each_api_read() {
        let Speeches { openai, anthropic, gemini } = Speeches::new();
        let read = |speech: &Speech| serde_json::from_slice::<Value>(&speech.answer).unwrap();
        assert_eq!(read(&openai)["choices"][0]["message"]["role"], "assistant");
        assert_eq!(read(&openai)["usage"]["total_tokens"], 340);
        assert_eq!(read(&anthropic)["content"][0]["type"], "text");
        assert_eq!(read(&anthropic)["usage"]["output_tokens"], 160);
        assert_eq!(read(&gemini)["candidates"][0]["finishReason"], "STOP");
        assert_eq!(read(&gemini)["usageMetadata"]["candidatesTokenCount"], 160);
        for (speech, events) in [(openai, CHUNKS + 4), (anthropic, CHUNKS + 5), (gemini, CHUNKS)] {
            assert!((1_000..1_600).contains(&speech.answer.len()), "{}", speech.answer.len());
            assert_eq!(speech.events.len(), events);
            for event in &speech.events {
                let text = std::str::from_utf8(event).unwrap().trim_end();
                let (_, json) = text.split_once("data: ").unwrap();
                assert!(json == "[DONE]" || serde_json::from_str::<Value>(json).is_ok(), "{text}");
            }
        }
    }
}
