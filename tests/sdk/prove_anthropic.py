"""Proves the fake provider's Messages by the official Anthropic client for Python: what the client accepts from the
fake, it would accept from Anthropic, and what the fake refuses, it refuses in Anthropic's form.

Run by `run`, which has built the fake provider and installed the client.
"""

import sys
from contextlib import contextmanager

import anthropic
import httpx2
import pydantic
from checks import named, raises, run
from proving import KEY, MESSAGES, MODEL, SCHEMA, TEXT, THOUGHT, each_refused, fake

TOOLS = [{"name": name, "input_schema": SCHEMA} for name in ("get_weather", "get_news")]
INPUT = {"city": "some words", "days": 1}
THINKING = {"type": "enabled", "budget_tokens": 1024}
PIXEL = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


@contextmanager
def provider(**setup):
    """A client of a fresh fake provider."""
    with fake(**setup) as root, anthropic.Anthropic(
        base_url=root, api_key=KEY, max_retries=0, timeout=10
    ) as client:
        yield client


def ask(client, **more):
    return client.messages.create(**{"model": MODEL, "max_tokens": 2000, "messages": MESSAGES, **more})


def streamed(client, **more):
    """The same answer, put together from a stream by the client."""
    with client.messages.stream(**{"model": MODEL, "max_tokens": 2000, "messages": MESSAGES, **more}) as stream:
        return stream.get_final_message()


def check_text():
    with provider() as client:
        for answer in (ask(client), streamed(client)):
            assert answer.content[0].text == TEXT and answer.stop_reason == "end_turn"
            usage = answer.usage
            assert (usage.input_tokens, usage.output_tokens) == (4, 9)
        for answer in (ask(client, max_tokens=3), streamed(client, max_tokens=3)):
            assert (answer.content[0].text, answer.stop_reason) == ("Hello from the ", "max_tokens")
        for answer in (ask(client, stop_sequences=["It"]), streamed(client, stop_sequences=["It"])):
            assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "It")
        answer = ask(client, messages=[{"role": "user", "content": [{"type": "text", "text": "Look:"}, PIXEL]}])
        assert answer.usage.input_tokens == 86


