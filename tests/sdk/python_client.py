"""The official OpenAI client for Python against a gateway that `run` has started.

Each check is done with a simulated model of the gateway's own and, where it matters what the provider reads, with the
fake provider's model, whose log is compared byte by byte.
"""

import json
import os
import sys
from decimal import Decimal
from typing import Literal

import openai
import pydantic
from checks import named, raises, run
from gateway import call_marked, wait_for

WORLD = json.loads(os.environ["TRUNKLINE_WORLD"])
SANDBOX, FAKE = "sandbox/echo-small", "test/fake"
EMBEDDINGS = ("sandbox/embed", "open/fake-model")
"""The second is known from the fake provider's own listing only."""
FAKE_TEXT = "Hello from the fake provider. It counts its words."
MESSAGES = [{"role": "user", "content": "What is the weather?"}]
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}


def client(key: str = "plain", **options) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=WORLD["base_url"], api_key=WORLD["keys"].get(key, key), **{"max_retries": 0, "timeout": 30, **options}
    )


def said(marker: str) -> list[dict]:
    return [{"role": "user", "content": f"What is the weather? [[python-{marker}]]"}]


def read_by_provider(marker: str) -> dict:
    return call_marked(WORLD["provider_log"], f"python-{marker}")


def assert_relayed(raw, marker: str, **edits) -> None:
    """The provider has read what the client wrote, byte for byte but for the model's name and members at the end."""
    wrote = raw.http_response.request.content.decode()
    inserted = "".join(f",{json.dumps(name)}:{value}" for name, value in edits.items())
    expected = wrote.replace('"model":"test/fake"', '"model":"fake-model"')
    assert expected != wrote, wrote
    expected = expected[:-1] + inserted + "}"
    assert read_by_provider(marker)["body"] == expected, f"{read_by_provider(marker)['body']}\n!=\n{expected}"


def check_models_are_listed_and_found():
    listed = {model.id for model in client().models.list()}
    assert {SANDBOX, FAKE} <= listed, listed
    assert client().models.retrieve(SANDBOX).id == SANDBOX
    assert FAKE not in {model.id for model in client("scoped").models.list()}


def check_chat():
    for model in (SANDBOX, FAKE):
        answer = client().chat.completions.create(model=model, messages=MESSAGES)
        assert answer.choices[0].finish_reason == "stop" and answer.choices[0].message.content
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert answer.choices[0].message.content == FAKE_TEXT


def check_chat_is_relayed_byte_for_byte():
    raw = client().chat.completions.with_raw_response.create(
        model=FAKE, messages=said("bytes"), temperature=0.70, seed=7, user="jörg 🚀"
    )
    assert raw.parse().choices[0].message.content == FAKE_TEXT
    assert_relayed(raw, "bytes")


def check_streams_with_usage_asked_for():
    for model in (SANDBOX, FAKE):
        stream = client().chat.completions.create(
            model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
        assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert chunks[-2].choices[0].finish_reason == "stop"
        assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0


def check_streams_without_usage():
    for model in (SANDBOX, FAKE):
        chunks = list(client().chat.completions.create(model=model, messages=MESSAGES, stream=True))
        assert all(chunk.choices and chunk.usage is None for chunk in chunks)
        assert chunks[-1].choices[0].finish_reason == "stop"
    raw = client().chat.completions.with_raw_response.create(model=FAKE, messages=said("usage"), stream=True)
    list(raw.parse())
    assert_relayed(raw, "usage", stream_options='{"include_usage":true}')


def check_stream_helper():
    with client().chat.completions.stream(model=SANDBOX, messages=MESSAGES) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content


def check_streamed_and_buffered_cost_the_same():
    buffered = client().chat.completions.create(
        model=FAKE, messages=MESSAGES, extra_body={"usage": {"include": True}}
    )
    (*_, last) = client().chat.completions.create(
        model=FAKE,
        messages=MESSAGES,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"usage": {"include": True}},
    )
    # Four tokens at one dollar a million, nine at two.
    assert Decimal(str(buffered.usage.cost)) == Decimal(str(last.usage.cost)) == Decimal("0.000022")
    assert last.usage.total_tokens == buffered.usage.total_tokens


def check_tools():
    for model in (SANDBOX, FAKE):
        ask = {"model": model, "messages": MESSAGES, "tools": [TOOL], "tool_choice": "required"}
        choice = client().chat.completions.create(**ask).choices[0]
        assert choice.finish_reason == "tool_calls"
        (call,) = choice.message.tool_calls
        assert call.function.name == "get_weather" and call.id
        assert set(json.loads(call.function.arguments)) == {"city", "days"}
        result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        turns = [*MESSAGES, choice.message.model_dump(exclude_none=True), result]
        answer = client().chat.completions.create(model=model, messages=turns, tools=[TOOL])
        assert answer.choices[0].message.content


def check_streamed_tools():
    for model in (SANDBOX, FAKE):
        ask = {"model": model, "messages": MESSAGES, "tools": [TOOL], "tool_choice": "required"}
        deltas = []
        for chunk in client().chat.completions.create(**ask, stream=True):
            deltas += chunk.choices[0].delta.tool_calls or []
        assert deltas[0].id and deltas[0].function.name == "get_weather"
        assert sum(1 for delta in deltas if delta.function.arguments) > 1, "the arguments come in pieces"
        arguments = "".join(delta.function.arguments or "" for delta in deltas)
        assert set(json.loads(arguments)) == {"city", "days"}
        with client().chat.completions.stream(**ask) as stream:
            final = stream.get_final_completion().choices[0]
        assert final.finish_reason == "tool_calls" and len(final.message.tool_calls) == 1


