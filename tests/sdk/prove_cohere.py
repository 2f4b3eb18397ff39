"""Proves the fake provider's `/v2/chat` by the official Cohere client for Python: what the client accepts from the fake,
it would accept from Cohere, and what the fake refuses, it refuses in Cohere's form.

Run by `run`, which has built the fake provider and installed the client.
"""

import json
import sys
from contextlib import contextmanager

import cohere
import httpx
from checks import named, raises, run
from cohere.core.api_error import ApiError
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

THINKING = {"type": "enabled", "token_budget": 100}
ONCE = {"max_retries": 0}


@contextmanager
def provider(key=KEY, **setup):
    """A client of a fresh fake provider."""
    with fake(**setup) as root:
        yield cohere.ClientV2(api_key=key, base_url=root, timeout=10)


def ask(client, **more):
    return client.chat(**{"model": MODEL, "messages": MESSAGES, "request_options": ONCE, **more})


def events(client, **more):
    return list(client.chat_stream(**{"model": MODEL, "messages": MESSAGES, "request_options": ONCE, **more}))


class Heard:
    """An answer put together from a whole one, or from events."""

    def __init__(self, answer=None, told=()):
        self.text = self.thought = self.plan = ""
        self.calls = []
        if answer:
            for block in answer.message.content or ():
                self.text += getattr(block, "text", "")
                self.thought += getattr(block, "thinking", "")
            self.plan = answer.message.tool_plan or ""
            self.calls = [(call.function.name, call.function.arguments) for call in answer.message.tool_calls or ()]
            self.finish, self.usage = answer.finish_reason, answer.usage
        for event in told:
            getattr(self, event.type.replace("-", "_"), lambda event: None)(event)
        self.calls = [(name, json.loads(arguments)) for name, arguments in self.calls]

    def content_delta(self, event):
        self.text += event.delta.message.content.text or ""
        self.thought += event.delta.message.content.thinking or ""

    def tool_plan_delta(self, event):
        self.plan += event.delta.message.tool_plan

    def tool_call_start(self, event):
        self.calls.append((event.delta.message.tool_calls.function.name, ""))

    def tool_call_delta(self, event):
        name, arguments = self.calls[event.index]
        self.calls[event.index] = (name, arguments + event.delta.message.tool_calls.function.arguments)

    def message_end(self, event):
        self.finish, self.usage = event.delta.finish_reason, event.delta.usage


def both(client, **more):
    yield Heard(ask(client, **more))
    yield Heard(told=events(client, **more))


def check_text():
    with provider() as client:
        for heard in both(client):
            assert (heard.text, heard.thought, heard.calls, heard.finish) == (TEXT, "", [], "COMPLETE")
            assert (heard.usage.billed_units.input_tokens, heard.usage.billed_units.output_tokens) == (4, 9)
            assert heard.usage.tokens.output_tokens == 9 and heard.usage.cached_tokens == 0
        for heard in both(client, max_tokens=3):
            assert (heard.text, heard.finish) == ("Hello from the ", "MAX_TOKENS")
        for heard in both(client, stop_sequences=["It"]):
            assert (heard.text, heard.finish) == ("Hello from the fake provider. ", "STOP_SEQUENCE")
        told = [event.type for event in events(client, max_tokens=1)]
        assert told == ["message-start", "content-start", "content-delta", "content-end", "message-end"]
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
        messages = [{"role": "user", "content": [{"type": "text", "text": "Look:"}, picture]}]
        assert ask(client, messages=messages).usage.tokens.input_tokens == 86
        assert ask(client, documents=["one two three"]).usage.tokens.input_tokens == 7


def check_tools_and_their_results():
    with provider() as client:
        for heard in both(client, tools=FUNCTIONS, tool_choice="REQUIRED"):
            assert heard.calls == [(name, ARGUMENTS) for name in TOOLS]
            assert (heard.finish, heard.text, heard.plan) == ("TOOL_CALL", "", "")
        for heard in both(client, tools=FUNCTIONS, tool_choice="REQUIRED", thinking=THINKING):
            assert heard.plan == THOUGHT and len(heard.calls) == 2
        turn = ask(client, tools=FUNCTIONS, tool_choice="REQUIRED", thinking=THINKING).message
        results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in turn.tool_calls]
        for heard in both(client, messages=[*MESSAGES, turn, *results], tools=FUNCTIONS):
            assert heard.text == TEXT


