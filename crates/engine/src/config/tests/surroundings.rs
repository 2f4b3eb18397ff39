//! Loading with files and variables around, and that no secret is ever shown.

use std::path::Path;

use super::Few;
use crate::config::secrets::FakeEnvironment;
use crate::config::{load, load_without_file};

fn with_file(text: &str, vars: Vec<(&'static str, &'static str)>) -> FakeEnvironment {
    FakeEnvironment {
        vars,
        files: vec![("trunkline.toml", text.as_bytes().to_vec()), ("key", b"sk-canary-file\n".to_vec())],
    }
}

fn failure(environment: &FakeEnvironment) -> String {
    let problems = load(Path::new("trunkline.toml"), environment, &Few).unwrap_err();
    problems.iter().map(|problem| problem.render("trunkline.toml") + "\n").collect()
}

const TWO_ACCOUNTS: &str = r#"
[server]
proxy = { env = "PROXY" }
[providers.groq]
api_key = { env = "GROQ_API_KEY" }
[providers.openai]
api_keys = [{ file = "key" }, { env = "SPARE", label = "spare" }]
proxy = "http://other:1"
"#;

#[test]
fn secrets_are_fetched_and_never_shown() {
    let vars = vec![
        ("PROXY", "http://me:canary@proxy:1"),
        ("GROQ_API_KEY", "canary-groq"),
        ("SPARE", "canary-spare"),
    ];
    let loaded = load(Path::new("trunkline.toml"), &with_file(TWO_ACCOUNTS, vars), &Few).unwrap();
    let names: Vec<&str> = loaded.accounts.iter().map(|account| &*account.settings.name).collect();
    assert_eq!(names, ["groq", "openai", "sandbox"]);
    let keys: Vec<_> =
        loaded.accounts[1].keys.iter().map(|key| (&*key.label, key.secret.expose().as_str())).collect();
    assert_eq!(keys, [("1", "sk-canary-file"), ("spare", "canary-spare")]);
    let proxy = |account: usize| loaded.accounts[account].proxy.as_ref().map(|url| url.expose().as_str());
    assert_eq!(proxy(0), Some("http://me:canary@proxy:1"));
    assert_eq!(proxy(1), Some("http://other:1"));
    assert!(!format!("{loaded:?}").contains("canary"));
}

#[test]
fn every_secret_that_is_missing_is_named_at_its_place() {
    let environment = with_file(TWO_ACCOUNTS, vec![("PROXY", "canary-no-url"), ("SPARE", "")]);
    insta::assert_snapshot!(failure(&environment), @r##"
    trunkline.toml:3:9 server.proxy: must be a proxy's address such as http://proxy.example.com:3128
    trunkline.toml:5:11 providers.groq.api_key: environment variable GROQ_API_KEY is not set
    trunkline.toml:7:31 providers.openai.api_keys[1]: environment variable SPARE is empty
    "##);
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let gone = FakeEnvironment::default();
    insta::assert_snapshot!(failure(&gone), @r##"trunkline.toml:1:1 cannot be read: entity not found; `trunkline init` writes one"##);
    let binary = FakeEnvironment { vars: vec![], files: vec![("trunkline.toml", vec![0xff])] };
    insta::assert_snapshot!(failure(&binary), @r##"trunkline.toml:1:1 is not UTF-8 text; save it as UTF-8"##);
}

#[test]
fn with_a_file_the_environment_adds_no_account() {
    let environment = with_file("", vec![("GROQ_API_KEY", "key")]);
    let loaded = load(Path::new("trunkline.toml"), &environment, &Few).unwrap();
    assert_eq!(loaded.accounts.len(), 1);
    assert_eq!(load_without_file(&environment).accounts.len(), 2);
}

#[test]
fn warnings_do_not_keep_a_file_from_being_used() {
    let text = "[routes.fast]\ntargets = [\"sandbox/gone\"]";
    let loaded = load(Path::new("trunkline.toml"), &with_file(text, vec![]), &Few).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn what_looks_like_a_secret_in_the_wrong_place_is_not_repeated() {
    for text in [
        "[providers.groq]\napi_key = \"sk-canary\"",
        "[providers.groq]\napi_key = sk-canary",
        "[providers.groq]\napi_key = { env = \"sk-canary\" }",
        "[providers.groq]\napi_key = { env = \"gsk_Canary\" }",
        "[providers.groq]\napi_key = [\"sk-canary\"]",
        "[providers.groq]\napi_keys = \"sk-canary\"",
        "[providers.groq]\napi_keys = [\"sk-canary\"]",
        "[providers.groq]\napi_keys = [{ secret = \"sk-canary\" }]",
        "[providers.groq]\nbase_url = \"https://canary:canary@host/\"",
        "[providers.groq]\nbase_url = \"https://host/?key=canary\"",
        "[server]\nproxy = \"http://canary:canary@host\"",
        "[server]\nproxy = \"canary\"",
    ] {
        let found = super::problems(text);
        assert!(!found.is_empty() && !found.to_lowercase().contains("canary"), "{text}\n{found}");
    }
}
