//! Records as bytes: a fixed frame, then JSON. A record is whole or it is not there: its checksum covers everything
//! behind it.
//!
//! Frame, little endian: payload length `u32` (never 0, so that zero-filled space is "nothing yet"), CRC-32 of the rest
//! `u32`, kind `u8`, ordinal `u8` (0 where the record is of a request), request id 16 bytes, payload.
//!
//! Every kind has a largest size, which is what a ticket reserves. A record beyond it has its texts and lists shortened
//! (a shortened text ends in `…`) until it fits; ids, money and counts are never touched.

use std::fmt;

use serde::Serialize;
use trunkline_domain::attempt::Cause;
use trunkline_domain::id::{AttemptId, RequestId};
use trunkline_domain::ledger::{AttemptOpening, Payer, RequestRecord, Settlement};
use trunkline_domain::{ModelName, Text, UpstreamModel};

/// Bytes before the payload.
pub(super) const FRAME_BYTES: usize = 26;
/// The largest `opened` record.
pub(super) const OPENED_BYTES_MAX: usize = 2_048;
/// The largest `settled` record.
pub(super) const SETTLED_BYTES_MAX: usize = 1_536;
/// The largest request record.
pub(super) const REQUEST_BYTES_MAX: usize = 2_048;
/// The largest record of any kind.
pub(super) const RECORD_BYTES_MAX: usize = 2_048;

const CHECKSUM_FROM: usize = 8;
/// Room for most records.
const USUAL_BYTES: usize = 768;
/// Lengths to which texts are shortened, one after another, until a record fits. With the last one every record does.
const TEXT_BYTES: [usize; 4] = [256, 64, 16, 0];

/// A record as read back.
#[derive(Debug)]
pub(super) enum Record {
    /// An attempt's bytes are about to leave.
    Opened(Box<AttemptOpening>),
    /// An attempt ended.
    Settled(AttemptId, Box<Settlement>),
    /// A request ended.
    Request(Box<RequestRecord>),
}

#[derive(Clone, Copy)]
enum Kind {
    Opened = 1,
    Settled = 2,
    Request = 3,
}

/// A record as bytes, on its way to the writer: encoded by whoever brings it.
pub(super) struct Encoded(serde_json::Result<Vec<u8>>);

impl Encoded {
    /// An `opened` record.
    pub(super) fn opened(opening: &AttemptOpening) -> Self {
        Self::new(|buffer| append_opened(buffer, opening))
    }

    /// A `settled` record.
    pub(super) fn settled(id: AttemptId, end: &Settlement) -> Self {
        Self::new(|buffer| append_settled(buffer, id, end))
    }

    /// A request record.
    pub(super) fn request(record: &RequestRecord) -> Self {
        Self::new(|buffer| append_request(buffer, record))
    }

    fn new(append: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<usize>) -> Self {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        Self(append(&mut bytes).map(|_| bytes))
    }

    /// Appends it; returns its length.
    pub(super) fn append_to(self, buffer: &mut Vec<u8>) -> serde_json::Result<usize> {
        let bytes = self.0?;
        buffer.extend_from_slice(&bytes);
        Ok(bytes.len())
    }
}

/// For a log, where it may be the last place that keeps the record.
impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(bytes) => f.write_str(&String::from_utf8_lossy(bytes.get(FRAME_BYTES..).unwrap_or_default())),
            Err(error) => error.fmt(f),
        }
    }
}

/// Appends an `opened` record; returns its length.
pub(super) fn append_opened(buffer: &mut Vec<u8>, opening: &AttemptOpening) -> serde_json::Result<usize> {
    let frame = (Kind::Opened, opening.id);
    append(buffer, frame, OPENED_BYTES_MAX, opening, |texts| shorten_opening(opening, texts))
}

