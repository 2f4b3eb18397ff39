//! Each rule is shown a small tree that breaks it and one that does not; the last test is the project itself.

use super::{House, Tree, run};

/// What the rules find: `path:line: rule`.
fn found<const N: usize>(files: [(&str, &str); N]) -> Vec<String> {
    let tree = Tree::from(files);
    let house = House::new(&tree).unwrap();
    let found = house.findings().into_iter().flat_map(|(rule, found)| {
        found.into_iter().map(move |finding| format!("{}:{}: {rule}", finding.path, finding.line))
    });
    found.collect()
}

/// What the rules find in one file.
fn found_in(path: &str, text: &str) -> Vec<String> {
    found([(path, text)])
}

/// A crate's manifest that keeps every rule, and more tables.
fn manifest(name: &str, tables: &str) -> String {
    format!("[package]\nname = \"trunkline-{name}\"\n[lints]\nworkspace = true\n{tables}")
}

#[test]
fn a_crate_imports_lower_floors_only() {
    let rule = "crates import lower floors only";
    let check = |name: &str, tables: &str| found_in("Cargo.toml", &manifest(name, tables));
    let engine = "[dependencies]\ntrunkline-engine.workspace = true";
    assert_eq!(check("routing", engine), [format!("Cargo.toml:0: {rule}")]);
    assert_eq!(
        check("store", "[target.'cfg(unix)'.dependencies]\ntrunkline-upstream = {}"),
        [format!("Cargo.toml:0: {rule}")]
    );
    assert_eq!(
        check("server", "[dependencies]\ntesting = { package = \"trunkline-testkit\" }"),
        [format!("Cargo.toml:0: {rule}")]
    );
    assert_eq!(check("novelty", ""), [format!("Cargo.toml:0: {rule}")]);
    assert!(check("server", engine).is_empty());
    assert!(check("testkit", engine).is_empty());
    assert!(check("wire", "[dev-dependencies]\ntrunkline-testkit = {}").is_empty());
}

#[test]
fn a_crate_keeps_away_from_what_is_not_its_own() {
    let found = |folder: &str, tables: &str| {
        found_in(&format!("crates/{folder}/Cargo.toml"), &manifest(folder, tables))
    };
    let rule = "crates keep away from what is not theirs";
    assert_eq!(
        found("engine", "[dependencies]\nsqlx = \"1\""),
        [format!("crates/engine/Cargo.toml:0: {rule}")]
    );
    assert_eq!(
        found("ledger", "[dependencies]\ntrunkline-wire = {}"),
        [format!("crates/ledger/Cargo.toml:0: {rule}")]
    );
    assert_eq!(
        found("domain", "[build-dependencies]\nrand = \"1\""),
        [format!("crates/domain/Cargo.toml:0: {rule}")]
    );
    assert!(found("store", "[dependencies]\nsqlx = \"1\"").is_empty());
    assert!(found("wire", "[dev-dependencies]\ntokio = \"1\"").is_empty());
}

#[test]
fn dependencies_are_not_patched_and_lints_are_inherited() {
    let lints = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
    assert!(found_in("Cargo.toml", &format!("[workspace]\n{lints}")).is_empty());
    let patched = format!("[workspace]\n{lints}[patch.crates-io]\nserde = {{}}");
    assert_eq!(found_in("Cargo.toml", &patched), ["Cargo.toml:0: nothing is patched"]);
    assert_eq!(found_in("Cargo.toml", "[workspace]"), ["Cargo.toml:0: unsafe code is forbidden"]);
    let own = "[package]\nname = \"trunkline-bench\"\n[lints.rust]\nunsafe_code = \"allow\"";
    assert_eq!(found_in("bench/Cargo.toml", own), ["bench/Cargo.toml:0: unsafe code is forbidden"]);
}

