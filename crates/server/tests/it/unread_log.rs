//! Nobody reads the log.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use futures_util::future::join_all;
use rustix::process::Signal;

use super::support::{Gateway, USUAL, chat, directory, serve};

/// Lines of a log: more than the pipe and the gateway's memory take together.
const LINES: usize = 4_800;

#[tokio::test]
async fn a_log_that_nobody_reads_holds_no_caller_up_and_says_that_lines_are_missing() {
    let directory = directory("[telemetry]\naccess_log = true\n");
    let mut command = serve(&directory, &USUAL);
    command.stderr(Stdio::piped());
    let mut gateway = Gateway::start_as(&directory, command);
    for _ in 0..LINES / 100 {
        for answer in join_all((0..100).map(|_| gateway.get("/v1/nothing"))).await {
            assert_eq!(answer.status, 404, "{answer:?}");
        }
    }
    let answer = gateway.post("/v1/chat/completions", &chat("sandbox/fixed-price")).await;
    assert_eq!(answer.status, 200);
    let mut log = BufReader::new(gateway.stderr());
    // So many wait: once they are read there is room for what follows.
    let mut waited = String::new();
    for _ in 0..4_096 {
        log.read_line(&mut waited).unwrap();
    }
    let reading = std::thread::spawn(move || std::io::read_to_string(log).unwrap());
    gateway.signal(Signal::TERM);
    assert!(gateway.ended().await.success());
    let log = reading.join().unwrap();
    assert!(log.contains("lines are missing") && log.contains("stopping"), "{} bytes", log.len());
}
