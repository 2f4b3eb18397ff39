//! Rules about manifests: who may import whom, and what nobody imports. Development dependencies are free.
//! Where to look first: [`FLOORS`] and [`KEEPS_AWAY`].

use toml::{Table, Value};

use super::sources::PURE;
use super::{Finding, House};

/// The crates by floor. A crate imports crates of lower floors only.
const FLOORS: [(&str, u8); 10] = [
    ("trunkline-domain", 0),
    ("trunkline-wire", 1),
    ("trunkline-catalogue", 1),
    ("trunkline-providers", 2),
    ("trunkline-ledger", 2),
    ("trunkline-routing", 3),
    ("trunkline-upstream", 3),
    ("trunkline-store", 3),
    ("trunkline-engine", 4),
    ("trunkline-server", 5),
];

/// Tools of the house. They import what they like, and nothing that is shipped imports them.
const TOOLS: [&str; 4] = ["trunkline-testkit", "trunkline-xtask", "trunkline-bench", "trunkline-fuzz"];

/// What a crate keeps away from although its floor would allow it.
const KEEPS_AWAY: [(&str, &[&str]); 3] = [
    (
        "trunkline-ledger",
        &["trunkline-wire", "trunkline-providers", "trunkline-routing", "sqlx", "redis", "hyper"],
    ),
    ("trunkline-store", &["trunkline-wire", "trunkline-providers", "trunkline-routing", "hyper"]),
    (
        "trunkline-engine",
        &["trunkline-store", "sqlx", "redis", "hyper", "hyper-util", "rustls", "tokio-rustls"],
    ),
];

/// What no pure crate depends on.
const IMPURE: [&str; 10] = [
    "futures-util",
    "hyper",
    "hyper-util",
    "getrandom",
    "rand",
    "rustix",
    "rustls",
    "sqlx",
    "tokio",
    "tokio-util",
];

/// A crate imports crates of lower floors only, and the tools are imported by no crate.
pub(super) fn crates_import_lower_floors(house: &House<'_>) -> Vec<Finding> {
    let floor = |name: &str| FLOORS.iter().find(|(other, _)| *other == name).map(|(_, floor)| *floor);
    let mut found = Vec::new();
    for (path, name, manifest) in members(house) {
        if TOOLS.contains(&name) {
            continue;
        }
        let Some(own) = floor(name) else {
            let message =
                format!("{name} stands on no floor: give it one in this rule, and in ARCHITECTURE.md");
            found.push(Finding::new(path, 0, message));
            continue;
        };
        for other in dependencies(manifest).filter(|other| other.starts_with("trunkline-")) {
            if floor(other).is_none_or(|other| other >= own) {
                let message =
                    format!("{name} imports {other}, which is on no lower floor: move what they share down");
                found.push(Finding::new(path, 0, message));
            }
        }
    }
    found
}

/// Some crates keep away from more than their floor asks.
pub(super) fn crates_keep_away(house: &House<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, name, manifest) in members(house) {
        let folder = path.trim_end_matches("/Cargo.toml");
        let listed = KEEPS_AWAY.iter().find(|(other, _)| *other == name).map_or(&[][..], |(_, away)| away);
        let impure = if PURE.contains(&folder) { &IMPURE[..] } else { &[] };
        for other in dependencies(manifest).filter(|other| listed.contains(other) || impure.contains(other)) {
            let message = format!("{name} does not depend on {other}: do this work on the floor that does");
            found.push(Finding::new(path, 0, message));
        }
    }
    found
}

/// A patched dependency is one that nobody else builds with.
pub(super) fn nothing_is_patched(house: &House<'_>) -> Vec<Finding> {
    let patched = house
        .manifests
        .iter()
        .filter(|(_, manifest)| manifest.contains_key("patch") || manifest.contains_key("replace"));
    patched.map(|(path, _)| Finding::new(path, 0, "patches a dependency: use a released version")).collect()
}

/// The workspace forbids unsafe code, and every crate takes its lints from the workspace.
pub(super) fn lints_are_inherited(house: &House<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, manifest) in &house.manifests {
        let level = |keys: &[&str]| {
            let (last, tables) = keys.split_last()?;
            let table = tables.iter().try_fold(manifest, |table, key| table.get(*key)?.as_table())?;
            table.get(*last)
        };
        if manifest.contains_key("workspace")
            && level(&["workspace", "lints", "rust", "unsafe_code"]).and_then(Value::as_str) != Some("forbid")
        {
            found.push(Finding::new(path, 0, "set `unsafe_code = \"forbid\"` under [workspace.lints.rust]"));
        }
        if manifest.contains_key("package")
            && level(&["lints", "workspace"]).and_then(Value::as_bool) != Some(true)
        {
            found.push(Finding::new(path, 0, "set `workspace = true` under [lints]"));
        }
    }
    found
}

/// Every package: its manifest's path, its name, its manifest.
fn members<'s>(house: &'s House<'_>) -> impl Iterator<Item = (&'s str, &'s str, &'s Table)> {
    house.manifests.iter().filter_map(|(path, manifest)| {
        let name = manifest.get("package")?.get("name")?.as_str()?;
        Some((*path, name, manifest))
    })
}

/// The packages that are linked or run at build: all but development dependencies, of every target.
fn dependencies(manifest: &Table) -> impl Iterator<Item = &str> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = targets.filter_map(Value::as_table).chain([manifest]);
    let lists = tables.flat_map(|table| [table.get("dependencies"), table.get("build-dependencies")]);
    let entries = lists.flatten().filter_map(Value::as_table).flatten();
    entries.map(|(key, value)| value.get("package").and_then(Value::as_str).unwrap_or(key))
}
