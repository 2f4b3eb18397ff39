//! What older models do otherwise than all later ones, by what their ids hold, at Anthropic and wherever else they are
//! served. The lists are closed: a model they do not know is a later one, or nobody's of this family.
//!
//! Sources: <https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking> (adaptive thinking from 4.6 on);
//! <https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-8> (system messages from Opus 4.8 on);
//! <https://platform.claude.com/docs/en/about-claude/models/migration-guide> and
//! <https://openrouter.ai/docs/guides/evaluate-and-optimize/model-migrations/claude-4-7> (sampling up to 4.6);
//! <https://github.com/open-webui/functions/pull/9> (temperature or `top_p`, from Opus 4.1 on).

/// Models that are told how much to think by a budget of tokens and no other way.
const BUDGET_ONLY: &[&str] = &[
    "claude-instant",
    "claude-2",
    "claude-3",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-2",
    "claude-opus-4-5",
    "claude-opus-4@",
    "claude-sonnet-4-0",
    "claude-sonnet-4-2",
    "claude-sonnet-4-5",
    "claude-sonnet-4@",
    "claude-haiku-4-5",
];

/// Models beside those that take no messages of role `system`.
const NO_SYSTEM_MESSAGES: &[&str] =
    &["claude-opus-4-6", "claude-opus-4-7", "claude-sonnet-4-6", "claude-sonnet-5", "claude-mythos-preview"];

/// Models beside those that think by budget whose sampling can be set.
const SAMPLED: &[&str] = &["claude-opus-4-6", "claude-sonnet-4-6"];

/// Models that take a temperature or `top_p`, not both.
const ONE_OF_TWO: &[&str] = &[
    "claude-opus-4-1",
    "claude-opus-4-5",
    "claude-opus-4-6",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-haiku-4-5",
];

fn is_one_of(model: &str, known: &[&str]) -> bool {
    known.iter().any(|part| model.contains(part))
}

/// Whether a model thinks by budget only.
pub(crate) fn thinks_by_budget(model: &str) -> bool {
    is_one_of(model, BUDGET_ONLY)
}

/// Whether a model takes instructions in mid-conversation.
pub(crate) fn takes_system_messages(model: &str) -> bool {
    !is_one_of(model, BUDGET_ONLY) && !is_one_of(model, NO_SYSTEM_MESSAGES)
}

/// Whether temperature, `top_p` and `top_k` can be set. Other families served in this dialect take them.
pub(crate) fn takes_sampling(model: &str) -> bool {
    !model.contains("claude") || is_one_of(model, BUDGET_ONLY) || is_one_of(model, SAMPLED)
}

/// Whether a model takes a temperature or `top_p`, not both.
pub(crate) fn takes_one_of_two(model: &str) -> bool {
    is_one_of(model, ONE_OF_TWO)
}
