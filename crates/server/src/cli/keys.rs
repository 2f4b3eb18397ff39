//! `trunkline keys`: virtual keys.

use axum::http::Method;
use bytes::Bytes;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use trunkline_engine::mint::KEY_PREFIX;

use super::failure::Failure;
use super::gateway::{Gateway, Need, escape, query};
use super::output::Column::{Name, Words};
use super::output::{self, Sheet, Text, Tone, dollars, thousands};
use super::place::Place;
use crate::admin::key_view::{KeyPage, KeyState, KeyView, NewKey};

/// Keys asked for at once.
const PAGE: u32 = 1_000;

#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key; its secret is shown once
    Create(Create),
    /// List keys
    List(List),
    /// Give a key another secret; the old one ends at once
    Rotate(Named),
    /// End a key at once and for good
    Revoke(Named),
}

#[derive(Debug, Args)]
struct Create {
    /// A name to know it by
    #[arg(long)]
    name: String,
    /// The most it may spend, in dollars
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    budget_usd: Option<String>,
    /// When the budget starts anew
    #[arg(long, value_enum, requires = "budget_usd", default_value_t = Window::Total)]
    budget_window: Window,
    /// Models it may use, such as openai/*,sandbox/* [default: all]
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    models: Vec<String>,
    /// Requests a minute
    #[arg(long, value_name = "N")]
    rpm: Option<u32>,
    /// Tokens a minute
    #[arg(long, value_name = "N")]
    tpm: Option<u64>,
    /// Requests at once
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// When it stops working: 30d, 2027-01-31, 2027-01-31T12:00:00Z [default: never]
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// Print id and key as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Window {
    Day,
    Week,
    Month,
    Total,
}

#[derive(Debug, Args)]
struct List {
    /// Revoked keys too
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Named {
    /// Its id or its name
    #[arg(value_name = "KEY")]
    key: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a request to make a key says.
#[derive(Serialize)]
struct Wanted {
    name: String,
    models: Vec<String>,
    budgets: Vec<WantedBudget>,
    limits: WantedLimits,
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct WantedBudget {
    limit_usd: String,
    window: &'static str,
}

#[derive(Serialize)]
struct WantedLimits {
    rpm: Option<u32>,
    tpm: Option<u64>,
    concurrency: Option<u32>,
}

/// What scripts read of a key that was made.
#[derive(Serialize)]
struct Made<'a> {
    id: &'a str,
    key: &'a str,
}

impl Keys {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        let need = if matches!(self.what, What::Create(_)) { Need::Nothing } else { Need::Data };
        let gateway = Gateway::open(place, need).await?;
        let done = match self.what {
            What::Create(create) => create.run(&gateway).await,
            What::List(list) => list.run(&gateway).await,
            What::Rotate(named) => named.rotate(&gateway).await,
            What::Revoke(named) => named.revoke(&gateway).await,
        };
        gateway.close().await;
        done
    }
}

impl Create {
    async fn run(self, gateway: &Gateway) -> Result<(), Failure> {
        let Self { name, budget_usd, budget_window, models, rpm, tpm, concurrency, expires, json } = self;
        let window = budget_window.as_str();
        let wanted = Wanted {
            name,
            models,
            budgets: budget_usd.map(|limit_usd| WantedBudget { limit_usd, window }).into_iter().collect(),
            limits: WantedLimits { rpm, tpm, concurrency },
            expires_at: expires,
        };
        let body = serde_json::to_vec(&wanted).map_err(|error| Failure::new(error.to_string()))?;
        let made: NewKey = gateway.send(Method::POST, "/keys", Bytes::from(body)).await?;
        show_new(&made, "made", json);
        Ok(())
    }
}

impl Named {
    async fn rotate(self, gateway: &Gateway) -> Result<(), Failure> {
        let path = format!("/keys/{}/rotate", escape(&self.key));
        let made: NewKey = gateway.send(Method::POST, &path, Bytes::new()).await?;
        show_new(&made, "rotated", self.json);
        Ok(())
    }

    async fn revoke(self, gateway: &Gateway) -> Result<(), Failure> {
        let path = format!("/keys/{}", escape(&self.key));
        let key: KeyView = gateway.send(Method::DELETE, &path, Bytes::new()).await?;
        if self.json {
            output::json(&key);
        } else {
            output::line(&format!("revoked {} ({}): nobody gets in with it any more", key.name, key.id));
        }
        Ok(())
    }
}

fn show_new(made: &NewKey, verb: &str, json: bool) {
    let NewKey { key, view } = made;
    if json {
        return output::json_line(&Made { id: &view.id, key });
    }
    output::line(&format!("{verb} {} ({})", view.name, view.id));
    output::line("");
    output::line(&format!("  {key}"));
    output::line("");
    output::line("This is the only time it is shown: only its hash is kept.");
}

impl List {
    async fn run(self, gateway: &Gateway) -> Result<(), Failure> {
        let mut keys = Vec::new();
        let mut after = None;
        loop {
            let parameters = query(&[("limit", Some(PAGE.to_string())), ("after", after)]);
            let page: KeyPage = gateway.get(&format!("/keys{parameters}")).await?;
            keys.extend(page.keys.into_iter().filter(|key| self.all || key.state != KeyState::Revoked));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        if self.json {
            output::json(&KeyPage { keys, next: None });
        } else if keys.is_empty() {
            output::line("no keys: `trunkline keys create --name NAME` makes one");
        } else {
            show(&keys);
        }
        Ok(())
    }
}

fn show(keys: &[KeyView]) {
    let mut sheet = Sheet::new(&[
        Name("NAME"),
        Name("KEY"),
        Name("STATE"),
        Words("MODELS"),
        Words("SPENT"),
        Words("LIMITS"),
        Name("EXPIRES"),
    ]);
    for key in keys {
        let state = match key.state {
            KeyState::Active => Text::new("active", Tone::Good),
            KeyState::Expired => Text::new("expired", Tone::Warning),
            KeyState::Revoked => Text::new("revoked", Tone::Bad),
        };
        let models = if key.models.is_empty() { "all".to_owned() } else { key.models.join(" ") };
        sheet.row(vec![
            Text::from(&*key.name),
            Text::new(format!("{KEY_PREFIX}…{}", key.hint), Tone::Faint),
            state,
            models.into(),
            budgets(key).into(),
            limits(key).into(),
            key.expires_at.as_deref().map_or("never", |at| at.get(..10).unwrap_or(at)).into(),
        ]);
    }
    sheet.print();
    output::hint("");
    output::hint("a name is enough for `keys rotate` and `keys revoke`; --json has the ids");
}

fn budgets(key: &KeyView) -> String {
    if key.budgets.is_empty() {
        return "no budget".to_owned();
    }
    let budget = |budget: &crate::admin::key_view::BudgetView| {
        let window = if budget.window == "total" { String::new() } else { format!(" a {}", budget.window) };
        format!("${} of ${}{window}", dollars(&budget.spent_usd, 0), dollars(&budget.limit_usd, 0))
    };
    key.budgets.iter().map(budget).collect::<Vec<_>>().join(", ")
}

fn limits(key: &KeyView) -> String {
    let limits = [
        (key.limits.rpm.map(u64::from), "rpm"),
        (key.limits.tpm, "tpm"),
        (key.limits.concurrency.map(u64::from), "at once"),
    ];
    let set: Vec<String> = limits
        .into_iter()
        .filter_map(|(limit, unit)| limit.map(|limit| format!("{} {unit}", thousands(limit))))
        .collect();
    if set.is_empty() { "–".to_owned() } else { set.join(", ") }
}

impl Window {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
        }
    }
}
