//! The one way from a request to a provider: [`Engine::serve`](trunkline_engine::Engine::serve), which checks keys,
//! scopes, budgets and limits and keeps the meter. What each dialect means is the engine's business.

use axum::RequestExt as _;
use axum::extract::{Path, Request};
use axum::response::Response;
use trunkline_domain::attempt::Origin;
use trunkline_domain::{Dialect, Error, ErrorKind, Text};
use trunkline_engine::inbound::{Inbound, PathFacts, Purpose};
use trunkline_wire::gemini::path::{Framing, Method, ModelPath};

use crate::app::App;
use crate::query::shown;
use crate::render;

/// Serves a request written in a dialect whose body says everything.
pub(crate) async fn serve(app: App, dialect: Dialect, request: Request) -> Response {
    ask(app, (dialect, Purpose::Answer), None, request).await
}

/// Answers how many tokens a prompt of a dialect has.
pub(crate) async fn count_tokens(app: App, dialect: Dialect, request: Request) -> Response {
    ask(app, (dialect, Purpose::Count), None, request).await
}

/// Serves a request of Gemini's, whose path names the model and what is asked of it.
pub(crate) async fn serve_gemini(app: App, mut request: Request) -> Response {
    let asked = match request.extract_parts::<Path<String>>().await {
        Ok(Path(rest)) => read_path(&rest, request.uri().query()),
        Err(error) => Err(Error::new(ErrorKind::InvalidRequest, format!("the path cannot be read: {error}"))),
    };
    match asked {
        Ok((kind, path)) => ask(app, kind, Some(path), request).await,
        Err(error) => render::error_in(Dialect::GeminiGenerate, &error),
    }
}

async fn ask(
    app: App,
    (dialect, purpose): (Dialect, Purpose),
    path: Option<PathFacts>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = app.bodies.source(&parts.headers, body);
    let inbound = Inbound { origin: Origin::Caller, dialect, path, purpose, headers: parts.headers, body };
    // Boxed here, where it is made: the layers around it move their futures, and this one is large.
    match Box::pin(app.engine.serve(inbound)).await {
        Ok(answer) => render::answer(answer),
        Err(refusal) => render::refusal(dialect, refusal),
    }
}

/// `{model}:{method}`, below `/models/`.
fn read_path(rest: &str, query: Option<&str>) -> Result<((Dialect, Purpose), PathFacts), Error> {
    let facts = |stream| {
        let model = rest.rsplit_once(':').map_or(rest, |(model, _)| model);
        PathFacts { model: Text::from(model), stream }
    };
    match ModelPath::parse(&format!("models/{rest}")).map(|path| path.method) {
        Some(Method::GenerateContent) => Ok(((Dialect::GeminiGenerate, Purpose::Answer), facts(None))),
        Some(Method::StreamGenerateContent) => {
            Ok(((Dialect::GeminiGenerate, Purpose::Answer), facts(Some(Framing::of_query(query)))))
        }
        Some(Method::CountTokens) => Ok(((Dialect::GeminiGenerate, Purpose::Count), facts(None))),
        Some(Method::EmbedContent) => Ok(((Dialect::GeminiEmbed, Purpose::Answer), facts(None))),
        Some(Method::BatchEmbedContents) => Ok(((Dialect::GeminiBatchEmbed, Purpose::Answer), facts(None))),
        None => {
            let message = format!(
                "there is no models/{}: a model has the methods :generateContent, :streamGenerateContent, \
                 :countTokens, :embedContent and :batchEmbedContents",
                shown(rest)
            );
            Err(Error::new(ErrorKind::NotFound, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_is_asked_of_which_model() {
        let facts = |model: &str, stream| PathFacts { model: model.into(), stream };
        let answer = (Dialect::GeminiGenerate, Purpose::Answer);
        assert_eq!(read_path("m:generateContent", None).unwrap(), (answer, facts("m", None)));
        assert_eq!(
            read_path("google/m:free:streamGenerateContent", Some("alt=sse")).unwrap(),
            (answer, facts("google/m:free", Some(Framing::Sse)))
        );
        assert_eq!(
            read_path("m:streamGenerateContent", None).unwrap(),
            (answer, facts("m", Some(Framing::JsonArray)))
        );
        assert_eq!(
            read_path("m:countTokens", None).unwrap(),
            ((Dialect::GeminiGenerate, Purpose::Count), facts("m", None))
        );
        let embed = |dialect| ((dialect, Purpose::Answer), facts("m", None));
        assert_eq!(read_path("m:embedContent", None).unwrap(), embed(Dialect::GeminiEmbed));
        assert_eq!(read_path("m:batchEmbedContents", None).unwrap(), embed(Dialect::GeminiBatchEmbed));
        assert_eq!(read_path("m:predict", None).unwrap_err().kind, ErrorKind::NotFound);
    }
}
