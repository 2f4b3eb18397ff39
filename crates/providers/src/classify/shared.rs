//! The shared tables: what an error means whoever says it. Servers and aggregators repeat each other's words, so a row
//! that cannot be misread stands here, and only what one provider means differently stands in its own file.

use trunkline_domain::attempt::Cause::{
    self, ContentBlocked, ContextTooLong, CreditsExhausted, Forbidden, InvalidRequest, ModelNotFound,
    Overloaded, RateLimited, RequestOverLimit, ServerError, Unauthorized,
};

use super::rule::Says::{Code, Start, StartAnd, Within};
use super::rule::{Rule, rule};

const ALIYUN: &str = "https://help.aliyun.com/en/model-studio/error-code";
const AZURE: &str = "https://learn.microsoft.com/en-us/azure/foundry/openai/concepts/content-filter";
const CLAUDE: &str = "https://platform.claude.com/docs/en/api/errors";
const COHERE: &str = "https://docs.cohere.com/reference/errors";
const LLAMA_CPP: &str = "seen from the server in PyPI xllamacpp 2026.10.11549";
const OPENAI: &str = "https://www.developersdigest.tech/errors/api/openai-api";
const OVERFLOWS: &str = "github.com/earendil-works/pi packages/ai/src/utils/overflow.ts";
const RETRIES: &str = "https://www.developersdigest.tech/blog/ai-api-rate-limit-retry-guide-2026";

/// Words, what they mean, and where that was read. The first row that matches decides.
pub(super) const WORDS: &[Rule] = &[
    // Too large for any minute, whatever its code: OpenAI (429) and Groq (413) call it a rate limit, and no wait cures it.
    rule(
        StartAnd("request too large for", "on tokens per min"),
        RequestOverLimit,
        "https://github.com/TheR1D/shell_gpt/issues/653",
    ),
    // Too long a prompt, by its code.
    rule(Code("context_length_exceeded"), ContextTooLong, "https://github.com/rahul2002m/ChatPDF/issues/6"),
    rule(Code("exceed_context_size_error"), ContextTooLong, LLAMA_CPP),
    // Refused content, by its code.
    rule(Code("content_filter"), ContentBlocked, AZURE),
    rule(Code("ResponsibleAIPolicyViolation"), ContentBlocked, AZURE),
    rule(
        Code("content_policy_violation"),
        ContentBlocked,
        "https://github.com/agentscope-ai/agentscope/pull/171",
    ),
    rule(Code("image_content_policy_violation"), ContentBlocked, "openai/openai-openapi openapi.yaml"),
    rule(Code("data_inspection_failed"), ContentBlocked, ALIYUN),
    rule(Code("DataInspectionFailed"), ContentBlocked, ALIYUN),
    // No money, by its code: what no wait cures.
    rule(Code("insufficient_quota"), CreditsExhausted, "https://github.com/simonw/llm/issues/494"),
    rule(Code("credit_balance_exhausted"), CreditsExhausted, RETRIES),
    rule(Code("Arrearage"), CreditsExhausted, ALIYUN),
    rule(Code("billing_not_active"), CreditsExhausted, "https://github.com/RamiAwar/dataline/issues/175"),
    rule(Code("billing_error"), CreditsExhausted, CLAUDE),
    // The credential, by its code.
    rule(Code("invalid_api_key"), Unauthorized, ALIYUN),
    rule(Code("organization_restricted"), Forbidden, "https://github.com/NVIDIA-NeMo/Guardrails/issues/563"),
    rule(Start("incorrect api key provided"), Unauthorized, "https://docs.x.ai/developers/debugging"),
    // No such model, by its code.
    rule(Code("model_not_found"), ModelNotFound, "https://github.com/Aider-AI/aider/issues/2030"),
    rule(Code("unknown_model"), ModelNotFound, "https://docs.mistral.ai/resources/error-glossary"),
    rule(Code("DeploymentNotFound"), ModelNotFound, "https://github.com/chatboxai/chatbox/issues/646"),
    rule(Code("ModelNotFound"), ModelNotFound, ALIYUN),
    rule(Code("model_decommissioned"), ModelNotFound, "https://github.com/atiilla/sqlmap-ai/issues/3"),
    // No room, by its code.
    rule(Code("capacity_exceeded"), Overloaded, "https://console.groq.com/docs/flex-processing"),
    rule(Code("overloaded_error"), Overloaded, RETRIES),
    rule(Code("unavailable_error"), Overloaded, LLAMA_CPP),
    rule(Code("server_is_overloaded"), Overloaded, OPENAI),
    rule(Code("slow_down"), Overloaded, OPENAI),
    rule(Code("rate_limit_exceeded"), RateLimited, "https://github.com/Aider-AI/aider/issues/3265"),
    // By how a message begins.
    rule(
        Start("the server had an error"),
        ServerError,
        "https://developers.openai.com/docs/guides/error-codes",
    ),
    rule(Start("too many tokens: total number of tokens in the prompt"), ContextTooLong, COHERE),
    rule(Start("too many tokens: size limit exceeded"), ContextTooLong, COHERE),
    rule(
        Start("your credit balance is too low"),
        CreditsExhausted,
        "https://github.com/anthropics/claude-quickstarts/issues/229",
    ),
    rule(Start("insufficient balance"), CreditsExhausted, "https://github.com/Aider-AI/aider/issues/4851"),
    rule(Start("content exists risk"), ContentBlocked, "https://github.com/vm0-ai/vm0/pull/33180"),
    rule(Start("model not exist"), ModelNotFound, "https://github.com/ConardLi/easy-dataset/issues/9"),
    // By what a message says: the caller's own faults only.
    rule(
        Within("violating our usage policy"),
        ContentBlocked,
        "https://github.com/openai/codex/issues/38849",
    ),
    rule(
        Within("as a result of our safety system"),
        ContentBlocked,
        "https://github.com/openai/openai-openapi/issues/11",
    ),
    rule(
        Within("content management policy"),
        ContentBlocked,
        "https://github.com/microsoft/azurechat/issues/351",
    ),
    rule(
        Within("blocked by content filtering policy"),
        ContentBlocked,
        "https://github.com/anthropics/claude-code/issues/58367",
    ),
    rule(
        Within("maximum context length"),
        ContextTooLong,
        "https://github.com/vllm-project/vllm/issues/20409",
    ),
    rule(
        Within("exceeds the context window"),
        ContextTooLong,
        "https://github.com/anomalyco/opencode/issues/6071",
    ),
    rule(
        Within("prompt is too long"),
        ContextTooLong,
        "https://github.com/anthropics/claude-code/issues/12186",
    ),
    rule(
        Within("exceed context limit"),
        ContextTooLong,
        "https://github.com/anthropics/claude-code/issues/408",
    ),
    rule(
        Within("longer than the model's context length"),
        ContextTooLong,
        "https://github.com/QwenLM/Qwen3/issues/1321",
    ),
    rule(Within("exceeds the available context size"), ContextTooLong, LLAMA_CPP),
    rule(
        Within("exceeded maximum context window"),
        ContextTooLong,
        "https://www.scaleway.com/en/docs/generative-apis",
    ),
    rule(Within("tokens + `max_new_tokens` must be"), ContextTooLong, "https://portkey.ai/error-library"),
    rule(Within("tokens + max_new_tokens must be"), ContextTooLong, "https://portkey.ai/error-library"),
    rule(
        Within("`inputs` must have less than"),
        ContextTooLong,
        "https://github.com/meta-llama/llama/issues/1103",
    ),
    rule(
        Within("exceeds the maximum number of tokens allowed"),
        ContextTooLong,
        "https://github.com/google-gemini/gemini-cli/issues/27197",
    ),
    rule(Within("maximum prompt length is"), ContextTooLong, "https://github.com/cline/cline/issues/3120"),
    rule(
        Within("reduce the length of the messages"),
        ContextTooLong,
        "https://github.com/cline/cline/issues/5140",
    ),
    rule(
        Within("model is loaded with context length of only"),
        ContextTooLong,
        "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/546",
    ),
    rule(Within("greater than the context length"), ContextTooLong, OVERFLOWS),
    rule(Within("exceeds the maximum allowed input length"), ContextTooLong, OVERFLOWS),
    rule(Within("exceeded model token limit"), ContextTooLong, "https://platform.kimi.ai/docs/api/errors"),
    rule(Within("input token length too long"), ContextTooLong, "https://platform.kimi.ai/docs/api/errors"),
    rule(Within("context window exceeds limit"), ContextTooLong, OVERFLOWS),
    rule(Within("too large for model with"), ContextTooLong, OVERFLOWS),
    rule(Within("exceeded max context length"), ContextTooLong, OVERFLOWS),
    rule(
        Within("exceeds maximum context length"),
        ContextTooLong,
        "github.com/ollama/ollama server/routes.go",
    ),
];

