//! What a provider keeps for a caller: the answers of OpenAI's Responses. The gateway keeps nothing of them: it hands out
//! ids that say which account has the answer and that only their own tenant can use ([`ids`]), sends whatever goes on from
//! one to that account alone, and asks for one again ([`recall`]).

pub mod ids;
mod recall;

pub(crate) use recall::recall;
pub use recall::{RecallAsk, Recalled};

use trunkline_domain::{Error, ErrorKind};
use trunkline_wire::codec::Skim;

use crate::core::Core;
use crate::door::Tenant;
use crate::keys::KeyRecord;
use ids::Kept;

/// The most of an id that an error repeats.
const SHOWN_MAX: usize = 64;

/// The answer a request goes on from, if it does; an error where it is not this caller's.
pub(crate) fn previous(core: &Core, key: &KeyRecord, skim: &Skim) -> Result<Option<Kept>, Error> {
    let Some(previous) = &skim.previous else { return Ok(None) };
    let kept = core.kept.open(Tenant::of(&key.facts), &previous.id);
    kept.map(Some).ok_or_else(|| not_found(&previous.id).about(previous.field))
}

/// No such answer: nobody is told whether it is somebody else's.
fn not_found(id: &str) -> Error {
    let shown: String = id.chars().filter(char::is_ascii_graphic).take(SHOWN_MAX).collect();
    let message = format!(
        "there is no response `{shown}` that this key could go on from: it was made by another key, by a provider that \
         keeps none, or not here"
    );
    Error::new(ErrorKind::NotFound, message)
}

/// The account is not there any more, or not for this.
pub(crate) fn gone(account: &str) -> Error {
    let message = format!(
        "the account `{account}` keeps that response, and it is not configured any more or does not serve this model: send \
         the whole conversation in `input`"
    );
    Error::new(ErrorKind::ProviderStateGone, message)
}
