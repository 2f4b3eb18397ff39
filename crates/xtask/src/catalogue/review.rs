//! What was refused while building, as a page a person can read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A rule that a fact broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    Negative,
    UnitSlip,
    Zero,
    ZeroClass,
    DearDiscount,
    CheapSurcharge,
    CheapLongPrompt,
    DearCacheRead,
    OutputAboveWindow,
    Unreadable,
    Newest,
    KindLeftOut,
}

impl Rule {
    const fn heading(self) -> &'static str {
        match self {
            Self::Negative => "A price below zero: the offer is unpriced",
            Self::UnitSlip => "A price that can only be a slip of units: the offer is unpriced",
            Self::Zero => "Price zero outside `:free` and local servers: the offer is unpriced",
            Self::ZeroClass => "One class at zero beside priced ones: that figure is left out",
            Self::DearDiscount => "Batch or flex dearer than the standard price: left out",
            Self::CheapSurcharge => "A dearer service tier below the standard price: left out",
            Self::CheapLongPrompt => "Long prompts cheaper than short ones: left out",
            Self::DearCacheRead => "Cache reads dearer than plain input: left out, input's price holds",
            Self::OutputAboveWindow => "An output limit above the window: left out, the window holds",
            Self::Unreadable => "A figure that cannot be read: left out",
            Self::Newest => "Sources disagree on the price: the newest stands, flagged `review`",
            Self::KindLeftOut => "Kinds of models that have no operation yet: left out",
        }
    }
}

/// Findings, by rule.
#[derive(Default)]
pub(super) struct Review {
    findings: BTreeMap<Rule, Vec<(String, String)>>,
}

impl Review {
    pub(super) fn add(&mut self, rule: Rule, subject: &str, detail: String) {
        self.findings.entry(rule).or_default().push((subject.to_owned(), detail));
    }

    /// The page; equal findings give equal pages.
    pub(super) fn page(&self, date: jiff::civil::Date) -> String {
        let mut page = format!(
            "# What the catalogue of {date} refused\n\nWritten by `xtask catalogue build`; not edited by hand. An offer without \
             a price stays in the catalogue as unpriced: it is never taken to cost nothing.\n"
        );
        for (rule, findings) in &self.findings {
            let _infallible = write!(page, "\n## {} ({})\n\n", rule.heading(), findings.len());
            for (subject, detail) in findings {
                let _infallible = writeln!(page, "- `{subject}`: {detail}");
            }
        }
        page
    }
}
