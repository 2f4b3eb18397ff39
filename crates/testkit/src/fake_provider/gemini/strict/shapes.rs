//! The members of requests: `google/genai/types.py`, of them those that the `…_to_mldev` functions of
//! `google/genai/models.py` send to this API. Tools that run at Google's are taken and never used.

use crate::fake_provider::shape::Kind::{Any, Choice, Decimal, Each, Flag, Free, List, Object, Text, Whole};
use crate::fake_provider::shape::{Shape, optional};

const MANY: i64 = i32::MAX as i64;

static BLOB: Shape = Shape { fields: &[optional("mimeType", Text), optional("data", Text)] };

static FILE: Shape = Shape { fields: &[optional("mimeType", Text), optional("fileUri", Text)] };

static CALL: Shape =
    Shape { fields: &[optional("id", Text), optional("name", Text), optional("args", Free)] };

static RESPONSE_PART: Shape =
    Shape { fields: &[optional("inlineData", Object(&BLOB)), optional("fileData", Object(&FILE))] };

static RESPONSE: Shape = Shape {
    fields: &[
        optional("id", Text),
        optional("name", Text),
        optional("response", Free),
        optional("parts", List(&Object(&RESPONSE_PART))),
        optional("willContinue", Flag),
        optional("scheduling", Choice(&["SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"])),
    ],
};

static PART: Shape = Shape {
    fields: &[
        optional("text", Text),
        optional("thought", Flag),
        optional("thoughtSignature", Text),
        optional("inlineData", Object(&BLOB)),
        optional("fileData", Object(&FILE)),
        optional("functionCall", Object(&CALL)),
        optional("functionResponse", Object(&RESPONSE)),
        optional("executableCode", Free),
        optional("codeExecutionResult", Free),
        optional("videoMetadata", Free),
        optional("mediaResolution", Free),
        optional("partMetadata", Free),
    ],
};

static CONTENT: Shape = Shape { fields: &[optional("role", Text), optional("parts", List(&Object(&PART)))] };

/// `EmbedContentRequest` (<https://ai.google.dev/api/embeddings>).
static EMBED: Shape = Shape {
    fields: &[
        optional("model", Text),
        optional("content", Object(&CONTENT)),
        optional("taskType", Text),
        optional("title", Text),
        optional("outputDimensionality", Whole(1, MANY)),
    ],
};

/// The body of `embedContent`.
pub(super) static EMBED_ONE: &Shape = &EMBED;

/// The body of `batchEmbedContents`.
pub(super) static EMBED_MANY: Shape = Shape { fields: &[optional("requests", List(&Object(&EMBED)))] };

/// An OpenAPI schema; one of JSON Schema goes into the members whose name ends in `JsonSchema`.
static SCHEMA: Shape = Shape {
    fields: &[
        optional(
            "type",
            Choice(&[
                "TYPE_UNSPECIFIED",
                "STRING",
                "NUMBER",
                "INTEGER",
                "BOOLEAN",
                "ARRAY",
                "OBJECT",
                "NULL",
                // Google's reader takes the names of an enumeration in either case.
                "string",
                "number",
                "integer",
                "boolean",
                "array",
                "object",
                "null",
            ]),
        ),
        optional("format", Text),
        optional("title", Text),
        optional("description", Text),
        optional("nullable", Flag),
        optional("enum", List(&Text)),
        optional("maxItems", Whole(0, MANY)),
        optional("minItems", Whole(0, MANY)),
        optional("properties", Each(&Object(&SCHEMA))),
        optional("required", List(&Text)),
        optional("minProperties", Whole(0, MANY)),
        optional("maxProperties", Whole(0, MANY)),
        optional("minLength", Whole(0, MANY)),
        optional("maxLength", Whole(0, MANY)),
        optional("pattern", Text),
        optional("example", Any),
        optional("anyOf", List(&Object(&SCHEMA))),
        optional("propertyOrdering", List(&Text)),
        optional("default", Any),
        optional("items", Object(&SCHEMA)),
        optional("minimum", Decimal),
        optional("maximum", Decimal),
    ],
};

static FUNCTION: Shape = Shape {
    fields: &[
        optional("name", Text),
        optional("description", Text),
        optional("behavior", Choice(&["UNSPECIFIED", "BLOCKING", "NON_BLOCKING"])),
        optional("parameters", Object(&SCHEMA)),
        optional("parametersJsonSchema", Any),
        optional("response", Object(&SCHEMA)),
        optional("responseJsonSchema", Any),
    ],
};

static TOOL: Shape = Shape {
    fields: &[
        optional("functionDeclarations", List(&Object(&FUNCTION))),
        optional("googleSearch", Free),
        optional("googleSearchRetrieval", Free),
        optional("codeExecution", Free),
        optional("urlContext", Free),
        optional("computerUse", Free),
        optional("fileSearch", Free),
        optional("googleMaps", Free),
    ],
};

static CALLING: Shape = Shape {
    fields: &[
        optional("mode", Choice(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"])),
        optional("allowedFunctionNames", List(&Text)),
    ],
};

static TOOL_CONFIG: Shape = Shape {
    fields: &[
        optional("functionCallingConfig", Object(&CALLING)),
        optional("retrievalConfig", Free),
        optional("includeServerSideToolInvocations", Flag),
    ],
};

static THINKING: Shape = Shape {
    fields: &[
        optional("includeThoughts", Flag),
        optional("thinkingBudget", Whole(-1, MANY)),
        optional(
            "thinkingLevel",
            Choice(&[
                "THINKING_LEVEL_UNSPECIFIED",
                "MINIMAL",
                "LOW",
                "MEDIUM",
                "HIGH",
                "minimal",
                "low",
                "medium",
                "high",
            ]),
        ),
    ],
};

static CONFIG: Shape = Shape {
    fields: &[
        optional("stopSequences", List(&Text)),
        optional("responseMimeType", Text),
        optional("responseSchema", Object(&SCHEMA)),
        optional("responseJsonSchema", Any),
        optional("responseModalities", List(&Text)),
        optional("candidateCount", Whole(1, 8)),
        optional("maxOutputTokens", Whole(1, MANY)),
        optional("temperature", Decimal),
        optional("topP", Decimal),
        optional("topK", Whole(0, MANY)),
        optional("seed", Whole(i32::MIN as i64, MANY)),
        optional("presencePenalty", Decimal),
        optional("frequencyPenalty", Decimal),
        optional("responseLogprobs", Flag),
        optional("logprobs", Whole(0, 20)),
        optional("enableEnhancedCivicAnswers", Flag),
        optional("speechConfig", Free),
        optional("thinkingConfig", Object(&THINKING)),
        optional("imageConfig", Free),
        optional("mediaResolution", Text),
    ],
};

static SAFETY: Shape = Shape { fields: &[optional("category", Text), optional("threshold", Text)] };

/// A request.
pub(super) static REQUEST: Shape = Shape {
    fields: &[
        optional("model", Text),
        optional("contents", List(&Object(&CONTENT))),
        optional("systemInstruction", Object(&CONTENT)),
        optional("tools", List(&Object(&TOOL))),
        optional("toolConfig", Object(&TOOL_CONFIG)),
        optional("safetySettings", List(&Object(&SAFETY))),
        optional("generationConfig", Object(&CONFIG)),
        optional("cachedContent", Text),
        optional("labels", Free),
        optional("serviceTier", Text),
        optional("store", Flag),
    ],
};
