//! OpenAI's chat dialect: the laws on made-up requests and answers, and requests that are none.

use proptest::prelude::*;
use serde_json::Value;
use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, PartKind, Role, StreamOptions, Turn, fold, unfold};
use trunkline_wire::codec::{LossKind, Subject};
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::Losses;

use super::openai_answers::read;
use super::{
    Ending, TOLERANT, assert_sequential, bare, bare_response, codec, decode_request, encode_request, events,
    generate, identity, stream,
};

pub(super) const CHAT: Dialect = Dialect::OpenaiChat;

pub(super) fn body(request: &ChatRequest, quirks: &Quirks) -> (Value, Vec<(String, Subject, LossKind)>) {
    let (bytes, losses) = encode_request(CHAT, request, quirks);
    let losses =
        losses.as_slice().iter().map(|loss| (loss.path.to_string(), loss.subject, loss.kind)).collect();
    (serde_json::from_slice(&bytes).unwrap(), losses)
}

pub(super) fn of_turns(turns: Vec<Turn>) -> ChatRequest {
    ChatRequest { model: "m".into(), turns, ..ChatRequest::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_request_comes_back_as_it_was_written(written in generate::request()) {
        let request = decode_request(CHAT, written.to_string().as_bytes());
        let (again, losses) = body(&request, &TOLERANT);
        prop_assert_eq!(again, written);
        prop_assert_eq!(losses, vec![]);
    }

    #[test]
    fn what_is_said_in_general_terms_is_read_back(written in generate::request()) {
        let mut request = bare(decode_request(CHAT, written.to_string().as_bytes()));
        // What only its own spelling carries is left out: it cannot be said in general terms.
        for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            part.signature = None;
            part.cache = None;
        }
        request.turns.iter_mut().for_each(|turn| turn.parts.retain(|part| !matches!(part.kind, PartKind::Reasoning(_))));
        let quirks = Quirks { extensions: &["top_k", "reasoning"], ..TOLERANT };
        request.tools.iter_mut().for_each(|tool| tool.cache = None);
        let (bytes, losses) = encode_request(CHAT, &request, &quirks);
        prop_assert!(losses.is_empty(), "{:?}", losses);
        prop_assert_eq!(bare(decode_request(CHAT, &bytes)), request);
    }

    #[test]
    fn any_answer_is_the_same_buffered_and_streamed(written in generate::response(), size in 1..40_usize) {
        let response = codec(CHAT).decode_response(written.to_string().as_bytes(), &TOLERANT).unwrap();
        let request = ChatRequest {
            stream_options: Some(StreamOptions { include_usage: Some(true), ..Default::default() }),
            ..ChatRequest::default()
        };
        let mut losses = Losses::default();
        let buffered = codec(CHAT).encode_response(&response, &identity(&response, &request), &mut losses);
        let buffered = codec(CHAT).decode_response(&buffered, &TOLERANT).unwrap();
        let (bytes, more) = stream(CHAT, &unfold(response.clone()), &identity(&response, &request));
        prop_assert!(losses.is_empty() && more.is_empty());
        let (read, ending) = events(CHAT, &TOLERANT, bytes.chunks(size));
        prop_assert_eq!(ending, Ending::Complete);
        assert_sequential(&read);
        let streamed = bare_response(fold(read));
        prop_assert_eq!(&streamed, &bare_response(buffered));
        prop_assert_eq!(streamed, bare_response(response));
    }

    #[test]
    fn nothing_makes_a_decoder_panic(written in generate::request(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = written.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Ok(envelope) = trunkline_wire::envelope::Envelope::parse(bytes.clone().into())
            && let Ok(request) = codec(CHAT).decode_request(&envelope)
        {
            encode_request(CHAT, &request, &Quirks::REFERENCE);
        }
        if let Ok(response) = codec(CHAT).decode_response(&bytes, &TOLERANT) {
            let request = ChatRequest::default();
            codec(CHAT).encode_response(&response, &identity(&response, &request), &mut Losses::default());
        }
        let (read, _) = read(&[b"data: ", bytes.as_slice(), b"\n\n"].concat());
        assert_sequential(&read);
    }
}

#[test]
fn requests_that_are_none_are_refused_by_name() {
    for (body, field) in [
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":"m","messages":{}}"#, "messages"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":5}]}"#,
            "messages[1]",
        ),
        (r#"{"model":"m","messages":[{"content":"a"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"robot","content":"a"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"function","name":"f","content":"a"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"tool","content":"a"}]}"#, "messages[0].tool_call_id"),
        (r#"{"model":"m","messages":[{"role":"user","content":"a","refusal":"b"}]}"#, "messages[0].refusal"),
        (
            r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"moon"}]}]}"#,
            "messages[0].tool_calls[0]",
        ),
        (r#"{"model":"m","messages":[{"role":"user","role":"user"}]}"#, "messages[0]"),
        (r#"{"model":"m","messages":[],"functions":[]}"#, "functions"),
        (r#"{"model":"m","messages":[],"temperature":"hot"}"#, "temperature"),
        (r#"{"model":"m","messages":[],"tools":{}}"#, "tools"),
        (r#"{"model":"m","messages":[],"max_tokens":-1}"#, "max_tokens"),
        (r#"{"model":5,"messages":[]}"#, "model"),
    ] {
        let error = codec(CHAT).decode_request(&super::super::envelope(body)).expect_err(body);
        assert_eq!(error.field, field, "{body}");
        assert!(error.message.contains(field) && !error.message.contains("line"), "{}", error.message);
    }
}

#[test]
fn instructions_keep_their_place() {
    let request = decode_request(
        CHAT,
        br#"{"model":"m","messages":[{"role":"system","content":"a"},{"role":"developer","content":"b"},{"role":"user","content":"c"},{"role":"system","content":"d"}]}"#,
    );
    let (instructions, rest) = request.instructions();
    assert_eq!(instructions.len(), 2);
    assert_eq!(rest.iter().map(|turn| turn.role).collect::<Vec<_>>(), [Role::User, Role::System]);
}
