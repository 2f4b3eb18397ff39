//! Writing `system` and `messages`. The dialect refuses messages of one side that follow each other, empty ones, and blank
//! texts: what came so is joined, or left out.

use trunkline_domain::chat::{ChatRequest, Extras, Part, Role, Turn};

use super::encode_blocks::{Place, Writer};
use super::messages::{is_apart, side};
use super::{DIALECT, form, models};
use crate::codec::Subject;
use crate::json::{Array, Object};
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{EncodeTarget, Losses};

/// A message to be written.
struct Message<'a> {
    role: &'static str,
    parts: Vec<(&'a Part, String)>,
    /// What was kept of it, and whether among what was kept of its first part.
    extras: (&'a Extras, Kept),
    /// The place of its first turn.
    at: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    WithTurn,
    WithPart,
}

/// How many of the leading turns go into `system`.
fn hoisted(request: &ChatRequest) -> usize {
    let (instructions, _) = request.instructions();
    instructions.iter().take_while(|turn| turn.extras.form(DIALECT) & form::MESSAGE == 0).count()
}

/// Whether anything is said beside the instructions at the head.
pub(super) fn any(request: &ChatRequest) -> bool {
    hoisted(request) < request.turns.len()
}

/// Writes `system`.
pub(super) fn system(
    object: &mut Object<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let turns = request.turns.get(..hoisted(request)).unwrap_or_default();
    let mut kept = Vec::new();
    for (at, turn) in turns.iter().enumerate() {
        lose_name(turn, at, losses);
        lose_foreign(&turn.extras, at, losses);
        kept.extend(keep((turn, at), Place::System, target, losses));
    }
    if kept.is_empty() {
        return;
    }
    object.array("system", |array| {
        for (part, path) in kept {
            Writer { target: Some(target), place: Place::System, losses: &mut *losses }
                .block(array, part, &path);
        }
    });
}

/// The parts of a turn that can be written, with their paths.
fn keep<'a>(
    (turn, at): (&'a Turn, usize),
    place: Place,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) -> Vec<(&'a Part, String)> {
    let mut writer = Writer { target: Some(target), place, losses };
    let placed = turn.parts.iter().enumerate();
    placed
        .map(|(place, part)| (part, format!("turns[{at}].parts[{place}]")))
        .filter(|(part, path)| writer.keeps(part, path))
        .collect()
}

/// Writes the conversation.
pub(super) fn messages(
    array: &mut Array<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let mut messages: Vec<Message<'_>> = Vec::new();
    for (at, turn) in request.turns.iter().enumerate().skip(hoisted(request)) {
        lose_name(turn, at, losses);
        let role = role(turn, at, target, losses);
        let kept = keep((turn, at), Place::Message, target, losses);
        // A message of which nothing is left, or in which nothing was, would be refused.
        if kept.is_empty() && turn.extras.form(DIALECT) & form::EMPTY == 0 {
            lose_foreign(&turn.extras, at, losses);
            continue;
        }
        let joins = messages.last().is_some_and(|last| last.role == role) && !is_apart(&turn.extras);
        if joins {
            lose_foreign(&turn.extras, at, losses);
        } else {
            messages.push(Message { role, parts: Vec::new(), extras: (&turn.extras, Kept::WithTurn), at });
        }
        for (place, (part, path)) in kept.into_iter().enumerate() {
            if place > 0 && turn.role == Role::Tool && is_apart(&part.extras) {
                let extras = (&part.extras, Kept::WithPart);
                messages.push(Message { role, parts: Vec::new(), extras, at });
            }
            if let Some(message) = messages.last_mut() {
                message.parts.push((part, path));
            }
        }
    }
    for message in messages {
        write(array, message, target, losses);
    }
}

fn write(array: &mut Array<'_>, message: Message<'_>, target: &EncodeTarget<'_>, losses: &mut Losses) {
    array.object(|object| {
        object.member("role", message.role);
        object.array("content", |array| {
            for (part, path) in message.parts {
                Writer { target: Some(target), place: Place::Message, losses: &mut *losses }
                    .block(array, part, &path);
            }
        });
        match message.extras {
            (extras, Kept::WithTurn) => {
                restore(object, extras, DIALECT, &|| format!("turns[{}]", message.at), losses);
            }
            (extras, Kept::WithPart) => restore_nested(object, extras, DIALECT, "message"),
        }
    });
}

fn role(turn: &Turn, at: usize, target: &EncodeTarget<'_>, losses: &mut Losses) -> &'static str {
    match side(turn.role) {
        Role::Assistant => "assistant",
        Role::System | Role::Developer => {
            let own = turn.extras.form(DIALECT) & form::MESSAGE != 0;
            if own || models::takes_system_messages(target.model) {
                return "system";
            }
            let why = "the model takes instructions at the head only: here they come as the user's";
            losses.adapted(Subject::Content, format!("turns[{at}]"), why);
            "user"
        }
        Role::User | Role::Tool => "user",
    }
}

fn lose_name(turn: &Turn, at: usize, losses: &mut Losses) {
    if turn.name.is_some() {
        let why = "the dialect has no names of participants";
        losses.dropped(Subject::Other, format!("turns[{at}].name"), why);
    }
}

/// Notes what another dialect kept of a turn that becomes no message of its own.
fn lose_foreign(extras: &Extras, at: usize, losses: &mut Losses) {
    if !extras.is_of(DIALECT) {
        lose_extras(extras, &|| format!("turns[{at}]"), losses);
    }
}
