//! The seam: what goes on, what is cut, what is none, however it is chopped up.

use proptest::prelude::*;
use trunkline_domain::chat::{Extras, Finish, FinishReason};

use super::*;

fn said(text: &str) -> Said {
    let mut said = Said::default();
    said.absorb(&StreamEvent::PartStart { choice: 0, index: 0, part: Part::text("") });
    said.absorb(&delta(0, text));
    said
}

fn delta(index: u32, text: &str) -> StreamEvent {
    StreamEvent::PartDelta { choice: 0, index, delta: Delta::Text(text.into()) }
}

fn start() -> StreamEvent {
    StreamEvent::Start { id: "x".into(), model: "m".into(), created: None, extras: Extras::default() }
}

fn finish() -> StreamEvent {
    StreamEvent::Finish {
        choice: 0,
        finish: Finish { reason: FinishReason::Stop, raw: "stop".into(), stop_sequence: None },
    }
}

/// A continuation that says these pieces.
fn stream(pieces: &[&str]) -> Vec<StreamEvent> {
    let opening = [start(), StreamEvent::PartStart { choice: 0, index: 0, part: Part::text("") }];
    let end = [StreamEvent::PartStop { choice: 0, index: 0 }, finish(), StreamEvent::End];
    opening.into_iter().chain(pieces.iter().map(|piece| delta(0, piece))).chain(end).collect()
}

fn sew(before: &str, events: Vec<StreamEvent>) -> Result<Vec<StreamEvent>, Astray> {
    let mut seam = Seam::after(&said(before)).unwrap();
    let mut out = Vec::new();
    events.into_iter().try_for_each(|event| seam.event(event, &mut out))?;
    Ok(out)
}

/// The whole text a caller has in the end.
fn whole(before: &str, pieces: &[&str]) -> Result<String, Astray> {
    let text = |event: StreamEvent| {
        if let StreamEvent::PartDelta { delta: Delta::Text(text), .. } = event {
            Some(text.to_string())
        } else {
            None
        }
    };
    let rest: String = sew(before, stream(pieces))?.into_iter().filter_map(text).collect();
    Ok(format!("{before}{rest}"))
}

const BEFORE: &str = "The quick brown fox jumps over the lazy dog, and then it ";

#[test]
fn what_goes_on_goes_on() {
    assert_eq!(whole(BEFORE, &["sleeps", " all day."]).unwrap(), format!("{BEFORE}sleeps all day."));
    assert_eq!(whole(BEFORE, &[]).unwrap(), BEFORE);
    assert_eq!(whole("Ha", &["pe it works"]).unwrap(), "Hape it works");
}

#[test]
fn white_space_the_provider_was_not_given_is_not_said_twice() {
    assert_eq!(whole(BEFORE, &[" ", "sleeps."]).unwrap(), format!("{BEFORE}sleeps."));
    assert_eq!(whole("One.\n\nTwo.\n\n", &["\nThree."]).unwrap(), "One.\n\nTwo.\n\nThree.");
    assert_eq!(whole("One.\n", &["\n\nThree."]).unwrap(), "One.\n\nThree.");
}

#[test]
fn a_repeated_tail_is_cut() {
    assert_eq!(whole(BEFORE, &["and then ", "it sleeps."]).unwrap(), format!("{BEFORE}sleeps."));
    assert_eq!(
        whole(BEFORE, &["over the lazy dog, and then it sleeps."]).unwrap(),
        format!("{BEFORE}sleeps.")
    );
}

#[test]
fn what_a_text_itself_repeats_stays() {
    let (table, rest) = ("Here you are:\n|---|---|---|", "---|---|---|\n");
    assert_eq!(whole(table, &[rest]).unwrap(), format!("{table}{rest}"));
    let (song, rest) = ("All together now: row your boat, row your boat, ", "row your boat, gently");
    assert_eq!(whole(song, &[rest]).unwrap(), format!("{song}{rest}"));
}

#[test]
fn a_new_beginning_is_no_continuation() {
    assert_eq!(whole(BEFORE, &["The quick brown fox jumps over the lazy dog"]), Err(Astray));
    assert_eq!(whole(BEFORE, &["\n\nThe quick brown fox jumps over a fence"]), Err(Astray));
    assert_eq!(whole("Hel", &["Hello!"]), Err(Astray));
    assert_eq!(whole("Hello, wor", &["Hello there"]), Err(Astray));
}

