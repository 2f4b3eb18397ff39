//! Another configuration while running.

use rustix::process::Signal;

use super::support::{Gateway, chat};

const ROUTE: &str = "[routes.mine]\ntargets = [\"sandbox/echo-small\"]\n";

#[tokio::test]
async fn a_changed_file_adds_a_route_and_a_bad_one_takes_none_away() {
    let gateway = Gateway::start("");
    assert_eq!(gateway.post("/v1/chat/completions", &chat("mine")).await.status, 404);
    gateway.write_config(ROUTE);
    gateway.get_until("/v1/models/mine", |answer| answer.status == 200).await;
    assert_eq!(gateway.post("/v1/chat/completions", &chat("mine")).await.status, 200);

    gateway.write_config("[routes.mine]\ntargets = []\nnonsense = 1\n");
    gateway.logged("the last good one stays").await;
    gateway.logged("trunkline.toml:3:").await;
    assert_eq!(gateway.post("/v1/chat/completions", &chat("mine")).await.status, 200);

    // What can never help is found before a request is.
    gateway.write_config(&format!("{ROUTE}fallbacks = {{ general = [\"sandbox/embed\"] }}\n"));
    gateway.logged("name a model of the same kind").await;
}

#[tokio::test]
async fn a_signal_reloads_too_and_what_needs_a_restart_is_said() {
    let gateway = Gateway::start("");
    gateway.write_config(&format!("[telemetry]\naccess_log = true\n\n{ROUTE}"));
    gateway.signal(Signal::HUP);
    gateway.get_until("/v1/models/mine", |answer| answer.status == 200).await;
    let log = gateway.logged("restart the gateway to apply it").await;
    // Flags are no change of the file.
    assert!(!log.contains("table=\"[server]\""), "{log}");
}
