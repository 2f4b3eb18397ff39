//! What a request says about a key, checked: the same members make a key and change one.
//!
//! Not the change itself ([`super::operations`]). Look first at [`edit`].

use std::collections::BTreeSet;

use serde_json::Value;
use trunkline_domain::access::{Budget, BudgetWindow, ModelPattern, RateLimits};
use trunkline_domain::id::KeyId;
use trunkline_domain::{NanoUsd, Text, UnixMs};
use trunkline_engine::mint::KeySpec;

use super::members::Members;
use super::moment;
use super::refusal::Refusal;

/// The longest name, in characters.
pub(super) const NAME_CHARS_MAX: usize = 64;
/// The most patterns of one key.
const MODELS_MAX: usize = 256;
/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 256;

/// Changes a specification as the body says; what it does not name stays. `null` takes a limit away.
pub(super) fn edit(spec: &mut KeySpec, body: &[u8], now: UnixMs) -> Result<(), Refusal> {
    let mut members = Members::parse(body)?;
    if let Some(value) = members.take("name") {
        spec.name = name(&value).map_err(|what| members.refuse("name", what))?;
    }
    if let Some(value) = members.take("models") {
        spec.models = models(&value)?;
    }
    if let Some(value) = members.take("budgets") {
        spec.budgets = budgets(value)?;
    }
    if let Some(value) = members.take("limits") {
        limits(&mut spec.limits, value)?;
    }
    if let Some(value) = members.take("expires_at") {
        spec.expires_at = expiry(&value, now).map_err(|what| members.refuse("expires_at", what))?;
    }
    members.finish()
}

fn name(value: &Value) -> Result<String, &'static str> {
    let text = value.as_str().map(str::trim).ok_or("must be a text")?;
    if text.is_empty() || text.chars().count() > NAME_CHARS_MAX {
        return Err("must have 1 to 64 characters");
    }
    if text.chars().any(char::is_control) {
        return Err("must not hold control characters");
    }
    if text.parse::<KeyId>().is_ok() {
        return Err("looks like a key's id: choose another name");
    }
    Ok(text.to_owned())
}

fn models(value: &Value) -> Result<Vec<ModelPattern>, Refusal> {
    let list = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) if list.len() <= MODELS_MAX => list,
        Value::Array(_) => {
            return Err(Refusal::invalid(format!("`models` holds at most {MODELS_MAX} patterns")));
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            return Err(Refusal::invalid("`models` must be a list of patterns such as \"openai/*\""));
        }
    };
    list.iter().map(pattern).collect()
}

fn pattern(value: &Value) -> Result<ModelPattern, Refusal> {
    let text = value.as_str().unwrap_or_default();
    let fits = !text.is_empty()
        && text.len() <= PATTERN_BYTES_MAX
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && !text.strip_suffix('*').unwrap_or(text).contains('*');
    if !fits {
        return Err(Refusal::invalid(
            "`models` holds names, or the beginning of names and a `*`, such as \"openai/*\"",
        ));
    }
    Ok(ModelPattern(Text::from(text)))
}

fn budgets(value: Value) -> Result<Vec<Budget>, Refusal> {
    let list = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            return Err(Refusal::invalid(
                "`budgets` must be a list such as [{\"limit_usd\": \"1.50\", \"window\": \"month\"}]",
            ));
        }
    };
    let mut budgets = Vec::new();
    let mut seen = BTreeSet::new();
    for value in list {
        let budget = budget(value)?;
        if !seen.insert(budget.window.as_str()) {
            let window = budget.window.as_str();
            return Err(Refusal::invalid(format!(
                "`budgets` names the window `{window}` twice: the lower limit alone would count"
            )));
        }
        budgets.push(budget);
    }
    Ok(budgets)
}

fn budget(value: Value) -> Result<Budget, Refusal> {
    let mut members = Members::of("budgets[]", value)?;
    let limit = members
        .take("limit_usd")
        .ok_or_else(|| members.refuse("limit_usd", "is missing: an amount such as \"1.50\""))?;
    let limit = amount(&limit).map_err(|what| members.refuse("limit_usd", &what))?;
    let window = match members.take("window") {
        None => BudgetWindow::Total,
        Some(value) => {
            window(&value).ok_or_else(|| members.refuse("window", "is day, week, month or total"))?
        }
    };
    members.finish()?;
    Ok(Budget { limit, window })
}

/// Dollars as a text or a number; a number is taken as it prints.
fn amount(value: &Value) -> Result<NanoUsd, String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let amount: NanoUsd = text.parse().map_err(|error| format!("is {error}"))?;
    if amount < NanoUsd::ZERO { Err("must not be negative".to_owned()) } else { Ok(amount) }
}

