//! Answers: each really put in a caller's words, and what came out looked at.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::value::RawValue;
use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, ChatResponse, StreamEvent};
use trunkline_wire::codec::AnswerProblem;
use trunkline_wire::framing::{Framer, eventstream};
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::{AnswerIdentity, Frames, Losses};

use super::cells::{Unsettled, Verdict, broken, caller_codec, codec, named};
use super::fixtures::Case;
use super::losses::{self, Places};
use super::probes::{AnswerProbe, Said};

/// What becomes of an answer's capability on its way to a caller; `None` where this answer does not have it.
pub(super) fn answer(
    probe: &AnswerProbe,
    given: &Answer,
    (from, to): (Dialect, Dialect),
) -> Result<Option<Verdict>, Unsettled> {
    let Some(expected) = given.says(probe.said) else { return Ok(None) };
    if from == to {
        return Ok(Some(Verdict::Sent));
    }
    let (taken, losses) = given.recast(to)?;
    if taken.says(probe.said).is_some_and(|said| said == expected) {
        return Ok(Some(Verdict::Passed));
    }
    if let Some((remains, how)) = probe.remains
        && let Some(left) = given.says(remains)
        && taken.says(remains) == Some(left)
    {
        return Ok(Some(Verdict::Adapted(vec![how.to_owned()])));
    }
    let own = losses::of_answer(probe, given, losses.as_slice());
    if own.is_empty() {
        return Err(if losses.is_empty() { Unsettled::Silent } else { Unsettled::Unrelated });
    }
    Ok(Some(Verdict::Adapted(own.into_iter().map(named).collect())))
}

/// An answer, read.
pub(super) enum Answer {
    Whole(ChatResponse),
    Streamed(Vec<StreamEvent>),
}

impl Answer {
    /// A whole answer; `None` where it is an error.
    pub(super) fn whole(body: &[u8], from: Dialect, quirks: &Quirks) -> Result<Option<Self>, Unsettled> {
        Ok(codec(from)?.decode_response(body, quirks).ok().map(Self::Whole))
    }

    /// A small answer: whole, or a stream.
    pub(super) fn example(said: Said, body: &str, from: Dialect, quirks: &Quirks) -> Result<Self, Unsettled> {
        let read = match said {
            Said::Whole(_) => Self::whole(body.as_bytes(), from, quirks)?,
            Said::Streamed(_) => events(from, quirks, body.as_bytes().to_vec())?.map(Self::Streamed),
        };
        read.ok_or(Unsettled::Example)
    }

    /// What a provider answered, if the case has such an answer.
    pub(super) fn of(
        said: Said,
        case: &Case,
        from: Dialect,
        quirks: &Quirks,
    ) -> Result<Option<Self>, Unsettled> {
        if let Said::Whole(_) = said {
            let body = case.file("response.json");
            return body.map_or(Ok(None), |body| Self::whole(&body, from, quirks));
        }
        if let Some(lines) = case.file("response.events.jsonl") {
            return Ok(events(from, quirks, binary(&lines)?)?.map(Self::Streamed));
        }
        let bytes = case.file("response.sse").or_else(|| case.file("response.ndjson"));
        let read = bytes.map(|bytes| events(from, quirks, bytes)).transpose()?;
        Ok(read.flatten().map(Self::Streamed))
    }

    /// The same without one of its choices, or a part of it.
    pub(super) fn without(&self, Places { outer, inner }: Places) -> Self {
        let meant = |choice: u32| usize::try_from(choice).is_ok_and(|choice| choice == outer);
        match self {
            Self::Whole(answer) => {
                let mut answer = answer.clone();
                match inner {
                    None => answer.choices.retain(|choice| !meant(choice.index)),
                    Some(place) => {
                        for choice in answer.choices.iter_mut().filter(|choice| meant(choice.index)) {
                            if place < choice.parts.len() {
                                choice.parts.remove(place);
                            }
                        }
                    }
                }
                Self::Whole(answer)
            }
            Self::Streamed(events) => {
                let of_it = |event: &StreamEvent| match event {
                    StreamEvent::PartStart { choice, index, .. }
                    | StreamEvent::PartDelta { choice, index, .. }
                    | StreamEvent::PartStop { choice, index } => {
                        let index = usize::try_from(*index).ok();
                        meant(*choice) && (inner.is_none() || inner == index)
                    }
                    StreamEvent::Logprobs { choice, .. } | StreamEvent::Finish { choice, .. } => {
                        meant(*choice) && inner.is_none()
                    }
                    StreamEvent::Start { .. }
                    | StreamEvent::Usage(_)
                    | StreamEvent::ServiceTier(_)
                    | StreamEvent::End => false,
                };
                Self::Streamed(events.iter().filter(|event| !of_it(event)).cloned().collect())
            }
        }
    }

    pub(super) fn says(&self, said: Said) -> Option<String> {
        match (self, said) {
            (Self::Whole(answer), Said::Whole(said)) => said(answer),
            (Self::Streamed(events), Said::Streamed(said)) => said(events),
            _ => None,
        }
    }

    /// The same, as a caller reads it.
    fn recast(&self, to: Dialect) -> Result<(Self, Losses), Unsettled> {
        let request = ChatRequest { stream: true, ..ChatRequest::default() };
        let identity = AnswerIdentity { id: "id", model: "m", created: 0, request: &request };
        match self {
            Self::Whole(answer) => {
                let mut losses = Losses::default();
                let body = caller_codec(to)?.encode_response(answer, &identity, &mut losses);
                let taken = codec(to)?.decode_response(&body, &Quirks::REFERENCE).map_err(broken)?;
                Ok((Self::Whole(taken), losses))
            }
            Self::Streamed(events_given) => {
                let mut encoder = caller_codec(to)?.stream_encoder(&identity);
                let mut out = Frames::default();
                for event in events_given {
                    encoder.event(event, &mut out);
                }
                let bytes = out.take().flat_map(|frame| frame.to_vec()).collect();
                let read = events(to, &Quirks::REFERENCE, bytes)?;
                let read = read.ok_or_else(|| broken("an error instead of a stream"))?;
                Ok((Self::Streamed(read), out.losses))
            }
        }
    }
}

/// The longest event of a fixture, in bytes.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// What a stream amounts to; `None` where it ends in an error.
fn events(dialect: Dialect, quirks: &Quirks, bytes: Vec<u8>) -> Result<Option<Vec<StreamEvent>>, Unsettled> {
    let mut framer = Framer::of(dialect, EVENT_BYTES_MAX);
    let mut decoder = codec(dialect)?.stream_decoder(quirks);
    let mut events = Vec::new();
    framer.push(Bytes::from(bytes));
    let mut pieces = Vec::new();
    while let Some(frame) = framer.next() {
        pieces.push(frame.map_err(broken)?);
    }
    pieces.extend(framer.finish());
    for frame in &pieces {
        match decoder.frame(frame, &mut events) {
            Ok(()) => {}
            Err(AnswerProblem::Error(_)) => return Ok(None),
            Err(problem @ AnswerProblem::Malformed) => return Err(broken(problem)),
        }
    }
    decoder.finish(&mut events).map_err(broken)?;
    Ok(Some(events))
}

/// A binary stream of events, each written as `{"name": payload}`, one a line.
fn binary(lines: &[u8]) -> Result<Vec<u8>, Unsettled> {
    let mut stream = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(line).map_err(broken)?;
        for (name, payload) in event {
            stream.extend(eventstream::event(&name, payload.get().as_bytes()));
        }
    }
    Ok(stream)
}
