//! From a stream to the buffered answer and back. `fold(unfold(answer)) == answer`, and a decoder's events fold to what
//! it decodes from the buffered form of the same answer.

use super::event::{Delta, StreamEvent};
use super::part::{Citation, Part, PartKind, Speech, Thought, ToolCall};
use super::response::{ChatResponse, Choice};
use crate::model::Text;

/// The buffered answer a stream amounts to, as far as it got. Events that break the rules of a stream (a delta for a
/// part that is not open) are passed over.
pub fn fold(events: impl IntoIterator<Item = StreamEvent>) -> ChatResponse {
    let mut response = ChatResponse::default();
    let mut open: Vec<Growing> = Vec::new();
    for event in events {
        match event {
            StreamEvent::Start { id, model, created, extras } => {
                response = ChatResponse { id, model, created, extras, ..response };
            }
            StreamEvent::PartStart { choice, index, part } => {
                close(&mut response, &mut open, choice);
                open.push(Growing::new(choice, index, part));
            }
            StreamEvent::PartDelta { choice, index, delta } => {
                if let Some(growing) = open.iter_mut().find(|part| part.is(choice, index)) {
                    growing.add(delta);
                }
            }
            StreamEvent::PartStop { choice, .. } => close(&mut response, &mut open, choice),
            StreamEvent::Logprobs { choice, logprobs } => {
                choice_mut(&mut response, choice).logprobs.get_or_insert_default().extend(logprobs);
            }
            StreamEvent::Usage(usage) => response.usage = Some(usage),
            StreamEvent::ServiceTier(tier) => response.service_tier = Some(tier),
            StreamEvent::Finish { choice, finish } => choice_mut(&mut response, choice).finish = Some(finish),
            StreamEvent::End => {}
        }
    }
    while let Some(choice) = open.first().map(|part| part.choice) {
        close(&mut response, &mut open, choice);
    }
    response.choices.sort_by_key(|choice| choice.index);
    response
}

/// Ends the open part of a choice.
fn close(response: &mut ChatResponse, open: &mut Vec<Growing>, choice: u32) {
    if let Some(at) = open.iter().position(|part| part.choice == choice) {
        let part = open.swap_remove(at).whole();
        choice_mut(response, choice).parts.push(part);
    }
}

fn choice_mut(response: &mut ChatResponse, index: u32) -> &mut Choice {
    let at = response.choices.iter().position(|choice| choice.index == index);
    let at = at.unwrap_or(response.choices.len());
    if at == response.choices.len() {
        response.choices.push(Choice { index, ..Choice::default() });
    }
    // `at` is the place of the choice, which was there or has just been pushed.
    #[expect(clippy::indexing_slicing, reason = "in bounds by the lines above")]
    &mut response.choices[at]
}

/// An open part: texts grow in buffers, so that a long answer costs no more than its length.
struct Growing {
    choice: u32,
    index: u32,
    part: Part,
    /// Text, refusal, arguments or transcript.
    text: String,
    /// Speech.
    data: String,
    thoughts: Vec<String>,
    summary: Vec<String>,
}

