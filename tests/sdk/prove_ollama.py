"""Proves the fake provider's `/api/chat` by the official Ollama client for Python: what the client accepts from the fake,
it would accept from Ollama, and what the fake refuses, it refuses in Ollama's form.

Run by `run`, which has built the fake provider and installed the client.
"""

import base64
import json
import sys
from contextlib import contextmanager

import httpx
import ollama
from checks import named, raises, run
from proving import (
    ARGUMENTS,
    BREAKING,
    CUT,
    FUNCTIONS,
    KEY,
    LIMITED,
    MESSAGES,
    MODEL,
    OVERLOADED,
    PIXEL,
    SCHEMA,
    TEXT,
    THOUGHT,
    TOOLS,
    each_refused,
    fake,
    turns,
    without_absent,
)

CALLING = {"body": {"answer": {"calls": [{"name": name, "arguments": ARGUMENTS} for name in TOOLS], "at_once": 2}}}


@contextmanager
def provider(key=KEY, **setup):
    """A client of a fresh fake provider."""
    with fake(**setup) as root:
        yield ollama.Client(host=root, headers={"authorization": f"Bearer {key}"}, timeout=10)


def ask(client, **more):
    return client.chat(**{"model": MODEL, "messages": MESSAGES, **more})


def lines(client, **more):
    return list(ask(client, **more, stream=True))


def both(client, **more):
    """Text, thought, calls and the last line of an answer, whole and from its lines."""
    for answer in ([ask(client, **more)], lines(client, **more)):
        said = [line.message for line in answer]
        calls = [(call.function.name, call.function.arguments) for turn in said for call in turn.tool_calls or ()]
        text, thought = ("".join(getattr(turn, name) or "" for turn in said) for name in ("content", "thinking"))
        assert answer[-1].done and not any(line.done for line in answer[:-1])
        yield text, thought, calls, answer[-1]


def check_text():
    with provider() as client:
        for text, thought, calls, last in both(client):
            assert (text, thought, calls, last.done_reason) == (TEXT, "", [], "stop")
            assert (last.prompt_eval_count, last.eval_count) == (4, 9)
            assert last.total_duration and last.created_at
        for text, _, _, last in both(client, options={"num_predict": 3}):
            assert (text, last.done_reason) == ("Hello from the ", "length")
        for text, _, _, last in both(client, options={"stop": ["It"]}):
            assert (text, last.done_reason) == ("Hello from the fake provider. ", "stop")
        picture = [{"role": "user", "content": "Look:", "images": [base64.b64decode(PIXEL)]}]
        assert ask(client, messages=picture).prompt_eval_count == 86
        assert ask(client, messages=[]).done_reason == "load"
        assert len(lines(client)) == 10
        assert [model.model for model in client.list().models] == [MODEL]


def check_tools_and_their_results():
    with provider(otherwise=[CALLING]) as client:
        for _, _, calls, last in both(client, tools=FUNCTIONS):
            assert calls == [(name, ARGUMENTS) for name in TOOLS] and last.done_reason == "stop"
        answer = ask(client, tools=FUNCTIONS).message
        results = [{"role": "tool", "content": "sunny", "tool_name": name} for name in TOOLS]
        assert ask(client, messages=[*MESSAGES, answer, *results], tools=FUNCTIONS).message.content == TEXT
        # One at a time: the second is called once the first has its result.
        one = [*MESSAGES, {**answer.model_dump(), "tool_calls": answer.tool_calls[:1]}, results[0]]
        (call,) = ask(client, messages=one, tools=FUNCTIONS).message.tool_calls
        assert call.function.name == TOOLS[1]
        assert ask(client).message.tool_calls is None


def check_thoughts_and_formats():
    with provider() as client:
        for think in (True, "low"):
            for text, thought, _, last in both(client, think=think):
                assert (text, thought, last.eval_count) == (TEXT, THOUGHT, 15)
        turn = ask(client, think=True).message
        assert ask(client, messages=[*MESSAGES, turn, *MESSAGES]).message.content == TEXT
        for text, *_ in both(client, format=SCHEMA):
            assert json.loads(text) == ARGUMENTS
        assert ask(client, format="json").message.content == "{}"


def check_an_answer_that_is_begun():
    goes_on = {"body": {"answer": {"begun": "goes_on"}}}
    with provider(otherwise=[goes_on]) as client:
        turns = [*MESSAGES, {"role": "assistant", "content": "Hello from"}]
        assert ask(client, messages=turns).message.content == TEXT.removeprefix("Hello from")


CALL = {"role": "assistant", "tool_calls": [{"function": {"name": "get_weather", "arguments": {}}}]}
REFUSED = {
    "an unknown member": ({"n": 2}, 400, 'json: unknown field "n"'),
    "a gateway's member": ({"routing": {}}, 400, 'json: unknown field "routing"'),
    "an unknown option": ({"options": {"max_tokens": 3}}, 400, 'json: unknown field "max_tokens"'),
    "no model": ({"model": ...}, 400, "model is required"),
    "another model": ({"model": "other"}, 404, "model 'other' not found"),
    "another type": ({"stream": "no"}, 400, "cannot unmarshal string into Go struct field ChatRequest.stream of type bool"),
    "content in parts": (
        turns({"role": "user", "content": [{"type": "text", "text": "a"}]}),
        400,
        "cannot unmarshal array into Go struct field ChatRequest.messages.content of type string",
    ),
    "arguments as text": (
        turns({"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": "{}"}}]}),
        400,
        "cannot unmarshal string into Go struct field ChatRequest.messages.tool_calls.function.arguments",
    ),
    "another role": (turns({"role": "developer", "content": "a"}), 400, '"developer" is none of system'),
    "a result without its call": (turns({"role": "tool", "content": "a"}), 400, "a result without a call before it"),
    "a result too many": (turns(CALL, *[{"role": "tool", "content": "a"}] * 2), 400, "a result without a call"),
    "a bad image": (turns({"role": "user", "content": "a", "images": ["?"]}), 400, "illegal base64 data"),
    "another thought": ({"think": "much"}, 400, 'invalid think value: "much"'),
    "another format": ({"format": "xml"}, 500, 'invalid format: "xml"; expected "json" or a valid JSON Schema object'),
    "too many log probabilities": ({"top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
}


def check_what_it_should_not_be_asked_is_refused():
    with provider() as client:

        def refuses(change, status, words):
            # The client checks what it sends; its own way to send something else is private.
            body = without_absent({"model": MODEL, "messages": MESSAGES, "stream": False, **change})
            error = raises(ollama.ResponseError, lambda: client._request_raw("POST", "/api/chat", json=body))
            assert error.status_code == status and words in error.error, error

        each_refused(REFUSED, refuses)


def check_errors():
    with provider(scripts=[LIMITED, OVERLOADED, BREAKING, CUT]) as client:
        error = raises(ollama.ResponseError, lambda: ask(client))
        assert (error.status_code, error.error) == (429, "Slow down.")
        error = raises(ollama.ResponseError, lambda: ask(client))
        assert error.status_code == 503 and error.error.startswith("server busy, please try again"), error
        # In the middle of a stream there is no status any more.
        error = raises(ollama.ResponseError, lambda: lines(client))
        assert error.status_code == -1 and error.error.startswith("server busy"), error
        raises(httpx.RemoteProtocolError, lambda: lines(client))
    with provider(key="sk-wrong") as client:
        error = raises(ollama.ResponseError, lambda: ask(client))
        assert (error.status_code, error.error) == (401, "unauthorized")


if __name__ == "__main__":
    sys.exit(run(named(dict(globals()))))
