//! The seam between what a caller has read and what another provider says next: a machine of events without I/O or
//! clock. It holds the first characters of the continuation back, cuts what they repeat, and stops where they begin the
//! answer again or do something else than write. Any chunking of the same text gives the same result.
//!
//! Where to look first: [`Seam::event`], then [`join`].

use trunkline_domain::chat::{Delta, Part, PartKind, StreamEvent};

use super::transcript::Said;

/// Characters of a continuation that are held back: what is decided is decided on them.
pub(crate) const WINDOW_CHARS: usize = 64;
/// Characters that must be repeated before they are taken for a repetition: shorter ones happen by chance.
const OVERLAP_CHARS_MIN: usize = 8;
/// Characters shared with the answer's beginning that make a continuation a new beginning; half of the answer where that
/// is shorter.
const RESTART_CHARS: usize = 32;

/// The continuation is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Astray;

/// The machine.
#[derive(Clone, Debug)]
pub(crate) struct Seam {
    sent: Sent,
    /// The caller's open part, which the continuation goes on with.
    open: Option<u32>,
    /// The ordinal of the caller's next part.
    next: u32,
    /// The continuation's first part, once it has one.
    first: Option<u32>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// So much text is held back, and what must wait behind it.
    Holding { text: String, behind: Vec<StreamEvent> },
    /// It goes on; so many bytes were cut.
    Passing { overlap: u64 },
}

/// The ends of the text a caller has read, as far as a decision depends on them.
#[derive(Clone, Debug)]
struct Sent {
    /// Its beginning, without white space before it.
    head: String,
    /// Its end.
    tail: String,
    /// The white space at its end, which the provider was not given: some refuse it there.
    blank: String,
}

impl Seam {
    /// After what was said; `None` where that cannot be gone on with.
    pub(crate) fn after(said: &Said) -> Option<Self> {
        let text = said.continuable()?;
        let head = text.trim_start().chars().take(WINDOW_CHARS).collect();
        let from = text.char_indices().rev().nth(2 * WINDOW_CHARS - 1).map_or(0, |(at, _)| at);
        let tail = text.get(from..).unwrap_or_default().to_owned();
        let blank = text.get(text.trim_end().len()..).unwrap_or_default().to_owned();
        Some(Self {
            sent: Sent { head, tail, blank },
            open: said.open(),
            next: said.parts(),
            first: None,
            state: State::Holding { text: String::new(), behind: Vec::new() },
        })
    }

    /// Bytes that were cut, once it is decided.
    pub(crate) fn overlap(&self) -> Option<u64> {
        match self.state {
            State::Passing { overlap } => Some(overlap),
            State::Holding { .. } => None,
        }
    }

    /// Takes one event of the continuation and adds what the caller gets for it.
    pub(crate) fn event(&mut self, event: StreamEvent, out: &mut Vec<StreamEvent>) -> Result<(), Astray> {
        match event {
            StreamEvent::Start { .. } | StreamEvent::Logprobs { .. } => Ok(()),
            StreamEvent::Usage(_) | StreamEvent::ServiceTier(_) => {
                out.push(event);
                Ok(())
            }
            StreamEvent::PartStart { choice: 0, index, part } => self.part_start(index, part, out),
            StreamEvent::PartDelta { choice: 0, index, delta } => self.part_delta(index, delta, out),
            StreamEvent::PartStop { choice: 0, index } => {
                self.decide(out)?;
                out.push(StreamEvent::PartStop { choice: 0, index: self.place(index) });
                Ok(())
            }
            StreamEvent::Finish { choice: 0, finish } => {
                self.decide(out)?;
                self.close_unsaid(out);
                out.push(StreamEvent::Finish { choice: 0, finish });
                Ok(())
            }
            StreamEvent::End => {
                self.decide(out)?;
                self.close_unsaid(out);
                out.push(StreamEvent::End);
                Ok(())
            }
            StreamEvent::PartStart { .. }
            | StreamEvent::PartDelta { .. }
            | StreamEvent::PartStop { .. }
            | StreamEvent::Finish { .. } => Err(Astray),
        }
    }

    fn part_start(&mut self, index: u32, part: Part, out: &mut Vec<StreamEvent>) -> Result<(), Astray> {
        let PartKind::Text { text, .. } = &part.kind else { return Err(Astray) };
        if self.first.is_none() {
            self.first = Some(index);
            return self.write(text, out);
        }
        self.decide(out)?;
        out.push(StreamEvent::PartStart { choice: 0, index: self.place(index), part });
        Ok(())
    }

