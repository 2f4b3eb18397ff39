//! The members of requests: `anthropic/types/message_create_params.py`, `message_count_tokens_params.py` and the types
//! they name; of the beta, `types/beta/beta_context_management_config_param.py`. Tools that run at Anthropic's, their calls
//! and results are left out: the fake has none.

use crate::fake_provider::shape::Kind::{
    Any, Choice, Decimal, Flag, Free, List, Object, Tagged, Text, TextOr, Whole,
};
use crate::fake_provider::shape::{Kind, Shape, nullable, optional, required};

const MANY: i64 = i32::MAX as i64;

static CACHE_CONTROL: Shape =
    Shape { fields: &[required("type", Choice(&["ephemeral"])), optional("ttl", Choice(&["5m", "1h"]))] };

static TEXT: Shape = Shape {
    fields: &[
        required("type", Text),
        required("text", Text),
        nullable("cache_control", Object(&CACHE_CONTROL)),
        nullable("citations", List(&Free)),
    ],
};

static BASE64_IMAGE: Shape = Shape {
    fields: &[
        required("type", Text),
        required("data", Text),
        required("media_type", Choice(&["image/jpeg", "image/png", "image/gif", "image/webp"])),
    ],
};

static URL: Shape = Shape { fields: &[required("type", Text), required("url", Text)] };

static FILE: Shape = Shape { fields: &[required("type", Text), required("file_id", Text)] };

static BASE64_PDF: Shape = Shape {
    fields: &[
        required("type", Text),
        required("data", Text),
        required("media_type", Choice(&["application/pdf"])),
    ],
};

static PLAIN_TEXT: Shape = Shape {
    fields: &[
        required("type", Text),
        required("data", Text),
        required("media_type", Choice(&["text/plain"])),
    ],
};

static CONTENT_SOURCE: Shape =
    Shape { fields: &[required("type", Text), required("content", TextOr(&List(&Free)))] };

static IMAGE: Shape = Shape {
    fields: &[
        required("type", Text),
        required("source", Tagged(&[("base64", &BASE64_IMAGE), ("url", &URL), ("file", &FILE)])),
        nullable("cache_control", Object(&CACHE_CONTROL)),
    ],
};

static DOCUMENT: Shape = Shape {
    fields: &[
        required("type", Text),
        required(
            "source",
            Tagged(&[
                ("base64", &BASE64_PDF),
                ("text", &PLAIN_TEXT),
                ("content", &CONTENT_SOURCE),
                ("url", &URL),
                ("file", &FILE),
            ]),
        ),
        nullable("cache_control", Object(&CACHE_CONTROL)),
        nullable("citations", Free),
        nullable("context", Text),
        nullable("title", Text),
    ],
};

static TOOL_USE: Shape = Shape {
    fields: &[
        required("type", Text),
        required("id", Text),
        required("input", Free),
        required("name", Text),
        nullable("cache_control", Object(&CACHE_CONTROL)),
        optional("caller", Free),
    ],
};

static TOOL_RESULT: Shape = Shape {
    fields: &[
        required("type", Text),
        required("tool_use_id", Text),
        nullable("cache_control", Object(&CACHE_CONTROL)),
        optional(
            "content",
            TextOr(&List(&Tagged(&[("text", &TEXT), ("image", &IMAGE), ("document", &DOCUMENT)]))),
        ),
        optional("is_error", Flag),
    ],
};

static THINKING: Shape =
    Shape { fields: &[required("type", Text), required("signature", Text), required("thinking", Text)] };

static REDACTED: Shape = Shape { fields: &[required("type", Text), required("data", Text)] };

static TURN: Shape = Shape {
    fields: &[
        required("role", Choice(&["user", "assistant", "system"])),
        required(
            "content",
            TextOr(&List(&Tagged(&[
                ("text", &TEXT),
                ("image", &IMAGE),
                ("document", &DOCUMENT),
                ("tool_use", &TOOL_USE),
                ("tool_result", &TOOL_RESULT),
                ("thinking", &THINKING),
                ("redacted_thinking", &REDACTED),
            ]))),
        ),
    ],
};

