//! The answer's form, what it is to include, and how it is streamed: fields of a request with structure, both ways.

use trunkline_domain::Text;
use trunkline_domain::chat::{Opaque, OutputFormat, RawJson, StreamOptions};

use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::{Object, Rest, Str, wire_object};
use crate::recast::Losses;
use crate::recast::loss::restore;

/// Sealed reasoning, without which nobody can go on thinking where nothing is kept.
const ENCRYPTED: &str = "reasoning.encrypted_content";

/// Log probabilities.
const LOGPROBS: &str = "message.output_text.logprobs";

wire_object! {
    struct WireText { "format" => format: RawJson, "verbosity" => verbosity: Str }
}

wire_object! {
    struct WireFormat {
        "type" => kind: Str,
        "name" => name: Str,
        "description" => description: Str,
        "schema" => schema: RawJson,
        "strict" => strict: bool,
    }
}

/// What `text` says.
pub(super) struct TextConfig {
    pub(super) format: Option<OutputFormat>,
    pub(super) verbosity: Option<Text>,
    pub(super) rest: Rest,
}

/// Reads `text`.
pub(super) fn text(raw: &str) -> serde_json::Result<TextConfig> {
    let WireText { format, verbosity, rest } = serde_json::from_str(raw)?;
    let format = format.map(output_format);
    Ok(TextConfig { format, verbosity: verbosity.map(|verbosity| verbosity.0), rest })
}

fn output_format(raw: RawJson) -> OutputFormat {
    let format = serde_json::from_str::<WireFormat>(raw.get()).ok().and_then(WireFormat::format);
    format.unwrap_or(OutputFormat::Opaque(Opaque { dialect: DIALECT, raw }))
}

impl WireFormat {
    fn format(self) -> Option<OutputFormat> {
        let Self { kind, name, description, schema, strict, rest } = self;
        let says_more = name.is_some() || description.is_some() || schema.is_some() || strict.is_some();
        match &*kind?.0 {
            "text" if !says_more && rest.is_empty() => Some(OutputFormat::Text),
            "json_object" if !says_more && rest.is_empty() => Some(OutputFormat::JsonObject),
            "json_schema" => Some(OutputFormat::JsonSchema {
                name: Some(name?.0),
                description: description.map(|description| description.0),
                schema,
                strict,
                extras: rest.extras(DIALECT, 0),
            }),
            _ => None,
        }
    }
}

/// Writes the form of an answer.
pub(super) fn write_format(object: &mut Object<'_>, format: &OutputFormat, losses: &mut Losses) {
    const KEY: &str = "format";
    match format {
        OutputFormat::Text => object.object(KEY, |format| format.member("type", "text")),
        OutputFormat::JsonObject => object.object(KEY, |format| format.member("type", "json_object")),
        OutputFormat::JsonSchema { name, description, schema, strict, extras } => {
            object.object(KEY, |object| {
                object.member("type", "json_schema");
                // The dialect demands a name; others have none.
                object.member("name", name.as_deref().unwrap_or("answer"));
                object.optional("description", description.as_ref());
                if let Some(schema) = schema {
                    object.raw("schema", schema);
                }
                object.optional("strict", *strict);
                restore(object, extras, DIALECT, &|| "output.format".to_owned(), losses);
            });
        }
        OutputFormat::Opaque(opaque) if opaque.dialect == DIALECT => object.raw(KEY, &opaque.raw),
        OutputFormat::Opaque(_) => {
            losses.dropped(Subject::Schema, "output.format", "the provider has no such form of answer");
        }
    }
}

/// What `include` asks for, as far as it has a meaning elsewhere.
pub(super) struct Include {
    pub(super) encrypted: bool,
    pub(super) logprobs: bool,
    /// The list as it was written, where it is not as this dialect's encoder writes it.
    pub(super) raw: Option<RawJson>,
}

/// Reads `include`.
pub(super) fn include(raw: &str) -> serde_json::Result<Include> {
    let names: Vec<Str> = serde_json::from_str(raw)?;
    let has = |name: &str| names.iter().any(|known| &*known.0 == name);
    let (encrypted, logprobs) = (has(ENCRYPTED), has(LOGPROBS));
    let as_written = included(encrypted, logprobs);
    let same = !names.is_empty() && names.iter().map(|name| &*name.0).eq(as_written.iter().copied());
    let raw = if same { None } else { RawJson::parse(raw) };
    Ok(Include { encrypted, logprobs, raw })
}

/// The names `include` is written with.
pub(super) fn included(encrypted: bool, logprobs: bool) -> Vec<&'static str> {
    let names = [(encrypted, ENCRYPTED), (logprobs, LOGPROBS)];
    names.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name).collect()
}

/// Reads `stream_options`.
pub(super) fn stream_options(raw: &str) -> serde_json::Result<StreamOptions> {
    wire_object! {
        struct WireStreamOptions {}
    }
    let WireStreamOptions { rest } = serde_json::from_str(raw)?;
    Ok(StreamOptions { include_usage: None, extras: rest.extras(DIALECT, form::OWN) })
}
