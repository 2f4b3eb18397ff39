//! Replays every fixture: the request on its way to the provider, the answer on its way back in several chunkings, and
//! the errors.

use bytes::Bytes;
use trunkline_domain::{UnixMs, Usage};
use trunkline_providers::adapter::ErrorAnswer;
use trunkline_providers::classify::classify;
use trunkline_providers::rate_limits::RateLimitState;
use trunkline_wire::codec::{
    AnswerFacts, AnswerProblem, Codec, ErrorWords, FrameClass, RelayEdits, RelayTarget, Skim,
};
use trunkline_wire::codec_for;
use trunkline_wire::envelope::Envelope;
use trunkline_wire::frame::FRAME_BYTES_MAX;
use trunkline_wire::framing::sse::SseFramer;
use trunkline_wire::splice::{Edit, EditValue, splice};

use crate::case::Case;

/// What came back: an answer's facts, or an error's words.
#[derive(Debug, PartialEq)]
enum Outcome {
    Answer { facts: AnswerFacts, complete: bool },
    Error(Option<ErrorWords>),
}

#[test]
fn the_provider_reads_the_callers_bytes_but_for_named_edits() {
    for case in Case::all() {
        let (envelope, _, relay) = relay(&case);
        let sent = splice(&envelope, &relay.edits).to_bytes();
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(text(&sent), text(&case.upstream_request), "{}", case.name);
        assert_eq!(relay.withhold_usage, case.expected.withhold_usage, "{}", case.name);
        assert_undoes(&case, &envelope, &sent, &relay.edits);
    }
}

/// Without the fields the edits name, both bodies are the same bytes; and where no field is gone altogether, writing the
/// caller's values back gives the caller's body.
fn assert_undoes(case: &Case, envelope: &Envelope, sent: &Bytes, edits: &[Edit]) {
    let sent = Envelope::parse(sent.clone()).unwrap();
    let without: Vec<_> = edits.iter().map(|edit| Edit::remove(edit.field().to_owned())).collect();
    let rest = |envelope: &Envelope| splice(envelope, &without).to_bytes();
    assert_eq!(rest(&sent), rest(envelope), "{}: more has changed than the edits name", case.name);

    if edits.iter().any(|edit| envelope.contains(edit.field()) && !sent.contains(edit.field())) {
        return;
    }
    let undo: Vec<_> = edits
        .iter()
        .map(|edit| match envelope.value(edit.field()) {
            Some(value) => Edit::replace(edit.field().to_owned(), EditValue::json(value)),
            None => Edit::remove(edit.field().to_owned()),
        })
        .collect();
    assert_eq!(splice(&sent, &undo).to_bytes(), case.request, "{}: undoing the edits", case.name);
}

#[test]
fn answers_say_what_the_provider_documents() {
    for case in Case::all() {
        match if case.facts.stream { streamed(&case) } else { buffered(&case) } {
            Outcome::Answer { facts, complete } => assert_facts(&case, &facts, complete),
            Outcome::Error(words) => assert_error(&case, words.as_ref()),
        }
    }
}

fn relay(case: &Case) -> (Envelope, Skim, RelayEdits) {
    let codec = codec(case);
    let envelope = Envelope::parse(case.request.clone()).unwrap();
    let skim = codec.skim(&envelope).unwrap();
    let target =
        RelayTarget { model: &case.facts.upstream_model, quirks: &case.spec.quirks, output_cap: None };
    let relay = codec.relay(&envelope, &skim, &target);
    (envelope, skim, relay)
}

fn codec(case: &Case) -> &'static dyn Codec {
    codec_for(case.facts.ingress)
}

fn buffered(case: &Case) -> Outcome {
    let codec = codec(case);
    if case.facts.status != 200 {
        return Outcome::Error(codec.read_error(&case.response));
    }
    match codec.read_answer(&case.response, &case.spec.quirks) {
        Ok(facts) => Outcome::Answer { facts, complete: true },
        Err(AnswerProblem::Error(words)) => Outcome::Error(Some(words)),
        Err(AnswerProblem::Malformed) => panic!("{}: malformed", case.name),
    }
}

/// The stream whole, byte by byte, and cut at random places: the same every time.
fn streamed(case: &Case) -> Outcome {
    let whole = tap(case, std::iter::once(case.response.clone()));
    let bytes = tap(case, case.response.chunks(1).map(Bytes::copy_from_slice));
    assert_eq!(bytes, whole, "{}: byte by byte", case.name);
    for seed in 1..=16 {
        assert_eq!(tap(case, random_chunks(&case.response, seed)), whole, "{}: seed {seed}", case.name);
    }
    whole
}

