//! The members of requests: the shape `ConverseRequest` of `service-2.json` and those it names. Guardrails, documents in
//! buckets and Amazon's own tools are taken and never used.

use crate::fake_provider::shape::Kind::{
    Choice, Decimal, Each, Flag, Free, List, Object, OneOf, Text, Whole,
};
use crate::fake_provider::shape::{Shape, optional, required};

const MANY: i64 = i32::MAX as i64;

static SOURCE: Shape = Shape { fields: &[optional("bytes", Text), optional("s3Location", Free)] };

static IMAGE: Shape = Shape {
    fields: &[
        required("format", Choice(&["png", "jpeg", "gif", "webp"])),
        required("source", OneOf(&SOURCE)),
    ],
};

static DOCUMENT_SOURCE: Shape = Shape {
    fields: &[
        optional("bytes", Text),
        optional("s3Location", Free),
        optional("text", Text),
        optional("content", List(&Free)),
    ],
};

static CITES: Shape = Shape { fields: &[required("enabled", Flag)] };

static DOCUMENT: Shape = Shape {
    fields: &[
        optional("format", Choice(&["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"])),
        required("name", Text),
        required("source", OneOf(&DOCUMENT_SOURCE)),
        optional("context", Text),
        optional("citations", Object(&CITES)),
    ],
};

static VIDEO: Shape = Shape { fields: &[required("format", Text), required("source", OneOf(&SOURCE))] };

static CALL: Shape = Shape {
    fields: &[
        required("toolUseId", Text),
        required("name", Text),
        required("input", Free),
        optional("type", Choice(&["server_tool_use"])),
    ],
};

static RESULT_CONTENT: Shape = Shape {
    fields: &[
        optional("json", Free),
        optional("text", Text),
        optional("image", Object(&IMAGE)),
        optional("document", Object(&DOCUMENT)),
        optional("video", Object(&VIDEO)),
        optional("searchResult", Free),
    ],
};

static RESULT: Shape = Shape {
    fields: &[
        required("toolUseId", Text),
        required("content", List(&OneOf(&RESULT_CONTENT))),
        optional("status", Choice(&["success", "error"])),
        optional("type", Text),
    ],
};

static CACHE_POINT: Shape =
    Shape { fields: &[required("type", Choice(&["default"])), optional("ttl", Choice(&["5m", "1h"]))] };

static THOUGHT_TEXT: Shape = Shape { fields: &[required("text", Text), optional("signature", Text)] };

static THOUGHT: Shape =
    Shape { fields: &[optional("reasoningText", Object(&THOUGHT_TEXT)), optional("redactedContent", Text)] };

static BLOCK: Shape = Shape {
    fields: &[
        optional("text", Text),
        optional("image", Object(&IMAGE)),
        optional("document", Object(&DOCUMENT)),
        optional("video", Object(&VIDEO)),
        optional("audio", Object(&VIDEO)),
        optional("toolUse", Object(&CALL)),
        optional("toolResult", Object(&RESULT)),
        optional("guardContent", Free),
        optional("cachePoint", Object(&CACHE_POINT)),
        optional("reasoningContent", OneOf(&THOUGHT)),
        optional("citationsContent", Free),
        optional("searchResult", Free),
        optional("toolAddition", Free),
        optional("toolRemoval", Free),
    ],
};

static MESSAGE: Shape = Shape {
    fields: &[
        required("role", Choice(&["user", "assistant", "system"])),
        required("content", List(&OneOf(&BLOCK))),
    ],
};

static SYSTEM: Shape = Shape {
    fields: &[
        optional("text", Text),
        optional("guardContent", Free),
        optional("cachePoint", Object(&CACHE_POINT)),
    ],
};

static INFERENCE: Shape = Shape {
    fields: &[
        optional("maxTokens", Whole(1, MANY)),
        optional("temperature", Decimal),
        optional("topP", Decimal),
        optional("stopSequences", List(&Text)),
    ],
};

static SCHEMA: Shape = Shape { fields: &[required("json", Free)] };

static SPECIFICATION: Shape = Shape {
    fields: &[
        required("name", Text),
        optional("description", Text),
        required("inputSchema", Object(&SCHEMA)),
        optional("strict", Flag),
    ],
};

static TOOL: Shape = Shape {
    fields: &[
        optional("toolSpec", Object(&SPECIFICATION)),
        optional("systemTool", Free),
        optional("cachePoint", Object(&CACHE_POINT)),
    ],
};

static NOTHING: Shape = Shape { fields: &[] };

static NAMED: Shape = Shape { fields: &[required("name", Text)] };

static CHOICE: Shape = Shape {
    fields: &[
        optional("auto", Object(&NOTHING)),
        optional("any", Object(&NOTHING)),
        optional("tool", Object(&NAMED)),
    ],
};

static TOOLS: Shape =
    Shape { fields: &[required("tools", List(&OneOf(&TOOL))), optional("toolChoice", OneOf(&CHOICE))] };

static JSON_SCHEMA: Shape =
    Shape { fields: &[required("schema", Text), optional("name", Text), optional("description", Text)] };

static STRUCTURE: Shape = Shape { fields: &[optional("jsonSchema", Object(&JSON_SCHEMA))] };

static FORMAT: Shape =
    Shape { fields: &[required("type", Choice(&["json_schema"])), required("structure", OneOf(&STRUCTURE))] };

static OUTPUT: Shape = Shape { fields: &[optional("textFormat", Object(&FORMAT)), optional("effort", Text)] };

static LATENCY: Shape = Shape { fields: &[optional("latency", Choice(&["standard", "optimized"]))] };

static TIER: Shape =
    Shape { fields: &[required("type", Choice(&["priority", "default", "flex", "reserved"]))] };

/// A request.
pub(super) static CONVERSE: Shape = Shape {
    fields: &[
        optional("messages", List(&Object(&MESSAGE))),
        optional("system", List(&OneOf(&SYSTEM))),
        optional("inferenceConfig", Object(&INFERENCE)),
        optional("toolConfig", Object(&TOOLS)),
        optional("guardrailConfig", Free),
        optional("projectIdentifier", Text),
        optional("additionalModelRequestFields", Free),
        optional("promptVariables", Each(&Free)),
        optional("additionalModelResponseFieldPaths", List(&Text)),
        optional("requestMetadata", Each(&Text)),
        optional("performanceConfig", Object(&LATENCY)),
        optional("serviceTier", Object(&TIER)),
        optional("outputConfig", Object(&OUTPUT)),
    ],
};
