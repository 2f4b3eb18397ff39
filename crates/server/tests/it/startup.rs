//! The first start, and starts that fail.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use tempfile::TempDir;

use super::support::{Gateway, Process, USUAL, directory, serve, until};

/// The usual flags with another data directory.
fn with_data(directory: &str) -> [&str; 6] {
    USUAL.map(|word| if word == "data" { directory } else { word })
}

/// A start that ends by itself: its exit code and what it complained.
async fn fails(directory: &TempDir, flags: &[&str]) -> (Option<i32>, String) {
    let mut process = Process(serve(directory, flags).spawn().unwrap());
    let status = until(|| process.0.try_wait().unwrap()).await;
    (status.code(), std::fs::read_to_string(directory.path().join("log")).unwrap())
}

#[tokio::test]
async fn the_first_start_leaves_its_secrets_to_the_owner_alone() {
    let gateway = Gateway::start("");
    let mode = |name: &str| std::fs::metadata(gateway.data(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("first-run.txt"), mode("."), mode("control.sock")), (0o600, 0o700, 0o600));
    let secrets = std::fs::read_to_string(gateway.data("first-run.txt")).unwrap();
    assert!(secrets.contains("key: sk-tl-") && secrets.contains("admin token: tl-admin-"));
    assert!(!gateway.logged("first-run.txt").await.contains(&gateway.key));
}

#[tokio::test]
async fn a_second_start_makes_no_second_key() {
    let mut gateway = Gateway::start("");
    gateway.signal(rustix::process::Signal::TERM);
    assert!(gateway.ended().await.success());
    let written = std::fs::metadata(gateway.data("first-run.txt")).unwrap().modified().unwrap();
    drop(Gateway::start_in(&gateway.directory, &USUAL));
    assert_eq!(std::fs::metadata(gateway.data("first-run.txt")).unwrap().modified().unwrap(), written);
}

#[tokio::test]
async fn it_gets_ready_and_says_so_on_both_listeners() {
    let gateway = Gateway::start("");
    assert_eq!(gateway.get("/healthz").await.json(), json!({ "status": "ok" }));
    let ready = gateway.get_until("/readyz", |answer| answer.status == 200).await;
    assert_eq!(ready.json(), json!({ "status": "ready" }));
}

#[tokio::test]
async fn a_taken_port_is_one_line_that_names_the_flag() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    for flag in ["--listen", "--admin-listen"] {
        let directory = directory("");
        let mut flags = USUAL;
        let place = flags.iter().position(|word| *word == flag).unwrap() + 1;
        flags[place] = &taken;
        let (code, said) = fails(&directory, &flags).await;
        assert_eq!(code, Some(1));
        let line = said.lines().find(|line| line.starts_with("trunkline: ")).unwrap();
        assert!(line.contains(&taken) && line.ends_with(flag), "{line}");
        assert!(!directory.path().join("data/first-run.txt").exists());
    }
}

#[tokio::test]
async fn a_bad_configuration_is_every_problem_with_its_line() {
    let directory =
        directory("[server]\nlisten = 4600\n\n[routes.x]\ntargets = [\"nobody/nothing\"]\nhartbeat_ms = 1\n");
    let (code, said) = fails(&directory, &USUAL).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("trunkline.toml:2:") && said.contains("trunkline.toml:6:"), "{said}");
    assert!(!directory.path().join("data").exists());
    let missing = fails(&directory, &["--config", "nowhere.toml", "--data-dir", "data"]).await;
    assert_eq!(missing.0, Some(2));
    assert!(missing.1.contains("nowhere.toml"), "{}", missing.1);
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_is_one_line() {
    let directory = directory("");
    std::fs::write(directory.path().join("file"), "").unwrap();
    let (code, said) = fails(&directory, &with_data("file/data")).await;
    assert_eq!(code, Some(1));
    assert!(said.lines().last().unwrap().contains("--data-dir"), "{said}");
}

#[tokio::test]
async fn two_gateways_do_not_share_a_data_directory() {
    let gateway = Gateway::start("");
    let other = directory("");
    let data = gateway.data(".");
    let (code, said) = fails(&other, &with_data(data.to_str().unwrap())).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("in use by another process"), "{said}");
}
