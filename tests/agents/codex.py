"""Codex CLI against the gateway: OpenAI's Responses, streamed, without state, with sealed thoughts.

Which tools it sends depends on the model's name: to one it does not know, functions and a namespace of them; to `gpt-5.5`,
a freeform `apply_patch` too; to `gpt-6-sol`, one freeform tool that runs JavaScript, in an item of the input.
"""

import json
from pathlib import Path

from world import CONTENT, WRITTEN, World

PROMPT = "Read greeting.txt, then write reply.txt."
READ = ("exec_command", {"cmd": "cat greeting.txt"})
WRITE = ("exec_command", {"cmd": f"echo {WRITTEN} > reply.txt"})
PATCH = ("apply_patch", f"*** Begin Patch\n*** Add File: reply.txt\n+{WRITTEN}\n*** End Patch\n")
SCRIPT = f"text(await tools.exec_command({{cmd: 'cat greeting.txt; echo {WRITTEN} > reply.txt'}}));\n"

CONFIG = """\
model = "{model}"
model_provider = "trunkline"
check_for_update_on_startup = false

[model_providers.trunkline]
name = "Trunkline"
base_url = "{base_url}"
env_key = "TRUNKLINE_KEY"
wire_api = "responses"

[analytics]
enabled = false

[features]
plugins = false
"""
NO_SEARCH = 'web_search = "disabled"\n'
"""For models that are not OpenAI's: they have no such search."""


def checks(node_home: Path) -> dict:
    """The checks, given where the agent is installed."""
    (program,) = node_home.glob("node_modules/@openai/codex-linux-*/vendor/*/bin/codex")

    def work(model: str, *script: tuple[str, object]) -> list:
        """Lets it work with a model; the provider's calls."""
        with World(*script) as world:
            config = CONFIG.format(model=model, base_url=world.gateway.base_url)
            search = "" if model in OPENAI else NO_SEARCH
            (world.home / "config.toml").write_text(search + config)
            said = world.run(
                *(program, "exec", "--json", "--skip-git-repo-check"),
                *("--dangerously-bypass-approvals-and-sandbox", PROMPT),
                CODEX_HOME=str(world.home),
                TRUNKLINE_KEY=world.key,
            )
            events = [json.loads(line) for line in said.splitlines()]
            messages = [event["item"]["text"] for event in events if event.get("item", {}).get("type") == "agent_message"]
            (own,) = [event["usage"] for event in events if event["type"] == "turn.completed"]
            print(f"        it said: {messages[-1]!r}, {own['cached_input_tokens']} tokens cached")
            assert messages[-1] == world.text, events
            if script[-1][1] != NAMESPACED[1]:
                assert world.written("reply.txt") == WRITTEN
            world.record(f"codex {model.partition('/')[2] or model}")
            calls, row = world.calls(), world.usage(model)
            assert len(calls) == len(script) + 1, [call.path for call in calls]
            prompt = row["input_tokens"] + row["cache_read_tokens"] + row["cache_write_tokens"]
            assert own["cached_input_tokens"] == row["cache_read_tokens"] > 0, (own, row)
            assert own["input_tokens"] == prompt, (own, row)
            assert own["output_tokens"] == row["output_tokens"] + row["reasoning_tokens"], (own, row)
            return calls

    def outputs(calls: list) -> list[dict]:
        """The outputs of tools in the last request of Responses."""
        assert {call.path for call in calls} == {"/v1/responses"}
        return [item for item in calls[-1].body["input"] if item["type"].endswith("_call_output")]

    def check_codex_with_openai():
        (read, _) = outputs(work("acme/openai", READ, WRITE))
        assert CONTENT in json.dumps(read), read

    def check_codex_with_openai_and_a_freeform_tool():
        calls = work("gpt-5.5", READ, PATCH)
        (read, patched) = outputs(calls)
        assert CONTENT in json.dumps(read), read
        assert patched["type"] == "custom_tool_call_output", patched
        thoughts = [item for item in calls[-1].body["input"] if item["type"] == "reasoning"]
        assert len(thoughts) == 2, "its sealed thoughts come back"

    def check_codex_with_openai_and_tools_in_the_input():
        (ran,) = outputs(work("gpt-6-sol", ("functions.exec", SCRIPT)))
        assert CONTENT in json.dumps(ran), ran

    def check_codex_with_openai_and_a_namespace():
        (closed,) = outputs(work("acme/openai", NAMESPACED))
        assert "nobody" in json.dumps(closed), closed

    def check_codex_with_anthropic():
        calls = work("acme/claude", READ, WRITE)
        assert {call.path for call in calls} == {"/v1/messages"}
        turns = [turn["content"] for turn in calls[-1].body["messages"] if isinstance(turn["content"], list)]
        results = [block for content in turns for block in content if block["type"] == "tool_result"]
        assert CONTENT in json.dumps(results[0]), results

    def check_codex_with_anthropic_and_a_namespace():
        name, arguments = NAMESPACED
        calls = work("acme/claude", (name.replace(".", "__"), arguments))
        assert "nobody" in json.dumps(calls[-1].body["messages"][-1]), calls[-1].body["messages"][-1]

    def check_codex_with_anthropic_and_tools_in_the_input():
        calls = work("gpt-6-luna", ("functions__exec", {"input": SCRIPT}))
        assert {call.path for call in calls} == {"/v1/messages"}
        assert CONTENT in json.dumps(calls[-1].body["messages"][-1]), calls[-1].body["messages"][-1]

    def check_codex_with_gemini():
        calls = work("acme/gemini", READ, WRITE)
        assert all(call.path.endswith(":streamGenerateContent") for call in calls)

    return {name: check for name, check in locals().items() if name.startswith("check_")}


OPENAI = {"acme/openai", "gpt-5.5", "gpt-6-sol"}
NAMESPACED = ("multi_agent_v1.close_agent", {"target": "nobody"})
"""There is no such agent, and that is the output."""
