//! How much to think, written. Up to Gemini 2.5 the dialect takes a budget of tokens, later models a level. What the
//! caller said in this dialect is repeated as it was said; what came in another one is put in the way the model takes.
//!
//! Sources: google-genai, `types.py` (`ThinkingConfig`); <https://docs.cloud.google.com/vertex-ai/generative-ai/docs/thinking>
//! (the newest models take `LOW`, `MEDIUM` and `HIGH`); levels of the first ones of the third generation and the ranges of
//! budgets as <https://hexdocs.pm/gemini_ex/0.11.0/Gemini.Validation.ThinkingConfig.html> has them.

use trunkline_domain::chat::{ChatRequest, Effort, Reasoning, Thinking};

use super::config::LEVELS;
use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::Object;
use crate::recast::loss::restore;
use crate::recast::{EncodeTarget, Losses};

/// The cap an effort is a share of, where nobody set one and the model's own is not known: that of the 2.5 models.
const OUTPUT_DEFAULT: u64 = 65_536;

/// What will be said.
#[derive(Default)]
struct Plan {
    budget: Option<i64>,
    level: Option<&'static str>,
    shown: Option<bool>,
}

/// Writes `thinkingConfig`, if there is anything to say.
pub(super) fn encode(
    object: &mut Object<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let Some(reasoning) = &request.reasoning else { return };
    let own = reasoning.extras.form(DIALECT) & form::THINKING != 0;
    let plan = if own { repeated(reasoning) } else { translated(reasoning, request, target, losses) };
    if !own && plan.budget.is_none() && plan.level.is_none() && plan.shown.is_none() {
        return;
    }
    object.object("thinkingConfig", |config| {
        config.optional("includeThoughts", plan.shown);
        config.optional("thinkingBudget", plan.budget);
        config.optional("thinkingLevel", plan.level);
        restore(config, &reasoning.extras, DIALECT, &|| "reasoning".to_owned(), losses);
    });
}

fn level(effort: Effort) -> &'static str {
    LEVELS.iter().find(|(_, known)| *known == effort).map_or("HIGH", |(word, _)| word)
}

fn repeated(reasoning: &Reasoning) -> Plan {
    let budget = match reasoning.thinking {
        None => None,
        Some(Thinking::Disabled) => Some(0),
        Some(Thinking::Adaptive) => Some(-1),
        Some(Thinking::Enabled) => reasoning.budget_tokens.and_then(|tokens| i64::try_from(tokens).ok()),
    };
    Plan { budget, level: reasoning.effort.map(level), shown: reasoning.shown }
}

fn translated(
    reasoning: &Reasoning,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) -> Plan {
    let disabled = reasoning.thinking == Some(Thinking::Disabled) || reasoning.effort == Some(Effort::None);
    // Elsewhere thoughts are shown unless that is switched off; here they are hidden unless it is switched on.
    let shown = reasoning.shown.or((reasoning.summary.is_some() || !disabled).then_some(true));
    let asked = request.sampling.output_max;
    let output_max = target.output_max(asked).or(target.output_max).unwrap_or(OUTPUT_DEFAULT);
    let says_how_much = disabled || reasoning.effort.is_some() || reasoning.budget_tokens.is_some();
    let plan = if !says_how_much {
        Plan::default()
    } else if target.model.contains("gemini-2") {
        by_budget(reasoning, disabled, (target.model, output_max), losses)
    } else {
        by_level(reasoning, disabled, (target.model, output_max), losses)
    };
    Plan { shown, ..plan }
}

/// The least and the most a 2.5 model thinks.
fn range(model: &str) -> (u64, u64) {
    if model.contains("pro") {
        (128, 32_768)
    } else if model.contains("lite") {
        (512, 24_576)
    } else {
        (0, 24_576)
    }
}

fn by_budget(
    reasoning: &Reasoning,
    disabled: bool,
    (model, output_max): (&str, u64),
    losses: &mut Losses,
) -> Plan {
    let (least, most) = range(model);
    let mut adapted = |path: &'static str, why: &'static str| losses.adapted(Subject::Reasoning, path, why);
    let tokens = if disabled {
        if model.contains("pro") {
            adapted("reasoning", "the model always thinks: as little as it can");
            least
        } else {
            0
        }
    } else {
        let asked = reasoning.budget_tokens.unwrap_or_else(|| {
            adapted("reasoning.effort", "the model takes a budget: a share of the output cap");
            let effort = reasoning.effort.unwrap_or(Effort::Medium);
            (output_max / 100).saturating_mul(effort.budget_percent())
        });
        let tokens = asked.clamp(least.max(1), most);
        if reasoning.budget_tokens.is_some_and(|budget| budget != tokens) {
            adapted("reasoning.budget_tokens", "the model's budgets have a least and a most");
        }
        tokens
    };
    Plan { budget: i64::try_from(tokens).ok(), ..Plan::default() }
}

fn by_level(
    reasoning: &Reasoning,
    disabled: bool,
    (model, output_max): (&str, u64),
    losses: &mut Losses,
) -> Plan {
    let asked = match (disabled, reasoning.effort, reasoning.budget_tokens) {
        (true, _, _) => Effort::None,
        (false, Some(effort), _) => effort,
        (false, None, budget) => {
            let why = "the model takes a level: the least that covers the budget";
            losses.adapted(Subject::Reasoning, "reasoning.budget_tokens", why);
            Effort::of_budget(budget.unwrap_or(0), output_max)
        }
    };
    // The first Pro of the third generation has two levels; only its Flash is known to have the least one.
    let (two, least) = (model.contains("gemini-3-pro"), model.contains("gemini-3-flash"));
    let effort = match asked {
        Effort::None | Effort::Minimal if least => Effort::Minimal,
        Effort::None | Effort::Minimal => Effort::Low,
        Effort::Medium if two => Effort::High,
        Effort::XHigh | Effort::Max => Effort::High,
        Effort::Low | Effort::Medium | Effort::High => asked,
    };
    if effort != asked {
        losses.adapted(
            Subject::Reasoning,
            "reasoning.effort",
            "the model has no such level: the nearest one",
        );
    }
    Plan { level: Some(level(effort)), ..Plan::default() }
}
