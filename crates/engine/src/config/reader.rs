//! Typed reading of a TOML tree that keeps positions and goes on after a problem.
//!
//! Not a schema: each table's reader asks for the keys it knows, and whatever was not asked for is an unknown key.
//! Look first at [`Value::table`].

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

use super::problem::{Findings, Place, did_you_mean, nearest};

/// Most entries of one list, and most names in one table.
const ENTRIES_MAX: usize = 4096;

/// One value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Value<'a> {
    pub(super) place: Place,
    inner: &'a DeValue<'a>,
    findings: &'a Findings<'a>,
}

/// One table being read.
#[derive(Debug)]
pub(super) struct Table<'a> {
    place: Place,
    entries: &'a DeTable<'a>,
    asked: Vec<&'static str>,
    findings: &'a Findings<'a>,
}

impl<'a> Table<'a> {
    /// The whole document.
    pub(super) fn root(entries: &'a DeTable<'a>, findings: &'a Findings<'a>) -> Self {
        Self { place: Place { key: String::new(), span: 0..0 }, entries, asked: Vec::new(), findings }
    }

    /// Where the table stands.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Where problems go.
    pub(super) fn findings(&self) -> &'a Findings<'a> {
        self.findings
    }

    /// The value of a key, if it is there. Asking makes the key known.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.asked.push(key);
        let value = self.entries.get(key)?;
        let place = Place { key: join(&self.place.key, key), span: value.span() };
        Some(Value { place, inner: value.get_ref(), findings: self.findings })
    }

    /// The text of a key.
    pub(super) fn text(&mut self, key: &'static str) -> Option<&'a str> {
        self.get(key)?.text()
    }

    /// The switch of a key.
    pub(super) fn switch(&mut self, key: &'static str) -> Option<bool> {
        self.get(key)?.switch()
    }

    /// The whole number of a key.
    pub(super) fn number<T: TryFrom<i64>>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<T> {
        self.get(key)?.number(range)
    }

    /// The values of a list; empty where there is none.
    pub(super) fn list(&mut self, key: &'static str) -> Vec<Value<'a>> {
        self.get(key).and_then(|value| value.list()).unwrap_or_default()
    }

    /// The table of a key, read by `read`.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Table<'a>) -> T,
    ) -> Option<T> {
        self.get(key)?.table(read)
    }

    /// Every entry of a table whose keys are names the operator chose, each with its key's place, in the order of
    /// the text.
    fn named(&self) -> Vec<(&'a str, Value<'a>)> {
        let entry = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let name: &'a str = std::borrow::Cow::as_ref(key.get_ref());
            let place = Place { key: join(&self.place.key, name), span: key.span() };
            (name, Value { place, inner: value.get_ref(), findings: self.findings })
        };
        let mut entries: Vec<_> = self.entries.iter().map(entry).collect();
        entries.sort_by_key(|(_, value)| value.place.span.start);
        entries
    }

    /// Reports a key that must be there; not where it is there but misspelt, which is reported anyhow.
    pub(super) fn missing(&self, key: &str, hint: impl Into<String>) {
        let mut unknown = self.entries.keys().filter(|known| !self.asked.contains(&known.get_ref().as_ref()));
        if unknown.any(|unknown| nearest(unknown.get_ref(), [key]).is_some()) {
            return;
        }
        let place = Place { key: join(&self.place.key, key), span: self.place.span.clone() };
        self.findings.error_hint(&place, "is missing", hint);
    }

    /// Reports every key nobody asked for.
    pub(super) fn finish(self) {
        for (key, _) in self.entries {
            let name = key.get_ref().as_ref();
            if !self.asked.contains(&name) {
                let place = Place { key: join(&self.place.key, name), span: key.span() };
                self.findings.error_hint(&place, "unknown key", did_you_mean(name, &self.asked));
            }
        }
    }
}

impl<'a> Value<'a> {
    /// Reports a problem with this value.
    pub(super) fn error(&self, message: impl Into<String>) {
        self.findings.error(&self.place, message);
    }

    /// Reports a problem with this value and what to do about it.
    pub(super) fn error_hint(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.findings.error_hint(&self.place, message, hint);
    }

    /// Whether it is a table, inline or not.
    pub(super) fn is_table(&self) -> bool {
        self.inner.is_table()
    }

    /// Whether it is text.
    pub(super) fn is_text(&self) -> bool {
        self.inner.is_str()
    }

