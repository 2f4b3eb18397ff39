//! The load generator against the mock upstream, and against servers that misbehave.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use http::Response;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;
use crate::mock::{Mock, Served};
use crate::question::{Caller, Provider, Shape};

async fn mock() -> Target {
    let mock = Mock::bind(0).await.unwrap();
    let address = mock.address().unwrap();
    tokio::spawn(mock.run());
    Target { address, authorization: None }
}

async fn served(target: &Target) -> Served {
    serde_json::from_slice(&get(target.address, "/served").await.unwrap().1).unwrap()
}

/// A server that gives every request the same answer.
async fn always(status: u16, body: &'static str) -> Target {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(move |_| async move {
                let response =
                    Response::builder().status(status).body(Full::new(Bytes::from_static(body.as_bytes())));
                Ok::<_, Infallible>(response.unwrap())
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Target { address, authorization: None }
}

#[tokio::test]
async fn exactly_the_requests_asked_for_are_served() {
    let target = mock().await;
    for (shape, bytes) in [(Shape::Small, 1_000..1_400), (Shape::Large, 1_000..1_400)] {
        let before = served(&target).await;
        let mut fleet = Fleet::connect(&target, Question::relay(shape), 3).await.unwrap();
        let outcome = fleet.run(Bound::requests(50)).await;
        assert_eq!((outcome.answers, outcome.errors), (50, 0), "{:?}", outcome.first_error);
        assert!(bytes.contains(&(outcome.bytes / 50)), "{}", outcome.bytes);
        assert_eq!(served(&target).await, Served { buffered: before.buffered + 50, ..before });
    }
}

#[tokio::test]
async fn streams_arrive_whole_and_are_counted_apart() {
    let target = mock().await;
    let mut fleet = Fleet::connect(&target, Question::relay(Shape::Burst), 2).await.unwrap();
    let outcome = fleet.run(Bound::requests(5)).await;
    assert_eq!((outcome.answers, outcome.events), (5, 5 * 104), "{:?}", outcome.first_error);
    assert_eq!(served(&target).await, Served { streamed: 5, ..Served::default() });
}

#[tokio::test]
async fn a_run_with_a_time_ends_without_its_requests() {
    let target = mock().await;
    let mut fleet = Fleet::connect(&target, Question::relay(Shape::Small), 1).await.unwrap();
    let bound = Bound { time: Duration::from_millis(500), rate: Some(1.0), ..Bound::requests(REQUESTS_MAX) };
    let outcome = fleet.run(bound).await;
    assert!(outcome.answers <= 1, "the second is due after the end: {}", outcome.answers);
}

#[tokio::test]
async fn what_is_not_a_good_answer_is_an_error() {
    let refusing = always(429, r#"{"error":{"message":"slow down"}}"#).await;
    let mut fleet = Fleet::connect(&refusing, Question::relay(Shape::Small), 2).await.unwrap();
    let outcome = fleet.run(Bound::requests(10_000)).await;
    assert_eq!(outcome.answers, 0);
    assert!(outcome.errors < 200, "a run that only fails ends early: {}", outcome.errors);
    assert!(outcome.first_error.unwrap().contains("slow down"));

    let cut = always(200, "data: {}\n\n").await;
    let mut fleet = Fleet::connect(&cut, Question::relay(Shape::Burst), 1).await.unwrap();
    let outcome = fleet.run(Bound::requests(1)).await;
    assert_eq!((outcome.answers, outcome.errors), (0, 1));
    assert!(outcome.first_error.unwrap().contains("[DONE]"));
}

#[tokio::test]
async fn a_stream_is_whole_when_it_ends_as_its_api_says() {
    let target = mock().await;
    let question = Question { shape: Shape::Burst, caller: Caller::Anthropic, provider: Provider::Anthropic };
    let outcome = Fleet::connect(&target, question, 1).await.unwrap().run(Bound::requests(2)).await;
    assert_eq!((outcome.answers, outcome.events), (2, 2 * 105), "{:?}", outcome.first_error);
}

#[tokio::test]
async fn a_run_that_expects_refusals_goes_on_over_the_same_connections() {
    let refusing = always(429, r#"{"error":{"message":"slow down"}}"#).await;
    let mut fleet = Fleet::connect(&refusing, Question::relay(Shape::Small), 2).await.unwrap();
    let outcome = fleet.run(Bound { errors: 1_000, ..Bound::requests(300) }).await;
    assert_eq!((outcome.answers, outcome.errors), (0, 300));
}
