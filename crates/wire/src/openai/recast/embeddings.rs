//! Embeddings recast from and to OpenAI's `POST /embeddings` (openai-python, `types/embedding_create_params.py`,
//! `types/create_embedding_response.py`; base64 is little-endian 32-bit floats, `resources/embeddings.py`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use trunkline_domain::embeddings::{EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, VectorEncoding};
use trunkline_domain::{Dialect, Text, Usage};

use crate::codec::{AnswerProblem, Codec, ErrorWords, FieldError, Subject};
use crate::envelope::Envelope;
use crate::fields::{name, present, unsigned, wrong};
use crate::json::object;
use crate::openai::relay::GATEWAY_FIELDS;
use crate::openai::{embeddings, error};
use crate::quirks::Quirks;
use crate::recast::{EmbeddingsCodec, Losses};

/// The codec.
pub(crate) static CODEC: OpenaiEmbeddings = OpenaiEmbeddings;

/// OpenAI's embeddings.
pub(crate) struct OpenaiEmbeddings;

/// Fields that are read here.
const KNOWN: &[&str] = &["model", "input", "dimensions", "encoding_format", "user"];

/// `input`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Text(Text),
    Texts(Vec<Text>),
    Tokens(Vec<u64>),
    Lists(Vec<Vec<u64>>),
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
    #[serde(default)]
    model: Option<Text>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vec<f64>,
}

impl EmbeddingsCodec for OpenaiEmbeddings {
    fn dialect(&self) -> Dialect {
        Dialect::OpenaiEmbeddings
    }

    fn decode_request(&self, envelope: &Envelope) -> Result<EmbeddingsRequest, FieldError> {
        let input = envelope.raw_bytes("input").and_then(|raw| serde_json::from_slice(raw).ok());
        let inputs = match input.ok_or_else(|| wrong("input", "a string, an array of strings, or tokens"))? {
            Input::Text(text) => vec![EmbeddingInput::Text(text)],
            Input::Texts(texts) => texts.into_iter().map(EmbeddingInput::Text).collect(),
            Input::Tokens(tokens) => vec![EmbeddingInput::Tokens(tokens)],
            Input::Lists(lists) => lists.into_iter().map(EmbeddingInput::Tokens).collect(),
        };
        let encoding = match name(envelope, "encoding_format")?.as_deref() {
            None | Some("float") => VectorEncoding::Numbers,
            Some("base64") => VectorEncoding::Base64,
            Some(_) => return Err(wrong("encoding_format", "`float` or `base64`")),
        };
        let others = envelope.fields().filter(|field| {
            !KNOWN.contains(field) && !GATEWAY_FIELDS.contains(field) && present(envelope, field).is_some()
        });
        Ok(EmbeddingsRequest {
            inputs,
            dimensions: unsigned(envelope, "dimensions")?,
            encoding,
            task: None,
            title: None,
            user: name(envelope, "user")?,
            others: others.map(Text::from).collect(),
        })
    }

    fn encode_request(
        &self,
        request: &EmbeddingsRequest,
        model: &str,
        losses: &mut Losses,
    ) -> Result<Bytes, FieldError> {
        if request.task.is_some() {
            losses.dropped(Subject::Other, "taskType", "OpenAI's embeddings have no task");
        }
        if request.title.is_some() {
            losses.dropped(Subject::Other, "title", "OpenAI's embeddings have no title");
        }
        for field in &request.others {
            losses.dropped(Subject::Other, field.to_string(), "OpenAI's embeddings have no such field");
        }
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.member("model", model);
            match request.inputs.as_slice() {
                [EmbeddingInput::Tokens(tokens)] => body.member("input", tokens),
                inputs => body.member("input", &inputs.iter().map(written).collect::<Vec<_>>()),
            }
            body.optional("dimensions", request.dimensions);
            body.member("encoding_format", "float");
            body.optional("user", request.user.as_deref());
        });
        Ok(out.into())
    }

    fn decode_response(&self, body: &[u8]) -> Result<EmbeddingsResponse, AnswerProblem> {
        let facts = embeddings::CODEC.read_answer(body, &Quirks::REFERENCE)?;
        let Answer { mut data, model } =
            serde_json::from_slice(body).map_err(|_| AnswerProblem::Malformed)?;
        data.sort_by_key(|item| item.index.unwrap_or(0));
        Ok(EmbeddingsResponse {
            vectors: data.into_iter().map(|item| item.embedding).collect(),
            model: model.unwrap_or_default(),
            usage: facts.usage,
        })
    }

    fn encode_response(
        &self,
        response: &EmbeddingsResponse,
        request: &EmbeddingsRequest,
        model: &str,
    ) -> Bytes {
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.member("object", "list");
            body.array("data", |data| {
                for (index, vector) in response.vectors.iter().enumerate() {
                    data.object(|item| {
                        item.member("object", "embedding");
                        item.member("index", &index);
                        match request.encoding {
                            VectorEncoding::Numbers => item.member("embedding", vector),
                            VectorEncoding::Base64 => item.member("embedding", &base64(vector)),
                        }
                    });
                }
            });
            body.member("model", model);
            // Nobody's count is written as none: a provider that does not report leaves it out.
            if let Some(usage) = &response.usage {
                write(body, usage);
            }
        });
        out.into()
    }

    fn read_error(&self, body: &[u8]) -> Option<ErrorWords> {
        error::read(body)
    }
}

fn write(body: &mut crate::json::Object<'_>, usage: &Usage) {
    body.object("usage", |object| {
        object.member("prompt_tokens", &usage.prompt_total());
        object.member("total_tokens", &usage.total());
    });
}

/// An input as JSON has it.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Text(&'a str),
    Tokens(&'a [u64]),
}

fn written(input: &EmbeddingInput) -> Written<'_> {
    match input {
        EmbeddingInput::Text(text) => Written::Text(text),
        EmbeddingInput::Tokens(tokens) => Written::Tokens(tokens),
    }
}

fn base64(vector: &[f64]) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "the form has 32 bits for a number")]
    let bytes: Vec<u8> = vector.iter().flat_map(|number| (*number as f32).to_le_bytes()).collect();
    STANDARD.encode(bytes)
}
