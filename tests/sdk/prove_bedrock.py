"""Proves the fake provider's Converse by Amazon's client for Python: what the client accepts from the fake, it would accept
from Bedrock, and what the fake refuses, it refuses in Bedrock's form. Signed calls prove the signature too: the fake makes
it again with the signer the gateway has.

Run by `run`, which has built the fake provider and installed the client.
"""

import base64
import json
import os
import sys
from contextlib import contextmanager

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from checks import named, raises, run
from proving import (
    ARGUMENTS,
    BREAKING,
    KEY,
    LIMITED,
    OVERLOADED,
    PIXEL,
    QUESTION,
    SCHEMA,
    TEXT,
    THOUGHT,
    TOOLS,
    each_refused,
    fake,
)
from urllib3.exceptions import HTTPError

MODEL = "us.anthropic.claude-fake-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": QUESTION}]}]
OFFERED = [{"toolSpec": {"name": name, "description": "Does it.", "inputSchema": {"json": SCHEMA}}} for name in TOOLS]
FORCED = {"toolConfig": {"tools": OFFERED, "toolChoice": {"any": {}}}}
THINKING = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}
SIGNING = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=10, parameter_validation=False)


@contextmanager
def provider(secret=SIGNING["secret_access_key"], key=None, **setup):
    """A client of a fresh fake provider: one that signs, unless it has a key."""
    os.environ.pop("AWS_BEARER_TOKEN_BEDROCK", None)
    keys = {"aws_access_key_id": SIGNING["access_key_id"], "aws_secret_access_key": secret}
    with fake(**{"models": [MODEL], "signing": SIGNING, **setup}) as root:
        if key:
            os.environ["AWS_BEARER_TOKEN_BEDROCK"] = key
            keys, root = {}, root.replace("http:", "https:")
        client = boto3.client("bedrock-runtime", region_name="eu-west-1", endpoint_url=root, config=ONCE, **keys)
        # It sends a key by TLS only, which the fake does not speak.
        plain = lambda request, **_: setattr(request, "url", request.url.replace("https:", "http:"))
        client.meta.events.register("before-send", plain)
        yield client


def ask(client, **more):
    return client.converse(**{"modelId": MODEL, "messages": MESSAGES, **more})


def events(client, **more):
    return list(client.converse_stream(**{"modelId": MODEL, "messages": MESSAGES, **more})["stream"])


def put_together(told) -> dict:
    """The answer a stream says, as a whole one."""
    content, inputs, answer = {}, {}, {}
    for event in told:
        ((name, data),) = event.items()
        index = data.get("contentBlockIndex")
        if name == "contentBlockStart":
            content[index] = {"toolUse": dict(data["start"]["toolUse"])}
        elif name == "contentBlockDelta":
            ((kind, delta),) = data["delta"].items()
            if kind == "text":
                content.setdefault(index, {"text": ""})["text"] += delta
            elif kind == "toolUse":
                inputs[index] = inputs.get(index, "") + delta["input"]
            else:
                thought = content.setdefault(index, {"reasoningContent": {"reasoningText": {"text": ""}}})
                thought = thought["reasoningContent"]["reasoningText"]
                thought["text"] += delta.get("text", "")
                thought |= {"signature": delta["signature"]} if "signature" in delta else {}
        elif name in ("messageStop", "metadata"):
            answer |= data
    for index, text in inputs.items():
        content[index]["toolUse"]["input"] = json.loads(text)
    blocks = [content[index] for index in sorted(content)]
    return {**answer, "output": {"message": {"role": "assistant", "content": blocks}}}


def both(client, **more):
    """An answer's content, why it ends, its usage and the turn it is, whole and from events."""
    for answer in (ask(client, **more), put_together(events(client, **more))):
        turn = answer["output"]["message"]
        usage = answer["usage"]
        yield turn["content"], answer["stopReason"], (usage["inputTokens"], usage["outputTokens"]), turn


