//! A conversation comes back: whose state it carries, and what of it goes to whom.

use std::sync::Arc;

use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, Minted, Minter, Part};
use trunkline_domain::id::OrganisationId;
use trunkline_routing::world::Deployment;
use trunkline_wire::codec::{Codec, Subject};
use trunkline_wire::envelope::Envelope;
use trunkline_wire::recast::Losses;
use trunkline_wire::splice::Edit;
use trunkline_wire::state::{State, StateKind, Verdict};

use super::{MintedTable, Origin};

/// Whose state a conversation carries, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survey {
    /// Who made the latest of it.
    pub(crate) home: Option<Arc<Origin>>,
    /// Everybody who signed some of it.
    minters: Vec<Minter>,
    /// Some of its thinking is signed by nobody.
    unsigned: bool,
}

impl Survey {
    /// Whether all of it can go to one of its makers.
    fn is_welcome(&self, minter: &Minter, verifies: bool) -> bool {
        self.minters.iter().all(|known| known == minter) && !(verifies && self.unsigned)
    }
}

/// The table, on behalf of one tenant.
#[derive(Clone, Copy)]
pub(crate) struct Keeper<'a> {
    table: &'a MintedTable,
    tenant: OrganisationId,
}

impl<'a> Keeper<'a> {
    pub(crate) fn new(table: &'a MintedTable, tenant: OrganisationId) -> Self {
        Self { table, tenant }
    }

    /// Whose state the conversation carries.
    pub(crate) fn survey(&self, codec: &dyn Codec, envelope: &Envelope) -> Option<Survey> {
        if !self.table.is_in_use() {
            return None;
        }
        let mut survey = Survey::default();
        codec.review_state(envelope, "", &mut |state| {
            let known = self.known(state);
            match (&state.kind, &known) {
                (StateKind::Signed(_), Some(origin)) if !survey.minters.contains(&origin.minter) => {
                    survey.minters.push(origin.minter.clone());
                }
                (StateKind::Unsigned, _) => survey.unsigned = true,
                (StateKind::Signed(_) | StateKind::Call { .. }, _) => {}
            }
            survey.home = known.or(survey.home.take());
            Verdict::Keep
        });
        Some(survey)
    }

    fn known(&self, state: &State<'_>) -> Option<Arc<Origin>> {
        match &state.kind {
            StateKind::Signed(value) => self.table.origin(self.tenant, value),
            StateKind::Call { id, name } => Some(self.table.call(self.tenant, id, name)?.origin),
            StateKind::Unsigned => None,
        }
    }

    /// What of the conversation's state must go before a deployment that speaks the caller's dialect is asked: what is
    /// known to be somebody else's, and thinking nobody signed where signatures are verified. Everything else stays,
    /// forged or not.
    pub(crate) fn review(
        &self,
        codec: &dyn Codec,
        envelope: &Envelope,
        (deployment, survey): (&Deployment, Option<&Survey>),
    ) -> (Option<Edit>, Losses) {
        let dialect = codec.dialect();
        let verifies = deployment.provider.portable_state.contains(&dialect);
        if !verifies && !self.table.is_in_use() {
            return (None, Losses::default());
        }
        let minter = deployment.minter(dialect);
        if survey.is_some_and(|survey| survey.is_welcome(&minter, verifies)) {
            return (None, Losses::default());
        }
        let mut losses = Losses::default();
        let edit = codec.review_state(envelope, deployment.offer.upstream_id.as_str(), &mut |state| {
            let why = match &state.kind {
                StateKind::Unsigned if verifies => "thinking is taken back with a signature only",
                StateKind::Signed(_) if self.known(state).is_some_and(|origin| origin.minter != minter) => {
                    "signed by another provider, account or model"
                }
                StateKind::Signed(_) | StateKind::Unsigned | StateKind::Call { .. } => return Verdict::Keep,
            };
            losses.dropped(Subject::State, state.path.clone(), why);
            Verdict::Drop
        });
        (edit, losses)
    }

    /// The conversation with everything that is known of its state: what is not its caller's dialect's is that of
    /// whoever made it, and the calls of `minter`'s whose signatures the caller could not carry have them again.
    pub(crate) fn attributed(&self, chat: Arc<ChatRequest>, minter: &Minter) -> Arc<ChatRequest> {
        if !self.table.is_in_use() {
            return chat;
        }
        let parts = || {
            chat.turns.iter().enumerate().flat_map(|(at, turn)| {
                turn.parts.iter().enumerate().map(move |(place, part)| (at, place, part))
            })
        };
        let found: Vec<_> =
            parts().filter_map(|(at, place, part)| Some((at, place, self.state_of(part, minter)?))).collect();
        if found.is_empty() {
            return chat;
        }
        let mut known = ChatRequest::clone(&chat);
        for (at, place, state) in found {
            if let Some(part) = known.turns.get_mut(at).and_then(|turn| turn.parts.get_mut(place)) {
                part.signature = Some(state);
            }
        }
        Arc::new(known)
    }

    fn state_of(&self, part: &Part, minter: &Minter) -> Option<Minted<trunkline_domain::Text>> {
        let made = |dialect: Dialect, by: &Minter, value| Minted { dialect, by: Some(by.clone()), value };
        if let Some(state) = &part.signature {
            let origin = self.table.origin(self.tenant, &state.value)?;
            return Some(made(origin.dialect, &origin.minter, state.value.clone()));
        }
        let call = part.tool_call()?;
        let state = self.table.call(self.tenant, &call.id, &call.name)?;
        (state.origin.minter == *minter)
            .then(|| made(state.origin.dialect, &state.origin.minter, state.value))
    }
}
