//! The command line, beside a gateway and without one.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use ring::signature::Ed25519KeyPair;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use trunkline_catalogue::format::{Content, ProviderContent, encode};
use trunkline_catalogue::update::{public_key, sign};
use trunkline_catalogue::{Catalogue, Fees, PriceList, Rates, SANDBOX};
use trunkline_domain::PricePerMillion;

use super::support::{Fake, Gateway, USUAL, account, chat, directory, streamed};
use trunkline_testkit::fake_provider::Script;

/// The user that owns nothing.
const NOBODY: u32 = 65_534;

const CHAT: &str = "/v1/chat/completions";

/// What a command said and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> Value {
        assert_eq!((self.code, &*self.err), (Some(0), ""), "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }

    /// The one line of a failure.
    fn complaint(&self, code: i32) -> &str {
        assert_eq!((self.code, &*self.out), (Some(code), ""), "{self:?}");
        self.err.strip_prefix("trunkline: ").unwrap().trim_end_matches('\n')
    }
}

/// Runs a command in a gateway's directory, over its data.
fn run(directory: &Path, words: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command.env_clear().current_dir(directory).args(words).args(["--data-dir", "data"]);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}

fn key(directory: &Path, name: &str) -> String {
    let made = run(directory, &["keys", "create", "--name", name, "--json"]).json();
    made["key"].as_str().unwrap().to_owned()
}

async fn stop(gateway: &mut Gateway, signal: Signal) {
    gateway.signal(signal);
    gateway.ended().await;
}

#[test]
fn the_help_names_every_command() {
    let directory = TempDir::new().unwrap();
    let said = run(directory.path(), &["--help"]);
    for command in [
        "serve",
        "check",
        "init",
        "models",
        "providers",
        "explain",
        "keys",
        "usage",
        "catalogue",
        "completions",
    ] {
        assert!(said.out.contains(&format!("\n  {command} ")), "{command}");
    }
    assert_eq!(run(directory.path(), &["bananas"]).code, Some(2));
    let script = run(directory.path(), &["completions", "bash"]).out;
    assert!(script.contains("_trunkline()") && script.contains("--budget-usd"));
}

#[test]
fn a_written_configuration_is_right_and_is_not_written_twice() {
    let directory = TempDir::new().unwrap();
    let init = |words: &[&str]| run(directory.path(), words);
    assert_eq!(init(&["init"]).code, Some(0));
    let before = std::fs::read(directory.path().join("trunkline.toml")).unwrap();
    assert!(init(&["init"]).complaint(1).contains("trunkline.toml is there already"));
    assert_eq!(std::fs::read(directory.path().join("trunkline.toml")).unwrap(), before);
    assert_eq!(init(&["init", "other.toml"]).code, Some(0));
    for file in ["trunkline.toml", "other.toml"] {
        let said = init(&["check", file]);
        assert_eq!((said.code, said.out.contains("is right")), (Some(0), true), "{said:?}");
    }
}

#[test]
fn a_fallback_that_can_never_help_is_refused_and_one_that_may_is_a_warning() {
    let directory = TempDir::new().unwrap();
    let account =
        account("one", "http://127.0.0.1:9/v1", 0).replace("id = \"m\"", "id = \"m\", kind = \"chat\"");
    let check = |fallbacks: &str| {
        let route = format!("[routes.r]\ntargets = [\"acme/m\"]\nfallbacks = {{ {fallbacks} }}\n");
        std::fs::write(directory.path().join("trunkline.toml"), format!("{account}{route}")).unwrap();
        run(directory.path(), &["check"])
    };
    let never = check("context_length = [\"acme/m\"]");
    assert_eq!((never.code, never.err.lines().count()), (Some(2), 1), "{never:?}");
    let place = "trunkline.toml:9:33 routes.r.fallbacks.context_length[0]: its context window (8192 tokens)";
    assert!(never.err.starts_with(place), "{never:?}");
    let kind = check("general = [\"sandbox/embed\"]");
    assert_eq!((kind.code, kind.err.contains("name a model of the same kind")), (Some(2), true), "{kind:?}");
    let known = Catalogue::embedded().unwrap().models().unwrap().swap_remove(0).name;
    let may = check(&format!("general = [\"{known}\"]"));
    assert_eq!((may.code, may.out.contains("is right")), (Some(0), true), "{may:?}");
    assert!(may.err.contains("warning: no account in this file offers it"), "{may:?}");
}

