//! Whether the models a route falls back to can do what its targets can, by what the catalogue and the file say of them.
//!
//! What can never help is an error, what helps with some requests only a warning. Not the names themselves
//! ([`super::check`]), and not what each lacks ([`trunkline_routing::fallbacks`]). Look first at [`check`].

use std::collections::HashMap;

use trunkline_routing::OfferTable;
use trunkline_routing::fallbacks::{Shortcoming, shortcomings};

use super::check::KnownModels;
use super::discover::in_process_besides;
use super::file::ConfigFile;
use super::problem::Findings;
use super::route::{PlacedTarget, Role};
use crate::offers::{Sources, deployments_of};

/// Checks the fallbacks of all routes; `placed` are the names of each, in the order of the routes.
pub(super) fn check(
    config: &ConfigFile,
    placed: &[Vec<PlacedTarget>],
    models: &dyn KnownModels,
    findings: &Findings<'_>,
) {
    let mut fallbacks = placed.iter().flatten().filter(|target| target.role != Role::Target).peekable();
    if fallbacks.peek().is_none() {
        return;
    }
    let Some(table) = table(config, models) else { return };
    for (route, placed) in config.routes.iter().zip(placed) {
        let targets: Vec<_> = route.targets.iter().map(|target| target.0.clone()).collect();
        for fallback in placed {
            let Role::Fallback(why) = fallback.role else { continue };
            if nobody_serves(&table, fallback.name.as_str(), models) {
                let hint = "add an account that does, or name another model";
                let message = "no account in this file offers it: it is never tried";
                findings.warn(&fallback.place, message, Some(hint.to_owned()));
            }
            report(fallback, &shortcomings(&table, &targets, fallback.name.as_str(), why), findings);
        }
    }
}

/// Everybody the file's accounts offer; `None` before there is a catalogue to ask.
fn table(config: &ConfigFile, models: &dyn KnownModels) -> Option<OfferTable> {
    let implied: Vec<_> = in_process_besides(&config.accounts).collect();
    let mut deployments = Vec::new();
    for account in config.accounts.iter().chain(&implied) {
        let listed = models.offers(account.provider)?;
        let sources = Sources { listed, discovered: &[], corrections: &config.models };
        deployments.extend(deployments_of(account, sources));
    }
    Some(OfferTable::new(deployments, HashMap::new()))
}

/// Whether a model is known, and known to none of the accounts. One that is named by its account may be seen in the
/// account's listing yet.
fn nobody_serves(table: &OfferTable, name: &str, models: &dyn KnownModels) -> bool {
    models.knows(name) && !table.serves(name)
}

fn report(fallback: &PlacedTarget, found: &[Shortcoming], findings: &Findings<'_>) {
    let mut lacking = Vec::new();
    for shortcoming in found {
        match shortcoming {
            Shortcoming::Sort => findings.error_hint(
                &fallback.place,
                "does nothing that the route's targets do: none of the route's requests can be sent there",
                "name a model of the same kind",
            ),
            Shortcoming::NoLonger { window, theirs } => findings.error_hint(
                &fallback.place,
                format!(
                    "its context window ({window} tokens) is no larger than any of the route's targets' (the smallest: \
                     {theirs}): a prompt that is too long for them is too long for it"
                ),
                format!("name a model with a larger one, or state it under [models.{:?}]", fallback.name.as_str()),
            ),
            Shortcoming::LongerThanSome { window, theirs } => {
                let message = format!(
                    "its context window ({window} tokens) is no larger than the largest of the route's targets' ({theirs}): \
                     a prompt that is too long for that one is too long for it"
                );
                findings.warn(&fallback.place, message, None);
            }
            Shortcoming::Shorter { window, theirs } => {
                let message = format!(
                    "its context window ({window} tokens) is smaller than a target's of the route ({theirs}): longer \
                     prompts are not sent there"
                );
                findings.warn(&fallback.place, message, None);
            }
            Shortcoming::Lacks(what) => lacking.push(*what),
        }
    }
    if !lacking.is_empty() {
        let message = format!(
            "lacks {}, which a target of the route has: requests that need one of these are not sent there",
            lacking.join(", ")
        );
        findings.warn(&fallback.place, message, None);
    }
}
