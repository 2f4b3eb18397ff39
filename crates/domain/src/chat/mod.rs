//! The canonical chat: one form every chat dialect is decoded into and encoded from when a request must change its
//! language.
//!
//! What it is: block-structured, like the richest dialects, so that the poorer ones fold into it without loss. What it
//! is not: a wire format (nothing here is serialised) or a schema to check against: a decoder keeps what the caller
//! wrote, verbatim where meaning could hide in the spelling (a tool call's arguments, a schema, a signature).
//!
//! Rules every value keeps, so that each codec need know one form only:
//!
//! - **Instructions are turns.** A system prompt is a leading turn of [`Role::System`] or [`Role::Developer`];
//!   dialects with a field for it hoist what [`ChatRequest::instructions`] finds. The same roles may stand in
//!   mid-conversation, where their place matters.
//! - **Tool results stand in turns of [`Role::Tool`] and nothing else stands there.** Results that follow each other
//!   share one turn. Dialects that carry them in a user's message split and join.
//! - **A part that nobody else understands is [`PartKind::Opaque`]**, a field that has no name here is in the
//!   [`Extras`] of its level, both tagged with their dialect: they go back to it untouched, and to another dialect they
//!   are a loss with a name.
//! - **Streams are sequential.** In a stream of [`StreamEvent`]s each choice has at most one open part, parts are
//!   numbered from 0 in the order they open, and [`fold`] of the events is the buffered answer.
//!
//! Where to look first: [`ChatRequest`], [`Part`], [`ChatResponse`], [`StreamEvent`].

mod event;
mod extras;
mod fold;
mod part;
mod request;
mod response;

pub use event::{Delta, StreamEvent};
pub use extras::{Extras, Field, RawJson};
pub use fold::{fold, unfold};
pub use part::{
    CacheMark, Citation, Document, DocumentContent, Media, MediaSource, Minted, Minter, Opaque, Part,
    PartKind, Speech, Thought, ToolCall, ToolCallKind, ToolResult,
};
pub use request::{
    ChatRequest, Effort, Labels, Output, OutputFormat, Reasoning, Role, Sampling, StreamOptions, Thinking,
    Tool, ToolChoice, ToolKind, Turn,
};
pub use response::{ChatResponse, Choice, Finish, FinishReason, Logprobs, TokenLogprob};
pub use serde_json::Number;