    /// Whether it is a whole number.
    pub(super) fn is_number(&self) -> bool {
        self.inner.is_integer()
    }

    /// Whether it is a switch.
    pub(super) fn is_switch(&self) -> bool {
        self.inner.is_bool()
    }

    /// Reads it as text that is not empty.
    pub(super) fn text(&self) -> Option<&'a str> {
        let Some(text) = self.inner.as_str() else { return self.mistyped("text in quotes") };
        if text.trim().is_empty() {
            self.error("must not be empty");
            return None;
        }
        Some(text)
    }

    /// Reads it as true or false.
    pub(super) fn switch(&self) -> Option<bool> {
        self.inner.as_bool().or_else(|| self.mistyped("true or false"))
    }

    /// Reads it as a whole number within a range.
    pub(super) fn number<T: TryFrom<i64>>(&self, range: RangeInclusive<i64>) -> Option<T> {
        let Some(integer) = self.inner.as_integer() else { return self.mistyped("a whole number") };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number =
            number.filter(|number| range.contains(number)).and_then(|number| T::try_from(number).ok());
        if number.is_none() {
            self.error(format!("must be between {} and {}", range.start(), range.end()));
        }
        number
    }

    /// Reads it as one of a few words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.error(format!("must be {}", words.join(" or ")));
        }
        found
    }

    /// Reads it as a decimal amount, as it is written: no detour over binary fractions.
    pub(super) fn decimal(&self) -> Option<&'a str> {
        let float = self.inner.as_float().map(DeFloat::as_str);
        let integer = self.inner.as_integer().filter(|integer| integer.radix() == 10).map(DeInteger::as_str);
        float.or(integer).or_else(|| self.mistyped("an amount such as 1.50"))
    }

    /// Reads it as a day, `2026-01-31`, quoted or not.
    pub(super) fn day(&self) -> Option<jiff::civil::Date> {
        let dated = self.inner.as_datetime().map(ToString::to_string);
        let Some(text) = dated.or_else(|| self.inner.as_str().map(str::to_owned)) else {
            return self.mistyped("a day such as 2026-01-31");
        };
        let day = text.parse().ok();
        if day.is_none() {
            self.error("must be a day such as 2026-01-31");
        }
        day
    }

    /// Reads it as a list.
    pub(super) fn list(&self) -> Option<Vec<Value<'a>>> {
        let Some(array) = self.inner.as_array() else { return self.mistyped("a list in [ ]") };
        let item = |(index, item): (usize, &'a Spanned<DeValue<'a>>)| Value {
            place: Place { key: format!("{}[{index}]", self.place.key), span: item.span() },
            inner: item.get_ref(),
            findings: self.findings,
        };
        if array.len() > ENTRIES_MAX {
            self.error(format!("must not hold more than {ENTRIES_MAX} entries"));
            return None;
        }
        Some(array.iter().enumerate().map(item).collect())
    }

    /// Reads it as a table: `read` asks for the keys it knows, all others are reported.
    pub(super) fn table<T>(&self, read: impl FnOnce(&mut Table<'a>) -> T) -> Option<T> {
        let Some(mut table) = self.as_table() else { return self.mistyped("a table") };
        let outcome = read(&mut table);
        table.finish();
        Some(outcome)
    }

    /// Reads it as a table whose keys are names.
    pub(super) fn names(&self) -> Vec<(&'a str, Value<'a>)> {
        let Some(table) = self.as_table() else { return self.mistyped("a table").unwrap_or_default() };
        if table.entries.len() > ENTRIES_MAX {
            self.error(format!("must not hold more than {ENTRIES_MAX} names"));
            return Vec::new();
        }
        table.named()
    }

    fn as_table(&self) -> Option<Table<'a>> {
        let entries = self.inner.as_table()?;
        Some(Table { place: self.place.clone(), entries, asked: Vec::new(), findings: self.findings })
    }

    /// Reports that the value is of another type, which it names; never the value.
    pub(super) fn mistyped<T>(&self, wanted: &str) -> Option<T> {
        let found = match self.inner {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with decimals",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.error(format!("must be {wanted}, not {found}"));
        None
    }
}

/// `table.key`, the key quoted where it is not a bare one.
fn join(table: &str, key: &str) -> String {
    let bare = !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if table.is_empty() { key } else { format!("{table}.{key}") }
}
