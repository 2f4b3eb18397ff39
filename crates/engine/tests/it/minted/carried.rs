//! What callers can carry of their providers' state, and what is kept for them: thoughts that come back in pieces, and
//! signatures of tool calls.

use super::*;

#[tokio::test]
async fn a_signature_that_is_kept_was_named_as_a_loss() {
    for dialect in [CHAT, MESSAGES, RESPONSES] {
        let rig = Rig::new(&config(&TWO_GEMINIS)).await;
        let seen = ask(&rig, dialect, &at("east"), &first_turn(dialect)).await.unwrap();
        assert_eq!(losses(&seen), None, "{dialect:?}: {}", seen.body);
    }
}

#[tokio::test]
async fn a_signature_that_cannot_be_kept_is_named_as_a_loss() {
    let signed = |signature: &str, id: Option<&str>| {
        let mut call = json!({ "name": "look", "args": {} });
        if let Some(id) = id {
            call["id"] = id.into();
        }
        json!({
            "candidates": [{ "content": { "role": "model", "parts": [
                { "functionCall": call, "thoughtSignature": signature },
            ] }, "finishReason": "STOP", "index": 0 }],
            "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2 },
        })
    };
    let long = "x".repeat(300_000);
    // A call without an id is known by its place alone, and the table has no room for the second.
    let answers = vec![signed("c2ln", None), signed(&long, Some("fc_1")), signed("c2ln", Some("fc_1"))];
    let canned = Canned::new([("east", answers)]);
    let rig = Rig::over(canned, &config(&[("east", "gemini", &["acme/m"])]), KeySpec::default()).await;
    let first = first_turn(MESSAGES);
    for lost in [Some("choices[0].parts[0].signature"), Some("choices[0].parts[0].signature"), None] {
        let seen = ask(&rig, MESSAGES, "acme/m", &first).await.unwrap();
        assert_eq!(losses(&seen), lost);
    }
}

#[tokio::test]
async fn claude_was_given_a_signature_without_the_thought_that_google_clients_hand_back_in_pieces() {
    let rig = Rig::new(&config(&[("claude", "anthropic", &["acme/m"])])).await;
    let (_, mut whole) = conversation(&rig, GEMINI, false).await;
    ask(&rig, GEMINI, "acme/m", &whole).await.unwrap();
    let messages = sent(&rig, "claude")["messages"].clone();
    let thought = messages[1]["content"][0]["thinking"].as_str().unwrap().to_owned();
    assert!(!thought.is_empty());
    let asked = whole["contents"].take();
    let stream = rig.send(inbound(&rig, GEMINI, "acme/m", first_of(&whole, &asked), true)).await.unwrap();
    let pieces: Vec<Value> = events(&stream)
        .iter()
        .map(|chunk| chunk["candidates"][0]["content"].clone())
        .filter(Value::is_object)
        .collect();
    let parts: Vec<Value> =
        pieces.iter().flat_map(|content| content["parts"].as_array().unwrap().clone()).collect();
    let thoughts = parts.iter().filter(|part| part["thought"] == true).count();
    assert!(thoughts > 2, "streamed in pieces: {parts:?}");
    // One content of all the parts, and a content a chunk as Google's own client keeps them.
    for answer in [vec![json!({ "role": "model", "parts": parts })], pieces] {
        let mut body = whole.clone();
        body["contents"] = [vec![asked[0].clone()], answer, vec![asked[2].clone()]].concat().into();
        let seen = ask(&rig, GEMINI, "acme/m", &body).await.unwrap();
        let lost = losses(&seen).unwrap_or_default();
        assert!(!lost.contains("turns[1]"), "{lost}");
        let messages = sent(&rig, "claude")["messages"].clone();
        let content = messages[1]["content"].as_array().unwrap();
        let kinds: Vec<_> = content.iter().map(|block| block["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["thinking", "text"], "{messages}");
        assert_eq!(content[0]["thinking"], thought);
        assert!(content[0]["signature"].as_str().is_some_and(|signature| !signature.is_empty()));
        assert_eq!(messages.as_array().unwrap().len(), 3);
    }
    assert_no_violations(&rig, &["claude"]);
}

/// A conversation's first turn, as it was asked.
fn first_of(body: &Value, contents: &Value) -> Value {
    let mut body = body.clone();
    body["contents"] = json!([contents[0]]);
    body
}