impl Growing {
    fn new(choice: u32, index: u32, part: Part) -> Self {
        let mut growing = Self {
            choice,
            index,
            part,
            text: String::new(),
            data: String::new(),
            thoughts: Vec::new(),
            summary: Vec::new(),
        };
        match &growing.part.kind {
            PartKind::Text { text, .. } | PartKind::Refusal(text) => growing.text.push_str(text),
            PartKind::ToolCall(call) => growing.text.push_str(&call.arguments),
            PartKind::Reasoning(thought) => {
                growing.thoughts = thought.text.iter().map(ToString::to_string).collect();
                growing.summary = thought.summary.iter().map(ToString::to_string).collect();
            }
            PartKind::Speech(speech) => {
                growing.text.push_str(&speech.transcript);
                growing.data.push_str(&speech.data);
            }
            PartKind::Image(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::ToolResult(_)
            | PartKind::Opaque(_) => {}
        }
        growing
    }

    fn is(&self, choice: u32, index: u32) -> bool {
        self.choice == choice && self.index == index
    }

    fn add(&mut self, delta: Delta) {
        match delta {
            Delta::Text(text) | Delta::Arguments(text) => self.text.push_str(&text),
            Delta::Thought { index, text } => add_piece(&mut self.thoughts, index, &text),
            Delta::Summary { index, text } => add_piece(&mut self.summary, index, &text),
            Delta::Citation(citation) => {
                if let PartKind::Text { citations, .. } = &mut self.part.kind {
                    citations.push(citation);
                }
            }
            Delta::Signature(signature) => self.part.signature = Some(signature),
            Delta::Speech { data, transcript, expires_at } => {
                self.data.push_str(&data);
                self.text.push_str(&transcript);
                if let PartKind::Speech(speech) = &mut self.part.kind {
                    speech.expires_at = expires_at.or(speech.expires_at);
                }
            }
        }
    }

    fn whole(mut self) -> Part {
        match &mut self.part.kind {
            PartKind::Text { text, .. } | PartKind::Refusal(text) => *text = self.text.into(),
            PartKind::ToolCall(call) => call.arguments = self.text.into(),
            PartKind::Reasoning(thought) => {
                thought.text = self.thoughts.into_iter().map(Text::from).collect();
                thought.summary = self.summary.into_iter().map(Text::from).collect();
            }
            PartKind::Speech(speech) => {
                speech.transcript = self.text.into();
                speech.data = self.data.into();
            }
            PartKind::Image(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::ToolResult(_)
            | PartKind::Opaque(_) => {}
        }
        self.part
    }
}

/// Adds to a piece of a thought. An index beyond the next piece opens the next one: a stream cannot make anybody
/// reserve more than it sends.
fn add_piece(pieces: &mut Vec<String>, index: u32, text: &str) {
    match pieces.get_mut(index as usize) {
        Some(piece) => piece.push_str(text),
        None => pieces.push(text.to_owned()),
    }
}

/// The events of a whole answer, for a caller who asked for a stream.
pub fn unfold(response: ChatResponse) -> Vec<StreamEvent> {
    let ChatResponse { id, model, created, choices, usage, service_tier, extras } = response;
    let mut events = vec![StreamEvent::Start { id, model, created, extras }];
    events.extend(service_tier.map(StreamEvent::ServiceTier));
    for Choice { index: choice, parts, finish, logprobs, extras: _ } in choices {
        for (index, part) in (0_u32..).zip(parts) {
            unfold_part(choice, index, part, &mut events);
        }
        events.extend(logprobs.map(|logprobs| StreamEvent::Logprobs { choice, logprobs }));
        events.extend(finish.map(|finish| StreamEvent::Finish { choice, finish }));
    }
    events.extend(usage.map(StreamEvent::Usage));
    events.push(StreamEvent::End);
    events
}

fn unfold_part(choice: u32, index: u32, mut part: Part, events: &mut Vec<StreamEvent>) {
    let mut deltas = empty(&mut part.kind);
    deltas.extend(part.signature.take().map(Delta::Signature));
    events.push(StreamEvent::PartStart { choice, index, part });
    events.extend(deltas.into_iter().map(|delta| StreamEvent::PartDelta { choice, index, delta }));
    events.push(StreamEvent::PartStop { choice, index });
}

/// Takes the contents of a part as the deltas it grows by.
fn empty(kind: &mut PartKind) -> Vec<Delta> {
    let text_of = |text: &mut Text| {
        let text = std::mem::replace(text, Text::from(""));
        (!text.is_empty()).then_some(text)
    };
    match kind {
        PartKind::Text { text, citations } => {
            let citations: Vec<Citation> = std::mem::take(citations);
            text_of(text)
                .map(Delta::Text)
                .into_iter()
                .chain(citations.into_iter().map(Delta::Citation))
                .collect()
        }
        PartKind::Refusal(text) => text_of(text).map(Delta::Text).into_iter().collect(),
        PartKind::ToolCall(ToolCall { arguments, .. }) => {
            text_of(arguments).map(Delta::Arguments).into_iter().collect()
        }
        PartKind::Reasoning(Thought { text, summary, .. }) => {
            let thoughts = (0_u32..).zip(std::mem::take(text));
            let summaries = (0_u32..).zip(std::mem::take(summary));
            let thoughts = thoughts.map(|(index, text)| Delta::Thought { index, text });
            thoughts.chain(summaries.map(|(index, text)| Delta::Summary { index, text })).collect()
        }
        PartKind::Speech(Speech { data, transcript, expires_at, .. }) => {
            let data = std::mem::replace(data, Text::from(""));
            let transcript = std::mem::replace(transcript, Text::from(""));
            vec![Delta::Speech { data, transcript, expires_at: expires_at.take() }]
        }
        PartKind::Image(_)
        | PartKind::Audio(_)
        | PartKind::Video(_)
        | PartKind::Document(_)
        | PartKind::ToolResult(_)
        | PartKind::Opaque(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
