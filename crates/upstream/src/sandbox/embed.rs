//! Vectors by feature hashing: every token moves a few dimensions up or down, then the vector is scaled to length 1.
//! The same text always gives the same vector; texts with words in common are closer than others.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::ask::{EmbeddingAsk, Encoding};
use super::chance::Chance;
use super::tokens;

/// Dimensions one token moves.
const DIMENSIONS_PER_TOKEN: usize = 8;

/// The answer's body.
pub(super) fn body(ask: &EmbeddingAsk) -> Value {
    let item = |(index, input): (usize, &String)| {
        let vector = vector(input, ask.dimensions);
        let embedding = match ask.encoding {
            Encoding::Float => Value::from(vector),
            Encoding::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                Value::from(BASE64_STANDARD.encode(bytes))
            }
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    };
    let data: Vec<Value> = ask.inputs.iter().enumerate().map(item).collect();
    json!({
        "object": "list",
        "data": data,
        "model": ask.model.id,
        "usage": { "prompt_tokens": ask.prompt_tokens, "total_tokens": ask.prompt_tokens },
    })
}

fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    for token in tokens::split(text) {
        let mut chance = Chance::new(0, token.trim().to_lowercase().as_bytes(), 0);
        for _ in 0..DIMENSIONS_PER_TOKEN {
            let step = if chance.number() & 1 == 0 { 1.0 } else { -1.0 };
            if let Some(number) = vector.get_mut(chance.below(dimensions)) {
                *number += step;
            }
        }
    }
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > 0.0 {
        for number in &mut vector {
            *number /= length;
        }
    } else if let Some(first) = vector.first_mut() {
        *first = 1.0;
    }
    vector
}