/// Names that say no more than a status does: they confirm it, and decide for an error inside a success, where there is
/// none. OpenAI's, Anthropic's (<https://platform.claude.com/docs/en/api/errors>), Google's
/// (googleapis `google/rpc/code.proto`), AWS's (botocore `data/bedrock-runtime/2023-09-30/service-2.json`), Alibaba's
/// (<https://help.aliyun.com/en/model-studio/error-code>), xAI's (<https://docs.x.ai/developers/debugging>), vLLM's (`vllm/entrypoints/openai/protocol.py`).
pub(super) const NAMES: &[(&str, Cause)] = &[
    ("invalid_request_error", InvalidRequest),
    ("request_too_large", InvalidRequest),
    ("unsupported_parameter", InvalidRequest),
    ("max_tokens_per_request", InvalidRequest),
    ("authentication_error", Unauthorized),
    ("permission_error", Forbidden),
    ("request_forbidden", Forbidden),
    ("not_found_error", ModelNotFound),
    ("rate_limit_error", RateLimited),
    ("too_many_requests", RateLimited),
    ("service_unavailable", Overloaded),
    ("timeout_error", ServerError),
    ("api_error", ServerError),
    ("server_error", ServerError),
    ("internal_server_error", ServerError),
    ("INVALID_ARGUMENT", InvalidRequest),
    ("OUT_OF_RANGE", InvalidRequest),
    ("UNAUTHENTICATED", Unauthorized),
    ("PERMISSION_DENIED", Forbidden),
    ("NOT_FOUND", ModelNotFound),
    ("RESOURCE_EXHAUSTED", RateLimited),
    ("UNAVAILABLE", Overloaded),
    ("INTERNAL", ServerError),
    ("DEADLINE_EXCEEDED", ServerError),
    ("InvalidParameter", InvalidRequest),
    ("Client specified an invalid argument", InvalidRequest),
    ("ValidationException", InvalidRequest),
    ("ConflictException", InvalidRequest),
    ("InternalServerException", ServerError),
    ("BadRequestError", InvalidRequest),
    ("NotFoundError", ModelNotFound),
    ("InternalServerError", ServerError),
];
