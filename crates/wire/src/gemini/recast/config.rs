//! Reading `generationConfig` (google-genai, `types.py`, `GenerationConfig`).

use serde::de::DeserializeOwned;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    ChatRequest, Effort, Extras, Number, Opaque, OutputFormat, RawJson, Reasoning, Thinking,
};

use super::{DIALECT, form, schema};
use crate::json::{Rest, Str, object, wire_object};

wire_object! {
    struct Config {
        "temperature" => temperature: RawJson,
        "topP" | "top_p" => top_p: RawJson,
        "topK" | "top_k" => top_k: RawJson,
        "candidateCount" | "candidate_count" => n: RawJson,
        "maxOutputTokens" | "max_output_tokens" => output_max: RawJson,
        "stopSequences" | "stop_sequences" => stop: RawJson,
        "presencePenalty" | "presence_penalty" => presence: RawJson,
        "frequencyPenalty" | "frequency_penalty" => frequency: RawJson,
        "seed" => seed: RawJson,
        "responseLogprobs" | "response_logprobs" => logprobs: RawJson,
        "logprobs" => top_logprobs: RawJson,
        "responseMimeType" | "response_mime_type" => mime: RawJson,
        "responseSchema" | "response_schema" => schema: RawJson,
        "responseJsonSchema" | "response_json_schema" => json_schema: RawJson,
        "responseModalities" | "response_modalities" => modalities: RawJson,
        "speechConfig" | "speech_config" => speech: RawJson,
        "thinkingConfig" | "thinking_config" => thinking: RawJson,
    }
}

wire_object! {
    struct ThinkingConfig {
        "includeThoughts" | "include_thoughts" => shown: bool,
        "thinkingBudget" | "thinking_budget" => budget: i64,
        "thinkingLevel" | "thinking_level" => level: Str,
    }
}

type Problem = (String, serde_json::Error);

/// Names of modalities: the dialect's and everybody's.
pub(super) const MODALITIES: &[(&str, &str)] =
    &[("TEXT", "text"), ("IMAGE", "image"), ("AUDIO", "audio"), ("VIDEO", "video")];

/// Names of efforts: the dialect's levels.
pub(super) const LEVELS: &[(&str, Effort)] = &[
    ("MINIMAL", Effort::Minimal),
    ("LOW", Effort::Low),
    ("MEDIUM", Effort::Medium),
    ("HIGH", Effort::High),
    ("XHIGH", Effort::XHigh),
];

/// Reads the configuration into a request; what else it held is the result. An error names the member.
pub(super) fn decode(request: &mut ChatRequest, raw: &str) -> Result<Rest, Problem> {
    let config: Config = serde_json::from_str(raw).map_err(|error| (String::new(), error))?;
    let mut rest = config.rest;
    let sampling = &mut request.sampling;
    sampling.temperature = read("temperature", config.temperature)?;
    sampling.top_p = read("topP", config.top_p)?;
    sampling.n = read("candidateCount", config.n)?;
    sampling.output_max = read("maxOutputTokens", config.output_max)?;
    sampling.presence_penalty = read("presencePenalty", config.presence)?;
    sampling.frequency_penalty = read("frequencyPenalty", config.frequency)?;
    sampling.seed = read("seed", config.seed)?;
    sampling.logprobs = read("responseLogprobs", config.logprobs)?;
    sampling.top_logprobs = read("logprobs", config.top_logprobs)?;
    if let Some(raw) = config.top_k {
        // A float in the dialect; only whole ones have a name elsewhere.
        let top_k: Number = read("topK", Some(raw.clone()))?.unwrap_or_else(|| 0.into());
        sampling.top_k = top_k.as_u64();
        if sampling.top_k.is_none() {
            rest.push("topK", raw);
        }
    }
    if let Some(raw) = config.stop {
        let stops: Vec<Str> = read("stopSequences", Some(raw.clone()))?.unwrap_or_default();
        sampling.stop = stops.into_iter().map(|stop| stop.0).collect();
        if sampling.stop.is_empty() {
            rest.push("stopSequences", raw);
        }
    }
    if let Some(raw) = config.modalities {
        match modalities(&raw) {
            Some(modalities) => request.output.modalities = modalities,
            None => rest.push("responseModalities", raw),
        }
    }
    request.output.speech = config.speech.map(|raw| Opaque { dialect: DIALECT, raw });
    request.output.format = format(config.mime, config.schema, config.json_schema);
    if let Some(raw) = config.thinking {
        match thinking(&raw) {
            Some(reasoning) => request.reasoning = Some(reasoning),
            None => rest.push("thinkingConfig", raw),
        }
    }
    Ok(rest)
}

