"""aider against the gateway. It calls no tools: it sends files in the prompt and reads edits out of the answer's text.

It speaks through LiteLLM, which takes cache marks out of OpenAI's dialect and leaves them in Anthropic's.
"""

import json
from pathlib import Path

from world import CONTENT, WRITTEN, World

PROMPT = "Change the greeting."
EDIT = f"greeting.txt\n```\n{WRITTEN}\n```\n"
NOTES = " ".join(f"word{number}" for number in range(1500))
"""A file to read that is long enough for a prompt cache."""


def checks(python: Path) -> dict:
    """The checks, given the interpreter it is installed for."""
    program = python.parent / "aider"

    def work(dialect: str, model: str, *options: str) -> tuple[list, str]:
        """Lets it work twice with a model, in a dialect; the provider's calls and what it printed the second time."""
        with World(text=EDIT) as world:
            _set_up(world, f"{dialect}/{model}")
            (world.folder / "notes.txt").write_text(NOTES + "\n")
            variables = {
                "openai": {"OPENAI_API_BASE": world.gateway.base_url, "OPENAI_API_KEY": world.key},
                "anthropic": {
                    "ANTHROPIC_API_BASE": f"http://{world.gateway.address}",
                    "ANTHROPIC_API_KEY": world.key,
                },
            }[dialect]
            command = [program, "--model", f"{dialect}/{model}", "--message", PROMPT, "--read", "notes.txt"]
            command += ["--yes-always", "--no-git", "--no-pretty", "--no-show-model-warnings", "--no-show-release-notes"]
            for _ in range(2):
                said = world.run(
                    *(*command, *options, "greeting.txt"),
                    AIDER_ANALYTICS="false",
                    AIDER_CHECK_UPDATE="false",
                    LITELLM_LOCAL_MODEL_COST_MAP="True",
                    TERM="dumb",
                    **variables,
                )
            (tokens,) = [line for line in said.splitlines() if line.startswith("Tokens:")]
            print(f"        it said: {tokens}")
            assert world.written("greeting.txt") == WRITTEN, said
            world.record(f"aider {dialect} {model.partition('/')[2]}")
            calls, row = world.calls(), world.usage(model)
            assert len(calls) == 2, [call.path for call in calls]
            assert CONTENT in calls[0].entry["body"]
            assert row["cache_read_tokens"] > 0, row
            return calls, tokens

    def check_aider_with_openai():
        calls, _ = work("openai", "acme/openai")
        assert {call.path for call in calls} == {"/v1/chat/completions"}

    def check_aider_with_gemini():
        calls, _ = work("openai", "acme/gemini")
        assert all(call.path.endswith(":streamGenerateContent") for call in calls)

    def check_aider_speaking_anthropic_with_anthropic():
        calls, tokens = work("anthropic", "acme/claude", "--cache-prompts", "--no-stream")
        assert {call.path for call in calls} == {"/v1/messages"}
        assert "cache hit" in tokens, tokens

    def check_aider_speaking_anthropic_with_openai():
        calls, tokens = work("anthropic", "acme/openai", "--cache-prompts", "--no-stream")
        assert {call.path for call in calls} == {"/v1/chat/completions"}
        assert "cache hit" in tokens, tokens

    return {name: check for name, check in locals().items() if name.startswith("check_")}


def _set_up(world: World, model: str) -> None:
    """Says that the model takes cache marks, and has a list of prices ready that it would else fetch."""
    settings = f"- name: {model}\n  edit_format: whole\n  cache_control: true\n"
    (world.home / ".aider.model.settings.yml").write_text(settings)
    caches = world.home / ".aider" / "caches"
    caches.mkdir(parents=True)
    (caches / "model_prices_and_context_window.json").write_text(json.dumps({model: {}}))
