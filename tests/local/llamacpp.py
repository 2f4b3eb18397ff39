"""The official OpenAI client through the gateway to llama.cpp.

The models say nothing sensible and never twice the same, so what is asserted is how they are served: that answers are
the server's own, that the ledger agrees with it, that what the server refuses or breaks off arrives as a typed error.
"""

import json
import subprocess
import sys
import tempfile
import threading
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import make_model
import openai
from checks import named, raises, run
from gateway import Gateway, wait_for

MESSAGES = [{"role": "user", "content": "hello"}]
CONTEXT = 4096
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                # Unbounded, a random model may never close the string.
                "city": {"type": "string", "maxLength": 12},
                "days": {"type": "integer", "minimum": 0, "maximum": 9},
            },
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}


class Server:
    """A llama.cpp over one variant of the model; its alias is the variant's name."""

    def __init__(self, directory: Path, variant: str, *options: str):
        model = directory / f"{variant}.gguf"
        if not model.exists():
            make_model.write(variant, model)
        command = [sys.executable, Path(__file__).with_name("serve_model.py"), model, variant, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.base_url = json.loads(self.process.stdout.readline())["base_url"]

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def busy(self) -> bool:
        """Whether it generates anything."""
        with urllib.request.urlopen(self.base_url.removesuffix("/v1") + "/slots", timeout=10) as response:
            return any(slot["is_processing"] for slot in json.load(response))


class World:
    """Servers and a gateway in front of them."""

    def __init__(self, stack: ExitStack):
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-local-")))
        servers = {
            "tiny": ("tiny", f"--context={CONTEXT}", "--slots=1"),
            "tools": ("tooly", f"--context={CONTEXT}", "--slots=1"),
            "endless": ("endless", "--context=16384", "--slots=1"),
            # Four requests share too little.
            "crowded": ("endless", "--context=1024", "--slots=4", "--shared"),
        }
        self.servers = {
            account: stack.enter_context(Server(directory, *options)) for account, options in servers.items()
        }
        config = "".join(
            f'[providers.{account}]\nkind = "llamacpp"\nbase_url = "{server.base_url}"\n'
            for account, server in self.servers.items()
        )
        self.gateway = stack.enter_context(Gateway(directory, config))
        self.key = self.gateway.key("caller")

    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.gateway.base_url, api_key=self.key, max_retries=0, timeout=60)

    def ask(self, model: str, messages=MESSAGES, **more):
        return self.client().chat.completions.create(model=model, messages=messages, **more)

    def generation(self, raw) -> dict:
        """What the ledger says of a request."""
        return self.gateway.get(f"/generation?id={raw.headers['x-generation-id']}", self.key)["data"]


WORLD: World


def assert_recorded(raw, usage) -> None:
    """The ledger has the figures that the server reported."""
    generation = WORLD.generation(raw)
    recorded = (generation["native_tokens_prompt"], generation["native_tokens_completion"])
    assert recorded == (usage.prompt_tokens, usage.completion_tokens), (recorded, usage)
    (attempt,) = generation["provider_responses"]
    assert (attempt["state"], attempt["usage_source"]) == ("settled", "reported"), attempt
    assert attempt["provider_name"] == "llama.cpp"


def check_models_are_discovered():
    listed = {model.id for model in WORLD.client().models.list()}
    assert {"tiny/tiny", "tools/tooly", "endless/endless"} <= listed, listed


def check_chat():
    raw = WORLD.client().chat.completions.with_raw_response.create(
        model="tiny/tiny", messages=MESSAGES, max_tokens=20
    )
    answer = raw.parse()
    assert answer.choices[0].message.content and answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.total_tokens > 0
    # Its own additions are not taken away.
    assert "timings" in answer.model_extra
    assert_recorded(raw, answer.usage)


def check_stream_with_usage():
    raw = WORLD.client().chat.completions.with_raw_response.create(
        model="tiny/tiny",
        messages=MESSAGES,
        max_tokens=20,
        stream=True,
        stream_options={"include_usage": True},
    )
    *content, last = raw.parse()
    assert "".join(chunk.choices[0].delta.content or "" for chunk in content)
    assert last.choices == [] and last.usage.completion_tokens <= 20
    assert_recorded(raw, last.usage)


def check_stream_without_usage_is_metered_all_the_same():
    raw = WORLD.client().chat.completions.with_raw_response.create(
        model="endless/endless", messages=MESSAGES, max_tokens=20, stream=True
    )
    chunks = list(raw.parse())
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "length"
    generation = WORLD.generation(raw)
    assert generation["native_tokens_completion"] == 20 and generation["native_tokens_prompt"] > 0
    assert generation["provider_responses"][0]["usage_source"] == "reported"


