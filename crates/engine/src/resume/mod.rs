//! Mid-stream continuation: where a stream breaks off after its first content, another provider is given what was said
//! as the beginning of its own answer, and goes on. Only where the caller or the route wishes it, and only for answers
//! that are plain text.
//!
//! What it is: who may ([`prepare`]), what is asked ([`Rest`]), and how the two streams become one ([`Seam`],
//! [`Transcript`]). What it is not: the attempt, which is `execute::resume`, with a hold, a row and a place in the
//! journal like any other.
//!
//! Where to look first: [`seam`], then `docs/adr/0014-resuming-a-stream.md`.

mod reader;
mod seam;
mod transcript;

use std::sync::Arc;

use trunkline_domain::chat::{
    ChatRequest, Effort, Extras, OutputFormat, Part, PartKind, RawJson, Reasoning, Role, Thinking, Turn,
};
use trunkline_domain::plan::DeploymentIx;
use trunkline_domain::resume::NotResumed;
use trunkline_domain::{Dialect, Operation, Text};
use trunkline_providers::spec::PrefillMark;
use trunkline_wire::caller_codec_for;
use trunkline_wire::codec::Skim;

use crate::request::{Outgoing, Request};
use crate::translate::unnamed;

pub(crate) use reader::{Continued, Watch, Watched};
pub(crate) use seam::{Astray, Seam};
pub(crate) use transcript::Transcript;

/// Looks, where it is wished, whether the answer may be gone on with, and has it remembered then.
pub(crate) fn prepare(request: &mut Request, outgoing: &mut Outgoing) {
    if !request.delivery.resume || !request.skim.stream || request.operation != Operation::Chat {
        return;
    }
    outgoing.watch = watch(request, outgoing).map(Arc::new);
    if outgoing.watch.is_none() {
        request.trail.not_resumed = Some(NotResumed::Request);
    }
}

fn watch(request: &Request, outgoing: &Outgoing) -> Option<Watch> {
    let caller = caller_codec_for(request.codec.dialect())?;
    // What cannot be read is refused where it must be read.
    let chat = outgoing.chat(caller, request).ok()?;
    let skim = &request.skim;
    let plain = skim.choices <= 1 && !skim.needs.logprobs && !skim.needs.unbounded_fees && is_plain(&chat);
    let chat = if skim.annotate || request.delivery.annotate { with_usage(chat) } else { chat };
    plain.then(|| Watch { caller, request: chat, introduction: unnamed(request) })
}

/// The request, with usage in its answer: who is to see the cost sees the chunk it is in.
fn with_usage(chat: Arc<ChatRequest>) -> Arc<ChatRequest> {
    let mut chat = Arc::unwrap_or_clone(chat);
    chat.stream_options.get_or_insert_default().include_usage = Some(true);
    Arc::new(chat)
}

/// Whether a request asks for nothing but text, so that text is all there is to go on with.
fn is_plain(chat: &ChatRequest) -> bool {
    let text = matches!(chat.output.format, None | Some(OutputFormat::Text))
        && chat.output.speech.is_none()
        && chat.output.modalities.iter().all(|modality| &**modality == "text");
    let one = chat.sampling.n.is_none_or(|n| n == 1)
        && chat.sampling.logprobs != Some(true)
        && chat.sampling.prediction.is_none();
    let thoughtless = chat.reasoning.as_ref().is_none_or(is_off);
    let tool = |part: &Part| {
        matches!(part.kind, PartKind::ToolCall(_) | PartKind::ToolResult(_) | PartKind::Reasoning(_))
    };
    let toolless = chat.tools.is_empty() && !chat.turns.iter().flat_map(|turn| &turn.parts).any(tool);
    let asks = chat.turns.last().is_some_and(|turn| turn.role != Role::Assistant);
    text && one && thoughtless && toolless && asks
}

fn is_off(reasoning: &Reasoning) -> bool {
    matches!(reasoning.thinking, Some(Thinking::Disabled)) || matches!(reasoning.effort, Some(Effort::None))
}

/// What is left of an answer that broke off.
pub(crate) struct Rest {
    /// The request's facts, with the text that is there already and the output that is left.
    pub(crate) skim: Skim,
    /// Where the rest begins.
    pub(crate) seam: Seam,
    /// Whose streams of it broke off, the first one's first.
    pub(crate) broken: Vec<DeploymentIx>,
    chat: Arc<ChatRequest>,
    /// The text so far, as another provider is given it.
    prefill: Text,
    output_max: Option<u64>,
}