#[test]
fn every_problem_of_a_file_is_printed() {
    let directory = TempDir::new().unwrap();
    let bad = "[sever]\nlisten = 1\n\n[providers.groq]\napi_kye = { env = \"X\" }\n\n[routes.a]\ntargets = [\"openai/gpt-55\"]\n";
    std::fs::write(directory.path().join("bad.toml"), bad).unwrap();
    let said = run(directory.path(), &["check", "bad.toml"]);
    assert_eq!((said.code, &*said.out), (Some(2), ""));
    let places: Vec<&str> =
        said.err.lines().filter_map(|line| line.split_once(' ')).map(|(at, _)| at).collect();
    assert_eq!(places[0], "bad.toml:1:2");
    assert!(
        places.iter().any(|at| at.starts_with("bad.toml:5:"))
            && places.iter().any(|at| at.starts_with("bad.toml:8:"))
    );
    assert!(said.err.contains("did you mean \"server\"?"), "{}", said.err);
    let listed = run(directory.path(), &["check", "bad.toml", "--json"]);
    assert_eq!(listed.code, Some(2));
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!((&listed["ok"], listed["problems"].as_array().unwrap().len()), (&json!(false), places.len()));
    assert!(run(directory.path(), &["check", "none.toml"]).err.contains("`trunkline init` writes one"));
}

#[test]
fn without_data_a_command_says_where_it_looked_and_makes_none() {
    let directory = TempDir::new().unwrap();
    for words in [&["usage"][..], &["keys", "list"], &["keys", "revoke", "x"]] {
        let said = run(directory.path(), words);
        assert!(said.complaint(1).starts_with("there is no data in data: "), "{said:?}");
    }
    for words in [&["models"][..], &["providers"], &["explain", "--model", "sandbox/echo-small"]] {
        assert_eq!(run(directory.path(), words).code, Some(0));
    }
    assert!(!directory.path().join("data").exists());
}

#[tokio::test]
async fn a_key_for_a_script_is_its_id_and_its_secret() {
    let gateway = Gateway::start("");
    let path = gateway.directory.path();
    let made = run(path, &["keys", "create", "--name", "n", "--budget-usd", "0.0001", "--json"]);
    assert_eq!(made.out.lines().count(), 1);
    let members = made.json().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members, ["id", "key"]);
    assert!(made.json()["id"].as_str().unwrap().starts_with("key-"));
    assert!(made.json()["key"].as_str().unwrap().starts_with("sk-tl-"));
    let listed = run(path, &["keys", "list", "--json"]).json();
    let budgets = json!([{ "limit_usd": "0.0001", "window": "total", "spent_usd": "0" }]);
    assert_eq!(listed["keys"][1]["budgets"], budgets);
}

#[tokio::test]
async fn keys_changed_beside_a_gateway_are_in_force_at_once() {
    let mut gateway = Gateway::start("");
    let directory = gateway.directory.clone();
    let chats = async |gateway: &mut Gateway, key: &str| {
        let first = std::mem::replace(&mut gateway.key, key.to_owned());
        let status = gateway.post(CHAT, &chat("sandbox/echo-small")).await.status;
        gateway.key = first;
        status
    };
    let old = key(directory.path(), "ci");
    assert_eq!(chats(&mut gateway, &old).await, 200);
    let rotated = run(directory.path(), &["keys", "rotate", "ci", "--json"]).json();
    let new = rotated["key"].as_str().unwrap();
    assert_eq!((chats(&mut gateway, &old).await, chats(&mut gateway, new).await), (401, 200));
    assert_eq!(run(directory.path(), &["keys", "revoke", "ci"]).code, Some(0));
    assert_eq!(chats(&mut gateway, new).await, 401);
}

#[tokio::test]
async fn keys_changed_without_a_gateway_are_in_force_when_it_starts() {
    let mut gateway = Gateway::start("");
    let directory = gateway.directory.clone();
    stop(&mut gateway, Signal::TERM).await;
    drop(gateway);
    let made = key(directory.path(), "made-alone");
    assert_eq!(run(directory.path(), &["keys", "revoke", "first"]).code, Some(0));
    let mut gateway = Gateway::start_in(&directory, &USUAL);
    assert_eq!(gateway.post(CHAT, &chat("sandbox/echo-small")).await.status, 401);
    gateway.key = made;
    assert_eq!(gateway.post(CHAT, &chat("sandbox/echo-small")).await.status, 200);
}

