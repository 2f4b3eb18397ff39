//! How much to think, written. The dialect has three ways to say it: a budget of tokens (older models), an effort
//! (`output_config`), and whether to think at all. What the caller said in this dialect is repeated as it was said; what
//! came in another one is put in the way the model takes.
//!
//! Sources: anthropic-sdk-python, `types/thinking_config_*_param.py`, `types/output_config_param.py`;
//! <https://platform.claude.com/docs/en/build-with-claude/extended-thinking> (what thinking excludes).

use trunkline_domain::chat::{ChatRequest, Effort, Number, Reasoning, Thinking, ToolChoice};

use super::super::relay::BUDGET_MIN;
use super::{DIALECT, form, models};
use crate::codec::Subject;
use crate::json::Object;
use crate::recast::loss::restore;
use crate::recast::{EncodeTarget, Losses};

/// What will be said about thinking.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) thinking: Option<Thinking>,
    pub(crate) budget: Option<u64>,
    /// `output_config.effort`.
    pub(crate) effort: Option<Effort>,
    /// Thinking was asked for in another dialect, whose callers need not know what it excludes here.
    pub(crate) translated: bool,
}

/// Decides how to say what was asked. `output_max` is the cap that will be sent.
pub(crate) fn plan(
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    output_max: u64,
    losses: &mut Losses,
) -> Plan {
    let Some(reasoning) = &request.reasoning else { return Plan::default() };
    let said_here = reasoning.extras.form(DIALECT) & form::THINKING != 0
        || request.extras.form(DIALECT) & form::OUTPUT_CONFIG != 0;
    if said_here {
        let lowered = request.sampling.output_max.is_some_and(|asked| asked > output_max);
        let mut plan = Plan {
            thinking: reasoning.thinking,
            budget: reasoning.budget_tokens,
            effort: reasoning.effort,
            translated: false,
        };
        if lowered {
            plan.fit(output_max, losses);
        }
        return plan;
    }
    translate(reasoning, request, target, output_max, losses)
}

fn translate(
    reasoning: &Reasoning,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    output_max: u64,
    losses: &mut Losses,
) -> Plan {
    let effort = reasoning.effort;
    if reasoning.thinking == Some(Thinking::Disabled) || effort == Some(Effort::None) {
        return Plan { thinking: Some(Thinking::Disabled), ..Plan::default() };
    }
    if effort.is_none() && reasoning.budget_tokens.is_none() && reasoning.thinking.is_none() {
        return Plan::default();
    }
    let forced = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Function(_) | ToolChoice::Allowed { required: true, .. })
    );
    let mut plan = if models::thinks_by_budget(target.model) {
        by_budget(reasoning, output_max, losses)
    } else {
        by_effort(reasoning, output_max, losses)
    };
    if forced {
        let why = "the dialect does not combine thinking with a tool that must be called";
        losses.adapted(Subject::Reasoning, "reasoning", why);
        (plan.thinking, plan.budget) = (None, None);
    }
    plan.fit(output_max, losses);
    plan
}

fn by_budget(reasoning: &Reasoning, output_max: u64, losses: &mut Losses) -> Plan {
    let share = || {
        let effort = reasoning.effort.unwrap_or(Effort::Medium);
        losses.adapted(
            Subject::Reasoning,
            "reasoning.effort",
            "the model takes a budget: a share of the output cap",
        );
        (output_max / 100).saturating_mul(effort.budget_percent())
    };
    let budget = reasoning.budget_tokens.unwrap_or_else(share);
    Plan { thinking: Some(Thinking::Enabled), budget: Some(budget), effort: None, translated: true }
}

fn by_effort(reasoning: &Reasoning, output_max: u64, losses: &mut Losses) -> Plan {
    let effort = match (reasoning.effort, reasoning.budget_tokens) {
        (Some(Effort::Minimal), _) => {
            losses.adapted(
                Subject::Reasoning,
                "reasoning.effort",
                "the least effort of the dialect is `low`",
            );
            Some(Effort::Low)
        }
        (None, Some(budget)) => {
            let why = "the model takes an effort: the least that covers the budget";
            losses.adapted(Subject::Reasoning, "reasoning.budget_tokens", why);
            Some(Effort::of_budget(budget, output_max).max(Effort::Low))
        }
        (effort, _) => effort,
    };
    Plan { thinking: Some(Thinking::Adaptive), budget: None, effort, translated: true }
}

impl Plan {
    /// Keeps the budget between what is taken at least and the output cap; where there is no room for it, nothing is
    /// thought.
    fn fit(&mut self, output_max: u64, losses: &mut Losses) {
        let Some(budget) = self.budget else { return };
        if (BUDGET_MIN..output_max).contains(&budget) {
            return;
        }
        let why = "a budget is at least 1024 tokens and below the output cap";
        losses.adapted(Subject::Reasoning, "reasoning.budget_tokens", why);
        if output_max > BUDGET_MIN {
            self.budget = Some(budget.clamp(BUDGET_MIN, output_max - 1));
        } else {
            (self.thinking, self.budget) = (None, None);
        }
    }

    /// Whether thinking excludes a way of drawing tokens.
    pub(crate) fn excludes(&self, name: &str, value: &Number) -> bool {
        let thinks = matches!(self.thinking, Some(Thinking::Enabled | Thinking::Adaptive));
        if !self.translated || !thinks {
            return false;
        }
        let value = value.as_f64().unwrap_or(0.0);
        match name {
            "temperature" => value < 1.0,
            "top_p" => value < 0.95,
            _ => true,
        }
    }

    /// Writes `thinking`.
    pub(super) fn write_thinking(&self, object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
        let Some(reasoning) = &request.reasoning else { return };
        let Some(thinking) = self.thinking else {
            if !reasoning.extras.is_of(DIALECT) {
                crate::recast::loss::lose_extras(&reasoning.extras, &|| "reasoning".to_owned(), losses);
            }
            return;
        };
        let kind = match thinking {
            Thinking::Enabled => "enabled",
            Thinking::Disabled => "disabled",
            Thinking::Adaptive => "adaptive",
        };
        let shown = reasoning.shown.or(reasoning.summary.is_some().then_some(true));
        object.object("thinking", |object| {
            object.member("type", kind);
            object.optional("budget_tokens", self.budget);
            if let Some(shown) = shown.filter(|_| thinking != Thinking::Disabled || !self.translated) {
                object.member("display", if shown { "summarized" } else { "omitted" });
            }
            restore(object, &reasoning.extras, DIALECT, &|| "reasoning".to_owned(), losses);
        });
    }
}