fn window(value: &Value) -> Option<BudgetWindow> {
    let all = [BudgetWindow::Day, BudgetWindow::Week, BudgetWindow::Month, BudgetWindow::Total];
    all.into_iter().find(|window| Some(window.as_str()) == value.as_str())
}

fn limits(limits: &mut RateLimits, value: Value) -> Result<(), Refusal> {
    if value.is_null() {
        *limits = RateLimits::default();
        return Ok(());
    }
    let mut members = Members::of("limits", value)?;
    if let Some(value) = members.take("rpm") {
        limits.rpm = count(&value).map_err(|what| members.refuse("rpm", what))?;
    }
    if let Some(value) = members.take("tpm") {
        limits.tpm = count(&value).map_err(|what| members.refuse("tpm", what))?;
    }
    if let Some(value) = members.take("concurrency") {
        limits.concurrency = count(&value).map_err(|what| members.refuse("concurrency", what))?;
    }
    members.finish()
}

fn count<N: TryFrom<u64>>(value: &Value) -> Result<Option<N>, &'static str> {
    const WHAT: &str = "must be a whole number above 0, or null for no limit";
    if value.is_null() {
        return Ok(None);
    }
    let count = value.as_u64().filter(|count| *count > 0).ok_or(WHAT)?;
    N::try_from(count).map(Some).map_err(|_| WHAT)
}

fn expiry(value: &Value, now: UnixMs) -> Result<Option<UnixMs>, &'static str> {
    if value.is_null() {
        return Ok(None);
    }
    let at = value.as_str().and_then(|text| moment::expiry(text, now));
    let at =
        at.ok_or("is an instant such as 2027-01-31T12:00:00Z, a day, a span such as 30d, or null for never")?;
    if at <= now { Err("must lie in the future") } else { Ok(Some(at)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_780_000_000_000);

    fn edited(body: &str) -> Result<KeySpec, String> {
        let mut spec = KeySpec::default();
        edit(&mut spec, body.as_bytes(), NOW).map(|()| spec).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_whole_specification_is_read() {
        let spec = edited(
            r#"{"name":" ci ","models":["openai/*"],"budgets":[{"limit_usd":1.5,"window":"day"},{"limit_usd":"20"}],
                "limits":{"rpm":60},"expires_at":"30d"}"#,
        )
        .unwrap();
        assert_eq!(spec.name, "ci");
        assert_eq!(spec.models, [ModelPattern("openai/*".into())]);
        let day = Budget { limit: NanoUsd(1_500_000_000), window: BudgetWindow::Day };
        assert_eq!(
            spec.budgets,
            [day, Budget { limit: NanoUsd(20_000_000_000), window: BudgetWindow::Total }]
        );
        assert_eq!(spec.limits, RateLimits { rpm: Some(60), ..RateLimits::default() });
        assert_eq!(spec.expires_at, Some(NOW.plus_ms(30 * 86_400_000)));
    }

    #[test]
    fn null_takes_limits_away_and_what_is_not_named_stays() {
        let mut spec = edited(r#"{"name":"a","limits":{"rpm":1,"tpm":2},"expires_at":"1d"}"#).unwrap();
        edit(&mut spec, br#"{"limits":{"rpm":null},"expires_at":null}"#, NOW).unwrap();
        assert_eq!(spec.limits, RateLimits { tpm: Some(2), ..RateLimits::default() });
        assert_eq!((spec.name.as_str(), spec.expires_at), ("a", None));
    }

    #[test]
    fn every_refusal_names_its_member() {
        for (body, part) in [
            (r#"{"name":""}"#, "`name`"),
            (r#"{"name":"key-00000000000000000000000000000001"}"#, "`name`"),
            (r#"{"models":["a*b"]}"#, "`models`"),
            (r#"{"models":"openai"}"#, "`models`"),
            (r#"{"budgets":[{"limit_usd":"-1"}]}"#, "`budgets[].limit_usd`"),
            (r#"{"budgets":[{"limit_usd":"1","window":"year"}]}"#, "`budgets[].window`"),
            (r#"{"budgets":[{"limit_usd":"1"},{"limit_usd":"2"}]}"#, "twice"),
            (r#"{"budgets":[{"limit":"1"}]}"#, "`budgets[].limit_usd` is missing"),
            (r#"{"limits":{"rpm":0}}"#, "`limits.rpm`"),
            (r#"{"limits":{"rpn":1}}"#, "did you mean `rpm`?"),
            (r#"{"expires_at":"2001-01-01"}"#, "future"),
            (r#"{"expires":"30d"}"#, "did you mean `expires_at`?"),
            ("[]", "not a JSON object"),
        ] {
            let told = edited(body).unwrap_err();
            assert!(told.contains(part), "{body}: {told}");
        }
    }
}