#[test]
fn a_pure_crate_is_pure() {
    let rule = "pure crates do no I/O and hold no clock";
    for impure in [
        "async fn a() {}",
        "fn a() { b.await }",
        "use std::fs::File;",
        "use std::{fmt, net::{IpAddr, fs}};",
        "fn a() { let now = std::time::SystemTime::now(); }",
        "fn a() { let now = std::time::Instant::now(); }",
        "fn a() { jiff::Timestamp::now() }",
        "fn a() { rand::random() }",
        "fn a() { Uuid::now_v7() }",
    ] {
        let text = format!("//! A module.\n{impure}");
        assert_eq!(found_in("crates/wire/src/a.rs", &text), [format!("crates/wire/src/a.rs:2: {rule}")]);
        assert!(found_in("crates/server/src/a.rs", &text).is_empty(), "{impure}");
        assert!(found_in("crates/wire/tests/it/a.rs", &text).is_empty(), "{impure}");
    }
    for pure in [
        "// async",
        "fn a() { \"std::fs\" }",
        "use std::{fmt, io::Write};",
        "fn rand() {} use std::time::Duration;",
    ] {
        assert!(found_in("crates/wire/src/a.rs", &format!("//! A module.\n{pure}")).is_empty(), "{pure}");
    }
}

#[test]
fn a_file_that_only_tests_compile_may_do_io() {
    let parent = ("crates/wire/src/lib.rs", "//! A crate.\n#[cfg(test)]\nmod samples;\nmod other;");
    let io = "//! A module.\nuse std::fs;";
    assert!(found([parent, ("crates/wire/src/samples.rs", io)]).is_empty());
    assert!(found([parent, ("crates/wire/src/samples/deep.rs", io)]).is_empty());
    assert_eq!(found([parent, ("crates/wire/src/other.rs", io)]).len(), 1);
}

#[test]
fn a_providers_id_stands_in_its_file() {
    let registry =
        ("crates/providers/src/registry.rs", "//! All.\nproviders! {\n acme\n custom\n sandbox\n}");
    let check = |path: &str, code: &str| found([registry, (path, &format!("//! A module.\n{code}"))]);
    let branch = "fn a() { if id == \"acme\" {} }";
    assert_eq!(
        check("crates/engine/src/a.rs", branch),
        ["crates/engine/src/a.rs:2: provider ids stay in providers"]
    );
    assert_eq!(check("crates/engine/src/a.rs", "b\"sandbox\"").len(), 1);
    assert_eq!(check("crates/engine/src/a.rs", "\"custom\"").len(), 1);
    assert_eq!(
        found_in("crates/providers/src/lib.rs", "//! All."),
        ["crates/providers/src/registry.rs:0: provider ids stay in providers"]
    );
    assert!(check("crates/engine/src/a.rs", "\"acme corporation\" // \"acme\"").is_empty());
    assert!(check("crates/engine/tests/it/a.rs", branch).is_empty());
    assert!(check("crates/providers/src/acme.rs", branch).is_empty());
    assert!(check("crates/upstream/src/sandbox/mod.rs", "\"sandbox\"").is_empty());
    assert!(check("crates/wire/src/a.rs", "b\"custom\"").is_empty());
}

#[test]
fn a_dialect_is_matched_in_wire() {
    let check = |path: &str, code: &str| found_in(path, &format!("//! A module.\n{code}"));
    for branch in [
        "match d { Dialect::A => 1, _ => 2 }",
        "match d { X { .. } | domain::Dialect::A if b => { 1 } _ => 2 }",
        "match (d, o) { (Dialect::A, Some(_)) => 1, _ => 2 }",
        "if let Some(Dialect::A) = d {}",
        "matches!(d, Dialect::A | Dialect::B)",
        "d == Dialect::A",
        "Dialect::A != d",
    ] {
        let found = check("crates/engine/src/a.rs", branch);
        assert!(!found.is_empty(), "{branch}");
        assert!(
            found.iter().all(|line| line == "crates/engine/src/a.rs:2: dialects are matched in wire only")
        );
        assert!(check("crates/wire/src/a.rs", branch).is_empty(), "{branch}");
    }
    for handed_on in [
        "codec_for(Dialect::A)",
        "match o { Chat => Api { dialect: Dialect::A }, Other => Dialect::B }",
        "match o { Chat => { f(Dialect::A); } Other => g() }",
        "let dialect = Dialect::A;",
        "const D: Dialect = Dialect::A;",
    ] {
        assert!(check("crates/engine/src/a.rs", handed_on).is_empty(), "{handed_on}");
    }
}