#[tokio::test]
async fn mistakes_are_told_from_failures() {
    let gateway = Gateway::start("");
    let path = gateway.directory.path();
    let said = run(path, &["keys", "create", "--name", "x", "--budget-usd", "1,50"]);
    assert!(said.complaint(2).contains("write dollars like 1.50"));
    assert!(
        run(path, &["keys", "create", "--name", "x", "--budget-usd", "-1"]).complaint(2).contains("negative")
    );
    assert!(run(path, &["keys", "create", "--name", "first"]).complaint(1).contains("already there"));
    assert!(run(path, &["keys", "rotate", "nobody"]).complaint(1).contains("there is no key `nobody`"));
    assert_eq!(run(path, &["keys", "create"]).code, Some(2));
    assert_eq!(run(path, &["usage", "--by", "bananas"]).code, Some(2));
}

#[tokio::test]
async fn usage_is_the_same_beside_a_gateway_and_without_one() {
    let mut gateway = Gateway::start("");
    let directory = gateway.directory.clone();
    for model in ["sandbox/fixed-price", "sandbox/echo-small", "sandbox/overloaded", "sandbox/fixed-price"] {
        gateway.post(CHAT, &chat(model)).await;
    }
    let groupings = [
        &["usage", "--json"][..],
        &["usage", "--by", "key,day", "--csv"],
        &["usage", "--by", "account,provider"],
    ];
    let beside: Vec<Said> = groupings.iter().map(|words| run(directory.path(), words)).collect();
    stop(&mut gateway, Signal::KILL).await;
    let without: Vec<Said> = groupings.iter().map(|words| run(directory.path(), words)).collect();
    assert_eq!(beside, without);
    let rows = beside[0].json()["rows"].clone();
    let row = rows.as_array().unwrap().iter().find(|row| row["model"] == "sandbox/fixed-price").unwrap();
    assert_eq!(
        (&row["requests"], &row["attempts"], &row["cost_usd"]),
        (&json!(2), &json!(2), &json!("0.0002"))
    );
    let head = "key,day,requests,attempts,failed,interrupted,input_tokens,cache_read_tokens,cache_write_tokens,output_tokens,reasoning_tokens,cost_usd\n";
    assert!(beside[1].out.starts_with(head), "{}", beside[1].out);
    assert!(!beside[2].out.contains('\u{1b}'), "no colours where nobody looks");
}

#[tokio::test]
async fn an_attempt_cut_off_by_a_kill_is_in_the_usage() {
    let fake = Fake::with(&[Script::hangs()]).await;
    let mut gateway = Gateway::start(&fake.account("one", 0));
    let directory = gateway.directory.clone();
    let _client = gateway.open(CHAT, &streamed("acme/m")).await;
    fake.asked().await;
    stop(&mut gateway, Signal::KILL).await;
    let rows = run(directory.path(), &["usage", "--json"]).json()["rows"].clone();
    assert_eq!((&rows[0]["model"], &rows[0]["attempts"]), (&json!("acme/m"), &json!(1)));
    assert_eq!(rows[0]["interrupted"], 1);
    let table = run(directory.path(), &["usage"]).out;
    let cells: Vec<&str> = table.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    // Requests, attempts, failed, interrupted, input, cached, output: what is not known is not zero.
    assert_eq!(cells[1..8], ["1", "1", "–", "1", "–", "–", "–"], "{table}");
    assert_eq!(run(directory.path(), &["usage", "--json"]).json()["rows"], rows, "counted once");
}

#[tokio::test]
async fn a_gateway_whose_keys_were_made_before_it_ran_still_gets_its_admin_token() {
    let directory = directory("");
    let key = key(directory.path(), "early");
    let gateway = Gateway::start_in(&directory, &USUAL);
    let told = std::fs::read_to_string(gateway.data("first-run.txt")).unwrap();
    assert!(told.starts_with("admin token: tl-admin-") && !told.contains("key: "), "no second key is made");
    assert!(!told.contains(&key));
}

#[tokio::test]
async fn nothing_is_changed_behind_a_gateways_back() {
    let gateway = Gateway::start("");
    std::fs::remove_file(gateway.data("control.sock")).unwrap();
    let said = run(gateway.directory.path(), &["keys", "create", "--name", "x"]);
    assert!(said.complaint(1).contains("another process uses data"), "{said:?}");
}

