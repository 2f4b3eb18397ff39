"""Claude Code against the gateway: Anthropic's Messages, streamed, with cache marks, betas and thinking."""

import json
from pathlib import Path

from world import CONTENT, WRITTEN, World

PROMPT = "Read greeting.txt, then write reply.txt."
CALLS = [
    ("Read", {"file_path": "{folder}/greeting.txt"}),
    ("Write", {"file_path": "{folder}/reply.txt", "content": WRITTEN + "\n"}),
]


def checks(node_home: Path) -> dict:
    """The checks, given where the agent is installed."""
    (program,) = node_home.glob("node_modules/@anthropic-ai/claude-code-linux-*/claude")

    def work(model: str) -> tuple[list, dict]:
        """Lets it work with a model; the provider's calls, and the rows of usage."""
        with World(*CALLS) as world:
            said = world.run(
                *(program, "-p", PROMPT, "--output-format", "json", "--dangerously-skip-permissions"),
                ANTHROPIC_BASE_URL=f"http://{world.gateway.address}",
                ANTHROPIC_AUTH_TOKEN=world.key,
                ANTHROPIC_MODEL=model,
                CLAUDE_CONFIG_DIR=str(world.home / "claude"),
                # Telemetry, error reports, updates: https://code.claude.com/docs/en/env-vars
                CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
                # Without it, it does not skip permissions for root.
                IS_SANDBOX="1",
            )
            result = json.loads(said)
            print(f"        it said: {result['result']!r}, {result['usage']['cache_read_input_tokens']} tokens cached")
            assert result["result"] == world.text, result
            assert world.written("reply.txt") == WRITTEN
            world.record(f"claude_code {model.partition('/')[2]}")
            calls, row = world.calls(), world.usage(model)
            assert len(calls) == 3, [call.path for call in calls]
            own = result["usage"]
            assert own["cache_read_input_tokens"] == row["cache_read_tokens"] > 0, (own, row)
            assert own["cache_creation_input_tokens"] == row["cache_write_tokens"], (own, row)
            assert own["input_tokens"] == row["input_tokens"], (own, row)
            assert own["output_tokens"] == row["output_tokens"] + row["reasoning_tokens"], (own, row)
            return calls, row

    def check_claude_code_with_anthropic():
        calls, row = work("acme/claude")
        assert {call.path for call in calls} == {"/v1/messages"}
        for call in calls:
            betas = call.header("anthropic-beta").split(",")
            assert "context-management-2025-06-27" in betas and "context_management" in call.body, betas
        assert row["cache_write_tokens"] > 0
        turns = [turn["content"] for turn in calls[-1].body["messages"] if isinstance(turn["content"], list)]
        results = [block for content in turns for block in content if block["type"] == "tool_result"]
        assert CONTENT in json.dumps(results[0]), results

    def check_claude_code_with_openai():
        calls, _ = work("acme/openai")
        assert {call.path for call in calls} == {"/v1/chat/completions"}
        results = [message for message in calls[-1].body["messages"] if message["role"] == "tool"]
        assert CONTENT in json.dumps(results[0]), results

    def check_claude_code_with_gemini():
        calls, _ = work("acme/gemini")
        parts = [part for content in calls[-1].body["contents"] for part in content["parts"]]
        results = [part for part in parts if "functionResponse" in part]
        assert CONTENT in json.dumps(results[0]), results

    return {name: check for name, check in locals().items() if name.startswith("check_")}
