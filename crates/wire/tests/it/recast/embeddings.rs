//! Embeddings between OpenAI's form and Google's: requests as the official clients write them, answers as they read them.
//!
//! Provenance: openai-python `types/embedding_create_params.py` and `types/create_embedding_response.py`; google-genai
//! 3.6.1 `google/genai/models.py` (`_EmbedContentParametersPrivate_to_mldev`: `requests[]` with `content`, `model`,
//! `taskType`, `title`, `outputDimensionality`; `_EmbedContentResponse_from_mldev`: `embeddings`, `usageMetadata`).

use bytes::Bytes;
use trunkline_domain::Dialect;
use trunkline_domain::embeddings::{EmbeddingsRequest, EmbeddingsResponse};
use trunkline_wire::codec::{RelayTarget, Skim};
use trunkline_wire::envelope::Envelope;
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::Losses;
use trunkline_wire::splice::splice;
use trunkline_wire::{can_recast, codec_for, embeddings_codec_for};

const OPENAI: Dialect = Dialect::OpenaiEmbeddings;
const ONE: Dialect = Dialect::GeminiEmbed;
const MANY: Dialect = Dialect::GeminiBatchEmbed;

fn envelope(body: &str) -> Envelope {
    Envelope::parse(Bytes::copy_from_slice(body.as_bytes())).expect(body)
}

fn decoded(dialect: Dialect, body: &str) -> Result<EmbeddingsRequest, String> {
    embeddings_codec_for(dialect).unwrap().decode_request(&envelope(body)).map_err(|error| error.field.into())
}

/// A request recast: the body, and the names of what is lost.
fn recast(from: Dialect, to: Dialect, body: &str) -> Result<(String, Vec<String>), String> {
    let mut losses = Losses::default();
    let request = decoded(from, body)?;
    let codec = embeddings_codec_for(to).unwrap();
    let body = codec.encode_request(&request, "m-1", &mut losses).map_err(|error| error.field.to_string())?;
    let lost = losses.as_slice().iter().map(|loss| loss.path.to_string()).collect();
    Ok((String::from_utf8(body.to_vec()).unwrap(), lost))
}

/// An answer recast for the caller of a request.
fn answered(from: Dialect, to: Dialect, request: &str, answer: &str) -> String {
    let response: EmbeddingsResponse =
        embeddings_codec_for(from).unwrap().decode_response(answer.as_bytes()).unwrap();
    let body = embeddings_codec_for(to).unwrap().encode_response(
        &response,
        &decoded(to, request).unwrap(),
        "acme/m",
    );
    String::from_utf8(body.to_vec()).unwrap()
}

#[test]
fn embeddings_are_recast_to_each_other_and_to_no_chat() {
    for (from, to) in [(OPENAI, ONE), (OPENAI, MANY), (ONE, OPENAI), (MANY, OPENAI), (ONE, MANY)] {
        assert!(can_recast(from, to), "{from:?} {to:?}");
    }
    assert!(!can_recast(OPENAI, Dialect::GeminiGenerate));
    assert!(!can_recast(Dialect::OpenaiChat, MANY));
    assert!(!can_recast(MANY, MANY));
}