fn tap(case: &Case, chunks: impl Iterator<Item = Bytes>) -> Outcome {
    let (_, skim, _) = relay(case);
    let mut tap = codec(case).stream_tap(&skim, &case.spec.quirks);
    let mut cutter = SseFramer::new(FRAME_BYTES_MAX);
    let mut frames = Vec::new();
    for chunk in chunks {
        cutter.push(chunk);
        while let Some(frame) = cutter.next() {
            frames.push(frame.unwrap());
        }
    }
    frames.extend(cutter.finish());
    let raw: Vec<_> = frames.iter().flat_map(|frame| frame.raw.to_vec()).collect();
    assert_eq!(raw, case.response, "{}: the frames are the stream", case.name);

    for frame in &frames {
        match tap.frame(frame) {
            FrameClass::Error(words) => return Outcome::Error(Some(words)),
            FrameClass::Malformed => panic!("{}: malformed frame {:?}", case.name, frame.raw),
            FrameClass::Heartbeat
            | FrameClass::Preamble
            | FrameClass::Content
            | FrameClass::UsageOnly
            | FrameClass::Terminal => {}
        }
    }
    Outcome::Answer { facts: tap.facts().clone(), complete: tap.complete() }
}

/// Cuts of 1 to 64 bytes from a xorshift generator.
fn random_chunks(body: &Bytes, seed: u64) -> impl Iterator<Item = Bytes> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut rest = body.clone();
    std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let size = usize::try_from(state % 64).unwrap() + 1;
        (!rest.is_empty()).then(|| rest.split_to(size.min(rest.len())))
    })
}

fn assert_facts(case: &Case, facts: &AnswerFacts, complete: bool) {
    let (name, expected) = (&case.name, &case.expected);
    assert_eq!(expected.cause, None, "{name}: an error was expected, and {facts:?} came");
    assert_eq!(facts.usage, expected.usage, "{name}");
    assert_eq!(facts.finish.as_deref(), expected.finish.as_deref(), "{name}: finish");
    assert_eq!(facts.id.as_deref(), expected.id.as_deref(), "{name}: id");
    assert_eq!(facts.model.as_deref(), expected.model.as_deref(), "{name}: model");
    assert!(complete, "{name}: the answer is complete");
    if let Some(total) = reported_total(case) {
        assert_eq!(
            facts.usage.as_ref().map(Usage::total),
            Some(total),
            "{name}: classes add up to the total"
        );
    }
}

/// `total_tokens`, wherever the answer says it: a figure the codec does not read.
fn reported_total(case: &Case) -> Option<u64> {
    let text = std::str::from_utf8(&case.response).unwrap();
    let (_, rest) = text.rsplit_once("\"total_tokens\":")?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn assert_error(case: &Case, words: Option<&ErrorWords>) {
    let (name, expected) = (&case.name, &case.expected);
    let headers = case.headers();
    let answer = ErrorAnswer { status: case.facts.status, headers: &headers, words, now: UnixMs(0) };
    let error = classify(case.spec, &answer).error;
    assert_eq!(Some(error.cause), expected.cause, "{name}: {words:?}");
    assert_eq!(error.code.as_deref(), expected.code.as_deref(), "{name}: code");
    if let Some(message) = &expected.message {
        assert_eq!(error.message.as_deref(), Some(message.as_str()), "{name}: message");
    }
    let waits_ms = error.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap());
    assert_eq!(waits_ms, expected.retry_after_ms, "{name}: retry-after");
    let names_a_wait = headers.keys().any(|name| name.as_str().starts_with("retry-after"));
    let limit = |name: &str| expected.limits.get(name).copied();
    let limits = RateLimitState {
        limit_requests: limit("limit_requests"),
        remaining_requests: limit("remaining_requests"),
        reset_requests_ms: limit("reset_requests_ms"),
        limit_tokens: limit("limit_tokens"),
        remaining_tokens: limit("remaining_tokens"),
        reset_tokens_ms: limit("reset_tokens_ms"),
        // A wait that the body names is no header's.
        retry_after: error.retry_after.filter(|_| names_a_wait),
    };
    assert_eq!(case.spec.adapter.rate_limits(&headers), limits, "{name}: rate limits");
}
