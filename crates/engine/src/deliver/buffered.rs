//! A whole answer: the provider's bytes, with cost and receipt spliced in where asked for.

use bytes::Bytes;
use trunkline_wire::codec::Annotation;
use trunkline_wire::envelope::Envelope;
use trunkline_wire::splice::{Edit, EditValue, splice};

use super::headers;
use crate::answer::{Answer, AnswerBody};
use crate::execute::Head;
use crate::request::{ReceiptWish, Request};

pub(super) fn deliver(request: Request, head: &Head, body: Bytes) -> Answer {
    let mut all = headers::of(&request, head);
    headers::finished(&request, &mut all);
    let mut body = request.with_own_ids(head, body);
    if request.skim.annotate || request.delivery.annotate || head.recast {
        let annotation = Annotation { cost: request.trail.cost, provider: head.provider_name };
        body = request.codec.annotate(&body, &annotation).unwrap_or(body);
    }
    if request.receipt == ReceiptWish::Full {
        body = with_receipt(&request, &body).unwrap_or(body);
    }
    let status = head.status;
    request.finish(status, head.ordinal);
    Answer { status, headers: all, body: AnswerBody::Full(body) }
}

fn with_receipt(request: &Request, body: &Bytes) -> Option<Bytes> {
    let receipt = serde_json::to_vec(&request.receipt()?).ok()?;
    let envelope = Envelope::parse(body.clone()).ok()?;
    Some(splice(&envelope, &[Edit::insert("trunkline_receipt", EditValue::json(receipt))]).to_bytes())
}
