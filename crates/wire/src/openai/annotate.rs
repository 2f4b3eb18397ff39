//! The cost, written into an answer's usage object as OpenRouter does
//! (<https://openrouter.ai/docs/use-cases/usage-accounting>), by splicing: nothing else changes.

use bytes::Bytes;

use crate::codec::Annotation;
use crate::envelope::Envelope;
use crate::frame::{Frame, FrameData};
use crate::splice::{Edit, EditValue, splice};

pub(crate) fn annotate(body: &Bytes, annotation: &Annotation<'_>) -> Option<Bytes> {
    if body.trim_ascii_start().starts_with(b"{") {
        return annotate_json(body.clone(), annotation);
    }
    let frame = Frame::of_event(body.clone());
    let FrameData::Within(range) = &frame.data else { return None };
    let json = annotate_json(body.slice(range.clone()), annotation)?;
    let (before, after) = (body.get(..range.start)?, body.get(range.end..)?);
    Some([before, json.as_ref(), after].concat().into())
}

pub(crate) fn annotate_json(json: Bytes, annotation: &Annotation<'_>) -> Option<Bytes> {
    let envelope = Envelope::parse(json).ok()?;
    let usage = Envelope::parse(envelope.value("usage")?).ok()?;
    let cost = annotation.cost.to_string();
    let details = format!("{{\"upstream_inference_cost\":{cost}}}");
    let usage = splice(
        &usage,
        &[
            Edit::insert("cost", EditValue::json(cost)),
            Edit::insert("cost_details", EditValue::json(details)),
        ],
    );
    let edits = [
        Edit::replace("usage", EditValue::json(usage.to_bytes())),
        Edit::insert("provider", EditValue::string(annotation.provider)),
    ];
    Some(splice(&envelope, &edits).to_bytes())
}
