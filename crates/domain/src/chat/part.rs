//! Parts: what a turn is made of.

use super::extras::{Extras, RawJson};
use crate::dialect::Dialect;
use crate::model::{ModelName, Text};

/// One block of a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// The prompt up to and including this part is to be cached.
    pub cache: Option<CacheMark>,
    /// The provider's own state that belongs to this part: a thinking block's signature, a thought signature, a
    /// reasoning item's encrypted content. Carried untouched or dropped whole, never altered.
    pub signature: Option<Minted<Text>>,
    /// What else its dialect said about it.
    pub extras: Extras,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum PartKind {
    /// Text for the reader.
    Text {
        /// The text.
        text: Text,
        /// Where it was found.
        citations: Vec<Citation>,
    },
    /// A picture.
    Image(Media),
    /// Sound to listen to.
    Audio(Media),
    /// A film to watch.
    Video(Media),
    /// A PDF, a text, any other file.
    Document(Document),
    /// Sound the model made.
    Speech(Speech),
    /// What the model thought.
    Reasoning(Thought),
    /// The model calls a tool.
    ToolCall(ToolCall),
    /// What the tool answered; in turns of [`Role::Tool`](super::Role::Tool) only.
    ToolResult(ToolResult),
    /// The model declines, in its own words.
    Refusal(Text),
    /// A block only its own dialect understands: server-side tools and their results, containers, computer use.
    Opaque(Opaque),
}

impl Part {
    /// A part with nothing besides its kind.
    pub fn new(kind: PartKind) -> Self {
        Self { kind, cache: None, signature: None, extras: Extras::default() }
    }

    /// Plain text.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::new(PartKind::Text { text: text.into(), citations: Vec::new() })
    }

    /// Bytes of its text, or of what it holds in base64.
    pub fn bytes(&self) -> usize {
        let media = |source: &MediaSource| match source {
            MediaSource::Base64(data) => data.len(),
            MediaSource::Url(address) | MediaSource::File(address) => address.len(),
        };
        let all = |parts: &[Part]| parts.iter().map(Part::bytes).sum();
        match &self.kind {
            PartKind::Text { text, .. }
            | PartKind::Refusal(text)
            | PartKind::Document(Document { content: DocumentContent::Text(text), .. }) => text.len(),
            PartKind::Image(Media { source, .. })
            | PartKind::Audio(Media { source, .. })
            | PartKind::Video(Media { source, .. })
            | PartKind::Document(Document { content: DocumentContent::Media(source), .. }) => media(source),
            PartKind::Document(Document { content: DocumentContent::Parts(parts), .. })
            | PartKind::ToolResult(ToolResult { content: parts, .. }) => all(parts),
            PartKind::Speech(speech) => speech.data.len(),
            PartKind::Reasoning(thought) => thought.text.iter().map(|piece| piece.len()).sum(),
            PartKind::ToolCall(call) => call.arguments.len(),
            PartKind::Opaque(opaque) => opaque.raw.get().len(),
        }
    }

    /// The tool call it is, if it is one.
    pub fn tool_call(&self) -> Option<&ToolCall> {
        if let PartKind::ToolCall(call) = &self.kind { Some(call) } else { None }
    }
}

impl From<PartKind> for Part {
    fn from(kind: PartKind) -> Self {
        Self::new(kind)
    }
}

/// A picture, a sound or a film.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// Where its bytes are.
    pub source: MediaSource,
    /// Its MIME type, where the dialect says it: `image/png`. Dialects that name a format alone (`wav`) have it turned
    /// into a MIME type.
    pub media_type: Option<Text>,
    /// How closely to look: `low`, `high`, `auto` …
    pub detail: Option<Text>,
}

/// Where the bytes of a medium are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaSource {
    /// Here, in base64 as written.
    Base64(Text),
    /// At an address the provider is to fetch.
    Url(Text),
    /// At the provider, under an id it gave out.
    File(Text),
}

