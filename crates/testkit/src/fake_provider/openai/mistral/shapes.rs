//! The members of requests, by the models of Mistral's client. Of a message they depend on its role.

use crate::fake_provider::shape::Kind::{
    Any, Choice, Decimal, Flag, Free, List, Object, Tagged, Text, TextOr, Whole,
};
use crate::fake_provider::shape::{Kind, Shape, nullable, optional, required};

const MANY: i64 = i32::MAX as i64;

static TEXT: Shape = Shape { fields: &[required("type", Text), required("text", Text)] };

static URL: Shape = Shape { fields: &[required("url", Text), nullable("detail", Text)] };

static IMAGE: Shape =
    Shape { fields: &[required("type", Text), required("image_url", TextOr(&Object(&URL)))] };

static THOUGHT: Shape = Shape {
    fields: &[
        required("type", Text),
        required("thinking", List(&Object(&TEXT))),
        nullable("signature", Text),
        optional("closed", Flag),
    ],
};

static DOCUMENT: Shape = Shape {
    fields: &[required("type", Text), required("document_url", Text), nullable("document_name", Text)],
};

static FILE: Shape = Shape { fields: &[required("type", Text), required("file_id", Text)] };

static AUDIO: Shape = Shape { fields: &[required("type", Text), required("input_audio", Any)] };

const CONTENT: Kind = TextOr(&List(&Tagged(&[
    ("text", &TEXT),
    ("image_url", &IMAGE),
    ("thinking", &THOUGHT),
    ("document_url", &DOCUMENT),
    ("file", &FILE),
    ("input_audio", &AUDIO),
])));

static CALLED: Shape = Shape { fields: &[required("name", Text), required("arguments", TextOr(&Free))] };

static CALL: Shape = Shape {
    fields: &[
        optional("id", Text),
        optional("type", Text),
        optional("index", Whole(0, MANY)),
        required("function", Object(&CALLED)),
    ],
};

static SPOKEN: Shape = Shape { fields: &[required("role", Text), required("content", CONTENT)] };

static ANSWER: Shape = Shape {
    fields: &[
        required("role", Text),
        nullable("content", CONTENT),
        nullable("tool_calls", List(&Object(&CALL))),
        optional("prefix", Flag),
    ],
};

static RESULT: Shape = Shape {
    fields: &[
        required("role", Text),
        required("content", CONTENT),
        nullable("tool_call_id", Text),
        nullable("name", Text),
    ],
};

/// The messages of each role.
pub(super) static ROLES: [(&str, &Shape); 4] =
    [("system", &SPOKEN), ("user", &SPOKEN), ("assistant", &ANSWER), ("tool", &RESULT)];

static FUNCTION: Shape = Shape {
    fields: &[
        required("name", Text),
        optional("description", Text),
        optional("strict", Flag),
        required("parameters", Free),
    ],
};

static TOOL: Shape =
    Shape { fields: &[optional("type", Choice(&["function"])), required("function", Object(&FUNCTION))] };

static NAMED: Shape = Shape { fields: &[required("name", Text)] };

static CHOICE: Shape = Shape { fields: &[optional("type", Text), required("function", Object(&NAMED))] };

static SCHEMA: Shape = Shape {
    fields: &[
        required("name", Text),
        required("schema", Free),
        nullable("description", Text),
        optional("strict", Flag),
    ],
};

static FORMAT: Shape = Shape {
    fields: &[
        optional("type", Choice(&["text", "json_object", "json_schema"])),
        nullable("json_schema", Object(&SCHEMA)),
    ],
};

/// A request. Its messages are looked at by their roles.
pub(super) static CHAT: Shape = Shape {
    fields: &[
        required("model", Text),
        required("messages", List(&Free)),
        nullable("temperature", Decimal),
        nullable("top_p", Decimal),
        nullable("max_tokens", Whole(0, MANY)),
        optional("stream", Flag),
        nullable("stop", TextOr(&List(&Text))),
        nullable("random_seed", Whole(0, i64::MAX)),
        nullable("metadata", Free),
        optional("response_format", Object(&FORMAT)),
        nullable("tools", List(&Object(&TOOL))),
        optional("tool_choice", TextOr(&Object(&CHOICE))),
        nullable("presence_penalty", Decimal),
        nullable("frequency_penalty", Decimal),
        nullable("min_tokens", Whole(0, MANY)),
        nullable("repetition_penalty", Decimal),
        nullable("top_k", Whole(0, MANY)),
        nullable("logprobs", Flag),
        nullable("top_logprobs", Whole(0, 20)),
        nullable("prompt_logprobs", Flag),
        nullable("top_prompt_logprobs", Whole(0, 20)),
        nullable("n", Whole(1, 128)),
        optional("prediction", Free),
        optional("parallel_tool_calls", Flag),
        nullable("reasoning_effort", Choice(&["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
        nullable("prompt_mode", Choice(&["reasoning"])),
        nullable("guardrails", List(&Free)),
        optional("safe_prompt", Flag),
        nullable("prompt_cache_key", Text),
    ],
};
