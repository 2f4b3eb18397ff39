//! Embeddings recast from and to Google's form (see `gemini/embeddings` for the sources).

use bytes::Bytes;
use trunkline_domain::embeddings::{EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse};
use trunkline_domain::{Dialect, Text};

use crate::codec::{AnswerProblem, Codec, ErrorWords, FieldError, Subject};
use crate::envelope::Envelope;
use crate::gemini::relay::GATEWAY_FIELDS;
use crate::gemini::{embeddings, error, usage};
use crate::json::{Str, object, wire_object};
use crate::quirks::Quirks;
use crate::recast::{EmbeddingsCodec, Losses};

/// One request.
pub(crate) static ONE: GeminiEmbeddings = GeminiEmbeddings(Dialect::GeminiEmbed);

/// Many in one.
pub(crate) static MANY: GeminiEmbeddings = GeminiEmbeddings(Dialect::GeminiBatchEmbed);

/// Google's embeddings.
pub(crate) struct GeminiEmbeddings(Dialect);

wire_object! {
    ignoring struct Batch { "requests" => requests: Vec<One> }
}

wire_object! {
    ignoring struct One {
        "content" => content: Content,
        "taskType" | "task_type" => task: Str,
        "title" => title: Str,
        "outputDimensionality" | "output_dimensionality" => dimensions: u64,
    }
}

wire_object! {
    ignoring struct Content { "parts" => parts: Vec<Part> }
}

wire_object! {
    ignoring struct Part { "text" => text: Str }
}

wire_object! {
    ignoring struct Answer {
        "embedding" => embedding: Vector,
        "embeddings" => embeddings: Vec<Vector>,
        "usageMetadata" | "usage_metadata" => usage: usage::Reported,
    }
}

wire_object! {
    ignoring struct Vector { "values" => values: Vec<f64> }
}

impl GeminiEmbeddings {
    fn is_batch(&self) -> bool {
        self.0 == Dialect::GeminiBatchEmbed
    }
}

impl EmbeddingsCodec for GeminiEmbeddings {
    fn dialect(&self) -> Dialect {
        self.0
    }

    fn decode_request(&self, envelope: &Envelope) -> Result<EmbeddingsRequest, FieldError> {
        let unreadable = |error: serde_json::Error| FieldError {
            field: if self.is_batch() { "requests" } else { "content" }.into(),
            message: format!("the request is not of Google's form: {error}").into(),
        };
        let requests = if self.is_batch() {
            let batch: Batch = serde_json::from_slice(envelope.body()).map_err(unreadable)?;
            batch.requests.unwrap_or_default()
        } else {
            vec![serde_json::from_slice(envelope.body()).map_err(unreadable)?]
        };
        let known = ["requests", "content", "model", "taskType", "task_type", "title"];
        let others = envelope.fields().filter(|field| {
            !known.contains(field)
                && !["outputDimensionality", "output_dimensionality"].contains(field)
                && !GATEWAY_FIELDS.contains(field)
        });
        let mut read =
            EmbeddingsRequest { others: others.map(Text::from).collect(), ..EmbeddingsRequest::default() };
        for (place, request) in requests.into_iter().enumerate() {
            let path = if self.is_batch() { format!("requests[{place}]") } else { String::new() };
            one(&mut read, request, &path)?;
        }
        Ok(read)
    }

    fn encode_request(
        &self,
        request: &EmbeddingsRequest,
        model: &str,
        losses: &mut Losses,
    ) -> Result<Bytes, FieldError> {
        if request.user.is_some() {
            losses.dropped(Subject::Labels, "user", "Gemini's embeddings have no name for an end user");
        }
        for field in &request.others {
            losses.dropped(Subject::Other, field.to_string(), "Gemini's embeddings have no such field");
        }
        let texts = request.inputs.iter().map(|input| match input {
            EmbeddingInput::Text(text) => Ok(text),
            EmbeddingInput::Tokens(_) => Err(FieldError {
                field: "input".into(),
                message: "tokens mean nothing to another provider's tokenizer: give `input` as text".into(),
            }),
        });
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let name = embeddings::model_name(model);
        let mut out = Vec::new();
        let write = |object: &mut crate::json::Object<'_>, text: &Text| {
            object.member("model", &*name);
            object.object("content", |content| {
                content.array("parts", |parts| parts.object(|part| part.member("text", &**text)));
            });
            object.optional("taskType", request.task.as_deref());
            object.optional("title", request.title.as_deref());
            object.optional("outputDimensionality", request.dimensions);
        };
        match (self.is_batch(), texts.as_slice()) {
            (false, [text]) => object(&mut out, |body| write(body, text)),
            (false, _) => {
                let message = "embedContent takes one input: name a model whose provider takes more";
                return Err(FieldError { field: "input".into(), message: message.into() });
            }
            (true, texts) => object(&mut out, |body| {
                body.array("requests", |requests| {
                    for text in texts {
                        requests.object(|request| write(request, text));
                    }
                });
            }),
        }
        Ok(out.into())
    }

    fn decode_response(&self, body: &[u8]) -> Result<EmbeddingsResponse, AnswerProblem> {
        let facts = embeddings::MANY.read_answer(body, &Quirks::REFERENCE)?;
        let answer: Answer = serde_json::from_slice(body).map_err(|_| AnswerProblem::Malformed)?;
        let vectors = answer.embeddings.unwrap_or_default().into_iter().chain(answer.embedding);
        Ok(EmbeddingsResponse {
            vectors: vectors.map(|vector| vector.values.unwrap_or_default()).collect(),
            model: Text::default(),
            usage: facts.usage,
        })
    }

    fn encode_response(
        &self,
        response: &EmbeddingsResponse,
        _request: &EmbeddingsRequest,
        _model: &str,
    ) -> Bytes {
        let mut out = Vec::new();
        object(&mut out, |body| {
            if self.is_batch() {
                body.array("embeddings", |vectors| {
                    for values in &response.vectors {
                        vectors.object(|vector| vector.member("values", values));
                    }
                });
            } else if let Some(values) = response.vectors.first() {
                body.object("embedding", |vector| vector.member("values", values));
            }
            if let Some(usage) = &response.usage {
                body.object("usageMetadata", |object| {
                    object.member("promptTokenCount", &usage.prompt_total());
                    object.member("totalTokenCount", &usage.total());
                });
            }
        });
        out.into()
    }

    fn read_error(&self, body: &[u8]) -> Option<ErrorWords> {
        error::read(body)
    }
}

/// Adds one request. What it says besides its text must be what the others say: elsewhere it can be said once only.
fn one(read: &mut EmbeddingsRequest, request: One, path: &str) -> Result<(), FieldError> {
    let field = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    let parts = request.content.and_then(|content| content.parts).unwrap_or_default();
    let mut text = String::new();
    for part in parts {
        let Some(Str(piece)) = part.text else {
            let message = "only text can be embedded by a provider of another dialect";
            return Err(FieldError { field: field("content.parts").into(), message: message.into() });
        };
        text.push_str(&piece);
    }
    let (task, title) = (request.task.map(|task| task.0), request.title.map(|title| title.0));
    let said = (&task, &title, request.dimensions);
    if !read.inputs.is_empty() && said != (&read.task, &read.title, read.dimensions) {
        let message =
            "a provider of another dialect takes one taskType, title and outputDimensionality for all";
        return Err(FieldError { field: field("taskType").into(), message: message.into() });
    }
    (read.task, read.title, read.dimensions) = (task, title, request.dimensions);
    read.inputs.push(EmbeddingInput::Text(text.into()));
    Ok(())
}