def check_text():
    with provider() as client:
        for content, reason, usage, _ in both(client):
            assert (content, reason, usage) == ([{"text": TEXT}], "end_turn", (4, 9))
        for content, reason, *_ in both(client, inferenceConfig={"maxTokens": 3}):
            assert (content, reason) == ([{"text": "Hello from the "}], "max_tokens")
        for content, reason, *_ in both(client, inferenceConfig={"stopSequences": ["It"]}):
            assert (content, reason) == ([{"text": "Hello from the fake provider. "}], "stop_sequence")
        picture = {"image": {"format": "png", "source": {"bytes": base64.b64decode(PIXEL)}}}
        messages = [{"role": "user", "content": [{"text": "Look:"}, picture]}]
        assert ask(client, messages=messages)["usage"]["inputTokens"] == 86
        told = [next(iter(event)) for event in events(client, inferenceConfig={"maxTokens": 1})]
        assert told == ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]


def check_tools_and_their_results():
    with provider() as client:
        for content, reason, _, turn in both(client, **FORCED):
            calls = [block["toolUse"] for block in content]
            assert [(call["name"], call["input"]) for call in calls] == [(name, ARGUMENTS) for name in TOOLS]
            assert reason == "tool_use"
            sunny = [{"json": {"weather": "sunny"}}, {"text": "sunny"}]
            results = [{"toolResult": {"toolUseId": call["toolUseId"], "content": sunny}} for call in calls]
            messages = [*MESSAGES, turn, {"role": "user", "content": results}]
            for content, *_ in both(client, messages=messages, toolConfig={"tools": OFFERED}):
                assert content == [{"text": TEXT}]
        one = {"toolConfig": {"tools": OFFERED, "toolChoice": {"tool": {"name": TOOLS[1]}}}}
        for content, *_ in both(client, **one):
            assert [block["toolUse"]["name"] for block in content] == [TOOLS[1]]


def check_thoughts_are_signed_and_taken_back_unchanged_only():
    with provider() as client:
        for content, _, usage, turn in both(client, **THINKING):
            thought = content[0]["reasoningContent"]["reasoningText"]
            assert (thought["text"], content[1]["text"], usage[1]) == (THOUGHT, TEXT, 15)
            ask(client, messages=[*MESSAGES, turn, *MESSAGES])
            thought["text"] = "Something else."
            error = raises(client.exceptions.ValidationException, lambda: ask(client, messages=[*MESSAGES, turn, *MESSAGES]))
            assert "Invalid `signature` in `thinking` block" in str(error)


def check_formats_and_caches():
    with provider() as client:
        structure = {"jsonSchema": {"schema": json.dumps(SCHEMA), "name": "forecast"}}
        form = {"outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}}
        for content, *_ in both(client, **form):
            assert json.loads(content[0]["text"]) == ARGUMENTS
        system = [{"text": "one two three"}, {"cachePoint": {"type": "default"}}]
        for read, written in ((0, 3), (3, 0)):
            usage = ask(client, system=system)["usage"]
            assert (usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]) == (read, written), usage
            assert (usage["inputTokens"], usage["totalTokens"]) == (4, 16)


def check_signatures():
    for way in ({}, {"key": KEY}):
        with provider(**way) as client:
            for content, *_ in both(client):
                assert content == [{"text": TEXT}]
    with provider(secret="another") as client:
        error = raises(ClientError, lambda: ask(client)).response["Error"]
        assert error["Code"] == "InvalidSignatureException" and "does not match" in error["Message"], error
    with provider(secret="another", signing=None) as client:
        error = raises(ClientError, lambda: ask(client)).response["Error"]
        assert error["Code"] == "UnrecognizedClientException", error
    with provider(key="wrong") as client:
        error = raises(client.exceptions.AccessDeniedException, lambda: ask(client)).response["Error"]
        assert error["Message"].startswith("Authentication failed"), error
    with provider() as client:
        client.meta.events.register("before-send", lambda request, **_: request.headers.__delitem__("Authorization"))
        error = raises(ClientError, lambda: ask(client)).response["Error"]
        assert error["Code"] == "MissingAuthenticationTokenException", error


def turns(*more):
    return {"messages": [*MESSAGES, *more]}


def says(role, *blocks):
    return {"role": role, "content": list(blocks)}