static TOOL: Shape = Shape {
    fields: &[
        optional("type", Choice(&["custom"])),
        required("name", Text),
        required("input_schema", Free),
        nullable("cache_control", Object(&CACHE_CONTROL)),
        optional("description", Text),
        optional("strict", Flag),
        nullable("eager_input_streaming", Flag),
        optional("defer_loading", Flag),
        optional("input_examples", List(&Free)),
        optional("allowed_callers", List(&Text)),
    ],
};

static CHOICE: Shape =
    Shape { fields: &[required("type", Text), optional("disable_parallel_tool_use", Flag)] };

static CHOICE_NONE: Shape = Shape { fields: &[required("type", Text)] };

static CHOICE_TOOL: Shape = Shape {
    fields: &[required("type", Text), required("name", Text), optional("disable_parallel_tool_use", Flag)],
};

static THINKS: Shape = Shape {
    fields: &[
        required("type", Text),
        required("budget_tokens", Whole(1024, MANY)),
        nullable("display", Choice(&["summarized", "omitted"])),
    ],
};

static THINKS_ADAPTIVELY: Shape =
    Shape { fields: &[required("type", Text), nullable("display", Choice(&["summarized", "omitted"]))] };

static THINKS_NOT: Shape = Shape { fields: &[required("type", Text)] };

static FORMAT: Shape = Shape { fields: &[required("type", Text), required("schema", Free)] };

static OUTPUT: Shape = Shape {
    fields: &[
        nullable("effort", Choice(&["low", "medium", "high", "xhigh", "max"])),
        nullable("format", Tagged(&[("json_schema", &FORMAT)])),
    ],
};

static METADATA: Shape = Shape { fields: &[nullable("user_id", Text)] };

static CONTEXT_MANAGEMENT: Shape = Shape { fields: &[optional("edits", List(&Free))] };

const MESSAGES: Kind = List(&Object(&TURN));
const SYSTEM: Kind = TextOr(&List(&Tagged(&[("text", &TEXT)])));
const THINKING_CONFIG: Kind = Tagged(&[
    ("enabled", &THINKS),
    ("adaptive", &THINKS_ADAPTIVELY),
    ("between_tools", &THINKS_NOT),
    ("disabled", &THINKS_NOT),
]);
const TOOL_CHOICE: crate::fake_provider::shape::Kind =
    Tagged(&[("auto", &CHOICE), ("any", &CHOICE), ("tool", &CHOICE_TOOL), ("none", &CHOICE_NONE)]);

/// A message.
pub(super) static MESSAGE: Shape = Shape {
    fields: &[
        required("model", Text),
        required("messages", MESSAGES),
        required("max_tokens", Whole(0, MANY)),
        nullable("cache_control", Object(&CACHE_CONTROL)),
        nullable("container", Any),
        nullable("context_management", Object(&CONTEXT_MANAGEMENT)),
        nullable("inference_geo", Text),
        optional("metadata", Object(&METADATA)),
        optional("output_config", Object(&OUTPUT)),
        optional("service_tier", Choice(&["auto", "standard_only"])),
        nullable("speed", Choice(&["standard", "fast"])),
        optional("stop_sequences", List(&Text)),
        optional("stream", Flag),
        optional("system", SYSTEM),
        optional("temperature", Decimal),
        optional("thinking", THINKING_CONFIG),
        optional("tool_choice", TOOL_CHOICE),
        optional("tools", List(&Object(&TOOL))),
        optional("top_k", Whole(0, MANY)),
        optional("top_p", Decimal),
    ],
};

/// The count of one.
pub(super) static COUNT: Shape = Shape {
    fields: &[
        required("model", Text),
        required("messages", MESSAGES),
        nullable("cache_control", Object(&CACHE_CONTROL)),
        nullable("context_management", Object(&CONTEXT_MANAGEMENT)),
        optional("output_config", Object(&OUTPUT)),
        nullable("speed", Choice(&["standard", "fast"])),
        optional("system", SYSTEM),
        optional("thinking", THINKING_CONFIG),
        optional("tool_choice", TOOL_CHOICE),
        optional("tools", List(&Object(&TOOL))),
    ],
};
