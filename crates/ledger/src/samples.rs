//! Sample records for the tests of this crate.

#![cfg(not(loom))]

use trunkline_domain::attempt::Origin;
use trunkline_domain::id::{AttemptId, KeyId, OrganisationId, RequestId};
use trunkline_domain::ledger::{AttemptOpening, EntryState, Payer, RequestRecord, Settlement};
use trunkline_domain::{ModelName, NanoUsd, Operation, Text, UnixMs, UpstreamModel, Usage, UsageSource};
use uuid::Uuid;

pub(crate) fn request_id(number: u128) -> RequestId {
    RequestId(Uuid::from_u128(number))
}

pub(crate) fn payer(key: u128) -> Payer {
    Payer {
        organisation: OrganisationId::FIRST,
        team: None,
        user: None,
        key: KeyId(Uuid::from_u128(key)),
        end_user: None,
        session: None,
        tags: Vec::new(),
        experiment: None,
        variant: None,
    }
}

pub(crate) fn opening(request: u128, ordinal: u8) -> AttemptOpening {
    AttemptOpening {
        id: AttemptId { request: request_id(request), ordinal },
        origin: Origin::Caller,
        payer: payer(7),
        operation: Operation::Chat,
        streamed: true,
        model_asked: ModelName::from("fast"),
        model: ModelName::from("vendor/model"),
        provider: Text::from("sandbox"),
        account: Text::from("main"),
        credential: Text::from("…abcd"),
        upstream_model: UpstreamModel::from("model-1"),
        place: Some(Text::from("eu")),
        price_version: Text::from("2026-11-25"),
        bound: NanoUsd(1_000),
        opened_at: UnixMs(1_700_000_000_000),
    }
}

pub(crate) fn settlement(charge: i64) -> Settlement {
    Settlement {
        state: EntryState::Settled,
        usage: Usage { input_tokens: 3, output_tokens: 5, ..Usage::default() },
        usage_source: UsageSource::Reported,
        cost: NanoUsd(charge),
        charge: NanoUsd(charge),
        ..Settlement::void(None, 12)
    }
}

pub(crate) fn request(number: u128) -> RequestRecord {
    RequestRecord {
        id: request_id(number),
        payer: Some(payer(7)),
        operation: Operation::Chat,
        streamed: true,
        model_asked: ModelName::from("fast"),
        client_request_id: None,
        arrived_at: UnixMs(1_700_000_000_000),
        total_ms: 20,
        attempts: 1,
        final_attempt: Some(1),
        status: 200,
        error: None,
        losses: Vec::new(),
        seams: Vec::new(),
    }
}
