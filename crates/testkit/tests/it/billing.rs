//! What the log says a call costs.

use trunkline_testkit::fake_provider::script::{After, End};
use trunkline_testkit::fake_provider::{Billed, Disconnect, Ending, FakeProvider, Script, Seen, Setup};
use trunkline_upstream::dispatch::Dispatch;

use crate::{call, chat, post, scripted, streamed};

fn billed(completion_tokens: u64) -> Billed {
    Billed { prompt_tokens: 3, completion_tokens, ..Billed::default() }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_logged_with_its_marker_and_its_bill() {
    let provider = scripted(&[]);
    let answer = post(&provider, "/chat/completions", &chat()).await;
    let seen = provider.log().remove(0);
    assert_eq!(seen.marker.as_deref(), Some("a"));
    assert_eq!((seen.status, seen.ending, seen.billed), (Some(200), Ending::Finished, Some(billed(9))));
    assert_eq!(seen.bytes_sent, answer.body.len() as u64);
    assert_eq!(answer.json()["id"], seen.answer_id.unwrap());
    assert_eq!(seen.body, chat().to_string());
}

#[tokio::test(start_paused = true)]
async fn failures_cost_nothing_unless_the_script_says_so() {
    let billing = Script { bills: Some(billed(4)), ..Script::closes() };
    let provider = scripted(&[Script::server_error(), Script::closes(), billing]);
    post(&provider, "/chat/completions", &chat()).await;
    for _ in 0..2 {
        provider.dispatch(call("/chat/completions", &chat().to_string())).await.unwrap_err();
    }
    let bills: Vec<_> = provider.log().iter().map(|seen| seen.billed).collect();
    assert_eq!(bills, [None, None, Some(billed(4))]);
}

async fn left_after_three_pieces(disconnect: Disconnect) -> Seen {
    let provider = FakeProvider::new(Setup { disconnect, ..Setup::default() }).unwrap();
    let mut response = provider.dispatch(call("/chat/completions", &streamed().to_string())).await.unwrap();
    for _ in 0..3 {
        response.body.next().await.unwrap().unwrap();
    }
    drop(response);
    provider.ended(1).await.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_pays_for_what_was_sent_or_for_all() {
    let seen = left_after_three_pieces(Disconnect::StopsBill).await;
    assert_eq!((seen.ending, seen.billed), (Ending::ClientClosed, Some(billed(2))));
    let seen = left_after_three_pieces(Disconnect::BillsAll).await;
    assert_eq!((seen.ending, seen.billed), (Ending::ClientClosed, Some(billed(9))));
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_costs_what_was_generated() {
    let provider = scripted(&[Script::default().ending(End::Cut(After::Pieces(4)))]);
    post(&provider, "/chat/completions", &streamed()).await;
    let seen = provider.log().remove(0);
    assert_eq!((seen.ending, seen.billed), (Ending::Cut, Some(billed(3))));
}

#[tokio::test(start_paused = true)]
async fn every_ended_call_is_a_line_of_the_log_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.jsonl");
    let setup =
        Setup { log_file: Some(path.clone()), scripts: vec![Script::rate_limited(1)], ..Setup::default() };
    let provider = FakeProvider::new(setup).unwrap();
    for _ in 0..3 {
        post(&provider, "/chat/completions", &streamed()).await;
    }
    let file = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Seen> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, provider.log());
}