#[test]
fn whatever_is_no_text_is_no_continuation() {
    let call = trunkline_domain::chat::ToolCall {
        id: "1".into(),
        name: "f".into(),
        kind: trunkline_domain::chat::ToolCallKind::Function,
        arguments: "".into(),
    };
    let call = StreamEvent::PartStart { choice: 0, index: 0, part: Part::new(PartKind::ToolCall(call)) };
    assert_eq!(sew(BEFORE, vec![start(), call.clone()]), Err(Astray));
    let late = [stream(&[&"and on ".repeat(20)]), vec![call]].concat();
    assert_eq!(sew(BEFORE, late), Err(Astray));
    let thought = Part::new(PartKind::Reasoning(trunkline_domain::chat::Thought::default()));
    let thought = StreamEvent::PartStart { choice: 0, index: 0, part: thought };
    assert_eq!(sew(BEFORE, vec![start(), thought]), Err(Astray));
    let other = StreamEvent::PartStart { choice: 1, index: 0, part: Part::text("") };
    assert_eq!(sew(BEFORE, vec![start(), other]), Err(Astray));
}

#[test]
fn the_callers_open_part_goes_on_and_a_closed_one_is_followed_by_another() {
    let places = |out: &[StreamEvent]| {
        let place = |event: &StreamEvent| match event {
            StreamEvent::PartStart { index, .. } => Some(format!("+{index}")),
            StreamEvent::PartDelta { index, .. } => Some(format!("{index}")),
            StreamEvent::PartStop { index, .. } => Some(format!("-{index}")),
            StreamEvent::Start { .. }
            | StreamEvent::Logprobs { .. }
            | StreamEvent::Usage(_)
            | StreamEvent::ServiceTier(_)
            | StreamEvent::Finish { .. }
            | StreamEvent::End => None,
        };
        out.iter().filter_map(place).collect::<Vec<_>>()
    };
    assert_eq!(places(&sew(BEFORE, stream(&["sleeps."])).unwrap()), ["0", "-0"]);
    assert_eq!(places(&sew(BEFORE, vec![start(), finish(), StreamEvent::End]).unwrap()), ["-0"]);
    let mut closed = said(BEFORE);
    closed.absorb(&StreamEvent::PartStop { choice: 0, index: 0 });
    let (mut seam, mut out) = (Seam::after(&closed).unwrap(), Vec::new());
    stream(&["sleeps."]).into_iter().try_for_each(|event| seam.event(event, &mut out)).unwrap();
    assert_eq!(places(&out), ["+1", "1", "-1"]);
}

#[test]
fn what_is_no_plain_text_cannot_be_gone_on_with() {
    assert!(Seam::after(&said(" \n")).is_none());
    assert!(Seam::after(&said(&"x".repeat((1 << 20) + 1))).is_none());
    let mut finished = said(BEFORE);
    finished.absorb(&finish());
    assert!(Seam::after(&finished).is_none());
    let mut reasoned = said(BEFORE);
    let thought = Part::new(PartKind::Reasoning(trunkline_domain::chat::Thought::default()));
    reasoned.absorb(&StreamEvent::PartStart { choice: 0, index: 1, part: thought });
    assert!(Seam::after(&reasoned).is_none());
}

proptest! {
    /// Whatever the pieces a continuation comes in, the caller reads the same, or it is none.
    #[test]
    fn any_chunking_gives_the_same_text(
        before in "[ab .é\n]{1,120}[a-z]", rest in "[ab .é\n]{0,200}", cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)
    ) {
        let mut at: Vec<usize> = cuts.iter().map(|cut| rest.floor_char_boundary(cut.index(rest.len() + 1))).collect();
        at.extend([0, rest.len()]);
        at.sort_unstable();
        let pieces: Vec<&str> = at.windows(2).map(|ends| rest.get(ends[0]..ends[1]).unwrap()).collect();
        prop_assert_eq!(whole(&before, &pieces), whole(&before, &[&rest]));
    }

    /// Nothing of a continuation is lost but what the caller has at its end already.
    #[test]
    fn nothing_is_lost_and_nothing_repeated(before in "[a-z ]{10,100}", rest in "[a-z ]{0,100}") {
        prop_assume!(!before.trim().is_empty());
        if let Ok(whole) = whole(&before, &[&rest]) {
            prop_assert!(whole.starts_with(&before) && whole.ends_with(&rest));
        }
    }

    /// A tail that is said again is cut, however long it is within the window.
    #[test]
    fn a_repetition_is_cut(words in proptest::collection::vec("[a-z]{3,9}", 20..30), back in 10_usize..50) {
        let before = words.join(" ");
        let (start, tail) = before.split_at(before.len() - back);
        let rest = format!("{tail}!!! and something else");
        prop_assume!(!rhythmic(tail) && !start.ends_with(tail));
        prop_assert_eq!(whole(&before, &[&rest]), Ok(format!("{before}!!! and something else")));
    }
}
