//! What is accepted, what it means, and that reference and template say the same.

use std::collections::BTreeSet;
use std::time::Duration;

use trunkline_catalogue::{Rates, TokenClass};
use trunkline_domain::plan::Deadlines;
use trunkline_domain::{ModelName, NanoUsd, PricePerMillion};

use super::{check, problems, valid};
use crate::config::account::{ModelChoice, Unpriced};
use crate::config::init::TEMPLATE;
use crate::config::reference::{TABLES, markdown};
use crate::config::secrets::SecretSource;
use crate::config::server::Listen;
use crate::config::tests::Few;
use crate::config::{ConfigFile, Severity};

/// The template with every setting switched on.
fn uncommented() -> String {
    let switch_on = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    TEMPLATE.lines().map(switch_on).collect()
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(valid(""), ConfigFile::default());
    let server = ConfigFile::default().server;
    assert_eq!(server.listen.to_string(), "127.0.0.1:4600");
    assert_eq!(server.admin_listen.to_string(), "127.0.0.1:4601");
}

#[test]
fn the_template_changes_nothing_until_it_is_edited() {
    assert_eq!(valid(TEMPLATE), ConfigFile::default());
}

#[test]
fn the_template_is_valid_with_everything_switched_on() {
    let config = valid(&uncommented());
    assert_eq!(config.accounts.len(), 5);
    assert_eq!(config.routes[0].targets.len(), 2);
}

#[test]
fn the_template_shows_the_true_defaults() {
    let (shown, defaults) = (valid(&uncommented()), ConfigFile::default());
    let mut limits = shown.server.limits;
    assert!(limits.bodies_bytes_max.take().is_some() && limits.in_flight_max.take().is_some());
    assert_eq!(limits, defaults.server.limits);
    assert_eq!(shown.storage, defaults.storage);
    assert_eq!(shown.telemetry, defaults.telemetry);
    assert_eq!(shown.catalogue.listing_refresh, defaults.catalogue.listing_refresh);
    assert_eq!(shown.server.drain_timeout, defaults.server.drain_timeout);
    assert_eq!(shown.routes[0].timeouts.over(Deadlines::default()), Deadlines::default());
    assert_eq!(shown.routes[0].heartbeat, Some(limits.heartbeat));
    assert_eq!(shown.routes[0].attempts_max, Some(limits.attempts_max));
}

#[test]
fn a_text_that_is_not_used_says_why() {
    let text = uncommented();
    for end in (0..text.len()).step_by(13) {
        let Some(part) = text.get(..end) else { continue };
        let checked = check(part, &Few);
        let refused = checked.problems.iter().any(|problem| problem.severity == Severity::Error);
        assert_eq!(checked.config.is_none(), refused, "{end}");
    }
}

/// A file whose table of this reference path holds one line.
fn with_line(path: &str, line: &str) -> String {
    let path = path.replace("NAME", "x");
    let Some(list) = path.strip_suffix("[]") else { return format!("[{path}]\n{line}\n") };
    format!("[[{list}]]\n{line}\n")
}