#[test]
fn one_place_dispatches() {
    let rule = "one place dispatches";
    let call = "//! A module.\nfn a() { pools.dispatch(call) }";
    let own = ("crates/engine/src/execute/attempt.rs", call);
    assert!(found([own, ("crates/upstream/src/fetch.rs", call)]).is_empty());
    assert!(found([own, ("crates/engine/tests/it/a.rs", call)]).is_empty());
    assert_eq!(found([own, ("crates/server/src/a.rs", call)]), [format!("crates/server/src/a.rs:2: {rule}")]);
    let second =
        ("crates/engine/src/execute/hedge.rs", "//! A module.\nfn a() { Dispatch::dispatch(&pools, call) }");
    assert_eq!(found([own, second]), [format!("crates/engine/src/execute/hedge.rs:2: {rule}")]);
    let moved = "//! A module.\nfn dispatch() {}";
    assert_eq!(
        found_in("crates/engine/src/execute/mod.rs", moved),
        [format!("crates/engine/src/execute/:0: {rule}")]
    );
}

#[test]
fn two_values_are_swapped() {
    let rule = "two values are swapped";
    let field = "//! A module.\nuse arc_swap::ArcSwap;\nstruct A(ArcSwap<B>);";
    assert!(found_in("crates/engine/src/measure.rs", field).is_empty());
    assert_eq!(found_in("crates/engine/src/a.rs", field), [format!("crates/engine/src/a.rs:2: {rule}")]);
    let two = format!("{field}\nstruct C(ArcSwapOption<B>);");
    assert_eq!(
        found_in("crates/engine/src/measure.rs", &two),
        [format!("crates/engine/src/measure.rs:4: {rule}")]
    );
}

#[test]
fn a_store_method_takes_a_scope() {
    let check = |method: &str| {
        let text = format!(
            "//! A module.\npub trait RowStore: Send {{\nfn a(&self, scope: TenantScope);\n{method} }}"
        );
        found_in("crates/ledger/src/api.rs", &text)
    };
    let rule = "store methods take a tenant scope";
    assert_eq!(
        check("fn b<'a>(&'a self, key: &'a Key) -> F<'a, TenantScope>;"),
        [format!("crates/ledger/src/api.rs:4: {rule}")]
    );
    assert!(check("fn b(&self, scope: TenantScope, key: fn(u8)) -> F;").is_empty());
    assert!(found_in("crates/ledger/src/api.rs", "//! A module.\ntrait Clock { fn now(&self); }").is_empty());
}

#[test]
fn a_module_says_what_it_is() {
    let rule = "modules say what they are";
    assert_eq!(
        found_in("crates/x/src/a.rs", "// A note.\nfn a() {}"),
        [format!("crates/x/src/a.rs:1: {rule}")]
    );
    assert_eq!(found_in("crates/x/tests/it/a.rs", ""), [format!("crates/x/tests/it/a.rs:1: {rule}")]);
    assert!(found_in("crates/x/src/a.rs", "//! A module.").is_empty());
}

#[test]
fn a_file_holds_one_idea() {
    let long = format!("//! A module.\n{}", "\n".repeat(600));
    assert_eq!(found_in("crates/x/src/a.rs", &long), ["crates/x/src/a.rs:0: files hold one idea"]);
    assert!(found_in("docs/a.md", &long).is_empty());
}