def check_thoughts_and_formats():
    with provider() as client:
        for heard in both(client, thinking=THINKING):
            assert (heard.text, heard.thought, heard.usage.tokens.output_tokens) == (TEXT, THOUGHT, 15)
        turn = ask(client, thinking=THINKING).message
        assert Heard(ask(client, messages=[*MESSAGES, turn, *MESSAGES])).text == TEXT
        for heard in both(client, response_format={"type": "json_object", "json_schema": SCHEMA}):
            assert json.loads(heard.text) == ARGUMENTS


CALL = {
    "role": "assistant",
    "tool_calls": [{"id": "a", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}],
}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "sunny"}
PROPER = "For proper usage, please refer to https://docs.cohere.com/reference/chat"
REFUSED = {
    "an unknown member": ({"n": 2}, 422, f"unknown field: parameter 'n' is not a valid field. {PROPER}"),
    "a gateway's member": ({"routing": {}}, 422, "unknown field: parameter 'routing'"),
    "a strict function": (
        {"tools": [{"type": "function", "function": {"name": "a", "parameters": {}, "strict": True}}]},
        422,
        "unknown field: parameter 'strict'",
    ),
    "no model": ({"model": ...}, 400, "invalid request: model is required"),
    "another model": ({"model": "other"}, 404, "model 'other' not found"),
    "another type": (
        {"messages": {}},
        400,
        f"invalid type: parameter messages is of type object but should be of type array. {PROPER}",
    ),
    "no messages": ({"messages": []}, 400, "invalid request: messages must be at least 1 long"),
    "a later system": (turns({"role": "system", "content": "a"}), 400, "system turn must be the first in the list"),
    "nothing said": (turns({"role": "user", "content": ""}), 400, "message must not be empty in a turn"),
    "a call without its result": (
        turns(CALL, *MESSAGES),
        400,
        "must be followed by tool messages responding to each 'tool_call_id'. "
        "The following tool_call_ids did not have response messages: a",
    ),
    "a result without its call": (turns(RESULT), 400, "tool_call_id 'a' is of no call before it"),
    "a result too many": (turns(CALL, RESULT, RESULT), 400, "tool_call_id 'a' is of no call before it"),
    "another choice": ({"tools": FUNCTIONS, "tool_choice": "AUTO"}, 400, "should be one of REQUIRED, NONE"),
    "a choice of none": ({"tool_choice": "REQUIRED"}, 400, "tool_choice REQUIRED needs tools"),
    "both penalties": (
        {"frequency_penalty": 0.5, "presence_penalty": 0.5},
        400,
        "cannot specify both frequency_penalty and presence_penalty.",
    ),
    "too much of p": ({"p": 1}, 400, "p must be between 0.01 and 0.99"),
    "too many stops": ({"stop_sequences": list("abcdef")}, 400, "at most 5"),
    "a form and documents": (
        {"documents": ["a"], "response_format": {"type": "json_object"}},
        400,
        "response_format is not supported with RAG.",
    ),
}
ERRORS = {
    400: cohere.BadRequestError,
    401: cohere.UnauthorizedError,
    404: cohere.NotFoundError,
    422: cohere.UnprocessableEntityError,
}


def check_what_the_real_one_refuses_is_refused():
    with provider() as client:

        def refuses(change, status, words):
            body = without_absent({"model": MODEL, "messages": MESSAGES, **change})
            added = {name: value for name, value in body.items() if name not in ("model", "messages")}
            # What the client has no parameter for, and what it would leave out, it is told to add.
            options = {**ONCE, "additional_body_parameters": added}
            model, messages = body.get("model", cohere.v2.client.OMIT), body["messages"]
            call = lambda: client.chat(model=model, messages=messages, request_options=options)
            error = raises(ERRORS[status], call)
            assert words in error.body["message"], error.body

        each_refused(REFUSED, refuses)


def check_errors():
    with provider(scripts=[LIMITED, OVERLOADED, BREAKING, CUT]) as client:
        error = raises(cohere.TooManyRequestsError, lambda: ask(client))
        assert error.body["message"] == "Slow down." and error.headers["retry-after"] == "7"
        raises(cohere.ServiceUnavailableError, lambda: ask(client))
        # A stream that has begun ends in an error which the client passes on as what it is.
        last = events(client)[-1]
        assert (last.type, last.delta.finish_reason) == ("message-end", "ERROR") and last.delta.error
        raises(httpx.RemoteProtocolError, lambda: events(client))
    with provider(key="sk-wrong") as client:
        error = raises(cohere.UnauthorizedError, lambda: ask(client))
        assert error.body["message"] == "invalid api token" and isinstance(error, ApiError)


if __name__ == "__main__":
    sys.exit(run(named(dict(globals()))))
