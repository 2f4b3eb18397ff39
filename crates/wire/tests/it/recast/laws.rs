//! The laws every dialect keeps, on its fixtures. A new dialect adds a line to [`DIALECTS`].

use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, ChatResponse, StreamOptions, fold, unfold};

use super::{
    Case, Ending, TOLERANT, assert_sequential, bare_response, codec, decode_request, encode_request,
    event_stream, events, identity, json, stream, without_nulls,
};

/// The dialects and their fixtures.
const DIALECTS: &[(Dialect, &str)] = &[
    (Dialect::OpenaiChat, "openai_chat"),
    (Dialect::OpenaiResponses, "openai_responses"),
    (Dialect::AnthropicMessages, "anthropic_messages"),
    (Dialect::GeminiGenerate, "gemini_generate"),
    (Dialect::CohereChat, "cohere_chat"),
    (Dialect::OllamaChat, "ollama_chat"),
    (Dialect::BedrockConverse, "bedrock_converse"),
];

fn for_each(file: &str, check: impl Fn(Dialect, &Case, Vec<u8>)) {
    for (dialect, folder) in DIALECTS {
        for_each_of(*dialect, folder, file, &check);
    }
}

/// Streams, in the framing of their dialect. Messages of the binary one are written one a line, as what they hold by their
/// name.
fn for_each_stream(check: impl Fn(Dialect, &Case, Vec<u8>)) {
    for (dialect, folder) in DIALECTS {
        if *dialect == Dialect::BedrockConverse {
            for_each_of(*dialect, folder, "response.events.jsonl", &|dialect, case, lines| {
                check(dialect, case, event_stream(&lines));
            });
            continue;
        }
        let file = if *dialect == Dialect::OllamaChat { "response.ndjson" } else { "response.sse" };
        for_each_of(*dialect, folder, file, &check);
    }
}

fn for_each_of(dialect: Dialect, folder: &str, file: &str, check: &dyn Fn(Dialect, &Case, Vec<u8>)) {
    let mut seen = 0;
    for case in Case::all(folder) {
        if let Some(bytes) = case.file(file) {
            seen += 1;
            check(dialect, &case, bytes);
        }
    }
    assert!(seen > 0, "{folder} has no {file}");
}

/// Asks for usage in the stream, so that nothing of an answer stays unsaid.
fn asking_for_usage() -> ChatRequest {
    let options = StreamOptions { include_usage: Some(true), ..StreamOptions::default() };
    ChatRequest { stream: true, stream_options: Some(options), ..ChatRequest::default() }
}

/// An answer without the provider's own word for its end, which is only kept where it says the same as the class.
fn unworded(response: ChatResponse) -> ChatResponse {
    let mut response = bare_response(response);
    for finish in response.choices.iter_mut().filter_map(|choice| choice.finish.as_mut()) {
        finish.raw = "".into();
    }
    response
}

#[test]
fn requests_come_back_as_they_were_written() {
    for_each("request.json", |dialect, case, body| {
        let request = decode_request(dialect, &body);
        let (again, losses) = encode_request(dialect, &request, &TOLERANT);
        pretty_assert(&json(&again), &json(&body), &case.name);
        assert!(losses.is_empty(), "{}: {losses:?}", case.name);
        assert_eq!(decode_request(dialect, &again), request, "{}", case.name);
        assert_eq!(encode_request(dialect, &request, &TOLERANT).0, again, "the same request, the same bytes");
    });
}

#[test]
fn answers_come_back_as_they_were_written() {
    for_each("response.json", |dialect, case, body| {
        let response = codec(dialect).decode_response(&body, &TOLERANT).expect(&case.name);
        let request = asking_for_usage();
        let mut losses = trunkline_wire::recast::Losses::default();
        let again = codec(dialect).encode_response(&response, &identity(&response, &request), &mut losses);
        assert!(losses.is_empty(), "{}: {losses:?}", case.name);
        let reread = codec(dialect).decode_response(&again, &TOLERANT).expect("decodes");
        assert_eq!(unworded(reread), unworded(response), "{}", case.name);
    });
}

#[test]
fn a_stream_amounts_to_its_buffered_twin() {
    for_each_stream(|dialect, case, bytes| {
        let (events, ending) = events(dialect, &TOLERANT, [bytes.as_slice()]);
        assert_eq!(ending, Ending::Complete, "{}", case.name);
        assert_sequential(&events);
        let twin = case.file("response.json").expect("a twin");
        let buffered = codec(dialect).decode_response(&twin, &TOLERANT).expect("decodes");
        assert_eq!(bare_response(fold(events)), bare_response(buffered), "{}", case.name);
    });
}

#[test]
fn how_a_stream_is_cut_makes_no_difference() {
    for_each_stream(|dialect, case, bytes| {
        let whole = events(dialect, &TOLERANT, [bytes.as_slice()]);
        let single = events(dialect, &TOLERANT, bytes.chunks(1));
        assert_eq!(single, whole, "{}", case.name);
    });
}

#[test]
fn a_cut_stream_is_never_taken_for_a_whole_one() {
    for_each_stream(|dialect, case, bytes| {
        let (whole, _) = events(dialect, &TOLERANT, [bytes.as_slice()]);
        for length in 0..bytes.len() {
            let (part, ending) = events(dialect, &TOLERANT, [bytes.get(..length).unwrap()]);
            assert_eq!(ending == Ending::Complete, part == whole, "{} cut at {length}", case.name);
            assert!(ending == Ending::Complete || part.len() < whole.len());
        }
    });
}

#[test]
fn a_streamed_answer_can_be_streamed_on() {
    for_each("response.json", |dialect, case, body| {
        let response = codec(dialect).decode_response(&body, &TOLERANT).expect(&case.name);
        let request = asking_for_usage();
        let written = unfold(response.clone());
        assert_sequential(&written);
        let (bytes, losses) = stream(dialect, &written, &identity(&response, &request));
        assert!(losses.is_empty(), "{}: {losses:?}", case.name);
        let (read, ending) = events(dialect, &TOLERANT, [bytes.as_slice()]);
        assert_eq!(ending, Ending::Complete);
        assert_sequential(&read);
        assert_eq!(unworded(fold(read)), unworded(response), "{}", case.name);
    });
}

#[track_caller]
fn pretty_assert(left: &serde_json::Value, right: &serde_json::Value, name: &str) {
    let show = |value| serde_json::to_string_pretty(value).unwrap();
    assert!(left == right, "{name}\n--- is\n{}\n--- should be\n{}", show(left), show(right));
}

#[test]
fn what_an_answer_says_is_written_again() {
    for_each("response.json", |dialect, case, body| {
        let response = codec(dialect).decode_response(&body, &TOLERANT).expect(&case.name);
        let request = asking_for_usage();
        let mut losses = trunkline_wire::recast::Losses::default();
        let again = codec(dialect).encode_response(&response, &identity(&response, &request), &mut losses);
        // Where an answer is better said otherwise (thinking in the content, `stop` for tool calls), the case says how.
        let expected = case.file("response.rewritten.json").unwrap_or(body);
        pretty_assert(&without_nulls(json(&again)), &without_nulls(json(&expected)), &case.name);
    });
}