    fn part_delta(&mut self, index: u32, delta: Delta, out: &mut Vec<StreamEvent>) -> Result<(), Astray> {
        match delta {
            Delta::Text(text) if matches!(self.state, State::Holding { .. }) => self.write(&text, out),
            Delta::Text(_) | Delta::Citation(_) => {
                let event = StreamEvent::PartDelta { choice: 0, index: self.place(index), delta };
                match &mut self.state {
                    State::Holding { behind, .. } => behind.push(event),
                    State::Passing { .. } => out.push(event),
                }
                Ok(())
            }
            Delta::Thought { .. }
            | Delta::Summary { .. }
            | Delta::Arguments(_)
            | Delta::Signature(_)
            | Delta::Speech { .. } => Err(Astray),
        }
    }

    /// Holds text back until there is enough to decide on.
    fn write(&mut self, more: &str, out: &mut Vec<StreamEvent>) -> Result<(), Astray> {
        let State::Holding { text, .. } = &mut self.state else { return Ok(()) };
        text.push_str(more);
        if text.chars().nth(WINDOW_CHARS - 1).is_some() { self.decide(out) } else { Ok(()) }
    }

    /// Decides on what is held, if that has not happened yet.
    fn decide(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Astray> {
        let State::Holding { text, behind } = &mut self.state else { return Ok(()) };
        let (text, behind) = (std::mem::take(text), std::mem::take(behind));
        let overlap = join(&self.sent, &text)?;
        self.state = State::Passing { overlap: overlap as u64 };
        let Some(first) = self.first else { return Ok(()) };
        let index = self.place(first);
        if self.open.is_none() {
            out.push(StreamEvent::PartStart { choice: 0, index, part: Part::text("") });
        }
        let rest = text.get(overlap..).unwrap_or_default();
        if !rest.is_empty() {
            out.push(StreamEvent::PartDelta { choice: 0, index, delta: Delta::Text(rest.into()) });
        }
        out.extend(behind);
        Ok(())
    }

    /// A continuation that said nothing leaves the caller's part open: it is complete.
    fn close_unsaid(&mut self, out: &mut Vec<StreamEvent>) {
        if self.first.is_none()
            && let Some(index) = self.open.take()
        {
            out.push(StreamEvent::PartStop { choice: 0, index });
        }
    }

    /// The caller's ordinal of a part.
    fn place(&self, index: u32) -> u32 {
        let first = self.first.unwrap_or(index);
        self.open.unwrap_or(self.next).saturating_add(index.saturating_sub(first))
    }
}

/// How many bytes of a continuation the caller has read already. Only the window at its beginning counts.
fn join(sent: &Sent, continuation: &str) -> Result<usize, Astray> {
    let end = continuation.char_indices().nth(WINDOW_CHARS).map_or(continuation.len(), |(at, _)| at);
    let window = continuation.get(..end).unwrap_or_default();
    if restarts(&sent.head, window.trim_start()) {
        return Err(Astray);
    }
    let ends = window.char_indices().map(|(at, c)| at + c.len_utf8()).collect::<Vec<_>>();
    let repeated = ends.iter().skip(OVERLAP_CHARS_MIN - 1).rev().find_map(|end| {
        let overlap = window.get(..*end)?;
        let before = sent.tail.strip_suffix(overlap)?;
        // What the text itself repeats goes on as it does.
        let own = before.ends_with(overlap) || rhythmic(overlap);
        (!own).then_some(*end)
    });
    let blank = sent.blank.bytes().zip(window.bytes()).take_while(|(one, other)| one == other).count();
    Ok(repeated.unwrap_or_else(|| window.floor_char_boundary(blank)))
}

/// Whether a continuation begins as the answer did.
fn restarts(head: &str, window: &str) -> bool {
    let length = head.chars().count();
    let shared = head.chars().zip(window.chars()).take_while(|(one, other)| one == other).count();
    shared > 0 && shared >= RESTART_CHARS.min(length.div_ceil(2))
}

/// Whether a text is a shorter one said at least twice in a row.
fn rhythmic(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=bytes.len() / 2)
        .any(|period| bytes.iter().zip(bytes.iter().skip(period)).all(|(one, next)| one == next))
}

#[cfg(test)]
mod tests;
