//! `POST /v1/explain`: what would be done with a body of any dialect, without sending anything.
//!
//! The dialect is that of `?operation=chat|responses|completions|embeddings|messages|generate_content`, or is told from the body:
//! `messages` make it a chat, `prompt` a completion, `input` an embedding, `contents` Gemini's.

use axum::extract::Request;
use axum::response::Response;
use trunkline_domain::attempt::Origin;
use trunkline_domain::{Dialect, Error, ErrorKind};
use trunkline_engine::inbound::{Inbound, Purpose};
use trunkline_wire::envelope::Envelope;

use crate::app::App;
use crate::query::parameter;
use crate::render;

/// Explains a request.
pub(crate) async fn explain(app: App, request: Request) -> Response {
    match try_explain(&app, request).await {
        Ok(receipt) => render::json(&receipt),
        Err(error) => render::plain(&error),
    }
}

async fn try_explain(app: &App, request: Request) -> Result<trunkline_domain::receipt::Receipt, Error> {
    let (parts, body) = request.into_parts();
    let source = app.bodies.source(&parts.headers, body);
    // The body is not read for somebody without a key.
    app.engine.caller(&parts.headers).await?;
    let named = parameter(parts.uri.query(), "operation").map(|name| named(&name)).transpose()?;
    let body = source.await?;
    let dialect = match named {
        Some(dialect) => dialect,
        None => told(&body.bytes)?,
    };
    let body = Box::pin(std::future::ready(Ok(body)));
    app.engine
        .explain(Inbound {
            origin: Origin::Caller,
            dialect,
            path: None,
            purpose: Purpose::Answer,
            headers: parts.headers,
            body,
        })
        .await
}

pub(crate) fn named(operation: &str) -> Result<Dialect, Error> {
    match operation {
        "chat" => Ok(Dialect::OpenaiChat),
        "completions" | "text_completion" => Ok(Dialect::OpenaiCompletions),
        "embeddings" => Ok(Dialect::OpenaiEmbeddings),
        "responses" => Ok(Dialect::OpenaiResponses),
        "messages" => Ok(Dialect::AnthropicMessages),
        "generate_content" => Ok(Dialect::GeminiGenerate),
        _ => {
            let message =
                "operation is one of chat, responses, completions, embeddings, messages, generate_content";
            Err(Error::new(ErrorKind::InvalidRequest, message).about("operation"))
        }
    }
}

pub(crate) fn told(bytes: &bytes::Bytes) -> Result<Dialect, Error> {
    let envelope = Envelope::parse(bytes.clone()).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, format!("the request body cannot be read: {error}"))
    })?;
    let signs = [
        ("messages", Dialect::OpenaiChat),
        ("prompt", Dialect::OpenaiCompletions),
        ("input", Dialect::OpenaiEmbeddings),
        ("contents", Dialect::GeminiGenerate),
    ];
    let sign = signs.into_iter().find(|(field, _)| envelope.contains(field));
    sign.map(|(_, dialect)| dialect).ok_or_else(|| {
        let message = "the body has neither `messages`, `prompt`, `input` nor `contents`: name what it is with \
                       ?operation=chat, responses, completions, embeddings, messages or generate_content";
        Error::new(ErrorKind::InvalidRequest, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_tells_its_dialect_by_its_fields() {
        let of = |body: &'static str| told(&bytes::Bytes::from_static(body.as_bytes())).ok();
        assert_eq!(of(r#"{"messages":[]}"#), Some(Dialect::OpenaiChat));
        assert_eq!(of(r#"{"prompt":""}"#), Some(Dialect::OpenaiCompletions));
        assert_eq!(of(r#"{"input":""}"#), Some(Dialect::OpenaiEmbeddings));
        assert_eq!(of("{}"), None);
        assert_eq!(of("{"), None);
    }
}