#[tokio::test]
async fn an_explanation_is_the_same_beside_a_gateway_and_without_one() {
    let config = "[routes.mine]\ntargets = [\"sandbox/echo-small\", \"sandbox/echo-large\"]\n";
    let mut gateway = Gateway::start(config);
    let directory = gateway.directory.clone();
    run(directory.path(), &["keys", "create", "--name", "narrow", "--models", "sandbox/echo-large"]);
    let explained = || {
        let asked = [
            &["explain", "--model", "mine", "--tools", "--json"][..],
            &["explain", "--model", "mine", "--key", "narrow", "--json"],
        ];
        asked.map(|words| {
            let receipt = run(directory.path(), words).json();
            (receipt["candidates"].clone(), receipt["excluded"].clone())
        })
    };
    let beside = explained();
    stop(&mut gateway, Signal::TERM).await;
    assert_eq!(beside, explained());
    let order: Vec<_> = beside[0].0.as_array().unwrap().iter().map(|it| it["deployment"].clone()).collect();
    assert_eq!(order, ["sandbox/echo-small", "sandbox/echo-large"]);
    let person = run(directory.path(), &["explain", "--model", "mine", "--key", "narrow"]).out;
    assert!(person.contains("the key may not use it"), "{person}");
}

#[test]
fn models_are_found_in_the_whole_catalogue_and_the_usable_ones_are_told() {
    let directory = TempDir::new().unwrap();
    let models = |words: &[&str]| {
        let words: Vec<&str> = [&["models", "--json"], words].concat();
        run(directory.path(), &words).json()["models"].as_array().unwrap().clone()
    };
    let usable = models(&[]);
    assert!(usable.iter().all(|model| model["provider"] == "sandbox") && usable.len() > 5);
    let all = models(&["--all"]);
    assert!(all.len() > 1_000);
    for (words, holds) in [
        (&["--provider", "groq"][..], &(|it: &Value| it["provider"] == "groq") as &dyn Fn(&Value) -> bool),
        (&["--search", "llama 70B"], &|it| it.to_string().to_lowercase().contains("llama")),
        (&["--unpriced"], &|it| it["input_usd_per_million"].is_null()),
        (&["--review"], &|it| it["review"] == true),
        (&["--free", "--provider", "openrouter"], &|it| it["input_usd_per_million"] == "0"),
    ] {
        let found = models(words);
        assert!(!found.is_empty() && found.len() < all.len(), "{words:?}");
        assert!(found.iter().all(holds), "{words:?}");
    }
}

#[test]
fn providers_say_what_is_unverified() {
    let directory = TempDir::new().unwrap();
    let listed = run(directory.path(), &["providers", "--json"]).json();
    let proofs: Vec<&str> = listed["providers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|provider| provider["proof"].as_str().unwrap())
        .collect();
    assert!(proofs.contains(&"proven") && proofs.contains(&"unverified"));
    let shown = run(directory.path(), &["providers"]).out;
    let groq = shown.lines().find(|line| line.contains("Groq")).unwrap();
    assert!(groq.contains(" proven ") && groq.contains("GROQ_API_KEY"));
}

/// The built-in catalogue of another day, with one price raised.
fn dearer_catalogue() -> Vec<u8> {
    let built_in = Catalogue::embedded().unwrap();
    let provider = |entry: trunkline_catalogue::ProviderEntry| ProviderContent {
        offers: built_in.offers(&entry.id).unwrap(),
        id: entry.id,
        name: entry.name,
    };
    let real = built_in.providers().into_iter().filter(|entry| &*entry.id != SANDBOX);
    let mut providers: Vec<ProviderContent> = real.map(provider).collect();
    let groq = providers.iter_mut().find(|provider| &*provider.id == "groq").unwrap();
    let dear = PricePerMillion(999_000_000_000);
    groq.offers[0].prices = PriceList::flat(Rates::of(dear, dear), Fees::default());
    encode(&Content { date: built_in.date().tomorrow().unwrap(), providers }).unwrap()
}

/// A key pair, and the configuration that trusts it.
fn signer() -> (Ed25519KeyPair, String) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let config = format!("[catalogue]\npublic_keys = [\"{}\"]\n", public_key(&pair).unwrap());
    (pair, config)
}

