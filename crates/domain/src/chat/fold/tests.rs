//! Streams put together again are the buffered answer. Not about any dialect. Look first at
//! [`a_stream_amounts_to_the_answer_it_was_made_from`].

use super::*;
use crate::chat::{Finish, FinishReason, Minted, ToolCallKind};
use crate::{Dialect, Usage};

fn call(id: &str, arguments: &str) -> Part {
    let call = ToolCall {
        id: id.into(),
        name: "look_up".into(),
        kind: ToolCallKind::Function,
        arguments: arguments.into(),
    };
    PartKind::ToolCall(call).into()
}

fn answer() -> ChatResponse {
    let thought =
        Thought { text: vec!["hm".into()], summary: vec!["a".into(), "b".into()], ..Thought::default() };
    let signature = Some(Minted::unknown(Dialect::AnthropicMessages, "sig".into()));
    let citation = Citation { url: Some("https://example.test".into()), ..Citation::default() };
    let parts = vec![
        Part { signature, ..Part::new(PartKind::Reasoning(thought)) },
        PartKind::Text { text: "hello".into(), citations: vec![citation] }.into(),
        call("c1", "{\"a\": 1"),
        call("c2", ""),
    ];
    let finish = Finish { reason: FinishReason::ToolCalls, raw: "tool_use".into(), stop_sequence: None };
    ChatResponse {
        id: "m1".into(),
        model: "m".into(),
        choices: vec![
            Choice { parts, finish: Some(finish), ..Choice::default() },
            Choice { index: 1, parts: vec![Part::text("")], ..Choice::default() },
        ],
        usage: Some(Usage { input_tokens: 3, ..Usage::default() }),
        service_tier: Some("default".into()),
        ..ChatResponse::default()
    }
}

#[test]
fn a_stream_amounts_to_the_answer_it_was_made_from() {
    assert_eq!(fold(unfold(answer())), answer());
}

#[test]
fn text_arrives_in_pieces_and_choices_interleave() {
    let delta =
        |choice, text: &str| StreamEvent::PartDelta { choice, index: 0, delta: Delta::Text(text.into()) };
    let start = |choice| StreamEvent::PartStart { choice, index: 0, part: Part::text("") };
    let events =
        [start(1), start(0), delta(0, "a"), delta(1, "x"), delta(0, "b"), delta(1, "y"), delta(2, "nobody")];
    let folded = fold(events);
    let texts: Vec<_> = folded.choices.iter().map(|choice| choice.parts.clone()).collect();
    assert_eq!(texts, [vec![Part::text("ab")], vec![Part::text("xy")]]);
}

#[test]
fn the_last_usage_counts() {
    let usage = |input_tokens| StreamEvent::Usage(Usage { input_tokens, ..Usage::default() });
    assert_eq!(fold([usage(1), usage(7)]).usage, Some(Usage { input_tokens: 7, ..Usage::default() }));
}

#[test]
fn an_absurd_index_reserves_nothing() {
    let part = Part::new(PartKind::Reasoning(Thought::default()));
    let delta = Delta::Thought { index: u32::MAX, text: "t".into() };
    let events = [
        StreamEvent::PartStart { choice: u32::MAX, index: 0, part },
        StreamEvent::PartDelta { choice: u32::MAX, index: 0, delta },
    ];
    let folded = fold(events);
    let expected = Thought { text: vec!["t".into()], ..Thought::default() };
    assert_eq!(folded.choices[0].parts, [Part::new(PartKind::Reasoning(expected))]);
}
