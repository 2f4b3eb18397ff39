//! Bad files and exactly what is said about them.

use insta::assert_snapshot;

use super::problems;

#[test]
fn unknown_keys_come_with_what_was_meant() {
    assert_snapshot!(problems(r#"
[providers.groq]
  api_kye = { env = "GROQ_API_KEY" }
[sever]
listen = "127.0.0.1:1"
[server.limit]
[storage]
url = "sqlite"
[routes.fast]
targets = ["gpt-5"]
strategy = "balanced"
"#), @r##"
    trunkline.toml:3:3 providers.groq.api_kye: unknown key; did you mean "api_key"?
    trunkline.toml:4:2 sever: unknown key; did you mean "server"?
    trunkline.toml:6:9 server.limit: unknown key; did you mean "limits"?
    trunkline.toml:8:1 storage.url: unknown key; known here: durability, journal_bytes_max
    trunkline.toml:11:1 routes.fast.strategy: unknown key; known here: targets, fallbacks, timeouts, annotate, heartbeat_ms, attempts_max, strict, losses, hedge, resume, json_schema_validation, json_schema_retries
    "##);
}

#[test]
fn wrong_types_and_ranges() {
    assert_snapshot!(problems(r#"
server = 1
storage.durability = "disk"
storage.journal_bytes_max = -1
telemetry.access_log = "yes"
catalogue.public_keys = ["c2hvcnQ=", 7]
catalogue.listing_refresh = "daily"
providers.ollama.priority = 1.5
providers.ollama.rpm = 0
providers.ollama.models = [1, "", "a*b"]
providers.ollama.timeouts.idle_ms = 9999999999999999999999
"#), @r##"
    trunkline.toml:2:10 server: must be a table, not a whole number
    trunkline.toml:3:22 storage.durability: must be "process" or "power"
    trunkline.toml:4:29 storage.journal_bytes_max: must be between 33554432 and 1099511627776
    trunkline.toml:5:24 telemetry.access_log: must be true or false, not text
    trunkline.toml:6:26 catalogue.public_keys[0]: is not an Ed25519 public key: 32 bytes in base64
    trunkline.toml:6:38 catalogue.public_keys[1]: must be text in quotes, not a whole number
    trunkline.toml:7:29 catalogue.listing_refresh: must be true, false or a number of hours, not text
    trunkline.toml:8:29 providers.ollama.priority: must be a whole number, not a number with decimals
    trunkline.toml:9:24 providers.ollama.rpm: must be between 1 and 4294967295
    trunkline.toml:10:28 providers.ollama.models[0]: must be a pattern such as "gpt-*" or a table { id = … }, not a whole number
    trunkline.toml:10:31 providers.ollama.models[1]: must not be empty
    trunkline.toml:10:35 providers.ollama.models[2]: may have a * at its end only
    trunkline.toml:11:37 providers.ollama.timeouts.idle_ms: must be between 1 and 3600000
    "##);
}

#[test]
fn server_addresses_and_files() {
    assert_snapshot!(problems(r#"
[server]
listen = "4600"
admin_listen = "127.0.0.1:4600"
trusted_proxies = ["10.0.0.0/8", "10.0.0.0/33", "192.168.1.1", "proxy"]
cors_origins = ["https://a.example/", "*"]
proxy = "https://proxy:1"
tls = { certificate = "c.pem" }
limits = { body_bytes_max = 4096, bodies_bytes_max = 2048, attempts_max = 0 }
"#), @r##"
    trunkline.toml:3:10 server.listen: is not an address: write 127.0.0.1:4600, [::1]:4600 or unix:/run/trunkline.sock
    trunkline.toml:5:34 server.trusted_proxies[1]: is not a network: write 10.0.0.0/8, fd00::/8 or one address
    trunkline.toml:5:64 server.trusted_proxies[3]: is not a network: write 10.0.0.0/8, fd00::/8 or one address
    trunkline.toml:6:17 server.cors_origins[0]: is not an origin: write https://app.example.com, without a path, or "*"
    trunkline.toml:7:9 server.proxy: must be a proxy's address such as http://proxy.example.com:3128
    trunkline.toml:8:7 server.tls.key: is missing; TLS needs both certificate and key
    trunkline.toml:9:10 server.limits: bodies_bytes_max is smaller than one body may be (body_bytes_max)
    trunkline.toml:9:75 server.limits.attempts_max: must be between 1 and 16
    "##);
    assert_snapshot!(problems("[server]\nadmin_listen = \"127.0.0.1:4600\""), @r##"trunkline.toml:1:1 server: listen and admin_listen are the same address"##);
}

#[test]
fn accounts() {
    assert_snapshot!(problems(r#"
[providers.gorq]
[providers.mine]
[providers.a]
kind = "opnai"
[providers.b]
kind = "custom"
[providers.c]
kind = "custom"
base_url = "ftp://host"
[providers.d]
kind = "custom"
base_url = "https://host/v1?x=1"
[providers.e]
kind = "custom"
base_url = "https://me:pass@host/v1"
[providers.f]
kind = "sandbox"
base_url = "https://host"
api_key = { env = "A" }
canonical = true
[providers.openai]
[providers.sandbox]
kind = "ollama"
[providers."a/b"]
kind = "ollama"
[providers.A]
kind = "ollama"
"#), @r##"
    trunkline.toml:2:12 providers.gorq.kind: is missing; did you mean "groq"?
    trunkline.toml:3:12 providers.mine.kind: is missing; `trunkline providers` lists the kinds
    trunkline.toml:5:8 providers.a.kind: there is no such kind of provider; did you mean "openai"?
    trunkline.toml:6:12 providers.b.base_url: is missing; such as "https://llm.example.com/v1"
    trunkline.toml:10:12 providers.c.base_url: must be an address such as https://models.example.com/v1
    trunkline.toml:13:12 providers.d.base_url: must not have a query or a fragment
    trunkline.toml:16:12 providers.e.base_url: must not hold credentials: keys belong in api_key
    trunkline.toml:17:12 providers.f: this kind takes no key
    trunkline.toml:19:12 providers.f.base_url: this kind runs inside the gateway: it has no address
    trunkline.toml:21:13 providers.f.canonical: this kind only simulates: it never joins a real model's name
    trunkline.toml:22:12 providers.openai.api_key: is missing; write api_key = { env = "OPENAI_API_KEY" }
    trunkline.toml:23:12 providers.sandbox: this name is reserved: choose another
    trunkline.toml:25:12 providers."a/b": a name has 1 to 128 letters, digits, hyphens, underscores or full stops; "/" and ":" have a meaning in model names
    trunkline.toml:27:12 providers.A: differs from "a" in case only
    "##);
}

#[test]
fn keys_of_accounts() {
    assert_snapshot!(problems(r#"
[providers.groq]
api_key = "gsk_plain"
[providers.mistral]
api_key = { env = "A", file = "b" }
[providers.openai]
api_keys = [{ env = "A", label = "x" }, { file = "b", label = "x", weight = 2 }, {}]
[providers.ollama]
api_key = { env = "A" }
api_keys = []
[providers.vllm]
api_keys = []
"#), @r##"
    trunkline.toml:3:11 providers.groq.api_key: a secret is never written into this file; write { env = "NAME" } or { file = "PATH" }
    trunkline.toml:5:11 providers.mistral.api_key: names both env and file: keep one
    trunkline.toml:7:41 providers.openai.api_keys[1]: label "x" is there twice
    trunkline.toml:7:68 providers.openai.api_keys[1].weight: unknown key; known here: label, env, file
    trunkline.toml:7:82 providers.openai.api_keys[2]: names neither env nor file; write { env = "NAME" } or { file = "PATH" }
    trunkline.toml:10:12 providers.ollama.api_keys: there is an api_key too: keep one of them
    trunkline.toml:12:12 providers.vllm.api_keys: must hold between 1 and 64 keys
    "##);
}

#[test]
fn models_and_prices() {
    assert_snapshot!(problems(r#"
[providers.ollama]
models = [{ name = "x" }, { id = "m", output_max = 9, context_window = 8 }, { id = "m" }, "a", "a", { id = "n", kind = "embeding" }]
[models."us/m"]
unpriced = "never"
prices = [
  { input_usd_per_million = 1 },
  { valid_from = 2026-01-01T00:00:00Z, input_usd_per_million = 1e-3 },
  { valid_from = "2026-02-30", per_request_usd = -1 },
  { valid_from = 2026-03-01 },
  { valid_from = 2026-04-01, input_usd_per_million = 1 },
  { valid_from = 2026-04-01, input_usd_per_million = "2" , output_usd_per_million = 2000000 },
  { valid_from = 2026-05-01, input_usd_per_million = 1 },
  { valid_from = 2026-05-01, input_usd_per_million = 2 },
]
"#), @r##"
    trunkline.toml:3:11 providers.ollama.models[0].id: is missing; the name the provider knows the model by
    trunkline.toml:3:52 providers.ollama.models[1].output_max: is larger than context_window
    trunkline.toml:3:77 providers.ollama.models[2]: is there twice
    trunkline.toml:3:96 providers.ollama.models[4]: is there twice
    trunkline.toml:3:120 providers.ollama.models[5].kind: must be "chat" or "completion" or "embedding"
    trunkline.toml:5:12 models."us/m".unpriced: must be "serve" or "refuse"
    trunkline.toml:7:3 models."us/m".prices[0].valid_from: is missing; the first day of these prices, such as 2026-01-31
    trunkline.toml:8:18 models."us/m".prices[1].valid_from: must be a day such as 2026-01-31
    trunkline.toml:8:64 models."us/m".prices[1].input_usd_per_million: is not a decimal amount: write dollars like 1.50, with at most nine decimal places
    trunkline.toml:9:18 models."us/m".prices[2].valid_from: must be a day such as 2026-01-31
    trunkline.toml:9:50 models."us/m".prices[2].per_request_usd: must be between 0 and 1000000 dollars
    trunkline.toml:10:3 models."us/m".prices[3]: states no price
    trunkline.toml:12:54 models."us/m".prices[5].input_usd_per_million: must be an amount such as 1.50, not text
    trunkline.toml:12:85 models."us/m".prices[5].output_usd_per_million: must be between 0 and 1000000 dollars
    trunkline.toml:14:3 models."us/m".prices[7]: another table of this list has the same valid_from
    "##);
}

#[test]
fn routes_and_their_targets() {
    assert_snapshot!(problems(r#"
[providers.groq]
api_key = { env = "GROQ_API_KEY" }
[routes.fast]
targets = ["gpt-6", "groq/llama-gone", "gorq/openai/gpt-oss-120b", "openai/gpt-55", "slow", "gpt-5", "gpt-5"]
[routes.Fast]
targets = []
[routes.slow]
[routes.auto]
targets = "gpt-5"
[routes."x/y"]
targets = ["some/thing-else", "a b"]
attempts_max = 99
"#), @r##"
    trunkline.toml:5:12 routes.fast.targets[0]: "gpt-6" is neither a model the catalogue knows nor a model of an account in this file; did you mean "gpt-5"?
    trunkline.toml:5:21 routes.fast.targets[1]: warning: the catalogue knows no model "llama-gone" of account "groq"
    trunkline.toml:5:40 routes.fast.targets[2]: "gorq/openai/gpt-oss-120b" is neither a model the catalogue knows nor a model of an account in this file; did you mean "groq/openai/gpt-oss-120b"?
    trunkline.toml:5:68 routes.fast.targets[3]: "openai/gpt-55" is neither a model the catalogue knows nor a model of an account in this file; did you mean "openai/gpt-5"?
    trunkline.toml:5:85 routes.fast.targets[4]: names a route: a route's targets are models
    trunkline.toml:5:102 routes.fast.targets[6]: is there twice
    trunkline.toml:6:9 routes.Fast: differs from "fast" in case only
    trunkline.toml:7:11 routes.Fast.targets: must hold between 1 and 64 model names
    trunkline.toml:8:9 routes.slow.targets: is missing; a list of model names, the first is tried first
    trunkline.toml:9:9 routes.auto: this name is reserved: choose another
    trunkline.toml:10:11 routes.auto.targets: must be a list in [ ], not text
    trunkline.toml:11:9 routes."x/y": a name has 1 to 128 letters, digits, hyphens, underscores or full stops; "/" and ":" have a meaning in model names
    trunkline.toml:12:12 routes."x/y".targets[0]: "some/thing-else" is neither a model the catalogue knows nor a model of an account in this file; state its facts under [models."some/thing-else"], or write account/upstream-id
    trunkline.toml:12:31 routes."x/y".targets[1]: must not contain spaces or control characters
    trunkline.toml:13:16 routes."x/y".attempts_max: must be between 1 and 16
    "##);
}

#[test]
fn broken_lines_do_not_hide_other_problems() {
    assert_snapshot!(problems(r#"
[server]
listen = 127.0.0.1:4600
data_dirr = "x"
[providers.groq]
api_key = { env = "A"
[storage]
durability = "process"
durability = "power"
[telemetry
"#), @r##"
    trunkline.toml:3:15 not TOML: invalid float
    trunkline.toml:4:1 server.data_dirr: unknown key; did you mean "data_dir"?
    trunkline.toml:7:1 not TOML: missing key for inline table element, expected `,`
    trunkline.toml:8:1 not TOML: missing comma between key-value pairs, expected `,`
    trunkline.toml:9:1 not TOML: missing comma between key-value pairs, expected `,`
    trunkline.toml:10:1 not TOML: missing key for inline table element, expected `,`
    trunkline.toml:10:11 not TOML: unclosed inline table, expected `}`
    "##);
    assert_snapshot!(problems(r#"
[server]
listen = 127.0.0.1:4600
admin_listen = [
[storage]
durabilty = "power"
"#), @r##"
    trunkline.toml:3:15 not TOML: invalid float
    trunkline.toml:5:2 not TOML: string values must be quoted, expected literal string
    trunkline.toml:6:1 not TOML: missing comma between array elements, expected `,`
    trunkline.toml:6:1 not TOML: string values must be quoted, expected literal string
    trunkline.toml:6:11 not TOML: unexpected `=` in array, expected value, `]`
    trunkline.toml:6:13 not TOML: missing comma between array elements, expected `,`
    trunkline.toml:6:20 not TOML: unclosed array, expected `]`
    "##);
}

#[test]
fn lists_have_a_bound() {
    let text = format!("server.no_proxy = [{}]", "\"host\", ".repeat(5000));
    assert_snapshot!(problems(&text), @"trunkline.toml:1:19 server.no_proxy: must not hold more than 4096 entries");
}

#[test]
fn a_file_of_nonsense_is_refused_within_bounds() {
    let nonsense = "a = [\n".repeat(10_000);
    let checked = super::check(&nonsense, &super::Few);
    assert!(checked.config.is_none());
    assert!((1..=crate::config::problem::PROBLEMS_MAX).contains(&checked.problems.len()));
}

#[test]
fn versions_of_an_api() {
    assert_snapshot!(problems(r#"
[providers.groq]
api_key = { env = "K" }
api_version = "2024-10-21"
[providers.azure]
base_url = "https://r.openai.azure.com/openai/v1/"
api_key = { env = "K" }
api_version = "2024-10-21"
[providers.b]
kind = "azure"
base_url = "https://r.openai.azure.com/openai"
api_key = { env = "K" }
api_version = "v1?x"
"#), @r##"
    trunkline.toml:4:15 providers.groq.api_version: this kind is not asked by version: leave it out
    trunkline.toml:6:12 providers.azure.base_url: the v1 API takes no version: leave `api_version` out, or end this in /openai
    trunkline.toml:13:15 providers.b.api_version: is no version; such as "2024-10-21"
    "##);
}
