"""Proves the fake provider's Mistral by the official Mistral client for Python: what the client accepts from the fake, it
would accept from Mistral, and what the fake refuses, it refuses in Mistral's form.

Run by `run`, which has built the fake provider and installed the client.
"""

import json
import sys
from contextlib import contextmanager

import httpx2
from checks import named, raises, run
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError
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
    TOOLS,
    each_refused,
    fake,
    turns,
    without_absent,
)


@contextmanager
def provider(key=KEY, **setup):
    """A client of a fresh fake provider, and the address it talks to."""
    with fake(**setup) as root, Mistral(api_key=key, server_url=f"{root}/mistral", timeout_ms=10_000) as client:
        yield client, f"{root}/mistral/v1/chat/completions"


def ask(client, **more):
    return client.chat.complete(**{"model": MODEL, "messages": MESSAGES, **more})


def chunks(client, **more):
    with client.chat.stream(**{"model": MODEL, "messages": MESSAGES, **more}) as stream:
        return [event.data for event in stream]


def both(client, **more):
    """Text, calls, why it ends and usage of an answer, whole and from its chunks."""
    answer = ask(client, **more)
    (choice,) = answer.choices
    said = [(choice.message.content, choice.message.tool_calls)]
    told = chunks(client, **more)
    deltas = [choice.delta for chunk in told for choice in chunk.choices]
    assert all(chunk.usage is None for chunk in told[:-1])
    for said, finish, usage in (
        (said, choice.finish_reason, answer.usage),
        (
            [(delta.content, delta.tool_calls) for delta in deltas],
            told[-1].choices[0].finish_reason,
            told[-1].usage,
        ),
    ):
        text = "".join(content or "" for content, _ in said)
        calls = [(call.function.name, json.loads(call.function.arguments)) for _, calls in said for call in calls or ()]
        yield text, calls, finish, usage


def check_text():
    with provider() as (client, _):
        for text, calls, finish, usage in both(client):
            assert (text, calls, finish) == (TEXT, [], "stop")
            assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (4, 9, 13)
        for text, _, finish, _ in both(client, max_tokens=3):
            assert (text, finish) == ("Hello from the ", "length")
        for text, _, finish, _ in both(client, stop="It"):
            assert (text, finish) == ("Hello from the fake provider. ", "stop")
        for url in (f"data:image/png;base64,{PIXEL}", {"url": f"data:image/png;base64,{PIXEL}"}):
            picture = {"type": "image_url", "image_url": url}
            messages = [{"role": "user", "content": [{"type": "text", "text": "Look:"}, picture]}]
            assert ask(client, messages=messages).usage.prompt_tokens == 86
        assert [model.id for model in client.models.list().data] == [MODEL]


def check_tools_and_their_results():
    with provider() as (client, _):
        for choice in ("any", "required"):
            for text, calls, finish, _ in both(client, tools=FUNCTIONS, tool_choice=choice):
                assert calls == [(name, ARGUMENTS) for name in TOOLS] and (text, finish) == ("", "tool_calls")
        one = {"type": "function", "function": {"name": TOOLS[1]}}
        for _, calls, *_ in both(client, tools=FUNCTIONS, tool_choice=one):
            assert calls == [(TOOLS[1], ARGUMENTS)]
        for _, calls, *_ in both(client, tools=FUNCTIONS, tool_choice="any", parallel_tool_calls=False):
            assert len(calls) == 1
        turn = ask(client, tools=FUNCTIONS, tool_choice="any").choices[0].message
        results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in turn.tool_calls]
        for text, *_ in both(client, messages=[*MESSAGES, turn, *results], tools=FUNCTIONS):
            assert text == TEXT


def check_formats_and_an_answer_that_is_begun():
    goes_on = {"body": {"answer": {"begun": "goes_on"}}}
    with provider(otherwise=[goes_on]) as (client, _):
        form = {"type": "json_schema", "json_schema": {"name": "forecast", "schema": SCHEMA, "strict": True}}
        for text, *_ in both(client, response_format=form):
            assert json.loads(text) == ARGUMENTS
        turns = [*MESSAGES, {"role": "assistant", "content": "Hello from", "prefix": True}]
        for text, *_ in both(client, messages=turns):
            assert text == TEXT.removeprefix("Hello from")


