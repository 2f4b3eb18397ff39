//! How much to think, written: each family of models is told in its own way, Claude as in its own dialect. What the caller
//! said in this dialect is repeated as it was said.

use trunkline_domain::chat::{ChatRequest, Effort, Number, Reasoning, Thinking};

use super::models::Family;
use super::{DIALECT, form};
use crate::anthropic::recast::reasoning as claude;
use crate::codec::Subject;
use crate::json::Object;
use crate::recast::loss::{lose_extras, restore};
use crate::recast::{EncodeTarget, Losses};

/// The output cap a share is taken of where nobody set one.
const OUTPUT_DEFAULT: u64 = 4096;

/// What will be said about thinking.
#[derive(Default)]
pub(super) struct Plan {
    /// `outputConfig.effort`.
    pub(super) effort: Option<Effort>,
    /// Claude's `thinking`, and what it excludes.
    claude: claude::Plan,
    /// The effort of another family, in the model's own field.
    own: Option<(Family, Effort)>,
}

/// Decides how to say what was asked.
pub(super) fn plan(request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) -> Plan {
    let Some(reasoning) = &request.reasoning else { return Plan::default() };
    let said_here = reasoning.extras.form(DIALECT) & form::THINKING != 0
        || request.extras.form(DIALECT) & form::OUTPUT_CONFIG != 0;
    if said_here {
        let claude = claude::Plan {
            thinking: reasoning.thinking,
            budget: reasoning.budget_tokens,
            ..claude::Plan::default()
        };
        return Plan { effort: reasoning.effort, claude, own: None };
    }
    if !reasoning.extras.is_of(DIALECT) {
        lose_extras(&reasoning.extras, &|| "reasoning".to_owned(), losses);
    }
    let asked = request.sampling.output_max;
    let output_max = target.output_max(asked).or(target.output_max).unwrap_or(OUTPUT_DEFAULT);
    let family = Family::of(target.model);
    if family == Family::Claude {
        let plan = claude::plan(request, target, output_max, losses);
        return Plan { effort: plan.effort, claude: plan, own: None };
    }
    let Some(effort) = effort(reasoning, output_max, losses) else { return Plan::default() };
    let effort = match family {
        Family::Unknown if effort > Effort::None => {
            let effort = within(effort, (Effort::Low, Effort::Max), losses);
            return Plan { effort: Some(effort), ..Plan::default() };
        }
        Family::Gpt => within(effort, (Effort::None, Effort::XHigh), losses),
        Family::GptOss => within(effort, (Effort::Low, Effort::High), losses),
        Family::Nova if target.model.contains("nova-2") => {
            // With the highest one it takes neither a cap nor a temperature.
            let free = target.output_max(asked).is_none()
                && request.sampling.temperature.is_none()
                && request.sampling.top_p.is_none();
            let most = if free { Effort::High } else { Effort::Medium };
            if effort == Effort::None { effort } else { within(effort, (Effort::Low, most), losses) }
        }
        Family::Nova | Family::Other | Family::Unknown | Family::Claude => {
            if effort > Effort::None {
                losses.dropped(Subject::Reasoning, "reasoning", "the model is not told how much to think");
            }
            return Plan::default();
        }
    };
    Plan { own: Some((family, effort)), ..Plan::default() }
}

/// The effort asked for.
fn effort(reasoning: &Reasoning, output_max: u64, losses: &mut Losses) -> Option<Effort> {
    if reasoning.thinking == Some(Thinking::Disabled) {
        return Some(Effort::None);
    }
    match (reasoning.effort, reasoning.budget_tokens) {
        (None, Some(budget)) => {
            let why = "the model takes an effort: the least that covers the budget";
            losses.adapted(Subject::Reasoning, "reasoning.budget_tokens", why);
            Some(Effort::of_budget(budget, output_max))
        }
        (None, None) => reasoning.thinking.map(|_| Effort::Medium),
        (effort, _) => effort,
    }
}

fn within(effort: Effort, (least, most): (Effort, Effort), losses: &mut Losses) -> Effort {
    let nearest = effort.clamp(least, most);
    if nearest != effort {
        losses.adapted(Subject::Reasoning, "reasoning.effort", "the nearest effort the model takes");
    }
    nearest
}

impl Plan {
    /// Whether thinking excludes a way of drawing tokens.
    pub(super) fn excludes(&self, name: &str, value: &Number) -> bool {
        self.claude.excludes(name, value)
    }

    /// Whether anything is said in the model's own fields.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some() || self.claude.thinking.is_some()
    }

    /// Writes the model's own fields.
    pub(super) fn write(&self, fields: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
        if let Some((family, effort)) = self.own {
            match family {
                Family::GptOss => fields.member("reasoning_effort", effort.as_str()),
                Family::Gpt => fields.object("reasoning", |object| object.member("effort", effort.as_str())),
                Family::Nova | Family::Claude | Family::Other | Family::Unknown => {
                    fields.object("reasoningConfig", |config| {
                        let enabled = effort > Effort::None;
                        config.member("type", if enabled { "enabled" } else { "disabled" });
                        config.optional("maxReasoningEffort", enabled.then(|| effort.as_str()));
                    });
                }
            }
        }
        let Some(thinking) = self.claude.thinking else { return };
        let kind = match thinking {
            Thinking::Enabled => "enabled",
            Thinking::Disabled => "disabled",
            Thinking::Adaptive => "adaptive",
        };
        fields.object("thinking", |object| {
            object.member("type", kind);
            object.optional("budget_tokens", self.claude.budget);
            if let Some(reasoning) = &request.reasoning {
                let shown = reasoning.shown.or(reasoning.summary.is_some().then_some(true));
                if let Some(shown) = shown.filter(|_| thinking != Thinking::Disabled) {
                    object.member("display", if shown { "summarized" } else { "omitted" });
                }
                restore(object, &reasoning.extras, DIALECT, &|| "reasoning".to_owned(), losses);
            }
        });
    }
}