USE = {"toolUse": {"toolUseId": "a", "name": "get_weather", "input": {}}}
RESULT = {"toolResult": {"toolUseId": "a", "content": [{"text": "sunny"}]}}
CONFIG = {"toolConfig": {"tools": OFFERED}}
ALTERNATE = "A conversation must alternate between user and assistant roles."
REFUSED = {
    "an unknown member": ({"n": 2}, "extraneous key [n] is not permitted"),
    "a gateway's member": ({"routing": {}}, "extraneous key [routing] is not permitted"),
    "no role": (
        {"messages": [{"content": [{"text": "a"}]}]},
        "Value null at 'messages.1.member.role' failed to satisfy constraint: Member must not be null",
    ),
    "another role": (
        {"messages": [says("tool", {"text": "a"})]},
        "Value 'tool' at 'messages.1.member.role' failed to satisfy constraint: Member must satisfy enum value set",
    ),
    "another type": ({"messages": {}}, "OBJECT_VALUE can not be converted at 'messages'"),
    "nothing to say": ({"inferenceConfig": {"maxTokens": 0}}, "Member must have value greater than or equal to 1"),
    "too warm": (
        {"inferenceConfig": {"temperature": 1.5}},
        "Value '1.5' at 'inferenceConfig.temperature' failed to satisfy constraint: Member must have value less",
    ),
    "two in one": ({"messages": [says("user", {"text": "a", **RESULT})]}, "exactly one member must be set"),
    "no messages": ({"messages": []}, "A conversation must start with a user message."),
    "the assistant first": ({"messages": [says("assistant", {"text": "a"})]}, "must start with a user message"),
    "two of a role": (turns(*MESSAGES), ALTERNATE),
    "blank text": (
        {"messages": [says("user", {"text": " "})]},
        "The text field in the ContentBlock object at messages.0.content.0 is blank.",
    ),
    "empty content": ({"messages": [says("user")]}, "The content field in the Message object at messages.0 is empty."),
    "a call without its result": (
        {**turns(says("assistant", USE), *MESSAGES), **CONFIG},
        "Expected toolResult blocks at messages.2.content for the following Ids: a",
    ),
    "a result without its call": (
        {"messages": [says("user", RESULT)], **CONFIG},
        "The number of toolResult blocks at messages.0.content exceeds the number of toolUse blocks of previous turn.",
    ),
    "calls and no tools": (
        turns(says("assistant", USE), says("user", RESULT)),
        "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    ),
    "thinking and a forced tool": ({**FORCED, **THINKING}, "Thinking may not be enabled when tool_choice forces tool use."),
    "a bad image": (
        {"messages": [says("user", {"image": {"format": "png", "source": {"bytes": "?"}}})]},
        "Invalid base64 at messages.0.content.0.image.source.bytes",
    ),
}


def check_what_the_real_one_refuses_is_refused():
    with provider() as client:
        sent = {}
        # The client sends what its model knows only: the body is put in its place.
        client.meta.events.register("before-call", lambda params, **_: params.update(body=json.dumps(sent)))

        def refuses(change, words):
            sent.clear()
            sent.update({"messages": MESSAGES, **change})
            error = raises(ClientError, lambda: ask(client))
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
            assert error.response["Error"]["Code"] in ("ValidationException", "SerializationException")
            assert words in error.response["Error"]["Message"], error.response["Error"]

        each_refused(REFUSED, refuses)


def check_errors():
    cut = {"end": {"cut": {"bytes": 700}}}
    with provider(scripts=[LIMITED, OVERLOADED, BREAKING, cut]) as client:
        error = raises(client.exceptions.ThrottlingException, lambda: ask(client)).response
        assert error["Error"]["Message"] == "Slow down."
        assert error["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"
        raises(client.exceptions.ServiceUnavailableException, lambda: ask(client))
        error = raises(EventStreamError, lambda: events(client)).response["Error"]
        assert error["Code"] == "serviceUnavailableException" and error["Message"], error
        raises(HTTPError, lambda: events(client))
        error = raises(client.exceptions.ValidationException, lambda: ask(client, modelId="other"))
        assert error.response["Error"]["Message"] == "The provided model identifier is invalid."


if __name__ == "__main__":
    sys.exit(run(named(dict(globals()))))