#[test]
fn nothing_is_left_unfinished() {
    let rule = "nothing is left unfinished";
    let check = |path: &str, text: &str| found_in(path, text);
    assert_eq!(
        check("crates/x/src/a.rs", "//! A module.\n/* b\n FIXME: c */"),
        [format!("crates/x/src/a.rs:3: {rule}")]
    );
    assert_eq!(
        check("crates/x/src/a.rs", "//! A module.\nfn a() { todo!() }"),
        [format!("crates/x/src/a.rs:2: {rule}")]
    );
    assert_eq!(check("test", "#!/bin/bash\n# TODO later"), [format!("test:2: {rule}")]);
    assert!(check("crates/x/src/a.rs", "//! A module.\nfn a() { \"TODO\" } // TODOS").is_empty());
    assert!(check("fixtures/a.md", "TODO").is_empty());
    assert!(check("docs/a.md", "no `TODO` here").is_empty());
}

#[test]
fn a_test_is_not_put_aside() {
    let rule = "tests are not put aside";
    let check = |attribute: &str| {
        found_in("crates/x/tests/it/a.rs", &format!("//! A module.\n{attribute}\nfn a() {{}}"))
    };
    assert_eq!(check("#[ignore]"), [format!("crates/x/tests/it/a.rs:2: {rule}")]);
    assert_eq!(check("#[ignore = \"slow\"]"), [format!("crates/x/tests/it/a.rs:2: {rule}")]);
    assert!(check("#[ignore = \"run as a child process by another\"]").is_empty());
    assert_eq!(check("/// ```ignore\n/// ```").len(), 1);
    assert!(check("// #[ignore]").is_empty());
}

#[test]
fn no_path_leaves_the_tree() {
    let rule = "no path leaves the tree";
    assert_eq!(found_in("docs/a.md", "see\n/home/me/notes"), [format!("docs/a.md:2: {rule}")]);
    assert_eq!(found_in("docs/a.md", "[b](../../b.md)"), [format!("docs/a.md:1: {rule}")]);
    assert!(found_in("docs/a.md", "[b](../b.md)").is_empty());
    assert!(found_in("docs/adr/a.md", "[b](../../b.md)").is_empty());
}

#[test]
fn a_fixture_says_where_it_comes_from() {
    let rule = "fixtures say where they come from";
    let path = "fixtures/providers/acme/chat/answer/case.toml";
    for missing in [
        "",
        "provenance = \"documented\"",
        "provenance = { kind = \"documented\", url = \" \" }",
        "provenance = { kind = \"guessed\", from = \"b\" }",
        "= broken",
    ] {
        assert_eq!(found_in(path, missing), [format!("{path}:0: {rule}")]);
    }
    assert!(
        found_in(path, "provenance = { kind = \"documented\", url = \"https://acme.example/docs\" }")
            .is_empty()
    );
}

#[test]
fn a_promise_has_a_test_and_the_test_is_there() {
    let page = "docs/concepts/failure-modes.md";
    let code = (
        "crates/a/tests/it/b.rs",
        "//! A.\n\n#[tokio::test]\nasync fn it_is_kept_by_this() {}\n\nfn it_is_no_test() {}\n",
    );
    let rows = |last: &str| format!("| What | Test |\n|---|---|\n| a | {last} |\n");
    let check = |last: &str| found([code, (page, &rows(last))]);
    assert!(check("`it_is_kept_by_this`, of `a_file.rs`").is_empty());
    let broken = [format!("{page}:3: promises have tests")];
    for last in ["", "`it_is_gone_by_now`", "`it_is_no_test`", "`it_is_kept_by_this`, `it_is_gone_by_now`"] {
        assert_eq!(check(last), broken, "{last}");
    }
    let map = found([code, ("ARCHITECTURE.md", &(rows("floors") + "\n" + &rows("`it_is_gone_by_now`")))]);
    assert_eq!(map, ["ARCHITECTURE.md:7: promises have tests"]);
}

#[test]
fn the_project_is_tidy() {
    if let Err(report) = run() {
        panic!("{report}");
    }
}
