//! The relay: whatever a request, an answer, a stream or an error says, reading it ends in facts or a refusal, the edited
//! request is still one, and how a stream was cut makes no difference.

use bytes::Bytes;
use trunkline_domain::NanoUsd;
use trunkline_wire::codec::{Annotation, AnswerFacts, Codec, ErrorWords, FrameClass, RelayTarget, Skim};
use trunkline_wire::envelope::Envelope;
use trunkline_wire::frame::Frame;
use trunkline_wire::quirks::Quirks;
use trunkline_wire::splice::splice;
use trunkline_wire::state::Verdict;

use crate::dice::Dice;
use crate::framing::{EVENTS, frames};
use crate::{SERVERS, codecs};

/// The longest message of an error that is kept.
const MESSAGE_BYTES_MAX: usize = 2 * 1024;

pub(crate) fn check(data: &[u8]) {
    let envelope = Envelope::parse(Bytes::copy_from_slice(data));
    for codec in codecs() {
        if let Some(words) = codec.read_error(data) {
            check_words(&words);
        }
        for quirks in &SERVERS {
            let skim = match &envelope {
                Ok(envelope) => check_request(codec, envelope, quirks),
                Err(_) => Skim::default(),
            };
            codec.find_state(data, &mut |value| assert!(!value.is_empty(), "state that is none"));
            if let Ok(facts) = codec.read_answer(data, quirks) {
                check_facts(&facts, data);
            }
            check_stream(codec, &skim, quirks, data);
        }
        check_annotation(codec, data);
    }
}

fn check_request(codec: &dyn Codec, envelope: &Envelope, quirks: &Quirks) -> Skim {
    let skim = match codec.skim(envelope) {
        Ok(skim) => skim,
        Err(error) => {
            assert!(!error.message.is_empty(), "a refusal without a word about {}", error.field);
            return Skim::default();
        }
    };
    for output_cap in [None, Some(7)] {
        let target = RelayTarget { model: "up/model \"x\"", quirks, output_cap };
        let edits = codec.relay(envelope, &skim, &target).edits;
        let body = splice(envelope, &edits).to_bytes();
        let relayed = Envelope::parse(body).unwrap_or_else(|error| panic!("{edits:?}: {error}"));
        codec.skim(&relayed).unwrap_or_else(|error| panic!("{edits:?} made it unreadable: {error}"));
    }
    // Without the state it carries it is still a request.
    if let Some(edit) = codec.review_state(envelope, "gemini-3", &mut |_| Verdict::Drop) {
        let body = splice(envelope, &[edit]).to_bytes();
        let cut = Envelope::parse(body).unwrap_or_else(|error| panic!("without its state: {error}"));
        codec.skim(&cut).unwrap_or_else(|error| panic!("without its state it is unreadable: {error}"));
    }
    skim
}

/// A stream, whole and in pieces, and at every frame the question whether it is complete.
fn check_stream(codec: &dyn Codec, skim: &Skim, quirks: &Quirks, data: &[u8]) {
    let watch = |frames: &[Frame]| {
        let mut tap = codec.stream_tap(skim, quirks);
        let classes: Vec<(FrameClass, bool)> =
            frames.iter().map(|frame| (tap.frame(frame), tap.complete())).collect();
        (classes, tap.facts().clone())
    };
    let whole = frames(EVENTS, usize::MAX, [data]).0;
    let (classes, facts) = watch(&whole);
    let pieces = frames(EVENTS, usize::MAX, Dice::of(data).pieces(data)).0;
    assert_eq!(watch(&pieces), (classes.clone(), facts.clone()));
    for (class, complete) in &classes {
        match class {
            FrameClass::Error(words) => check_words(words),
            FrameClass::Terminal => assert!(complete, "behind the terminal event an answer is complete"),
            FrameClass::Heartbeat
            | FrameClass::Preamble
            | FrameClass::Content
            | FrameClass::UsageOnly
            | FrameClass::Malformed => {}
        }
    }
    check_facts(&facts, data);
}

fn check_facts(facts: &AnswerFacts, data: &[u8]) {
    // Every byte of text took at least a byte of the stream, except that a short escape may stand for three.
    assert!(
        facts.output_bytes <= 3 * data.len() as u64,
        "{} bytes out of {}",
        facts.output_bytes,
        data.len()
    );
}

fn check_words(words: &ErrorWords) {
    let longest = words.message.as_ref().map_or(0, |message| message.len());
    assert!(longest <= MESSAGE_BYTES_MAX, "a message of {longest} bytes");
}

/// A cost added to a body that is JSON leaves JSON.
fn check_annotation(codec: &dyn Codec, data: &[u8]) {
    let annotation = Annotation { cost: NanoUsd(1_234), provider: "Exa\"mple" };
    let body = Bytes::copy_from_slice(data);
    let is_json = |body: &[u8]| serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok();
    if is_json(data)
        && let Some(annotated) = codec.annotate(&body, &annotation)
    {
        assert!(is_json(&annotated), "{annotated:?}");
    }
}