impl Rest {
    /// Of this answer; `None` where it cannot be gone on with.
    pub(crate) fn of(request: &Request, watch: &Watch, transcript: &Transcript) -> Option<Self> {
        let seam = Seam::after(transcript.said())?;
        // White space at its end is refused by some, and written again by all.
        let prefill = transcript.said().continuable()?.trim_end();
        let left = |most: u64| most.saturating_sub(transcript.generated()).max(1);
        let mut skim = request.skim.clone();
        skim.text_bytes = skim.text_bytes.saturating_add(prefill.len() as u64);
        skim.messages = skim.messages.saturating_add(1);
        if let Some(most) = &mut skim.output_max {
            most.tokens = left(most.tokens);
        }
        let output_max = watch.request.sampling.output_max.map(left);
        let (chat, prefill) = (Arc::clone(&watch.request), Text::from(prefill));
        Some(Self { skim, seam, broken: Vec::new(), chat, prefill, output_max })
    }

    /// The request, with the answer so far as its last turn.
    pub(crate) fn request(&self, mark: PrefillMark) -> ChatRequest {
        let mut chat = ChatRequest::clone(&self.chat);
        chat.sampling.output_max = self.output_max;
        chat.stream = true;
        let mut turn = Turn::new(Role::Assistant, vec![Part::text(self.prefill.clone())]);
        if let (PrefillMark::Member(member), Some(yes)) = (mark, RawJson::parse("true")) {
            turn.extras = Extras::new(Dialect::OpenaiChat, 0, vec![(Text::from(member), yes)]);
        }
        chat.turns.push(turn);
        chat
    }
}

#[cfg(test)]
mod tests {
    use trunkline_domain::chat::{Speech, Thought, ToolCall, ToolCallKind};

    use super::*;

    fn turn(role: Role, part: impl Into<Part>) -> Turn {
        Turn::new(role, vec![part.into()])
    }

    #[test]
    fn only_an_answer_of_nothing_but_text_is_gone_on_with() {
        let user = || turn(Role::User, Part::text("hello"));
        let plain = ChatRequest { turns: vec![user()], ..ChatRequest::default() };
        assert!(is_plain(&plain));
        let off = Reasoning { effort: Some(Effort::None), ..Reasoning::default() };
        assert!(is_plain(&ChatRequest { reasoning: Some(off), ..plain.clone() }));
        let call = ToolCall {
            id: "1".into(),
            name: "f".into(),
            kind: ToolCallKind::Function,
            arguments: "{}".into(),
        };
        let called = vec![user(), turn(Role::Assistant, PartKind::ToolCall(call)), user()];
        let begun = vec![user(), turn(Role::Assistant, Part::text("I"))];
        let thinks = Reasoning { thinking: Some(Thinking::Enabled), ..Reasoning::default() };
        let mut changed = vec![
            ChatRequest { turns: called, ..plain.clone() },
            ChatRequest { turns: begun, ..plain.clone() },
            ChatRequest { turns: Vec::new(), ..plain.clone() },
            ChatRequest { reasoning: Some(thinks), ..plain.clone() },
            ChatRequest { reasoning: Some(Reasoning::default()), ..plain.clone() },
        ];
        let mut change = |change: fn(&mut ChatRequest)| {
            let mut chat = plain.clone();
            change(&mut chat);
            changed.push(chat);
        };
        change(|chat| chat.output.format = Some(OutputFormat::JsonObject));
        change(|chat| chat.output.modalities = vec!["text".into(), "audio".into()]);
        change(|chat| chat.sampling.n = Some(2));
        change(|chat| chat.sampling.logprobs = Some(true));
        change(|chat| chat.turns.insert(0, turn(Role::Assistant, PartKind::Reasoning(Thought::default()))));
        for chat in changed {
            assert!(!is_plain(&chat), "{chat:?}");
        }
        // What a caller said aloud before is a prompt like any other.
        let heard = vec![turn(Role::Assistant, PartKind::Speech(Speech::default())), user()];
        assert!(is_plain(&ChatRequest { turns: heard, ..plain }));
    }
}
