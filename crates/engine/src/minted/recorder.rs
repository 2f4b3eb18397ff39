//! An answer passes: what of it is its provider's state is remembered. Nothing is done for answers without any.

use std::sync::Arc;

use trunkline_domain::chat::{ChatResponse, Delta, Minted, Part, StreamEvent};
use trunkline_domain::id::OrganisationId;
use trunkline_domain::plan::DeploymentIx;
use trunkline_domain::{Dialect, Text};
use trunkline_wire::codec::Codec;

use super::{MintedTable, Origin};
use crate::snapshot::Snapshot;

/// Who is answering whom: all that is needed once something is to be remembered.
#[derive(Clone, Copy)]
pub(crate) struct Recorder<'a> {
    table: &'a MintedTable,
    snapshot: &'a Snapshot,
    deployment: DeploymentIx,
    tenant: OrganisationId,
    /// In which dialect the provider answers.
    dialect: Dialect,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(
        table: &'a MintedTable,
        snapshot: &'a Snapshot,
        (deployment, dialect): (DeploymentIx, Dialect),
        tenant: OrganisationId,
    ) -> Self {
        Self { table, snapshot, deployment, tenant, dialect }
    }

    /// Where what it signs comes from; a server of one dialect may hand out state of another.
    fn origin(&self, dialect: Dialect) -> Option<Arc<Origin>> {
        let deployment = self.snapshot.offers.get(self.deployment)?;
        let minter = deployment.minter(self.dialect);
        Some(Arc::new(Origin { dialect, minter, deployment: deployment.label.clone() }))
    }

    /// A whole answer, or an event of one, in the provider's own dialect.
    pub(crate) fn bytes(&self, codec: &dyn Codec, json: &[u8]) {
        let mut origin = None;
        codec.find_state(json, &mut |value| {
            origin = origin.take().or_else(|| self.origin(self.dialect));
            if let Some(origin) = &origin {
                self.table.remember(self.tenant, value, origin);
            }
        });
    }

    /// A whole answer, read. Says where the signatures are that come back with their calls even if its caller's dialect has
    /// no place for them.
    pub(crate) fn response(&self, response: &ChatResponse) -> Vec<String> {
        let mut kept = Vec::new();
        for choice in &response.choices {
            for (place, part) in choice.parts.iter().enumerate() {
                let Some(state) = &part.signature else { continue };
                let call = part.tool_call().map(|call| (&*call.id, &*call.name));
                if self.remember(state, call) {
                    kept.push(signature_at(choice.index, u32::try_from(place).unwrap_or(u32::MAX)));
                }
            }
        }
        kept
    }

    /// Remembers a signature; whether it comes back with its call.
    fn remember(&self, state: &Minted<Text>, call: Option<(&str, &str)>) -> bool {
        let Some(origin) = self.origin(state.dialect) else { return false };
        self.table.remember(self.tenant, &state.value, &origin);
        call.is_some_and(|call| self.table.remember_call(self.tenant, call, state.value.clone(), &origin))
    }
}

/// Signatures of a stream that are known to come back; beyond that they are named as losses.
const KEPT_MAX: usize = 256;

/// As a loss names it.
fn signature_at(choice: u32, part: u32) -> String {
    format!("choices[{choice}].parts[{part}].signature")
}

/// Watches the events of one stream.
#[derive(Default)]
pub(crate) struct Witness {
    /// The open tool call of each choice that has one.
    calls: Vec<(u32, Text, Text)>,
    /// Where the signatures are that come back with their calls, as losses name places.
    kept: Vec<String>,
}

impl Witness {
    /// Whether this is where a signature is that comes back with its call even if its caller's dialect has no place for it.
    pub(crate) fn keeps(&self, path: &str) -> bool {
        self.kept.iter().any(|kept| kept == path)
    }

    /// Events of the stream, read.
    pub(crate) fn events(&mut self, events: &[StreamEvent], recorder: &Recorder<'_>) {
        for event in events {
            match event {
                StreamEvent::PartStart { choice, index, part } => {
                    self.open((*choice, *index), part, recorder);
                }
                StreamEvent::PartDelta { choice, index, delta: Delta::Signature(state) } => {
                    self.signed((*choice, *index), state, recorder);
                }
                StreamEvent::PartStop { choice, .. } => self.calls.retain(|(of, ..)| of != choice),
                StreamEvent::PartDelta { .. }
                | StreamEvent::Start { .. }
                | StreamEvent::Logprobs { .. }
                | StreamEvent::Usage(_)
                | StreamEvent::ServiceTier(_)
                | StreamEvent::Finish { .. }
                | StreamEvent::End => {}
            }
        }
    }

    fn open(&mut self, (choice, index): (u32, u32), part: &Part, recorder: &Recorder<'_>) {
        self.calls.retain(|(of, ..)| *of != choice);
        if let Some(call) = part.tool_call() {
            self.calls.push((choice, call.id.clone(), call.name.clone()));
        }
        if let Some(state) = &part.signature {
            self.signed((choice, index), state, recorder);
        }
    }

    fn signed(&mut self, (choice, index): (u32, u32), state: &Minted<Text>, recorder: &Recorder<'_>) {
        let call = self.calls.iter().find(|(of, ..)| *of == choice);
        if recorder.remember(state, call.map(|(_, id, name)| (&**id, &**name))) && self.kept.len() < KEPT_MAX
        {
            self.kept.push(signature_at(choice, index));
        }
    }
}