/// Appends a `settled` record; returns its length.
pub(super) fn append_settled(
    buffer: &mut Vec<u8>,
    id: AttemptId,
    end: &Settlement,
) -> serde_json::Result<usize> {
    append(buffer, (Kind::Settled, id), SETTLED_BYTES_MAX, end, |texts| shorten_settlement(end, texts))
}

/// Appends a request record; returns its length.
pub(super) fn append_request(buffer: &mut Vec<u8>, record: &RequestRecord) -> serde_json::Result<usize> {
    let frame = (Kind::Request, AttemptId { request: record.id, ordinal: 0 });
    append(buffer, frame, REQUEST_BYTES_MAX, record, |texts| shorten_request(record, texts))
}

fn append<T: Serialize>(
    buffer: &mut Vec<u8>,
    (kind, id): (Kind, AttemptId),
    bytes_max: usize,
    payload: &T,
    shorten: impl Fn(&Shorten) -> T,
) -> serde_json::Result<usize> {
    let start = buffer.len();
    let mut written = append_payload(buffer, start, payload);
    for text_bytes in TEXT_BYTES {
        if written.is_err() || buffer.len() - start <= bytes_max {
            break;
        }
        written = append_payload(buffer, start, &shorten(&Shorten { text_bytes }));
    }
    if let Err(error) = written {
        buffer.truncate(start);
        return Err(error);
    }
    let length = buffer.len() - start;
    if let Some(frame) = buffer.get_mut(start..) {
        seal(frame, kind, id);
    }
    Ok(length)
}

fn append_payload<T: Serialize>(buffer: &mut Vec<u8>, start: usize, payload: &T) -> serde_json::Result<()> {
    buffer.truncate(start);
    buffer.resize(start + FRAME_BYTES, 0);
    serde_json::to_writer(buffer, payload)
}

fn seal(record: &mut [u8], kind: Kind, id: AttemptId) {
    let length = u32::try_from(record.len() - FRAME_BYTES).unwrap_or(u32::MAX);
    let mut head = [0_u8; FRAME_BYTES];
    let fields: [(usize, &[u8]); 4] =
        [(0, &length.to_le_bytes()), (8, &[kind as u8]), (9, &[id.ordinal]), (10, id.request.0.as_bytes())];
    for (at, field) in fields {
        for (slot, byte) in head.iter_mut().skip(at).zip(field) {
            *slot = *byte;
        }
    }
    copy_front(record, &head);
    let checksum = crc32fast::hash(record.get(CHECKSUM_FROM..).unwrap_or_default());
    if let Some(slot) = record.get_mut(4..8) {
        copy_front(slot, &checksum.to_le_bytes());
    }
}

fn copy_front(to: &mut [u8], from: &[u8]) {
    for (slot, byte) in to.iter_mut().zip(from) {
        *slot = *byte;
    }
}

/// What stands at the front of some bytes.
#[derive(Debug)]
pub(super) enum Parsed {
    /// A record and its length.
    Record(Record, usize),
    /// A whole record of that length that this version does not understand.
    Unknown(usize),
    /// Space nothing was written to.
    Empty,
    /// A record that is not whole.
    Torn,
}

/// Reads the record at the front of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let Some((head, rest)) = bytes.split_first_chunk::<FRAME_BYTES>() else {
        return if bytes.iter().all(|byte| *byte == 0) { Parsed::Empty } else { Parsed::Torn };
    };
    let [l0, l1, l2, l3, c0, c1, c2, c3, kind, ordinal, request @ ..] = *head;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length == 0 {
        return if head.iter().all(|byte| *byte == 0) { Parsed::Empty } else { Parsed::Torn };
    }
    let Some(payload) = rest.get(..length) else { return Parsed::Torn };
    let covered = bytes.get(CHECKSUM_FROM..FRAME_BYTES + length).unwrap_or_default();
    if crc32fast::hash(covered) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Parsed::Torn;
    }
    let id = AttemptId { request: RequestId(uuid::Uuid::from_bytes(request)), ordinal };
    let total = FRAME_BYTES + length;
    decode(kind, id, payload).map_or(Parsed::Unknown(total), |record| Parsed::Record(record, total))
}

