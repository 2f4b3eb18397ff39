//! Whose a loss is. A cell is adapted only by losses of its own capability: those at a part without which the capability
//! would not be there, and those with a name of its own. What a fixture happens to lose beside it vouches for nothing.

use trunkline_domain::chat::ChatRequest;
use trunkline_wire::codec::Loss;

use super::answers::Answer;
use super::probes::{AnswerProbe, RequestProbe};

/// Where a loss is: a turn or a choice, and a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) outer: usize,
    pub(super) inner: Option<usize>,
}

/// The losses that are the capability's own.
pub(super) fn of_request<'a>(probe: &RequestProbe, asked: &ChatRequest, losses: &'a [Loss]) -> Vec<&'a Loss> {
    let expected = (probe.said)(asked);
    let own = |loss: &&Loss| {
        is_named(probe.names, &loss.path)
            || places(&loss.path, "turns").is_some_and(|at| (probe.said)(&without(asked, at)) != expected)
    };
    losses.iter().filter(own).collect()
}

/// The losses that are the capability's own.
pub(super) fn of_answer<'a>(probe: &AnswerProbe, given: &Answer, losses: &'a [Loss]) -> Vec<&'a Loss> {
    let expected = given.says(probe.said);
    let own = |loss: &&Loss| {
        is_named(probe.names, &loss.path)
            || places(&loss.path, "choices").is_some_and(|at| given.without(at).says(probe.said) != expected)
    };
    losses.iter().filter(own).collect()
}

fn without(asked: &ChatRequest, Places { outer, inner }: Places) -> ChatRequest {
    let mut asked = asked.clone();
    if let Some(turn) = asked.turns.get_mut(outer) {
        match inner {
            None => turn.parts.clear(),
            Some(place) if place < turn.parts.len() => drop(turn.parts.remove(place)),
            Some(_) => {}
        }
    }
    asked
}

/// Whether a member of a path is called by one of the names.
fn is_named(names: &[&str], path: &str) -> bool {
    path.split('.').any(|member| names.contains(&member.split('[').next().unwrap_or(member)))
}

/// Where a path is, if it is within a part or a whole turn or choice.
fn places(path: &str, list: &str) -> Option<Places> {
    let (outer, rest) = path.strip_prefix(list)?.strip_prefix('[')?.split_once(']')?;
    let outer = outer.parse().ok()?;
    if rest.is_empty() {
        return Some(Places { outer, inner: None });
    }
    let (inner, _) = rest.strip_prefix(".parts[")?.split_once(']')?;
    Some(Places { outer, inner: Some(inner.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use trunkline_domain::chat::{ChatResponse, Choice, Part, PartKind, Thought};
    use trunkline_wire::recast::Losses;

    use super::super::probes::ANSWERS;
    use super::*;

    #[test]
    fn a_loss_of_something_else_vouches_for_nothing() {
        let thought = PartKind::Reasoning(Thought { text: vec!["hm".into()], ..Thought::default() });
        let parts = vec![thought.into(), Part::text("so")];
        let answer =
            ChatResponse { choices: vec![Choice { parts, ..Choice::default() }], ..ChatResponse::default() };
        let answer = Answer::Whole(answer);
        let probe = ANSWERS.iter().find(|probe| probe.key == "thinking").unwrap();
        let mut losses = Losses::default();
        for path in ["system_fingerprint", "choices[0].parts[1].message.phase", "choices[0].parts[0]"] {
            losses.dropped(trunkline_wire::codec::Subject::Other, path, "");
        }
        let own = of_answer(probe, &answer, losses.as_slice());
        assert_eq!(own.iter().map(|loss| &*loss.path).collect::<Vec<_>>(), ["choices[0].parts[0]"]);
    }

    #[test]
    fn a_path_says_where_it_is() {
        let at = |outer, inner| Some(Places { outer, inner });
        assert_eq!(places("turns[2].parts[1].content[0]", "turns"), at(2, Some(1)));
        assert_eq!(places("choices[1]", "choices"), at(1, None));
        assert_eq!(places("choices[0].stop_sequence", "choices"), None);
        assert!(is_named(&["stop_sequence"], "choices[0].stop_sequence"));
        assert!(!is_named(&["n"], "name"));
    }
}