def check_tools():
    for choice in ("auto", "required"):
        answer = WORLD.ask("tools/tooly", tools=[TOOL], tool_choice=choice, max_tokens=400).choices[0]
        assert answer.finish_reason == "tool_calls", answer
        (call,) = answer.message.tool_calls
        assert call.function.name == "get_weather"
        assert set(json.loads(call.function.arguments)) == {"city", "days"}
        result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        turns = [*MESSAGES, answer.message.model_dump(exclude_none=True), result]
        assert WORLD.ask("tools/tooly", turns, tools=[TOOL], max_tokens=400).choices


def check_streamed_tools():
    with WORLD.client().chat.completions.stream(
        model="tools/tooly", messages=MESSAGES, tools=[TOOL], max_tokens=400
    ) as stream:
        pieces = [event for event in stream if event.type == "tool_calls.function.arguments.delta"]
        final = stream.get_final_completion().choices[0]
    assert len(pieces) > 1 and final.finish_reason == "tool_calls"
    assert set(json.loads(final.message.tool_calls[0].function.arguments)) == {"city", "days"}


def check_json_schema():
    schema = TOOL["function"]["parameters"]
    response_format = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": schema}}
    for _ in range(5):
        answer = WORLD.ask("tiny/tiny", response_format=response_format, max_tokens=400).choices[0]
        assert set(json.loads(answer.message.content)) == {"city", "days"}


def check_embeddings():
    client = WORLD.client()
    raw = client.embeddings.with_raw_response.create(model="tiny/tiny", input=["hello", "hello world"])
    packed = raw.parse()
    plain = client.embeddings.create(model="tiny/tiny", input=["hello", "hello world"], encoding_format="float")
    for one, other in zip(packed.data, plain.data, strict=True):
        assert len(one.embedding) == make_model.EMBEDDING
        assert all(abs(a - b) < 1e-5 for a, b in zip(one.embedding, other.embedding, strict=True))
    assert WORLD.generation(raw)["native_tokens_prompt"] == packed.usage.prompt_tokens > 0


def check_legacy_completions():
    answer = WORLD.client().completions.create(model="tiny/tiny", prompt="hello", max_tokens=8)
    assert answer.choices[0].text and answer.usage.completion_tokens <= 8


def check_unknown_model():
    # The server itself answers whatever name it is asked for: the gateway must not.
    error = raises(openai.NotFoundError, lambda: WORLD.ask("tiny/tinny"))
    assert error.code == "model_not_found" and "tiny/tiny" in error.message, error.message


def check_prompt_longer_than_the_context():
    long = [{"role": "user", "content": "hello " * CONTEXT}]
    for stream in (False, True):
        error = raises(openai.BadRequestError, lambda: WORLD.ask("tiny/tiny", long, stream=stream))
        assert "context" in error.message, error.message
    causes = [attempt["cause"] for attempt in WORLD.generation(error.response)["provider_responses"]]
    assert causes == ["context_too_long"], causes


def check_refusals_keep_the_servers_words():
    error = raises(openai.BadRequestError, lambda: WORLD.ask("tiny/tiny", response_format={"type": "nonsense"}))
    assert "nonsense" in error.message or "response_format" in error.message, error.message


def check_cancelled_stream_stops_the_server():
    raw = WORLD.client().chat.completions.with_raw_response.create(
        model="endless/endless", messages=MESSAGES, stream=True
    )
    with raw.parse() as stream:
        for _, chunk in zip(range(5), stream):
            assert chunk.choices

    def generation():
        try:
            return WORLD.generation(raw)
        except urllib.error.HTTPError:
            return None

    left = wait_for("the left stream's record", generation)
    (attempt,) = left["provider_responses"]
    assert left["cancelled"] and attempt["state"] == "partial", left
    assert left["native_tokens_completion"] < 16_000
    wait_for("an idle server", lambda: not WORLD.servers["endless"].busy())
    assert WORLD.ask("endless/endless", max_tokens=4).choices[0].finish_reason == "length"


def check_stream_that_breaks_ends_in_an_error():
    # Together they need more than the shared context: the server ends streams with an error and no `[DONE]`.
    ended = []

    def listen():
        try:
            list(WORLD.ask("crowded/endless", max_tokens=800, stream=True))
            ended.append(None)
        except openai.APIError as error:
            ended.append(error)

    listeners = [threading.Thread(target=listen) for _ in range(4)]
    for listener in listeners:
        listener.start()
    for listener in listeners:
        listener.join()
    broken = [error for error in ended if error]
    assert len(ended) == 4 and broken
    assert all("Context size has been exceeded" in error.message for error in broken), broken


def check_connections_outlive_the_servers_patience():
    # It closes a connection after a hundred requests.
    for _ in range(120):
        assert WORLD.ask("tiny/tiny", max_tokens=1).choices
    rows = WORLD.gateway.usage("account")
    assert rows["tiny"]["attempts"] >= 120


if __name__ == "__main__":
    with ExitStack() as stack:
        WORLD = World(stack)
        code = run(named(dict(globals())))
    sys.exit(code)