ID = "a1B2c3D4e"
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": ID, "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}],
}
RESULT = {"role": "tool", "tool_call_id": ID, "content": "sunny"}
FOREIGN = {**CALL, "tool_calls": [{**CALL["tool_calls"][0], "id": "call_1"}]}
UNKNOWN = ("extra_forbidden", "Extra inputs are not permitted")
UNPROCESSABLE = {
    "an unknown member": ({"stream_options": {}}, ["body", "stream_options"], *UNKNOWN),
    "OpenAI's cap": ({"max_completion_tokens": 5}, ["body", "max_completion_tokens"], *UNKNOWN),
    "a gateway's member": ({"routing": {}}, ["body", "routing"], *UNKNOWN),
    "an unknown member of a message": (
        {"messages": [{"role": "user", "content": "a", "name": "b"}]},
        ["body", "messages", 0, "user", "name"],
        *UNKNOWN,
    ),
    "a thought of another's": (
        turns({"role": "assistant", "content": "a", "reasoning_content": "b"}, *MESSAGES),
        ["body", "messages", 1, "assistant", "reasoning_content"],
        *UNKNOWN,
    ),
    "no model": ({"model": ...}, ["body", "model"], "missing", "Field required"),
    "another type": ({"stream": "no"}, ["body", "stream"], "bool_type", "valid boolean"),
    "another role": (
        {"messages": [{"role": "developer", "content": "a"}]},
        ["body", "messages", 0],
        "union_tag_invalid",
        "does not match any of the expected tags",
    ),
}
BAD = {
    "another model": ({"model": "other"}, "1500", "Invalid model: other"),
    "another's id": (
        turns(FOREIGN, {**RESULT, "tool_call_id": "call_1"}),
        "3280",
        "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.",
    ),
    "a call without its result": (turns(CALL, *MESSAGES), "3230", "Not the same number of function calls and responses"),
    "a result too many": (turns(CALL, RESULT, RESULT), "3230", "Not the same number of function calls and responses"),
    "a result without its call": (turns(RESULT), "3230", "Unexpected role 'tool' after role 'user'"),
    "a user after a tool": (turns(CALL, RESULT, *MESSAGES), "3230", "Unexpected role 'user' after role 'tool'"),
    "an answer last": (
        turns({"role": "assistant", "content": "a"}),
        "3230",
        "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
    ),
}


def check_what_the_real_one_refuses_is_refused():
    with provider() as (_, address):

        def said(change):
            body = without_absent({"model": MODEL, "messages": MESSAGES, **change})
            answer = httpx2.post(address, json=body, headers={"authorization": f"Bearer {KEY}"})
            return answer.status_code, answer.json()

        def unprocessable(change, place, kind, words):
            status, body = said(change)
            (detail,) = body["message"]["detail"]
            assert (status, detail["type"], detail["loc"]) == (422, kind, place) and words in detail["msg"], body

        def bad(change, code, words):
            status, body = said(change)
            assert (status, body["code"], body["message"]) == (400, code, words), body

        each_refused(UNPROCESSABLE, unprocessable)
        each_refused(BAD, bad)


def check_errors():
    with provider(scripts=[LIMITED, OVERLOADED, BREAKING, CUT]) as (client, _):
        error = raises(SDKError, lambda: ask(client))
        assert error.status_code == 429 and "Slow down." in error.body and error.headers["retry-after"] == "7"
        assert raises(SDKError, lambda: ask(client)).status_code == 503
        # The client takes an error in a stream for a chunk that is none.
        error = raises(Exception, lambda: chunks(client))
        assert "Service tier capacity exceeded" in str(error) or "validation" in str(error).lower(), error
        raises(httpx2.RemoteProtocolError, lambda: chunks(client))
        error = raises(SDKError, lambda: ask(client, model="other"))
        assert error.status_code == 400 and json.loads(error.body)["type"] == "invalid_model"
        # What the client takes and Mistral does not.
        raises(HTTPValidationError, lambda: ask(client, max_tokens=-1))
    with provider(key="sk-wrong") as (client, _):
        error = raises(SDKError, lambda: ask(client))
        assert error.status_code == 401 and json.loads(error.body)["message"] == "Unauthorized"


if __name__ == "__main__":
    sys.exit(run(named(dict(globals()))))
