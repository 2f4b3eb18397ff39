//! Models in the lists of other dialects than OpenAI's: those that can be talked to, with other members. Look first at [`anthropic`] and
//! [`gemini`].
//!
//! Anthropic: <https://platform.claude.com/docs/en/api/models-list>; anthropic-sdk-python, `types/model_info.py`. Google:
//! <https://ai.google.dev/api/models>; google-genai, `types.py` (`Model`).

use http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;

use super::shape::Model;

/// Whether a list is asked for by a client of Anthropic's: all of them name the version of the API.
pub(super) fn wants_anthropic(headers: &HeaderMap) -> bool {
    headers.contains_key("anthropic-version")
}

/// Anthropic's page, with everything on it.
#[derive(Serialize)]
pub(super) struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
    has_more: bool,
}

#[derive(Serialize)]
pub(super) struct AnthropicModel<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
}

pub(super) fn anthropic<'a>(models: &'a [Model<'a>]) -> AnthropicList<'a> {
    let data: Vec<_> = models.iter().filter(|model| model.chats()).map(anthropic_model).collect();
    let (first_id, last_id) = (data.first().map(|model| model.id), data.last().map(|model| model.id));
    AnthropicList { data, first_id, last_id, has_more: false }
}

pub(super) fn anthropic_model<'a>(model: &'a Model<'a>) -> AnthropicModel<'a> {
    let created_at = Timestamp::from_second(model.created()).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
    AnthropicModel { kind: "model", id: model.id(), display_name: model.name(), created_at }
}

/// Google's page, with everything on it.
#[derive(Serialize)]
pub(super) struct GeminiList<'a> {
    models: Vec<GeminiModel<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GeminiModel<'a> {
    name: String,
    display_name: &'a str,
    description: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_token_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_token_limit: Option<u64>,
    supported_generation_methods: &'static [&'static str],
}

pub(super) fn gemini<'a>(models: &'a [Model<'a>]) -> GeminiList<'a> {
    GeminiList { models: models.iter().filter(|model| model.chats()).map(gemini_model).collect() }
}

pub(super) fn gemini_model<'a>(model: &'a Model<'a>) -> GeminiModel<'a> {
    GeminiModel {
        name: format!("models/{}", model.id()),
        display_name: model.name(),
        description: "",
        input_token_limit: model.context_length(),
        output_token_limit: model.output_max(),
        supported_generation_methods: &["generateContent", "streamGenerateContent", "countTokens"],
    }
}