def check_tools_and_their_results():
    with provider() as client:
        forced = {"tools": TOOLS, "tool_choice": {"type": "any"}}
        for answer in (ask(client, **forced), streamed(client, **forced)):
            assert answer.stop_reason == "tool_use"
            assert [(call.name, call.input) for call in answer.content] == [
                ("get_weather", INPUT),
                ("get_news", INPUT),
            ]
            results = [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"} for call in answer.content]
            turns = [*MESSAGES, {"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
            assert ask(client, messages=turns, tools=TOOLS).content[0].text == TEXT
        one = {"tools": TOOLS, "tool_choice": {"type": "any", "disable_parallel_tool_use": True}}
        assert len(ask(client, **one).content) == 1


def check_structured_output():
    class Forecast(pydantic.BaseModel):
        city: str
        days: int

    with provider() as client:
        answer = client.messages.parse(model=MODEL, max_tokens=100, messages=MESSAGES, output_format=Forecast)
        assert answer.parsed_output == Forecast(city="some words", days=1)


def check_thoughts_are_signed_and_taken_back_unchanged_only():
    with provider() as client:
        for answer in (ask(client, thinking=THINKING), streamed(client, thinking=THINKING)):
            thought, text = answer.content
            assert (thought.thinking, text.text) == (THOUGHT, TEXT)
            assert answer.usage.output_tokens == 15 and answer.usage.output_tokens_details.thinking_tokens == 6
            turns = [*MESSAGES, {"role": "assistant", "content": answer.content}, *MESSAGES]
            assert ask(client, messages=turns, thinking=THINKING).content[1].text == TEXT
            for changed in ({"thinking": "Something else."}, {"signature": "AAAA"}, {"signature": ""}):
                forged = {**thought.model_dump(), **changed}
                turns[1] = {"role": "assistant", "content": [forged, text]}
                error = raises(anthropic.BadRequestError, lambda: ask(client, messages=turns))
                assert "messages.1.content.0: Invalid `signature` in `thinking` block" in error.message
        hidden = {"type": "adaptive", "display": "omitted"}
        for answer in (ask(client, thinking=hidden), streamed(client, thinking=hidden)):
            assert answer.content[0].thinking == "" and answer.content[0].signature
            turns = [*MESSAGES, {"role": "assistant", "content": answer.content}, *MESSAGES]
            ask(client, messages=turns)


def check_a_beginning_seen_before_is_read_from_the_cache():
    with provider() as client:
        system = [{"type": "text", "text": "one two three", "cache_control": {"type": "ephemeral"}}]
        for read, written in ((0, 3), (3, 0)):
            usage = ask(client, system=system).usage
            assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (read, written), usage
            assert usage.input_tokens == 4
        usage = streamed(client, system=system).usage
        assert (usage.input_tokens, usage.cache_read_input_tokens) == (4, 3)


def check_counts_and_models():
    with provider() as client:
        assert client.messages.count_tokens(model=MODEL, messages=MESSAGES).input_tokens == 4
        assert [model.id for model in client.models.list()] == [MODEL]


USER = {"role": "user", "content": "Hello"}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}]}
MARKED = {"type": "text", "text": "one", "cache_control": {"type": "ephemeral"}}
REFUSED = {
    "an unknown member": ({"n": 2}, "n: Extra inputs are not permitted"),
    "a gateway's member": ({"routing": {}}, "routing: Extra inputs are not permitted"),
    "an unknown member of a block": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "id": "b"}]}]},
        "messages.0.content.0.text.id: Extra inputs are not permitted",
    ),
    "no max_tokens": ({"max_tokens": ...}, "max_tokens: Field required"),
    "another type": ({"stream": "no"}, "stream: Input should be a valid boolean"),
    "null": ({"temperature": None}, "temperature: Input should be a valid number"),
    "too warm": ({"temperature": 1.5}, "temperature: range: 0..1"),
    "warm at all, in the newest version": (
        {"temperature": 1.0, "version": "2026-10-21"},
        "temperature: Extra inputs are not permitted",
    ),
    "no messages": ({"messages": []}, "messages: at least one message is required"),
    "the assistant first": ({"messages": [{"role": "assistant", "content": "a"}]}, 'must use the "user" role'),
    "a tool's role": ({"messages": [USER, {"role": "tool", "content": "a"}]}, "messages.1.role: Input should be"),
    "empty text": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
        "text content blocks must be non-empty",
    ),
    "white space last": (
        {"messages": [USER, {"role": "assistant", "content": "a "}]},
        "final assistant content cannot end with trailing whitespace",
    ),
    "a call without its result": ({"messages": [USER, CALL, USER]}, "messages.1: `tool_use` ids were found without"),
    "a result without its call": ({"messages": [USER, RESULT]}, "unexpected `tool_use_id` found in `tool_result`"),
    "a result after text": (
        {"messages": [USER, CALL, {"role": "user", "content": [{"type": "text", "text": "a"}, *RESULT["content"]]}]},
        "messages.1: `tool_use` ids were found without",
    ),
    "a thought that is missing": (
        {"messages": [USER, CALL, RESULT], "thinking": THINKING, "tools": TOOLS},
        "Expected `thinking` or `redacted_thinking`, but found `tool_use`",
    ),
    "thinking and a forced tool": (
        {"thinking": THINKING, "tools": TOOLS, "tool_choice": {"type": "any"}},
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    "thinking without room": ({"thinking": THINKING, "max_tokens": 1024}, "`max_tokens` must be greater than"),
    "too little thinking": (
        {"thinking": {"type": "enabled", "budget_tokens": 5}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    "cool thinking": ({"thinking": THINKING, "temperature": 0.5}, "may only be set to 1 when thinking is enabled"),
    "an open schema": (
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        "'additionalProperties' must be explicitly set to false",
    ),
    "five marks": ({"system": [MARKED] * 5}, "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    "a bad image": (
        {"messages": [{"role": "user", "content": [{**PIXEL, "source": {**PIXEL["source"], "data": "?"}}]}]},
        "invalid base64 data",
    ),
}


def refuses(client, change, words):
    body = {"model": MODEL, "max_tokens": 2000, "messages": MESSAGES, **change}
    version = body.pop("version", "2023-06-01")
    body = {name: value for name, value in body.items() if value is not ...}
    options = {"headers": {"anthropic-version": version}}
    post = lambda: client.post("/v1/messages", body=body, cast_to=object, options=options)
    error = raises(anthropic.BadRequestError, post)
    assert error.body["type"] == "error" and error.body["error"]["type"] == "invalid_request_error"
    assert words in error.body["error"]["message"], error.body


def check_what_the_real_one_refuses_is_refused():
    with provider() as client:
        each_refused(REFUSED, lambda change, words: refuses(client, change, words))


def check_errors():
    overloaded = {"status": 529, "body": {"error": {"kind": "overloaded_error", "code": None, "message": "Overloaded"}}}
    limited = {
        "headers": {"retry-after": "7"},
        "status": 429,
        "body": {"error": {"kind": "requests", "code": "rate_limit_exceeded", "message": "Slow down."}},
    }
    event = {"end": {"overloaded": 5}}
    cut = {"end": {"cut": {"pieces": 5}}}
    with provider(scripts=[limited, overloaded, event, cut]) as client:
        error = raises(anthropic.RateLimitError, lambda: ask(client))
        assert error.type == "rate_limit_error" and error.response.headers["retry-after"] == "7"
        error = raises(anthropic.APIStatusError, lambda: ask(client))
        assert (error.status_code, error.type) == (529, "overloaded_error")
        error = raises(anthropic.APIStatusError, lambda: streamed(client))
        assert error.type == "overloaded_error"
        # The client passes on what its HTTP library says of a stream that breaks off.
        raises(httpx2.RemoteProtocolError, lambda: streamed(client))
        assert raises(anthropic.NotFoundError, lambda: ask(client, model="other")).type == "not_found_error"
        assert ask(client.with_options(api_key=None, default_headers={"x-api-key": KEY})).content
        stranger = client.with_options(api_key="sk-wrong")
        assert raises(anthropic.AuthenticationError, lambda: ask(stranger)).type == "authentication_error"
        for headers in ({"anthropic-version": "1999-01-01"}, {"anthropic-version": anthropic.omit}):
            raises(anthropic.BadRequestError, lambda: ask(client, extra_headers=headers))


if __name__ == "__main__":
    sys.exit(run(named(dict(globals()))))