def check_images_are_relayed_byte_for_byte():
    for marker, url in {"data": PIXEL, "https": "https://example.com/a%20cat.png?size=1&x=ü"}.items():
        image = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
        content = [{"type": "text", "text": f"Look: [[python-image-{marker}]]"}, image]
        messages = [{"role": "user", "content": content}]
        raw = client().chat.completions.with_raw_response.create(model=FAKE, messages=messages)
        assert raw.parse().usage.prompt_tokens == 87
        assert_relayed(raw, f"image-{marker}")
        assert url in read_by_provider(f"image-{marker}")["body"]


class Weather(pydantic.BaseModel):
    city: str
    kind: Literal["sun", "rain"]
    degrees: int


def check_json_schema():
    completions = client().chat.completions
    answer = completions.parse(model=SANDBOX, messages=MESSAGES, response_format=Weather)
    assert isinstance(answer.choices[0].message.parsed, Weather)
    raw = completions.with_raw_response.create(
        model=FAKE,
        messages=said("schema"),
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "weather", "strict": True, "schema": Weather.model_json_schema()},
        },
    )
    assert Weather.model_validate_json(raw.parse().choices[0].message.content)
    assert_relayed(raw, "schema")


def check_embeddings():
    for model in EMBEDDINGS:
        # Unless told otherwise this client asks for base64 and decodes it.
        packed = client().embeddings.create(model=model, input=["one", "two three"])
        plain = client().embeddings.create(model=model, input=["one", "two three"], encoding_format="float")
        assert len(packed.data) == 2 and len(packed.data[0].embedding) > 1
        for one, other in zip(packed.data, plain.data):
            assert all(abs(a - b) < 1e-6 for a, b in zip(one.embedding, other.embedding, strict=True))
        assert packed.usage.prompt_tokens == plain.usage.prompt_tokens > 0


def check_legacy_completions():
    for model in (SANDBOX, FAKE):
        answer = client().completions.create(model=model, prompt="one two")
        assert answer.choices[0].text and answer.usage.completion_tokens > 0
        stream = client().completions.create(model=model, prompt="one two", stream=True)
        assert "".join(chunk.choices[0].text for chunk in stream)


def check_wrong_key():
    error = raises(openai.AuthenticationError, client("sk-tl-wrong").models.list)
    assert error.code == "invalid_api_key", error.code
    ask = client("sk-tl-wrong").chat.completions.create
    raises(openai.AuthenticationError, lambda: ask(model=SANDBOX, messages=MESSAGES))


def check_unknown_model_with_suggestions():
    ask = client().chat.completions.create
    error = raises(openai.NotFoundError, lambda: ask(model="sandbox/echo-smal", messages=MESSAGES))
    assert error.code == "model_not_found" and SANDBOX in error.message, error.message


def check_model_outside_the_keys_scope():
    ask = client("scoped").chat.completions.create
    raises(openai.PermissionDeniedError, lambda: ask(model=FAKE, messages=MESSAGES))
    assert ask(model=SANDBOX, messages=MESSAGES).choices


def check_wrong_field_keeps_the_providers_words():
    ask = client().chat.completions.create
    error = raises(openai.BadRequestError, lambda: ask(model=FAKE, messages=MESSAGES, n="two"))
    assert error.param == "n", error


def check_rate_limit():
    with client("limited") as limited:
        ask = limited.chat.completions.create
        first = limited.chat.completions.with_raw_response.create(model=SANDBOX, messages=MESSAGES)
        assert first.headers["x-ratelimit-limit-requests"] == "1"
        error = raises(openai.RateLimitError, lambda: ask(model=SANDBOX, messages=MESSAGES))
    assert error.code == "rate_limit_exceeded" and int(error.response.headers["retry-after"]) > 0


def check_budget_is_402_and_not_tried_again():
    ask = client("poor", max_retries=2).chat.completions.create
    error = raises(openai.APIStatusError, lambda: ask(model=FAKE, messages=said("poor")))
    assert error.status_code == 402 and error.code == "budget_exceeded"
    assert error.request.headers["x-stainless-retry-count"] == "0"


def check_cost_is_the_same_everywhere():
    raw = client().chat.completions.with_raw_response.create(
        model=FAKE, messages=said("cost"), extra_body={"usage": {"include": True}, "session_id": "python-cost"}
    )
    cost = Decimal(raw.headers["x-trunkline-cost-usd"])
    # Five tokens at one dollar a million, nine at two.
    assert cost == Decimal("0.000023") == Decimal(str(raw.parse().usage.cost))
    assert '"session_id"' not in read_by_provider("cost")["body"]
    generation = client().get(
        "/generation", cast_to=dict, options={"params": {"id": raw.headers["x-generation-id"]}}
    )["data"]
    assert Decimal(generation["total_cost_usd"]) == cost
    assert (generation["tokens_prompt"], generation["tokens_completion"]) == (5, 9)
    assert (generation["model"], generation["streamed"]) == (FAKE, False)
    stranger = client("scoped").get
    options = {"params": {"id": raw.headers["x-generation-id"]}}
    raises(openai.NotFoundError, lambda: stranger("/generation", cast_to=dict, options=options))


def check_a_left_stream_is_still_recorded():
    raw = client().chat.completions.with_raw_response.create(model=SANDBOX, messages=MESSAGES, stream=True)
    with raw.parse() as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break

    def generation():
        options = {"params": {"id": raw.headers["x-generation-id"]}}
        try:
            return client().get("/generation", cast_to=dict, options=options)["data"]
        except openai.NotFoundError:
            return None

    assert wait_for("the left stream's record", generation)["cancelled"]


if __name__ == "__main__":
    sys.exit(run(named(dict(globals()))))
