//! The whole public surface on one page.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};
use trunkline_domain::{Dialect, Error, ErrorKind};
use trunkline_wire::responses::kept::Recall;

use crate::app::App;
use crate::ingress::{explain, inference, kept};
use crate::query::{self, generation, key, models, providers};
use crate::render;

/// OpenAI's base path, OpenRouter's, and what clients use that add the version themselves.
const BASES: [&str; 2] = ["/v1", "/api/v1"];
const BARE: &str = "";
/// Google's base paths: its clients' default, and the stable one.
const GEMINI_BASES: [&str; 2] = [GEMINI_BETA, "/v1"];
const GEMINI_BETA: &str = "/v1beta";

/// The routes callers reach.
pub(crate) fn public(app: App) -> Router {
    let mut surface = Surface::default();
    for base in BASES.into_iter().chain([BARE]) {
        surface = surface
            .inference(base, "/chat/completions", Dialect::OpenaiChat)
            .inference(base, "/completions", Dialect::OpenaiCompletions)
            .inference(base, "/embeddings", Dialect::OpenaiEmbeddings)
            .inference(base, "/responses", Dialect::OpenaiResponses)
            .kept(base, "/responses/{id}", Dialect::OpenaiResponses)
            .inference(base, "/messages", Dialect::AnthropicMessages)
            .count(base, "/messages/count_tokens", Dialect::AnthropicMessages)
            .question(base, "/models", models::list)
            .question(base, "/models/{*id}", models::one_or_its_endpoints);
    }
    for base in GEMINI_BASES {
        surface = surface.gemini(base);
    }
    surface = surface.question(GEMINI_BETA, "/models", models::list_gemini).question(
        GEMINI_BETA,
        "/models/{*id}",
        models::one_gemini,
    );
    for base in BASES {
        surface = surface
            .explanation(base, "/explain")
            .question(base, "/providers", providers::list)
            .question(base, "/generation", generation::of_request)
            .question(base, "/key", key::own);
    }
    surface.question(BARE, "/healthz", health).question(BARE, "/readyz", readiness).into_router(app)
}

/// Routes in the making. Whatever takes a body goes to the engine; the rest is asked with a head alone, be it of the gateway
/// or, through the engine too, of whoever keeps an answer.
#[derive(Default)]
struct Surface(Router<App>);

impl Surface {
    /// A route that answers from a model. There is no other way to make one.
    fn inference(self, base: &str, path: &str, dialect: Dialect) -> Self {
        let serve = move |State(app): State<App>, request: Request| inference::serve(app, dialect, request);
        Self(self.0.route(&format!("{base}{path}"), post(serve)))
    }

    /// The routes that ask again for an answer a provider keeps.
    fn kept(mut self, base: &str, path: &str, dialect: Dialect) -> Self {
        for recall in Recall::ALL {
            let ask =
                move |State(app): State<App>, request: Request| kept::ask(app, dialect, recall, request);
            let route = match recall {
                Recall::Retrieve | Recall::InputItems => get(ask),
                Recall::Delete => delete(ask),
                Recall::Cancel => post(ask),
            };
            self.0 = self.0.route(&format!("{base}{path}{}", recall.below()), route);
        }
        self
    }

    /// A route that answers how long a prompt is.
    fn count(self, base: &str, path: &str, dialect: Dialect) -> Self {
        let count =
            move |State(app): State<App>, request: Request| inference::count_tokens(app, dialect, request);
        Self(self.0.route(&format!("{base}{path}"), post(count)))
    }

    /// Gemini's routes, whose path names the model and what is asked of it.
    fn gemini(self, base: &str) -> Self {
        let serve = |State(app): State<App>, request: Request| inference::serve_gemini(app, request);
        Self(self.0.route(&format!("{base}/models/{{*id}}"), post(serve)))
    }

    /// A route that says what would be done.
    fn explanation(self, base: &str, path: &str) -> Self {
        let explain = |State(app): State<App>, request: Request| explain::explain(app, request);
        Self(self.0.route(&format!("{base}{path}"), post(explain)))
    }

    /// A route that answers from what the gateway knows.
    fn question<F>(self, base: &str, path: &str, answer: fn(App, Parts) -> F) -> Self
    where
        F: Future<Output = Result<Response, Error>> + Send + 'static,
    {
        let ask = move |State(app): State<App>, parts: Parts| async move {
            let dialect = dialect_of(&parts.uri, &parts.headers);
            answer(app, parts).await.unwrap_or_else(|error| render::error_in(dialect, &error))
        };
        Self(self.0.route(&format!("{base}{path}"), get(ask)))
    }

    fn into_router(self, app: App) -> Router {
        self.0.fallback(nothing_there).method_not_allowed_fallback(other_method).with_state(app)
    }
}

/// The dialect of whoever asks for a path, as far as path and headers tell it: errors come in that.
fn dialect_of(uri: &Uri, headers: &HeaderMap) -> Dialect {
    if uri.path().starts_with(GEMINI_BETA) {
        Dialect::GeminiGenerate
    } else if headers.contains_key("anthropic-version") || uri.path().contains("/messages") {
        Dialect::AnthropicMessages
    } else {
        Dialect::OpenaiChat
    }
}

async fn nothing_there(uri: Uri, headers: HeaderMap) -> Response {
    let message = format!(
        "there is no {}: POST /v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings, /v1/messages, \
         /v1/messages/count_tokens, \
         GET and DELETE /v1/responses/{{id}}, POST /v1/responses/{{id}}/cancel, GET /v1/responses/{{id}}/input_items; POST \
         /v1beta/models/{{model}}:generateContent, :streamGenerateContent, :countTokens, :embedContent, \
         :batchEmbedContents, /v1/explain; GET /v1/models, \
         /v1/models/{{id}}, /v1/models/{{author}}/{{slug}}/endpoints, /v1/providers, /v1/generation?id=, /v1/key; \
         the same under /api/v1",
        query::shown(uri.path())
    );
    render::error_in(dialect_of(&uri, &headers), &Error::new(ErrorKind::NotFound, message))
}

/// The `allow` header is added by the router, which knows what the path has.
async fn other_method(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let message = format!(
        "{} does not take {method}: the `allow` header names what it takes",
        query::shown(uri.path())
    );
    render::error_in(dialect_of(&uri, &headers), &Error::new(ErrorKind::MethodNotAllowed, message))
}

/// Whether the process answers.
async fn health(_: App, _: Parts) -> Result<Response, Error> {
    Ok(render::json(&query::Status { status: "ok" }))
}

/// Whether requests can be served: the keys are in memory, and the gateway is not stopping.
async fn readiness(app: App, _: Parts) -> Result<Response, Error> {
    let (code, status) = if app.engine.is_ready() {
        (StatusCode::OK, "ready")
    } else if app.engine.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "loading keys")
    };
    Ok((code, render::json(&query::Status { status })).into_response())
}