fn version(directory: &Path) -> String {
    run(directory, &["catalogue", "list", "--json"]).json()["version"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_signed_catalogue_is_taken_and_given_back() {
    let (pair, config) = signer();
    let mut gateway = Gateway::start(&config);
    let directory = gateway.directory.clone();
    let path = directory.path();
    std::fs::write(path.join("new.tlcat"), sign(&dearer_catalogue(), &pair).unwrap()).unwrap();
    let built_in = version(path);

    let diff = run(path, &["catalogue", "diff", "--from", "new.tlcat", "--json"]).json();
    assert_eq!((&diff["from"], diff["dearer"].as_array().unwrap().len()), (&json!(built_in), 2), "{diff}");
    assert_eq!(version(path), built_in, "a look changes nothing");

    let updated = run(path, &["catalogue", "update", "--from", "new.tlcat", "--json"]).json();
    assert_eq!(updated["changes"]["dearer"][0]["after"], "999");
    let newer = version(path);
    assert_eq!(updated["changes"]["to"], newer);
    assert!(
        run(path, &["catalogue", "update", "--from", "new.tlcat"]).complaint(1).contains("in force already")
    );

    // It outlives the process, and can be given back without one.
    stop(&mut gateway, Signal::TERM).await;
    assert_eq!(version(path), newer);
    assert_eq!(run(path, &["catalogue", "rollback"]).code, Some(0));
    assert_eq!(version(path), built_in);
    assert!(run(path, &["catalogue", "rollback"]).complaint(1).contains("nothing before it"));
}

#[tokio::test]
async fn a_catalogue_nobody_trusted_signed_is_refused() {
    let (_, config) = signer();
    let gateway = Gateway::start(&config);
    let path = gateway.directory.path();
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let foreign = sign(Catalogue::embedded().unwrap().bytes(), &stranger).unwrap();
    let (pair, _) = signer();
    let mut broken = sign(Catalogue::embedded().unwrap().bytes(), &pair).unwrap();
    *broken.last_mut().unwrap() ^= 1;
    for (bundle, part) in [
        (foreign, "not among `catalogue.public_keys`"),
        (broken, "was changed or damaged"),
        (b"hello".to_vec(), "not a signed catalogue"),
    ] {
        std::fs::write(path.join("bundle"), bundle).unwrap();
        let said = run(path, &["catalogue", "update", "--from", "bundle"]);
        assert!(said.complaint(2).contains(part), "{said:?}");
    }
    let none = Gateway::start("");
    std::fs::write(none.directory.path().join("bundle"), "x").unwrap();
    let said = run(none.directory.path(), &["catalogue", "update", "--from", "bundle"]);
    assert!(said.complaint(1).contains("set `public_keys`"), "{said:?}");
}

#[tokio::test]
async fn a_stored_catalogue_nobody_vouches_for_any_more_stands_in_nobodys_way() {
    let (pair, config) = signer();
    let directory = directory(&config);
    let path = directory.path();
    std::fs::write(path.join("new.tlcat"), sign(&dearer_catalogue(), &pair).unwrap()).unwrap();
    assert_eq!(run(path, &["catalogue", "update", "--from", "new.tlcat"]).code, Some(0));
    std::fs::write(path.join("trunkline.toml"), "").unwrap();
    let said = run(path, &["usage"]);
    assert_eq!(said.code, Some(0));
    assert!(said.err.starts_with("warning: the stored catalogue is not used"), "{said:?}");
    assert_eq!(run(path, &["catalogue", "rollback"]).code, Some(0));
    assert_eq!(run(path, &["usage"]).err, "");
}

#[tokio::test]
async fn a_catalogue_can_be_fetched() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (pair, config) = signer();
    let directory = directory(&config);
    let bundle = sign(&dearer_catalogue(), &pair).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/catalogues/newest", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        let count = stream.read(&mut head).await.unwrap();
        assert!(head[..count].starts_with(b"GET /catalogues/newest "));
        let answer =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", bundle.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.write_all(&bundle).await.unwrap();
    });
    let path = directory.path().to_owned();
    let said = tokio::task::spawn_blocking(move || run(&path, &["catalogue", "update", "--from", &url]))
        .await
        .unwrap();
    serving.await.unwrap();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("is in force (stored as 1)"), "{}", said.out);
}

#[tokio::test]
async fn another_user_is_refused_whatever_the_modes_say() {
    let gateway = Gateway::start("");
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can ask as another user");
        return;
    }
    let everybody = std::fs::Permissions::from_mode(0o777);
    for path in [gateway.directory.path().to_owned(), gateway.data(""), gateway.data("control.sock")] {
        std::fs::set_permissions(path, everybody.clone()).unwrap();
    }
    let mut stranger = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    stranger.env_clear().current_dir(gateway.directory.path()).uid(NOBODY).gid(NOBODY);
    let said = match stranger.args(["keys", "list", "--data-dir", "data"]).output() {
        Ok(said) => said,
        Err(error) => {
            eprintln!("SKIPPED: another user cannot run the program here: {error}");
            return;
        }
    };
    let words = String::from_utf8(said.stderr).unwrap();
    assert!(words.contains("answers the gateway's own user (id 0) and root only"), "{words}");
    assert_eq!((said.status.code(), said.stdout.len()), (Some(1), 0));
    assert_eq!(run(gateway.directory.path(), &["keys", "list"]).code, Some(0), "the owner is answered");
    gateway.logged("somebody else's request to the owner's socket was refused").await;
}