fn read<T: DeserializeOwned>(member: &str, raw: Option<RawJson>) -> Result<Option<T>, Problem> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str(raw.get()).map(Some).map_err(|error| (format!(".{member}"), error))
}

/// Modalities by everybody's names; `None` where one has none, or where the list is empty.
fn modalities(raw: &RawJson) -> Option<Vec<Text>> {
    let words: Vec<Str> = serde_json::from_str(raw.get()).ok()?;
    let name =
        |word: &Str| MODALITIES.iter().find(|(own, _)| *own == &*word.0).map(|(_, name)| Text::from(*name));
    words.iter().map(name).collect::<Option<Vec<_>>>().filter(|names| !names.is_empty())
}

/// Reads the form of the answer alone. A schema whose spelling could not be restored is understood all the same.
pub(super) fn output_format(raw: &str) -> serde_json::Result<Option<OutputFormat>> {
    let Config { mime, schema, json_schema: json, .. } = serde_json::from_str(raw)?;
    let is_json = mime.as_ref().is_none_or(|mime| mime.get() == "\"application/json\"");
    Ok(match (is_json, &schema, &json) {
        (true, Some(google), None) => Some(json_schema(schema::lift(google).0, 0)),
        _ => format(mime, schema, json),
    })
}

/// The form of the answer; one that is said in a way of the dialect's own keeps its members.
fn format(mime: Option<RawJson>, google: Option<RawJson>, json: Option<RawJson>) -> Option<OutputFormat> {
    let no_mime = if mime.is_none() { form::NO_MIME } else { 0 };
    match (mime.as_ref().map(RawJson::get), &google, &json) {
        (None, None, None) => return None,
        (Some("\"text/plain\""), None, None) => return Some(OutputFormat::Text),
        (Some("\"application/json\""), None, None) => return Some(OutputFormat::JsonObject),
        (Some("\"application/json\"") | None, None, Some(schema)) => {
            return Some(json_schema(schema.clone(), no_mime));
        }
        (Some("\"application/json\"") | None, Some(raw), None) => {
            if let (schema, Some(form)) = schema::lift(raw) {
                return Some(json_schema(schema, form | no_mime));
            }
        }
        _ => {}
    }
    let mut out = Vec::new();
    object(&mut out, |object| {
        let members = [("responseMimeType", mime), ("responseSchema", google), ("responseJsonSchema", json)];
        for (key, raw) in members {
            if let Some(raw) = raw {
                object.raw(key, &raw);
            }
        }
    });
    let raw = String::from_utf8(out).ok().and_then(|text| RawJson::parse(&text))?;
    Some(OutputFormat::Opaque(Opaque { dialect: DIALECT, raw }))
}

fn json_schema(schema: RawJson, form: u32) -> OutputFormat {
    let extras = Extras::new(DIALECT, form, Vec::new());
    OutputFormat::JsonSchema { name: None, description: None, schema: Some(schema), strict: None, extras }
}

/// Reads `thinkingConfig`: a budget of 0 is none at all, one of -1 as the model sees fit. `None` where it is not written
/// as documented.
fn thinking(raw: &RawJson) -> Option<Reasoning> {
    let ThinkingConfig { shown, budget, level, rest } = serde_json::from_str(raw.get()).ok()?;
    let (thinking, budget_tokens) = match budget {
        None => (None, None),
        Some(0) => (Some(Thinking::Disabled), None),
        Some(-1) => (Some(Thinking::Adaptive), None),
        Some(budget) => (Some(Thinking::Enabled), Some(u64::try_from(budget).ok()?)),
    };
    let effort = match level {
        None => None,
        Some(level) => Some(LEVELS.iter().find(|(word, _)| *word == &*level.0)?.1),
    };
    let extras = rest.extras(DIALECT, form::THINKING);
    Some(Reasoning { thinking, effort, budget_tokens, shown, summary: None, extras })
}
