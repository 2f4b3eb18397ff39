//! The events of a stream as they are written: named inside, numbered, about an item.

use super::output::Thinking;
use crate::json::Object;
use crate::recast::{Frames, Losses};

/// Writes events, with their names inside and their numbers.
#[derive(Default)]
pub(super) struct Wire {
    silent: bool,
    sequence: u64,
}

impl Wire {
    /// One that writes nothing.
    pub(super) fn silent() -> Self {
        Self { silent: true, sequence: 0 }
    }

    /// An event.
    pub(super) fn event(
        &mut self,
        out: &mut Frames,
        name: &str,
        members: impl FnOnce(&mut Object<'_>, &mut Losses),
    ) {
        if self.silent {
            return;
        }
        let sequence = self.sequence;
        self.sequence += 1;
        out.event(Some(name), |object, losses| {
            object.member("type", name);
            object.member("sequence_number", &sequence);
            members(object, losses);
        });
    }

    /// An event about an item.
    pub(super) fn of_item(
        &mut self,
        out: &mut Frames,
        name: &str,
        (id, index): (&str, u64),
        members: impl FnOnce(&mut Object<'_>),
    ) {
        self.event(out, name, |object, _| {
            object.member("item_id", id);
            object.member("output_index", &index);
            members(object);
        });
    }
}

/// When in the life of a piece.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Opens,
    Ends,
}

/// Writes that a piece of a thought opens or ends.
pub(super) fn write_piece(
    wire: &mut Wire,
    out: &mut Frames,
    (thinking, index): (&Thinking, u64),
    (of_summary, place): (bool, usize),
    moment: Moment,
) {
    let pieces = if of_summary { &thinking.summary } else { &thinking.text };
    let text = pieces.get(place).map_or("", |piece| piece);
    let (member, kind) =
        if of_summary { ("summary_index", "summary_text") } else { ("content_index", "reasoning_text") };
    if moment == Moment::Ends {
        let name =
            if of_summary { "response.reasoning_summary_text.done" } else { "response.reasoning_text.done" };
        wire.of_item(out, name, (&thinking.id, index), |object| {
            object.member(member, &place);
            object.member("text", text);
        });
    }
    let name = match (of_summary, moment) {
        (true, Moment::Opens) => "response.reasoning_summary_part.added",
        (true, Moment::Ends) => "response.reasoning_summary_part.done",
        (false, Moment::Opens) => "response.content_part.added",
        (false, Moment::Ends) => "response.content_part.done",
    };
    wire.of_item(out, name, (&thinking.id, index), |object| {
        object.member(member, &place);
        object.object("part", |part| {
            part.member("type", kind);
            part.member("text", text);
        });
    });
}

/// Adds an element to a list.
pub(super) fn append(list: &mut Vec<u8>, element: &[u8]) {
    if !list.is_empty() {
        list.push(b',');
    }
    list.extend_from_slice(element);
}
