//! What is said of models to fall back to, by what is known of them.

use insta::assert_snapshot;

use super::problems;

/// Routes at an account whose models differ.
fn said(routes: &str) -> String {
    let accounts = r#"[providers.ollama]
[providers.groq]
api_key = { env = "GROQ_API_KEY" }
[providers.own]
kind = "custom"
base_url = "http://models.example.com/v1"
models = [{ id = "small", name = "own/small", kind = "chat", context_window = 8192 }, { id = "x" }]
"#;
    problems(&format!("{accounts}{routes}"))
}

#[test]
fn a_fallback_that_can_never_help_is_refused_with_its_line() {
    assert_snapshot!(said(r#"
[routes.a]
targets = ["openai/gpt-oss-120b"]
[routes.a.fallbacks]
context_length = ["own/small", "openai/gpt-oss-120b"]
content_policy = ["acme/vectors"]
general = ["nobody/nothing", "acme/vectors", "a"]
[routes.vectors]
targets = ["groq/acme/vectors"]
fallbacks = { general = ["acme/long", "sandbox/echo-small"] }
"#), @r##"
    trunkline.toml:12:19 routes.a.fallbacks.context_length[0]: its context window (8192 tokens) is no larger than any of the route's targets' (the smallest: 131072): a prompt that is too long for them is too long for it; name a model with a larger one, or state it under [models."own/small"]
    trunkline.toml:12:32 routes.a.fallbacks.context_length[1]: its context window (131072 tokens) is no larger than any of the route's targets' (the smallest: 131072): a prompt that is too long for them is too long for it; name a model with a larger one, or state it under [models."openai/gpt-oss-120b"]
    trunkline.toml:13:19 routes.a.fallbacks.content_policy[0]: does nothing that the route's targets do: none of the route's requests can be sent there; name a model of the same kind
    trunkline.toml:14:12 routes.a.fallbacks.general[0]: "nobody/nothing" is neither a model the catalogue knows nor a model of an account in this file; state its facts under [models."nobody/nothing"], or write account/upstream-id
    trunkline.toml:14:30 routes.a.fallbacks.general[1]: does nothing that the route's targets do: none of the route's requests can be sent there; name a model of the same kind
    trunkline.toml:14:46 routes.a.fallbacks.general[2]: names a route: a route's targets are models
    trunkline.toml:17:26 routes.vectors.fallbacks.general[0]: does nothing that the route's targets do: none of the route's requests can be sent there; name a model of the same kind
    trunkline.toml:17:39 routes.vectors.fallbacks.general[1]: does nothing that the route's targets do: none of the route's requests can be sent there; name a model of the same kind
    "##);
}

#[test]
fn a_fallback_that_helps_with_some_requests_is_a_warning() {
    assert_snapshot!(said(r#"
[routes.a]
targets = ["openai/gpt-oss-120b", "own/small"]
[routes.a.fallbacks]
context_length = ["acme/blind"]
general = ["acme/blind", "openai/gpt-5"]
"#), @r##"
    trunkline.toml:12:19 routes.a.fallbacks.context_length[0]: warning: its context window (32768 tokens) is no larger than the largest of the route's targets' (131072): a prompt that is too long for that one is too long for it
    trunkline.toml:12:19 routes.a.fallbacks.context_length[0]: warning: lacks tools, images, which a target of the route has: requests that need one of these are not sent there
    trunkline.toml:13:12 routes.a.fallbacks.general[0]: warning: its context window (32768 tokens) is smaller than a target's of the route (131072): longer prompts are not sent there
    trunkline.toml:13:12 routes.a.fallbacks.general[0]: warning: lacks tools, images, which a target of the route has: requests that need one of these are not sent there
    trunkline.toml:13:26 routes.a.fallbacks.general[1]: warning: no account in this file offers it: it is never tried; add an account that does, or name another model
    "##);
}

#[test]
fn a_fallback_of_which_nothing_is_known_is_in_nobodys_way() {
    assert_snapshot!(said(r#"
[routes.a]
targets = ["openai/gpt-oss-120b"]
[routes.a.fallbacks]
context_length = ["acme/long", "acme/unknown", "own/x"]
content_policy = ["acme/unknown"]
general = ["ollama/appeared-today", "acme/long"]
[routes.b]
targets = ["ollama/appeared-today", "acme/long"]
fallbacks = { context_length = ["acme/vectors", "acme/unknown"], general = ["acme/long"] }
"#), @"");
}
