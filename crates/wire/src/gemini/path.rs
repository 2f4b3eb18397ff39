//! What the dialect says in the path: the model, and whether to stream. Not a router: whoever serves the path has taken
//! the version off and decoded it. Where to look first: [`ModelPath::parse`].
//!
//! Source: <https://ai.google.dev/api/generate-content> (`POST /v1beta/{model=models/*}:generateContent`, `alt=sse`).

use std::fmt::Write;

/// A model and what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelPath<'a> {
    /// The model, without `models/`.
    pub model: &'a str,
    /// What is asked.
    pub method: Method,
}

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// A whole answer.
    GenerateContent,
    /// A streamed answer.
    StreamGenerateContent,
    /// How long the prompt is.
    CountTokens,
    /// A vector.
    EmbedContent,
    /// Vectors, many at once.
    BatchEmbedContents,
}

/// How a streamed answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Server-sent events: `alt=sse`.
    Sse,
    /// The elements of one JSON array, as they come.
    JsonArray,
}

impl Method {
    const ALL: &'static [Method] = &[
        Self::GenerateContent,
        Self::StreamGenerateContent,
        Self::CountTokens,
        Self::EmbedContent,
        Self::BatchEmbedContents,
    ];

    /// Its name in the path.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GenerateContent => "generateContent",
            Self::StreamGenerateContent => "streamGenerateContent",
            Self::CountTokens => "countTokens",
            Self::EmbedContent => "embedContent",
            Self::BatchEmbedContents => "batchEmbedContents",
        }
    }
}

impl<'a> ModelPath<'a> {
    /// Reads `models/{model}:{method}`, with or without a leading slash. A model's name may hold slashes and colons.
    /// `None` where there is no model or the method is unknown.
    pub fn parse(path: &'a str) -> Option<Self> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (model, method) = path.strip_prefix("models/")?.rsplit_once(':')?;
        let method = Method::ALL.iter().copied().find(|known| known.as_str() == method)?;
        (!model.is_empty()).then_some(Self { model, method })
    }

    /// The path, with its leading slash and, for a stream, the query that makes it server-sent events. Characters with a
    /// meaning of their own in a URL are escaped.
    pub fn to_upstream(self) -> String {
        let mut path = String::with_capacity(self.model.len() + 48);
        path.push_str(if self.model.starts_with("tunedModels/") { "/" } else { "/models/" });
        for byte in self.model.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/@".contains(&byte) {
                path.push(char::from(byte));
            } else {
                // Writing to a `String` cannot fail.
                _ = write!(path, "%{byte:02X}");
            }
        }
        path.push(':');
        path.push_str(self.method.as_str());
        if self.method == Method::StreamGenerateContent {
            path.push_str("?alt=sse");
        }
        path
    }
}

impl Framing {
    /// What a query asks for: an array, unless it says `alt=sse`.
    pub fn of_query(query: Option<&str>) -> Self {
        let mut pairs = query.unwrap_or_default().split('&');
        if pairs.any(|pair| matches!(pair, "alt=sse" | "$alt=sse" | "%24alt=sse")) {
            Self::Sse
        } else {
            Self::JsonArray
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_model_and_a_method() {
        let parsed = |path| ModelPath::parse(path).map(|path| (path.model, path.method));
        assert_eq!(
            parsed("/models/gemini-3-flash:generateContent"),
            Some(("gemini-3-flash", Method::GenerateContent))
        );
        assert_eq!(
            parsed("models/ollama/llama3:8b:streamGenerateContent"),
            Some(("ollama/llama3:8b", Method::StreamGenerateContent))
        );
        assert_eq!(parsed("models/m:countTokens"), Some(("m", Method::CountTokens)));
        assert_eq!(parsed("models/m:batchEmbedContents"), Some(("m", Method::BatchEmbedContents)));
        for none in ["models/:generateContent", "models/m", "models/m:predict", "m:generateContent", ""] {
            assert_eq!(parsed(none), None, "{none}");
        }
    }

    #[test]
    fn a_path_is_written_as_it_is_read() {
        let path = |model, method| ModelPath { model, method }.to_upstream();
        assert_eq!(path("m-1.5", Method::GenerateContent), "/models/m-1.5:generateContent");
        assert_eq!(path("m", Method::StreamGenerateContent), "/models/m:streamGenerateContent?alt=sse");
        assert_eq!(path("tunedModels/a", Method::GenerateContent), "/tunedModels/a:generateContent");
        assert_eq!(path("a b?c#d", Method::GenerateContent), "/models/a%20b%3Fc%23d:generateContent");
    }

    #[test]
    fn a_stream_is_an_array_unless_events_are_asked_for() {
        assert_eq!(Framing::of_query(Some("key=x&alt=sse")), Framing::Sse);
        assert_eq!(Framing::of_query(Some("alt=json")), Framing::JsonArray);
        assert_eq!(Framing::of_query(None), Framing::JsonArray);
    }
}