fn decode(kind: u8, id: AttemptId, payload: &[u8]) -> Option<Record> {
    match kind {
        kind if kind == Kind::Opened as u8 => serde_json::from_slice(payload).ok().map(Record::Opened),
        kind if kind == Kind::Settled as u8 => {
            serde_json::from_slice(payload).ok().map(|settlement| Record::Settled(id, settlement))
        }
        kind if kind == Kind::Request as u8 => serde_json::from_slice(payload).ok().map(Record::Request),
        _ => None,
    }
}

struct Shorten {
    text_bytes: usize,
}

impl Shorten {
    fn text(&self, text: &Text) -> Text {
        if text.len() <= self.text_bytes {
            return Text::clone(text);
        }
        let mark = if self.text_bytes < 4 { "" } else { "…" };
        let end = text.floor_char_boundary(self.text_bytes - mark.len());
        Text::from(format!("{}{mark}", text.get(..end).unwrap_or_default()))
    }

    fn some(&self, text: Option<&Text>) -> Option<Text> {
        text.map(|text| self.text(text))
    }

    fn list(&self, texts: &[Text]) -> Vec<Text> {
        texts.iter().take(self.text_bytes / 16).map(|text| self.text(text)).collect()
    }
}

fn shorten_opening(opening: &AttemptOpening, to: &Shorten) -> AttemptOpening {
    AttemptOpening {
        payer: shorten_payer(&opening.payer, to),
        model_asked: ModelName(to.text(&opening.model_asked.0)),
        model: ModelName(to.text(&opening.model.0)),
        provider: to.text(&opening.provider),
        account: to.text(&opening.account),
        credential: to.text(&opening.credential),
        upstream_model: UpstreamModel(to.text(&opening.upstream_model.0)),
        place: to.some(opening.place.as_ref()),
        price_version: to.text(&opening.price_version),
        ..opening.clone()
    }
}

fn shorten_payer(payer: &Payer, to: &Shorten) -> Payer {
    Payer {
        end_user: to.some(payer.end_user.as_ref()),
        session: to.some(payer.session.as_ref()),
        tags: to.list(&payer.tags),
        experiment: to.some(payer.experiment.as_ref()),
        variant: to.some(payer.variant.as_ref()),
        ..payer.clone()
    }
}

fn shorten_settlement(end: &Settlement, to: &Shorten) -> Settlement {
    Settlement {
        model_served: end.model_served.as_ref().map(|model| UpstreamModel(to.text(&model.0))),
        upstream_id: to.some(end.upstream_id.as_ref()),
        finish: to.some(end.finish.as_ref()),
        ..end.clone()
    }
}

fn shorten_request(record: &RequestRecord, to: &Shorten) -> RequestRecord {
    RequestRecord {
        payer: record.payer.as_ref().map(|payer| shorten_payer(payer, to)),
        model_asked: ModelName(to.text(&record.model_asked.0)),
        client_request_id: to.some(record.client_request_id.as_ref()),
        error: to.some(record.error.as_ref()),
        losses: to.list(&record.losses),
        ..record.clone()
    }
}

/// What an attempt is charged of which nobody knows how it ended: its whole hold. Where the hold was none
/// ([`NanoUsd::MAX`](trunkline_domain::NanoUsd::MAX), "cannot be bounded") no figure would be honest, and it is zero.
pub(crate) fn unknown_end(settlement: Settlement, cause: Option<Cause>, total_ms: u64) -> Settlement {
    use trunkline_domain::NanoUsd;
    let unbounded = settlement.cost == NanoUsd::MAX;
    let (cost, charge) =
        if unbounded { (NanoUsd::ZERO, NanoUsd::ZERO) } else { (settlement.cost, settlement.charge) };
    Settlement { cost, charge, cause, total_ms, ..settlement }
}

#[cfg(test)]
mod tests;
