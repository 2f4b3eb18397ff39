//! Usage as reported, sorted into disjoint classes. Buffered and streamed answers go through the same functions.
//!
//! Source: google-genai, `types.py` (`GenerateContentResponseUsageMetadata`): `promptTokenCount` includes
//! `cachedContentTokenCount`; `totalTokenCount` is the sum of the prompt, of the results of the provider's own tools, of
//! the candidates and of the thoughts; details split each by modality. A stream reports running totals.

use trunkline_domain::{Text, Usage};

use crate::json::{Array, Object, Str, wire_object};

wire_object! {
    /// `usageMetadata`.
    ignoring pub(super) struct Reported {
        "promptTokenCount" | "prompt_token_count" => prompt: u64,
        "cachedContentTokenCount" | "cached_content_token_count" => cached: u64,
        "candidatesTokenCount" | "candidates_token_count" => candidates: u64,
        "thoughtsTokenCount" | "thoughts_token_count" => thoughts: u64,
        "toolUsePromptTokenCount" | "tool_use_prompt_token_count" => tool_use: u64,
        "totalTokenCount" | "total_token_count" => total: u64,
        "promptTokensDetails" | "prompt_tokens_details" => prompt_details: Vec<Modality>,
        "cacheTokensDetails" | "cache_tokens_details" => cache_details: Vec<Modality>,
        "candidatesTokensDetails" | "candidates_tokens_details" => candidates_details: Vec<Modality>,
        "serviceTier" | "service_tier" => service_tier: Str,
    }
}

wire_object! {
    ignoring pub(super) struct Modality {
        "modality" => name: Str,
        "tokenCount" | "token_count" => count: u64,
    }
}

/// Tokens of a modality.
fn of(details: Option<&Vec<Modality>>, name: &str) -> u64 {
    let named = |detail: &&Modality| detail.name.as_ref().is_some_and(|known| &*known.0 == name);
    details.into_iter().flatten().filter(named).filter_map(|detail| detail.count).fold(0, u64::saturating_add)
}

impl Reported {
    /// The classes; `None` where nothing is reported. Classes of the prompt add up to the prompt's count and that of
    /// tools, those of the answer to the candidates' and the thoughts', whatever the details say.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.prompt.is_none() && self.candidates.is_none() && self.total.is_none() {
            return None;
        }
        let thoughts = self.thoughts.unwrap_or(0);
        let tool_use = self.tool_use.unwrap_or(0);
        let mut prompt = self.prompt.unwrap_or(0);
        let mut candidates = match (self.candidates, self.total) {
            (Some(candidates), _) => candidates,
            (None, Some(total)) => {
                total.saturating_sub(prompt).saturating_sub(tool_use).saturating_sub(thoughts)
            }
            (None, None) => 0,
        };
        let take = |left: &mut u64, tokens: u64| {
            let taken = tokens.min(*left);
            *left -= taken;
            taken
        };
        let fresh = |name: &str| {
            of(self.prompt_details.as_ref(), name).saturating_sub(of(self.cache_details.as_ref(), name))
        };
        Some(Usage {
            cache_read_tokens: take(&mut prompt, self.cached.unwrap_or(0)),
            audio_input_tokens: take(&mut prompt, fresh("AUDIO")),
            image_input_tokens: take(&mut prompt, fresh("IMAGE")),
            input_tokens: prompt.saturating_add(tool_use),
            audio_output_tokens: take(&mut candidates, of(self.candidates_details.as_ref(), "AUDIO")),
            image_output_tokens: take(&mut candidates, of(self.candidates_details.as_ref(), "IMAGE")),
            output_tokens: candidates,
            reasoning_tokens: thoughts,
            ..Usage::default()
        })
    }

    /// The tier that served the request.
    pub(super) fn tier(&self) -> Option<&Text> {
        self.service_tier.as_ref().map(|tier| &tier.0)
    }
}

/// Writes the members of `usageMetadata`. Cache writes, which the dialect does not count, count as plain.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    let images = [usage.image_input_tokens, usage.image_output_tokens];
    let audio = [usage.audio_input_tokens, usage.audio_output_tokens];
    let some = |tokens: u64| (tokens > 0).then_some(tokens);
    object.member("promptTokenCount", &usage.prompt_total());
    object.optional("cachedContentTokenCount", some(usage.cache_read_tokens));
    object.member("candidatesTokenCount", &usage.completion_total().saturating_sub(usage.reasoning_tokens));
    object.optional("thoughtsTokenCount", some(usage.reasoning_tokens));
    object.member("totalTokenCount", &usage.total());
    object.array("promptTokensDetails", |details| {
        let text = usage.prompt_total().saturating_sub(audio[0]).saturating_sub(images[0]);
        modalities(details, [text, audio[0], images[0]]);
    });
    if usage.cache_read_tokens > 0 {
        object.array("cacheTokensDetails", |details| modalities(details, [usage.cache_read_tokens, 0, 0]));
    }
    if audio[1] > 0 || images[1] > 0 {
        object.array("candidatesTokensDetails", |details| {
            modalities(details, [usage.output_tokens, audio[1], images[1]]);
        });
    }
}

fn modalities(details: &mut Array<'_>, counts: [u64; 3]) {
    for (name, count) in ["TEXT", "AUDIO", "IMAGE"].into_iter().zip(counts).filter(|(_, count)| *count > 0) {
        details.object(|detail| {
            detail.member("modality", name);
            detail.member("tokenCount", &count);
        });
    }
}
