//! Every table and key of `trunkline.toml`, in words: the source of the reference page.
//!
//! Not read while checking; a test holds it equal to what the readers accept. Look first at [`TABLES`].

use std::fmt::Write as _;

/// A table and its keys.
#[derive(Clone, Copy, Debug)]
pub struct TableReference {
    /// Its path; `NAME` stands for a name the operator chooses, `[]` for each table of a list.
    pub path: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys, tables within it aside.
    pub keys: &'static [KeyReference],
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct KeyReference {
    /// Its name.
    pub name: &'static str,
    /// What may stand there, range included.
    pub kind: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it does.
    pub about: &'static str,
}

const fn key(
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    about: &'static str,
) -> KeyReference {
    KeyReference { name, kind, default, about }
}

const SECRET: &str = "`{ env = \"NAME\" }` or `{ file = \"PATH\" }`";
const TOKENS: &str = "tokens, 1 to 100000000";
const USD: &str = "dollars, 0 to 1000000";

/// Every table, in the order of the page.
pub const TABLES: &[TableReference] = &[
    TableReference {
        path: "server",
        about: "Where the gateway listens, keeps its data, and how it reaches the outside.",
        keys: &[
            key(
                "listen",
                "`host:port`, `[v6]:port` or `unix:/path`",
                "`127.0.0.1:4600`",
                "Where callers connect.",
            ),
            key("admin_listen", "as `listen`", "`127.0.0.1:4601`", "Where administrators connect."),
            key("data_dir", "path", "`./trunkline-data`", "Where everything is kept."),
            key("trusted_proxies", "list of networks", "none", "Whose forwarded headers are believed."),
            key("cors_origins", "list of origins, or `*`", "none", "Web pages that may call from a browser."),
            key(
                "proxy",
                PROXY,
                "none",
                "HTTP proxy towards providers; with credentials it must be `env` or `file`.",
            ),
            key("no_proxy", "list of hosts", "none", "Hosts, domains or networks reached without the proxy."),
            key("ca_bundle", "path", "none", "Further certificate authorities for providers, PEM."),
            key(
                "drain_timeout_s",
                "seconds, 0 to 3600",
                "30",
                "How long streams may go on after a stop signal.",
            ),
        ],
    },
    TableReference {
        path: "server.tls",
        about: "TLS of the callers' listener; both keys or neither. The files are read again when they change.",
        keys: &[
            key("certificate", "path", "required", "Certificate chain, PEM, the server's own first."),
            key("key", "path", "required", "Private key, PEM."),
        ],
    },
    TableReference {
        path: "server.limits",
        about: "What the front door accepts at most.",
        keys: &[
            key("body_bytes_max", "bytes, 1024 to 1 GiB", "33554432 (32 MiB)", "Largest request body."),
            key(
                "bodies_bytes_max",
                "bytes, 1024 to 1 TiB",
                "a quarter of memory",
                "All request bodies together.",
            ),
            key("header_bytes_max", "bytes, 4096 to 1 MiB", "65536 (64 KiB)", "All headers of one request."),
            key("header_read_timeout_ms", "ms, 100 to 600000", "10000", "Time to send a request's headers."),
            key("connections_max", "1 to 1000000", "65536", "Open client connections."),
            key("in_flight_max", "1 to 1000000", "memory / 64 KiB, at most 65536", "Requests under way."),
            key("waiting_max", "0 to 65536", "1024", "Requests that wait to be under way."),
            key("waiting_ms", "ms, 0 to 60000", "5000", "How long one of them waits at most."),
            key("attempts_max", "1 to 16", "4", "Upstream attempts of one request."),
            key(
                "heartbeat_ms",
                "ms, 1000 to 600000",
                "10000",
                "Silence before a waiting stream gets a comment line.",
            ),
        ],
    },
    TableReference {
        path: "storage",
        about: "What is written down, and how safely.",
        keys: &[
            key("durability", "`process` or `power`", "`process`", "What the record of an attempt survives."),
            key(
                "journal_bytes_max",
                "bytes, 32 MiB to 1 TiB",
                "1073741824 (1 GiB)",
                "Most the journal may take.",
            ),
        ],
    },
    TableReference {
        path: "providers.NAME",
        about: "An account at a provider. With a configuration file only its accounts exist, and the simulated one.",
        keys: &[
            key(
                "kind",
                "a provider's id",
                "NAME",
                "Who serves it; any OpenAI-compatible server is `custom`.",
            ),
            key(
                "base_url",
                "http or https address",
                "the provider's",
                "Required where every customer has an own one.",
            ),
            key("api_key", SECRET, "none", "The key; required where the provider wants one."),
            key("api_keys", "list of 1 to 64 key tables", "none", "A pool of keys, instead of `api_key`."),
            key("region", "text", "unknown", "The place you declare the account to be in."),
            key(
                "models",
                "list of patterns and tables",
                "all",
                "What it serves: `gpt-*`, or models described here.",
            ),
            key("proxy", PROXY, "the server's", "HTTP proxy towards this account."),
            key("ca_bundle", "path", "the server's", "Further certificate authorities, PEM."),
            key("priority", "-1000 to 1000", "0", "Accounts of a lower number are tried first."),
            key("rpm", "1 to 4294967295", "no limit", "Requests per minute sent to it."),
            key("tpm", "1 or more", "no limit", "Tokens per minute sent to it."),
            key("max_concurrency", "1 to 4294967295", "no limit", "Requests under way at it."),
            key(
                "unpriced",
                UNPRICED,
                "`serve`",
                "Models without a price; under a budget they are always refused.",
            ),
            key(
                "api_version",
                "text",
                "none",
                "azure: the version of the API of deployments; without one, the v1 API.",
            ),
            key(
                "prefill",
                PREFILL,
                "as is known of the kind",
                "How its models are told to go on with an answer that was begun elsewhere.",
            ),
            key(
                "canonical",
                "switch",
                "true; false for local servers",
                "Whether models it has by the catalogue or its list join `vendor/model`.",
            ),
        ],
    },
    TableReference {
        path: "providers.NAME.auth",
        about: "A cloud's own credentials instead of a key; tokens are renewed ahead of time. `kind` says which other \
                keys there are.",
        keys: &[
            key("kind", "`aws`, `google` or `entra`", "required", "The cloud."),
            key("region", "text", "required", "aws: the region signed for, such as `us-east-1`."),
            key(
                "source",
                "`environment` or `instance`",
                "what the other keys say, else environment",
                "aws: keys from AWS's usual variables, at last the machine's role; or that role at once.",
            ),
            key("access_key_id", SECRET, "none", "aws: a key of your own, with `secret_access_key`."),
            key("secret_access_key", SECRET, "none", "aws: its secret."),
            key("session_token", SECRET, "none", "aws: the token of a temporary key."),
            key("role_arn", "text", "none", "aws: a role to assume, with `token_file`."),
            key("session_name", "text", "trunkline", "aws: what the role's sessions are called."),
            key(
                "token_file",
                "path",
                "none",
                "aws, entra: a token of another issuer, read at every renewal.",
            ),
            key("service", "text", "the provider's", "aws: the service's name in signatures."),
            key(
                "credentials",
                SECRET,
                "the machine's identity",
                "google: a file of type `service_account` or `authorized_user`.",
            ),
            key("tenant_id", "text", "none", "entra: the directory of an application."),
            key("client_id", "text", "none", "entra: the application, or the managed identity."),
            key(
                "client_secret",
                SECRET,
                "the machine's identity",
                "entra: the application's secret; or `token_file`.",
            ),
            key(
                "scope",
                "text",
                "all of Google Cloud; Azure AI services",
                "google, entra: what tokens are for.",
            ),
            key(
                "endpoint",
                "http or https address",
                "the cloud's",
                "The service that issues tokens or keys.",
            ),
        ],
    },
    TableReference {
        path: "providers.NAME.api_keys[]",
        about: "A key of a pool: `env` or `file`, and what to call it.",
        keys: &[
            key("env", "name of a variable", "none", "The environment variable that holds the key."),
            key("file", "path", "none", "The file that holds the key."),
            key("label", "text", "its number", "What logs and usage call the key."),
        ],
    },
    TableReference {
        path: "providers.NAME.models[]",
        about: "A model described here, for servers the catalogue does not know.",
        keys: &[
            key("id", "text", "required", "What the provider calls it."),
            key("name", "`vendor/model`", "none", "The public name it joins; it is always `account/id`."),
            key("kind", KIND, "unknown", "What sort of model it is; unknown: whatever callers ask is tried."),
            key("context_window", TOKENS, "unknown", "Prompt and output together."),
            key("output_max", TOKENS, "unknown", "Most output; not more than the window."),
            INPUT,
            OUTPUT,
            REASONING,
            CACHE_READ,
            CACHE_WRITE,
            CACHE_WRITE_1H,
            PER_REQUEST,
        ],
    },
    TableReference { path: "providers.NAME.timeouts", about: "Deadlines of the account.", keys: TIMEOUTS },
    TableReference {
        path: "models.NAME",
        about: "Facts of a model, or corrections of the catalogue's. A canonical name (`vendor/model`) counts wherever \
                the model is served, `account/upstream-id` there alone.",
        keys: &[
            key("context_window", TOKENS, "the catalogue's", "Prompt and output together."),
            key("output_max", TOKENS, "the catalogue's", "Most output; not more than the window."),
            key(
                "prices",
                "list of price tables",
                "the catalogue's",
                "Each replaces the prices it names from its day on.",
            ),
            key("unpriced", UNPRICED, "the account's", "What happens where no price is known."),
        ],
    },
    TableReference {
        path: "models.NAME.prices[]",
        about: "Prices from a day on, UTC; at least one. Classes not named stay as they are.",
        keys: &[
            key("valid_from", "day, `2026-01-31`", "required", "First day, UTC."),
            INPUT,
            OUTPUT,
            REASONING,
            CACHE_READ,
            CACHE_WRITE,
            CACHE_WRITE_1H,
            PER_REQUEST,
        ],
    },
    TableReference {
        path: "routes.NAME",
        about: "A model name of your own. It has no `/` and no `:`, and `auto` is reserved.",
        keys: &[
            key(
                "targets",
                "list of 1 to 64 model names",
                "required",
                "Models or `account/upstream-id`, tried in order.",
            ),
            key("annotate", "switch", "false", "Whether answers carry cost and provider."),
            key("heartbeat_ms", "ms, 1000 to 600000", "the server's", "Silence before a comment line."),
            key("attempts_max", "1 to 16", "the server's", "Upstream attempts of one request."),
            key("hedge", "switch", "false", "Whether a second deployment is asked when the first is slow."),
            key("resume", "switch", "false", "Whether a stream that breaks off is gone on with elsewhere."),
            key(
                "json_schema_validation",
                "switch",
                "false",
                "Whether an answer that is to be JSON is validated before it is handed on.",
            ),
            key(
                "json_schema_retries",
                "0 to 5",
                "1",
                "How often a deployment whose answer does not hold is asked again, before the next.",
            ),
            key(
                "strict",
                "switch",
                "false",
                "Whether a provider that cannot be told everything is not asked.",
            ),
        ],
    },
    TableReference {
        path: "routes.NAME.fallbacks",
        about: "Models tried when the targets have failed, by why; the first list that is for the last failure's cause is \
                taken, and no other. One that can do nothing the targets do, or is for longer prompts and takes none, is an \
                error; one that lacks what a target has, a warning.",
        keys: &[
            key("context_length", "list of model names", "none", "The prompt is too long for the targets."),
            key("content_policy", "list of model names", "none", "The targets' content policy refuses."),
            key("general", "list of model names", "none", "Any other cause but the caller's own mistakes."),
        ],
    },
    TableReference {
        path: "routes.NAME.losses",
        about: "What may be lost where a provider cannot be told everything a caller says: `require` for nothing, `adapt` \
                for what can be changed to the nearest thing there is, `drop` for everything. With `strict`, all start at \
                `require`.",
        keys: &[
            key("tools", TOLERANCE, "adapt", "Tools, their choice, calls and results."),
            key("schema", TOLERANCE, "adapt", "The form of the answer."),
            key("reasoning", TOLERANCE, "adapt", "How much to think."),
            key("content", TOLERANCE, "adapt", "What is said: media, documents, order."),
            key("sampling", TOLERANCE, "drop", "How tokens are drawn and how many."),
            key("cache", TOLERANCE, "drop", "What is to be cached."),
            key("state", TOLERANCE, "drop", "State kept at a provider: signatures, stored answers."),
            key("labels", TOLERANCE, "drop", "Names for the provider: end users, metadata, tiers."),
            key("other", TOLERANCE, "drop", "Anything else."),
        ],
    },
    TableReference {
        path: "routes.NAME.timeouts",
        about: "Deadlines of the route; they win over the account's.",
        keys: TIMEOUTS,
    },
    TableReference {
        path: "catalogue",
        about: "Where facts about models come from besides the built-in catalogue.",
        keys: &[
            key(
                "public_keys",
                "list of base64 Ed25519 keys",
                "none",
                "Whose signed catalogues may be installed.",
            ),
            key(
                "listing_refresh",
                "switch, or hours 1 to 168",
                "true (hourly)",
                "Reading of providers' model lists.",
            ),
        ],
    },
    TableReference {
        path: "telemetry",
        about: "Logs.",
        keys: &[
            key("log_format", "`text` or `json`", "`text`", "The form of log lines."),
            key("access_log", "switch", "false", "Whether every request leaves a log line."),
        ],
    },
];

const PROXY: &str = "`http://host:port`, `{ env = \"NAME\" }` or `{ file = \"PATH\" }`";
const KIND: &str = "`chat`, `completion` or `embedding`";
const UNPRICED: &str = "`serve` or `refuse`";
const PREFILL: &str = "`none`, `last_message`, `prefix`, `partial`, `continue_final_message`";
const INPUT: KeyReference = key("input_usd_per_million", USD, "none", "Prompt tokens.");
const OUTPUT: KeyReference = key("output_usd_per_million", USD, "none", "Generated tokens.");
const REASONING: KeyReference =
    key("reasoning_usd_per_million", USD, "as output", "Generated tokens nobody saw.");
const CACHE_READ: KeyReference =
    key("cache_read_usd_per_million", USD, "as input", "Tokens read from a cache.");
const CACHE_WRITE: KeyReference =
    key("cache_write_usd_per_million", USD, "as input", "Tokens written to a cache of five minutes.");
const CACHE_WRITE_1H: KeyReference = key(
    "cache_write_1h_usd_per_million",
    USD,
    "as the five-minute cache",
    "Tokens written to a cache of an hour.",
);
const PER_REQUEST: KeyReference = key("per_request_usd", USD, "none", "A fee for each request.");
const TOLERANCE: &str = "require, adapt or drop";

const TIMEOUTS: &[KeyReference] = &[
    key("connect_ms", "ms, 1 to 600000", "5000", "Name resolution, TCP and TLS."),
    key("headers_ms", "ms, 1 to 3600000", "120000", "Until the response's headers."),
    key("first_content_ms", "ms, 1 to 3600000", "180000", "Until the first content."),
    key("idle_ms", "ms, 1 to 3600000", "120000", "Between two pieces of content."),
    key(
        "total_ms",
        "ms, 1 to 86400000",
        "1800000",
        "The whole request, all attempts together; for an account, one attempt.",
    ),
];

const HEAD: &str = "# Configuration\n\n\
    `trunkline.toml`, or the file named by `--config`. Every key is optional unless it says so; an unknown key is an \
    error. `trunkline init` writes a commented file, `trunkline check` prints every problem of one. Relative paths \
    start at the working directory. Secrets are never written into the file: it names an environment variable or a \
    file that holds them.\n";

/// The reference page, as Markdown.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for table in TABLES {
        // Writing to a `String` cannot fail.
        _ = write!(page, "\n## `[{}]`\n\n{}\n\n", table.path, table.about);
        page.push_str("| Key | Value | Default | |\n|---|---|---|---|\n");
        for key in table.keys {
            _ = writeln!(page, "| `{}` | {} | {} | {} |", key.name, key.kind, key.default, key.about);
        }
    }
    page
}
