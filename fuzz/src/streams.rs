//! A streamed answer recast: its events follow one another as they must; wherever it is cut, it is either complete, with
//! one end, or cut, with none; and what is written of it for a caller can be read again.

use std::collections::BTreeMap;

use trunkline_domain::chat::{ChatRequest, StreamEvent, StreamOptions};
use trunkline_wire::codec::AnswerProblem;
use trunkline_wire::frame::FrameError;
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::{AnswerIdentity, ChatCodec, Cut, Frames, Losses};

use crate::dice::Dice;
use crate::framing::frames;
use crate::{SERVERS, chat_codecs};

/// How a stream ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Ending {
    /// The answer is whole.
    Complete,
    /// An error, or no stream of the dialect.
    Problem(AnswerProblem),
    /// The bytes ended before the answer did.
    Cut,
    /// Bytes that are no frames of the dialect.
    Unframed(FrameError),
}

pub(crate) fn check(data: &[u8]) {
    let mut dice = Dice::of(data);
    let pieces = dice.pieces(data);
    let cut = data.get(..dice.below(data.len() + 1)).unwrap_or_default();
    for from in chat_codecs() {
        for quirks in &SERVERS {
            let whole = read(from, quirks, [data]);
            assert_eq!(read(from, quirks, pieces.iter().copied()), whole, "how it was cut made a difference");
            check_ending(&whole);
            check_ending(&read(from, quirks, [cut]));
            for to in chat_codecs() {
                check_written(to, &whole);
            }
        }
    }
}

/// After the last byte a stream is exactly one of complete and cut.
fn check_ending((events, ending): &(Vec<StreamEvent>, Ending)) {
    check_sequence(events);
    let ends = events.iter().filter(|event| matches!(event, StreamEvent::End)).count();
    match ending {
        Ending::Complete => assert_eq!(ends, 1, "a complete answer has one end"),
        Ending::Cut => assert_eq!(ends, 0, "a cut answer has no end"),
        Ending::Problem(_) | Ending::Unframed(_) => assert!(ends <= 1),
    }
}

/// What is written for a caller can be read again, and of a whole answer it is a whole answer.
fn check_written(to: &dyn ChatCodec, (events, ending): &(Vec<StreamEvent>, Ending)) {
    let (bytes, _) = write(to, events, &asking_for_usage());
    let (again, read) = read(to, &SERVERS[1], [bytes.as_slice()]);
    check_sequence(&again);
    let unreadable = matches!(read, Ending::Problem(_) | Ending::Unframed(_));
    assert!(
        !unreadable,
        "{:?} cannot read the stream it wrote: {read:?}\n{}",
        to.dialect(),
        bytes.escape_ascii()
    );
    if *ending == Ending::Complete && has_finished(events) {
        assert_eq!(read, Ending::Complete, "{:?} wrote {}", to.dialect(), bytes.escape_ascii());
    }
}

/// Whether every choice has said why it ended. Servers send their terminal event without; a dialect that has none can then
/// only leave the end open, too.
fn has_finished(events: &[StreamEvent]) -> bool {
    let finished = |wanted: u32| {
        events.iter().any(|event| matches!(event, StreamEvent::Finish { choice, .. } if *choice == wanted))
    };
    let unfinished =
        |event: &StreamEvent| matches!(event, StreamEvent::PartStart { choice, .. } if !finished(*choice));
    finished(0) && !events.iter().any(unfinished)
}

/// A request that leaves nothing of an answer unsaid.
pub(crate) fn asking_for_usage() -> ChatRequest {
    let options = StreamOptions { include_usage: Some(true), ..StreamOptions::default() };
    ChatRequest { stream: true, stream_options: Some(options), ..ChatRequest::default() }
}

/// What a stream amounts to when its bytes come in these chunks.
pub(crate) fn read<'a>(
    from: &dyn ChatCodec,
    quirks: &Quirks,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<StreamEvent>, Ending) {
    let mut decoder = from.stream_decoder(quirks);
    let mut events = Vec::new();
    let (frames, ending) = frames(from.dialect(), usize::MAX, chunks);
    for frame in frames {
        if let Err(problem) = decoder.frame(&frame, &mut events) {
            return (events, Ending::Problem(problem));
        }
    }
    if let Err(error) = ending {
        return (events, Ending::Unframed(error));
    }
    match decoder.finish(&mut events) {
        Ok(()) => (events, Ending::Complete),
        Err(Cut) => (events, Ending::Cut),
    }
}

/// A stream written for a caller.
pub(crate) fn write(to: &dyn ChatCodec, events: &[StreamEvent], request: &ChatRequest) -> (Vec<u8>, Losses) {
    let identity = AnswerIdentity { id: "ours", model: "alias", created: 7, request };
    let mut encoder = to.stream_encoder(&identity);
    let mut out = Frames::default();
    for event in events {
        encoder.event(event, &mut out);
    }
    let bytes = out.take().flatten().collect();
    (bytes, out.losses)
}

/// Events as every decoder promises them: one start, parts one after the other in each choice, nothing behind the end.
pub(crate) fn check_sequence(events: &[StreamEvent]) {
    let mut open = BTreeMap::new();
    let mut next = BTreeMap::<u32, u32>::new();
    for (place, event) in events.iter().enumerate() {
        let starts = matches!(event, StreamEvent::Start { .. });
        assert_eq!(starts, place == 0, "one start, before all else: {events:?}");
        match event {
            StreamEvent::PartStart { choice, index, .. } => {
                assert_eq!(open.insert(*choice, *index), None, "one open part a choice");
                let ordinal = next.entry(*choice).or_default();
                assert_eq!(index, ordinal, "parts are numbered as they open");
                *ordinal += 1;
            }
            StreamEvent::PartDelta { choice, index, .. } => assert_eq!(open.get(choice), Some(index)),
            StreamEvent::PartStop { choice, index } => assert_eq!(open.remove(choice), Some(*index)),
            StreamEvent::Finish { choice, .. } => {
                assert_eq!(open.get(choice), None, "a part is closed before its choice ends");
            }
            StreamEvent::End => {
                assert_eq!(place, events.len() - 1, "nothing behind the end");
                assert!(open.is_empty(), "nothing open at the end");
            }
            StreamEvent::Start { .. }
            | StreamEvent::Logprobs { .. }
            | StreamEvent::Usage(_)
            | StreamEvent::ServiceTier(_) => {}
        }
    }
}
