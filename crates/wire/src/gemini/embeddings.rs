//! Embeddings in Google's form: `POST /models/{model}:embedContent`, one request and one vector, and
//! `:batchEmbedContents`, an array `requests` of the former and as many vectors. Google's own clients send the latter
//! only. Not the recast: see `recast/embeddings`.
//!
//! Sources: <https://ai.google.dev/api/embeddings>, google-genai 3.6.1 `google/genai/models.py`
//! (`_EmbedContentParametersPrivate_to_mldev`, `_EmbedContentResponse_from_mldev`: `usageMetadata` may be there).

use bytes::Bytes;
use trunkline_domain::{Dialect, Error, Operation, Text};

use super::{error, present, skim, usage};
use crate::codec::{
    Annotation, AnswerFacts, AnswerProblem, Codec, ErrorWords, FieldError, RelayEdits, RelayTarget, Skim,
    StreamTap,
};
use crate::cursor::{Cursor, Kind};
use crate::envelope::Envelope;
use crate::fields::{caller_facts, wrong};
use crate::json::{Str, wire_object};
use crate::quirks::Quirks;
use crate::splice::{Edit, EditValue, splice};

/// One request.
pub(crate) static ONE: GeminiEmbeddings = GeminiEmbeddings(Dialect::GeminiEmbed);

/// Many in one.
pub(crate) static MANY: GeminiEmbeddings = GeminiEmbeddings(Dialect::GeminiBatchEmbed);

/// The codec of either.
pub(crate) struct GeminiEmbeddings(Dialect);

wire_object! {
    ignoring struct Answer {
        "embedding" => embedding: serde::de::IgnoredAny,
        "embeddings" => embeddings: Vec<serde::de::IgnoredAny>,
        "usageMetadata" | "usage_metadata" => usage: usage::Reported,
        "error" => error: serde::de::IgnoredAny,
    }
}

wire_object! {
    ignoring struct Named { "model" => model: Str }
}

impl Codec for GeminiEmbeddings {
    fn dialect(&self) -> Dialect {
        self.0
    }

    fn operation(&self) -> Operation {
        Operation::Embeddings
    }

    fn skim(&self, envelope: &Envelope) -> Result<Skim, FieldError> {
        let mut skim = Skim { choices: 1, include_usage: true, ..Skim::default() };
        caller_facts(envelope, &mut skim)?;
        match present(envelope, ["requests", "requests"]) {
            Some((_, raw)) => requests(raw, &mut skim)?,
            None => match present(envelope, ["content", "content"]) {
                Some((_, raw)) => one(&mut Cursor::new(raw), &mut skim),
                None => {
                    return Err(FieldError {
                        field: "content".into(),
                        message: "there is nothing to embed: give `content`, or `requests` with one each"
                            .into(),
                    });
                }
            },
        }
        Ok(skim)
    }

    /// The path names the model; each of many requests names it again, and Google wants both to be the same.
    fn relay(&self, envelope: &Envelope, _skim: &Skim, target: &RelayTarget<'_>) -> RelayEdits {
        let mut edits: Vec<_> = super::relay::GATEWAY_FIELDS
            .iter()
            .filter(|field| envelope.contains(field) && !target.quirks.understands.contains(field))
            .map(|field| Edit::remove(*field))
            .collect();
        if envelope.contains("model") {
            edits.push(Edit::remove("model"));
        }
        let name = format!("models/{}", target.model);
        if let Some(requests) = envelope.raw_bytes("requests").and_then(|raw| renamed(raw, &name)) {
            edits.push(Edit::replace("requests", EditValue::json(requests)));
        }
        RelayEdits { edits, ..RelayEdits::default() }
    }

    fn read_answer(&self, body: &[u8], _quirks: &Quirks) -> Result<AnswerFacts, AnswerProblem> {
        let answer: Answer = serde_json::from_slice(body).map_err(|_| AnswerProblem::Malformed)?;
        if answer.error.is_some() {
            return Err(error::read(body).map_or(AnswerProblem::Malformed, AnswerProblem::Error));
        }
        if answer.embedding.is_none() && answer.embeddings.is_none() {
            return Err(AnswerProblem::Malformed);
        }
        Ok(AnswerFacts { usage: answer.usage.and_then(|usage| usage.usage()), ..AnswerFacts::default() })
    }

    fn stream_tap(&self, skim: &Skim, quirks: &Quirks) -> Box<dyn StreamTap> {
        super::CODEC.stream_tap(skim, quirks)
    }

    fn read_error(&self, body: &[u8]) -> Option<ErrorWords> {
        error::read(body)
    }

    fn annotate(&self, _body: &Bytes, _annotation: &Annotation<'_>) -> Option<Bytes> {
        None
    }

    fn error_body(&self, error: &Error) -> Bytes {
        error::body(error)
    }

    fn terminal_event(&self) -> Bytes {
        Bytes::new()
    }

    fn error_event(&self, error: &Error) -> Bytes {
        error::event(error)
    }
}

fn requests(raw: &[u8], skim: &mut Skim) -> Result<(), FieldError> {
    let mut cursor = Cursor::new(raw);
    if cursor.kind() != Kind::Array {
        return Err(wrong("requests", "an array of requests"));
    }
    cursor.array(|request| {
        if request.kind() != Kind::Object {
            return crate::fields::weigh(request, skim);
        }
        request.object(|key, value| match key {
            b"content" => one(value, skim),
            b"model" | b"taskType" | b"task_type" | b"outputDimensionality" | b"output_dimensionality" => {}
            _ => crate::fields::weigh(value, skim),
        });
    });
    Ok(())
}

fn one(content: &mut Cursor<'_>, skim: &mut Skim) {
    skim.messages = skim.messages.saturating_add(1);
    skim::content(content, skim);
}

/// The requests under another name of the model; `None` where nothing has to change.
fn renamed(requests: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut out = vec![b'['];
    let mut changed = false;
    Cursor::new(requests).array(|request| {
        if out.len() > 1 {
            out.push(b',');
        }
        let raw = request.skip();
        let named = serde_json::from_slice::<Named>(raw).ok().and_then(|named| named.model);
        let envelope = Envelope::parse(Bytes::copy_from_slice(raw)).ok();
        match (named, envelope) {
            (Some(Str(model)), _) if *model == *name => out.extend_from_slice(raw),
            (_, Some(envelope)) => {
                changed = true;
                let edit = Edit::set(&envelope, "model", EditValue::string(name));
                out.extend_from_slice(&splice(&envelope, &[edit]).to_bytes());
            }
            (_, None) => out.extend_from_slice(raw),
        }
    });
    out.push(b']');
    changed.then_some(out)
}

/// The model as a request names it.
pub(super) fn model_name(model: &str) -> Text {
    Text::from(format!("models/{model}"))
}
