//! Every provider by name. Not a place for facts about one: those are in its file. Where to look first: [`ALL`].

use crate::spec::ProviderSpec;

macro_rules! providers {
    ($($name:ident)*) => {
        /// Every provider, by id.
        pub static ALL: &[&ProviderSpec] = &[$(&crate::$name::SPEC),*];
    };
}

providers! {
    ai21
    anthropic
    ark
    azure
    baseten
    bedrock
    cerebras
    cohere
    custom
    dashscope
    dashscope_cn
    deepinfra
    deepseek
    fireworks
    gemini
    github_models
    groq
    huggingface
    hunyuan
    hyperbolic
    ionos
    llamacpp
    lmstudio
    minimax
    minimax_cn
    mistral
    moonshot
    moonshot_cn
    nebius
    novita
    nvidia
    ollama
    ollama_cloud
    openai
    openrouter
    ovhcloud
    perplexity
    qianfan
    sambanova
    sandbox
    scaleway
    sglang
    siliconflow
    siliconflow_cn
    stepfun
    together
    upstage
    vertex
    vllm
    writer
    xai
    xiaomi
    zai
    zhipu
}

/// The provider with this id.
pub fn by_id(id: &str) -> Option<&'static ProviderSpec> {
    ALL.iter().copied().find(|spec| spec.id == id)
}