/// The keys a table names when it is asked for one that is like none of them.
fn accepted_keys(path: &str) -> BTreeSet<String> {
    let text = with_line(path, "qqqqqqqqqqqqqqqq = 1");
    let checked = check(&text, &Few);
    let unknown = checked.problems.iter().find(|problem| problem.key.ends_with("qqqqqqqqqqqqqqqq"));
    let hint = unknown.unwrap_or_else(|| panic!("{path}")).hint.clone().unwrap();
    hint.strip_prefix("known here: ").unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn the_reference_lists_exactly_the_accepted_keys() {
    for table in TABLES {
        let children = TABLES.iter().filter_map(|child| child.path.strip_prefix(&format!("{}.", table.path)));
        let direct =
            children.filter(|child| !child.contains('.') && !child.ends_with("[]")).map(str::to_owned);
        let keys = table.keys.iter().map(|key| key.name.to_owned());
        assert_eq!(
            keys.chain(direct).collect::<BTreeSet<_>>(),
            accepted_keys(table.path),
            "[{}]",
            table.path
        );
    }
    let roots: BTreeSet<&str> = TABLES.iter().filter_map(|table| table.path.split('.').next()).collect();
    let accepted = check("qqqqqqqqqqqq = 1", &Few).problems[0].hint.clone().unwrap();
    assert_eq!(accepted.strip_prefix("known here: ").unwrap().split(", ").collect::<BTreeSet<_>>(), roots);
}

#[test]
fn the_template_shows_every_key_of_the_reference() {
    let text = uncommented();
    let elsewhere = ["api_keys[]", "NAME.auth"];
    let shown = TABLES.iter().filter(|table| elsewhere.iter().all(|end| !table.path.ends_with(end)));
    for table in shown {
        for key in table.keys {
            let shown = text.lines().any(|line| line.starts_with(&format!("{} = ", key.name)));
            let nested = text.contains(&format!(".{}]]", key.name));
            assert!(shown || nested, "[{}] {}", table.path, key.name);
        }
    }
}

#[test]
fn the_reference_states_the_true_defaults() {
    let text = uncommented();
    for key in TABLES.iter().flat_map(|table| table.keys) {
        let number =
            key.default.split(' ').next().filter(|word| word.parse::<i64>().is_ok()).map(str::to_owned);
        let quoted = key.default.strip_prefix('`').map(|word| format!("{:?}", word.trim_end_matches('`')));
        let Some(default) = number.or(quoted) else { continue };
        assert!(text.contains(&format!("\n{} = {default}\n", key.name)), "{} = {default}", key.name);
    }
}

/// A number as the reference writes it: `600000`, `-1000`, `1 GiB`.
fn number(words: &[&str]) -> Option<i64> {
    let unit = match words.get(1) {
        None => 0,
        Some(&"MiB") => 20,
        Some(&"GiB") => 30,
        Some(&"TiB") => 40,
        Some(_) => return None,
    };
    words.first()?.parse::<i64>().ok().map(|number| number << unit)
}

/// The last number before `to`, and the one after it.
fn range(kind: &str) -> Option<(i64, i64)> {
    let (low, high) = kind.split_once(" to ")?;
    let low: Vec<&str> = low.split(' ').collect();
    let low = number(&low[low.len() - 1..]).or_else(|| number(&low[low.len().checked_sub(2)?..]))?;
    Some((low, number(&high.split(' ').collect::<Vec<_>>())?))
}

#[test]
fn the_reference_states_the_true_ranges() {
    let mut ranges = 0;
    for table in TABLES {
        for key in table.keys.iter().filter(|key| !key.kind.starts_with("list")) {
            let Some((low, high)) = range(key.kind) else { continue };
            ranges += 1;
            for (value, allowed) in [(low, true), (high, true), (low - 1, false), (high + 1, false)] {
                let found = problems(&with_line(table.path, &format!("{} = {value}", key.name)));
                let refused = found.contains(&format!("{}: must be between", key.name));
                assert_eq!(refused, !allowed, "[{}] {} = {value}\n{found}", table.path, key.name);
            }
        }
    }
    assert!(ranges > 40, "{ranges}");
}

#[test]
fn the_reference_page_has_a_row_for_every_key() {
    let page = markdown();
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, TABLES.iter().map(|table| table.keys.len()).sum::<usize>());
    assert!(page.lines().filter(|line| line.starts_with("| `")).all(|line| line.matches(" | ").count() == 3));
    assert!(page.contains("## `[providers.NAME.timeouts]`"));
}

#[test]
fn an_account_needs_only_its_key_where_its_name_says_who_it_is() {
    let config = valid("[providers.groq]\napi_key = { env = \"GROQ_API_KEY\" }");
    let account = &config.accounts[0];
    assert_eq!((&*account.name, account.provider.id), ("groq", "groq"));
    assert_eq!(account.base_url.as_deref(), Some("https://api.groq.com/openai/v1"));
    assert_eq!(account.keys[0].secret.source, SecretSource::Env("GROQ_API_KEY".to_owned()));
    assert!(account.canonical && account.models.is_empty() && account.unpriced == Unpriced::Serve);
}

