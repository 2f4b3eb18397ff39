//! Thinking, written: blocks of requests and answers.

use trunkline_domain::chat::{Part, Thought};

use super::{DIALECT, form};
use crate::json::Object;

/// What stands between pieces of a thought, which the dialect has as one text.
pub(super) const BETWEEN_PIECES: &str = "\n\n";

/// Writes the members of a thought. The signature is written if it is this dialect's; one that is not is empty, which no
/// provider takes for its own.
pub(super) fn encode(object: &mut Object<'_>, thought: &Thought, part: &Part) {
    let signature = part.signature.as_ref().map_or("", |state| &*state.value);
    if thought.redacted {
        object.member("type", "redacted_thinking");
        object.member("data", signature);
        return;
    }
    object.member("type", "thinking");
    object.member("thinking", &text(thought));
    if part.extras.form(DIALECT) & form::UNSIGNED == 0 {
        object.member("signature", signature);
    }
}

/// The thinking as one text: the summaries follow what was thought.
fn text(thought: &Thought) -> String {
    let pieces: Vec<&str> = thought.text.iter().chain(&thought.summary).map(|piece| &**piece).collect();
    pieces.join(BETWEEN_PIECES)
}