#[test]
fn openais_request_becomes_googles() {
    let (body, lost) = recast(
        OPENAI,
        MANY,
        r#"{"model":"acme/m","input":["a","b"],"dimensions":256,"encoding_format":"base64","user":"u","routing":{},"x":1}"#,
    )
    .unwrap();
    assert_eq!(
        body,
        r#"{"requests":[{"model":"models/m-1","content":{"parts":[{"text":"a"}]},"outputDimensionality":256},{"model":"models/m-1","content":{"parts":[{"text":"b"}]},"outputDimensionality":256}]}"#
    );
    assert_eq!(lost, ["user", "x"]);
    let (one, lost) = recast(OPENAI, ONE, r#"{"model":"acme/m","input":"a"}"#).unwrap();
    assert_eq!(one, r#"{"model":"models/m-1","content":{"parts":[{"text":"a"}]}}"#);
    assert!(lost.is_empty());
}

#[test]
fn what_cannot_be_embedded_elsewhere_is_refused_by_name() {
    let refused = |from, to, body: &str| recast(from, to, body).unwrap_err();
    assert_eq!(refused(OPENAI, MANY, r#"{"input":[1,2,3]}"#), "input");
    assert_eq!(refused(OPENAI, MANY, r#"{"input":[[1],[2]]}"#), "input");
    assert_eq!(refused(OPENAI, ONE, r#"{"input":["a","b"]}"#), "input");
    assert_eq!(refused(OPENAI, MANY, r#"{"input":{}}"#), "input");
    assert_eq!(refused(OPENAI, MANY, r#"{"input":"a","encoding_format":"hex"}"#), "encoding_format");
    let picture =
        r#"{"requests":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}}]}"#;
    assert_eq!(refused(MANY, OPENAI, picture), "requests[0].content.parts");
    let different = r#"{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"outputDimensionality":8}]}"#;
    assert_eq!(refused(MANY, OPENAI, different), "requests[1].taskType");
}

#[test]
fn googles_request_becomes_openais() {
    let body = r#"{"requests":[{"model":"models/acme/m","content":{"parts":[{"text":"a"},{"text":"b"}]},"taskType":"RETRIEVAL_QUERY","title":"t","outputDimensionality":8},{"model":"models/acme/m","content":{"parts":[{"text":"c"}]},"taskType":"RETRIEVAL_QUERY","title":"t","outputDimensionality":8}]}"#;
    let (sent, lost) = recast(MANY, OPENAI, body).unwrap();
    assert_eq!(sent, r#"{"model":"m-1","input":["ab","c"],"dimensions":8,"encoding_format":"float"}"#);
    assert_eq!(lost, ["taskType", "title"]);
    let (sent, lost) = recast(ONE, OPENAI, r#"{"content":{"parts":[{"text":"a"}]}}"#).unwrap();
    assert_eq!(sent, r#"{"model":"m-1","input":["a"],"encoding_format":"float"}"#);
    assert!(lost.is_empty());
}

#[test]
fn googles_answer_becomes_openais() {
    let answer = r#"{"embeddings":[{"values":[0.5,-1]},{"values":[0.25,2]}]}"#;
    let numbers = answered(MANY, OPENAI, r#"{"input":["a","b"]}"#, answer);
    assert_eq!(
        numbers,
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.0]},{"object":"embedding","index":1,"embedding":[0.25,2.0]}],"model":"acme/m"}"#
    );
    let base64 = answered(MANY, OPENAI, r#"{"input":["a","b"],"encoding_format":"base64"}"#, answer);
    // 0.5 and -1 as little-endian 32-bit floats: 0000003f 000080bf.
    assert!(base64.contains(r#""embedding":"AAAAPwAAgL8=""#), "{base64}");
    let counted =
        r#"{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}"#;
    let told = answered(MANY, OPENAI, r#"{"input":"a"}"#, counted);
    assert!(told.ends_with(r#""usage":{"prompt_tokens":7,"total_tokens":7}}"#), "{told}");
}

#[test]
fn openais_answer_becomes_googles() {
    let answer = r#"{"object":"list","data":[{"object":"embedding","index":1,"embedding":[2]},{"object":"embedding","index":0,"embedding":[1]}],"model":"m-1","usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    let many = r#"{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}"#;
    assert_eq!(
        answered(OPENAI, MANY, many, answer),
        r#"{"embeddings":[{"values":[1.0]},{"values":[2.0]}],"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3}}"#
    );
    let one = answered(OPENAI, ONE, r#"{"content":{"parts":[{"text":"a"}]}}"#, answer);
    assert!(one.starts_with(r#"{"embedding":{"values":[1.0]}"#), "{one}");
}

#[test]
fn a_relayed_request_passes_as_it_is_but_for_the_models_name() {
    let relayed = |dialect, body: &str| {
        let envelope = envelope(body);
        let codec = codec_for(dialect);
        let skim = codec.skim(&envelope).unwrap();
        let target = RelayTarget { model: "m-1", quirks: &Quirks::REFERENCE, output_cap: None };
        let edits = codec.relay(&envelope, &skim, &target).edits;
        String::from_utf8(splice(&envelope, &edits).to_bytes().to_vec()).unwrap()
    };
    let same =
        r#"{ "requests" : [ {"model":"models/m-1", "content":{"parts":[{"text":"a"}]}, "new":[1.50] } ] }"#;
    assert_eq!(relayed(MANY, same), same);
    let alias = r#"{"requests":[{"model":"models/alias","content":{"parts":[{"text":"a"}]},"new":[1.50]},{"content":{"parts":[]}}],"tags":["x"]}"#;
    assert_eq!(
        relayed(MANY, alias),
        r#"{"requests":[{"model":"models/m-1","content":{"parts":[{"text":"a"}]},"new":[1.50]},{"content":{"parts":[]},"model":"models/m-1"}]}"#
    );
    let one = r#"{"model":"models/alias","content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING"}"#;
    assert_eq!(relayed(ONE, one), r#"{"content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING"}"#);
}

#[test]
fn what_is_embedded_is_weighed_and_nothing_is_refused() {
    let skim = |dialect, body: &str| codec_for(dialect).skim(&envelope(body));
    let many = r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"four"}]}},{"content":{"parts":[{"text":"five!"}]},"title":"abc"}]}"#;
    let Skim { text_bytes, messages, .. } = skim(MANY, many).unwrap();
    assert_eq!((text_bytes, messages), (12, 2));
    assert_eq!(skim(ONE, r#"{"content":{"parts":[{"text":"four"}]}}"#).unwrap().text_bytes, 4);
    assert_eq!(skim(ONE, "{}").unwrap_err().field, "content");
    assert_eq!(skim(MANY, r#"{"requests":{}}"#).unwrap_err().field, "requests");
}

#[test]
fn an_answer_without_vectors_is_none() {
    let read = |body: &str| codec_for(MANY).read_answer(body.as_bytes(), &Quirks::REFERENCE);
    assert!(read(r#"{"embeddings":[{"values":[1]}]}"#).unwrap().usage.is_none());
    assert!(read("{}").is_err());
    assert!(read(r#"{"error":{"code":429,"message":"no","status":"RESOURCE_EXHAUSTED"}}"#).is_err());
}