#[test]
fn local_and_simulated_models_stay_under_their_account_name() {
    let config = valid(
        "[providers.ollama]\n[providers.sandbox]\nrpm = 60\n[providers.box]\nkind = \"vllm\"\ncanonical = true",
    );
    let canonical: Vec<_> =
        config.accounts.iter().map(|account| (&*account.name, account.canonical)).collect();
    assert_eq!(canonical, [("ollama", false), ("sandbox", false), ("box", true)]);
    assert_eq!(config.accounts[1].base_url, None);
}

#[test]
fn a_custom_server_is_described_whole() {
    let config = valid(
        r#"
        [providers.box]
        kind = "custom"
        base_url = "http://127.0.0.1:9000/v1/"
        models = ["gpt-*", { id = "m", name = "us/m", input_usd_per_million = 0.000000001, per_request_usd = 1 }]
        api_keys = [{ env = "A" }, { file = "/run/b", label = "spare" }]
        timeouts = { connect_ms = 250 }
        "#,
    );
    let account = &config.accounts[0];
    assert_eq!(account.base_url.as_deref(), Some("http://127.0.0.1:9000/v1"));
    assert_eq!(account.keys.iter().map(|key| &*key.label).collect::<Vec<_>>(), ["1", "spare"]);
    let ModelChoice::Own(own) = &account.models[1] else { panic!("{:?}", account.models) };
    assert_eq!(own.name, Some(ModelName::from("us/m")));
    let prices = own.prices.unwrap();
    assert_eq!(prices.rates, Rates::default().with(TokenClass::Input, PricePerMillion(1)));
    assert_eq!(prices.fees.request, Some(NanoUsd(1_000_000_000)));
    let deadlines = account.timeouts.over(Deadlines::default());
    assert_eq!(deadlines, Deadlines { connect: Duration::from_millis(250), ..Deadlines::default() });
}

#[test]
fn dated_prices_are_put_in_order() {
    let config = valid(
        r#"
        [models."us/m"]
        prices = [
            { valid_from = "2026-06-01", output_usd_per_million = 2 },
            { valid_from = 2026-01-01, output_usd_per_million = 1.25 },
        ]
        "#,
    );
    let prices = &config.models[0].prices;
    let seen: Vec<_> = prices.iter().map(|dated| (dated.valid_from.day(), dated.rates)).collect();
    let output = |nanos| Rates::default().with(TokenClass::Output, PricePerMillion(nanos));
    assert_eq!(
        seen,
        [("2026-01-01".to_owned(), output(1_250_000_000)), ("2026-06-01".to_owned(), output(2_000_000_000)),]
    );
}

#[test]
fn targets_may_be_models_accounts_or_what_the_file_states() {
    valid(
        r#"
        [providers.groq]
        api_key = { env = "GROQ_API_KEY" }
        [providers.box]
        kind = "custom"
        base_url = "http://127.0.0.1:9000"
        models = [{ id = "m", name = "us/own" }]
        [providers.vllm]
        [models."us/stated"]
        context_window = 4096
        [routes.gpt-5]
        targets = ["gpt-5", "openai/gpt-5", "groq/openai/gpt-oss-120b", "box/m", "us/own", "us/stated", "vllm/anything"]
        "#,
    );
}

#[test]
fn listings_are_read_hourly_never_or_as_often_as_said() {
    let refresh =
        |text: &str| valid(&format!("[catalogue]\nlisting_refresh = {text}")).catalogue.listing_refresh;
    assert_eq!(refresh("true"), Some(Duration::from_hours(1)));
    assert_eq!(refresh("false"), None);
    assert_eq!(refresh("24"), Some(Duration::from_hours(24)));
}

#[test]
fn unix_sockets_and_port_zero_are_addresses() {
    let config = valid("[server]\nlisten = \"unix:/run/t.sock\"\nadmin_listen = \"[::1]:0\"");
    assert_eq!(config.server.listen, Listen::Unix("/run/t.sock".into()));
    assert_eq!(config.server.admin_listen, Listen::Tcp { host: "::1".to_owned(), port: 0 });
    assert_eq!(problems("[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\""), "");
}
