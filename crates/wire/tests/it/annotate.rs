//! The cost in an answer: added, and nothing else changed.

use bytes::Bytes;
use trunkline_domain::{Dialect, NanoUsd};
use trunkline_wire::codec::Annotation;
use trunkline_wire::codec_for;

fn annotated(body: &'static str) -> Option<Bytes> {
    let annotation = Annotation { cost: NanoUsd(1_234_000), provider: "Some \"Provider\"" };
    codec_for(Dialect::OpenaiChat).annotate(&Bytes::from_static(body.as_bytes()), &annotation)
}

const COST: &str = r#","cost":0.001234,"cost_details":{"upstream_inference_cost":0.001234}"#;
const PROVIDER: &str = r#","provider":"Some \"Provider\"""#;

#[test]
fn a_buffered_answer_gets_its_cost() {
    let expected =
        format!("{{ \"choices\":[ ],\"usage\":{{\"prompt_tokens\": 3{COST}}},\"id\":\"c\"{PROVIDER} }}\n");
    assert_eq!(
        annotated("{ \"choices\":[ ],\"usage\":{\"prompt_tokens\": 3},\"id\":\"c\" }\n").unwrap(),
        expected
    );
}

#[test]
fn a_usage_frame_gets_its_cost_and_stays_a_frame() {
    let expected =
        format!("data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":3{COST}}}{PROVIDER}}}\r\n\r\n");
    assert_eq!(
        annotated("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\r\n\r\n").unwrap(),
        expected
    );
}

#[test]
fn a_cost_that_was_there_is_replaced() {
    let expected = r#"{"usage":{"cost":0.001234,"cost_details":{"upstream_inference_cost":0.001234}},"provider":"Some \"Provider\""}"#;
    assert_eq!(annotated(r#"{"usage":{"cost":5},"provider":"other"}"#).unwrap(), expected);
}

#[test]
fn without_a_usage_object_nothing_is_added() {
    for body in [
        "{}",
        r#"{"usage":null}"#,
        "data: {\"usage\":null}\n\n",
        "data: [DONE]\n\n",
        ": comment\n\n",
        "",
        "<html>",
    ] {
        assert_eq!(annotated(body), None, "{body}");
    }
}