/// A document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where its content is.
    pub content: DocumentContent,
    /// Its MIME type, where the dialect says it.
    pub media_type: Option<Text>,
    /// Its file name or title.
    pub name: Option<Text>,
    /// What the model is told about it besides its text.
    pub context: Option<Text>,
    /// Whether the model is to cite it.
    pub citations: Option<bool>,
}

/// Where a document's content is.
#[derive(Clone, Debug, PartialEq)]
pub enum DocumentContent {
    /// Its bytes, or where they are.
    Media(MediaSource),
    /// Its text, here.
    Text(Text),
    /// Its parts, here.
    Parts(Vec<Part>),
}

/// Sound the model made. In a request it is known by its id alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Speech {
    /// What later requests call it.
    pub id: Option<Text>,
    /// Base64 as written; pieces of a stream are joined.
    pub data: Text,
    /// What is said.
    pub transcript: Text,
    /// Until when the id is known, in seconds since 1970.
    pub expires_at: Option<i64>,
}

/// What the model thought, as far as anybody is shown. Its signature or encrypted form is [`Part::signature`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thought {
    /// The item's id, where the dialect gives one.
    pub id: Option<Text>,
    /// The thinking itself; most dialects have one piece at most. Empty where it is withheld.
    pub text: Vec<Text>,
    /// A summary in place of the thinking, or beside it.
    pub summary: Vec<Text>,
    /// Withheld by the provider for safety: only [`Part::signature`] is left of it.
    pub redacted: bool,
}

/// The model calls a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Pairs the call with its result. Empty where the dialect gives none; encoders that need one make it from the
    /// call's place, so that the same request gives the same bytes.
    pub id: Text,
    /// The tool's name.
    pub name: Text,
    /// What kind of tool.
    pub kind: ToolCallKind,
    /// As the model wrote it: models emit invalid JSON, so it is parsed only where a dialect needs an object.
    pub arguments: Text,
}

/// The kinds of tool a model may call and the caller runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToolCallKind {
    /// Takes a JSON object.
    Function,
    /// Takes any text.
    Freeform,
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// [`ToolCall::id`] of the call it answers.
    pub call_id: Text,
    /// The tool's name, where the dialect says it.
    pub name: Option<Text>,
    /// What kind of call it answers.
    pub kind: ToolCallKind,
    /// The answer: text, images, documents.
    pub content: Vec<Part>,
    /// The tool failed. `None` where the dialect does not say.
    pub is_error: Option<bool>,
}

/// Where a piece of text was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation {
    /// The source's address.
    pub url: Option<Text>,
    /// The source's title.
    pub title: Option<Text>,
    /// What the source says.
    pub cited_text: Option<Text>,
    /// Which characters of the answer's text rest on it, from and up to, where the dialect says it.
    pub span: Option<(u64, u64)>,
    /// What else its dialect says: places within the source.
    pub extras: Extras,
}

/// A place up to which the prompt is to be cached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheMark {
    /// How long, as written (`5m`, `1h`); the provider's default where not said.
    pub ttl: Option<Text>,
}

/// A value only its own dialect understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// Whose.
    pub dialect: Dialect,
    /// As written.
    pub raw: RawJson,
}

/// Provider state that knows who made it: only its maker accepts it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minted<T> {
    /// The dialect it was minted in: a signature has no meaning in another.
    pub dialect: Dialect,
    /// Who made it. Decoders cannot know and leave it empty; the engine fills it in.
    pub by: Option<Minter>,
    /// The state itself.
    pub value: T,
}

impl<T> Minted<T> {
    /// State of unknown origin.
    pub fn unknown(dialect: Dialect, value: T) -> Self {
        Self { dialect, by: None, value }
    }
}

/// Who made a piece of provider state, as far as it matters for giving it back: whoever is the same one takes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Minter {
    /// One account at a provider, whatever its model.
    Account(Text),
    /// A model, wherever it is served by a provider that reads what the others signed.
    Model(ModelName),
}
