"""Proves the fake provider by the official OpenAI Python client: what the client accepts from the fake, it would
accept from a provider.

Run by `run`, which has built the fake provider and installed the client.
"""

import json
import sys
from contextlib import contextmanager

import openai
from checks import named, raises, run
from proving import KEY, MESSAGES, MODEL, TEXT, fake

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["city", "days"],
            },
        },
    }
]


@contextmanager
def provider(**setup):
    """A client of a fresh fake provider."""
    with fake(**setup) as root, openai.OpenAI(
        base_url=f"{root}/v1", api_key=KEY, max_retries=0, timeout=10
    ) as client:
        yield client


def check_chat():
    with provider() as client:
        answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, n=2)
        assert [choice.message.content for choice in answer.choices] == [TEXT, TEXT]
        assert answer.choices[0].finish_reason == "stop"
        usage = answer.usage
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (4, 18, 22)
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
        content = [{"type": "text", "text": "Look:"}, image]
        answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
        assert answer.usage.prompt_tokens == 86


def check_stream():
    with provider() as client:
        options = {"include_usage": True}
        stream = client.chat.completions.create(
            model=MODEL, messages=MESSAGES, max_tokens=3, stream=True, stream_options=options
        )
        chunks = list(stream)
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert text == "Hello from the ", text
        assert chunks[0].choices[0].delta.role == "assistant"
        assert chunks[-2].choices[0].finish_reason == "length"
        assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 3
        with client.chat.completions.stream(model=MODEL, messages=MESSAGES) as helper:
            final = helper.get_final_completion()
        assert final.choices[0].message.content == TEXT


def check_tools():
    with provider() as client:
        ask = {"model": MODEL, "messages": MESSAGES, "tools": TOOLS, "tool_choice": "required"}
        message = client.chat.completions.create(**ask).choices[0].message
        (call,) = message.tool_calls
        assert call.function.name == "get_weather"
        assert json.loads(call.function.arguments) == {"city": "some words", "days": 1}
        with client.chat.completions.stream(**ask) as helper:
            streamed = helper.get_final_completion().choices[0]
        assert streamed.finish_reason == "tool_calls"
        assert streamed.message.tool_calls[0].function.arguments == call.function.arguments
        result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        messages = [*MESSAGES, message.model_dump(exclude_none=True), result]
        answer = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
        assert answer.choices[0].message.content == TEXT


def check_completions():
    with provider() as client:
        answer = client.completions.create(model=MODEL, prompt=["one", "two three"])
        assert [choice.text for choice in answer.choices] == [TEXT, TEXT]
        assert answer.usage.prompt_tokens == 3
        stream = client.completions.create(model=MODEL, prompt="one", stream=True)
        assert "".join(chunk.choices[0].text for chunk in stream) == TEXT


def check_embeddings():
    with provider() as client:
        answer = client.embeddings.create(model=MODEL, input=["one", "two three"], dimensions=4)
        assert [item.embedding for item in answer.data] == [[0, 1, 0, 0], [0, 0, 1, 0]]
        floats = client.embeddings.create(model=MODEL, input="one", dimensions=4, encoding_format="float")
        assert floats.data[0].embedding == [0, 1, 0, 0] and floats.usage.total_tokens == 1


def check_responses():
    with provider() as client:
        ask = {"model": MODEL, "input": "What is the weather?"}
        answer = client.responses.create(**ask)
        assert (answer.output_text, answer.status, answer.store) == (TEXT, "completed", True)
        usage = answer.usage
        assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (4, 9, 13)
        with client.responses.stream(**ask, max_output_tokens=16) as stream:
            numbers = [event.sequence_number for event in stream]
            final = stream.get_final_response()
        assert numbers == sorted(set(numbers)) and final.output_text == TEXT
        tool = {"type": "function", **TOOLS[0]["function"]}
        for calling in (
            client.responses.create(**ask, tools=[tool], tool_choice="required"),
            client.responses.stream(**ask, tools=[tool], tool_choice="required").__enter__().get_final_response(),
        ):
            (call,) = calling.output
            assert json.loads(call.arguments) == {"city": "some words", "days": 1}
        error = raises(openai.BadRequestError, lambda: client.responses.create(**ask, extra_body={"messages": []}))
        assert (error.code, error.param) == ("unknown_parameter", "messages")


def check_responses_are_kept():
    with provider() as client:
        first = client.responses.create(model=MODEL, input="What is the weather?")
        second = client.responses.create(model=MODEL, input="And tomorrow?", previous_response_id=first.id)
        assert second.previous_response_id == first.id and second.usage.input_tokens == 4 + 9 + 2
        assert client.responses.retrieve(second.id) == second
        items = list(client.responses.input_items.list(second.id, order="asc"))
        assert [item.content[0].text for item in items] == ["What is the weather?", TEXT, "And tomorrow?"]
        raises(openai.BadRequestError, lambda: client.responses.cancel(second.id))
        client.responses.delete(second.id)
        raises(openai.NotFoundError, lambda: client.responses.retrieve(second.id))
        unkept = client.responses.create(model=MODEL, input="x", store=False)
        raises(openai.NotFoundError, lambda: client.responses.retrieve(unkept.id))
        error = raises(
            openai.BadRequestError,
            lambda: client.responses.create(model=MODEL, input="x", previous_response_id=unkept.id),
        )
        assert error.code == "previous_response_not_found"


def check_models():
    with provider() as client:
        assert [model.id for model in client.models.list()] == [MODEL]


def check_errors():
    limited = {
        "status": 429,
        "headers": {"retry-after": "7"},
        "body": {"error": {"kind": "requests", "code": "rate_limit_exceeded", "message": "Slow down."}},
    }
    broken = {"body": {"error": {"kind": "server_error", "code": None, "message": "Broken."}}}
    overloaded = {
        "headers": {"content-type": "text/event-stream"},
        "body": {"pieces": [{"text": 'data: {"error":{"message":"Overloaded","type":"overloaded_error"}}\n\n'}]},
    }
    cut = {"end": {"cut": {"pieces": 3}}}
    with provider(scripts=[limited, broken, overloaded, cut]) as client:

        def ask(**more):
            return client.chat.completions.create(**{"model": MODEL, "messages": MESSAGES, **more})

        error = raises(openai.RateLimitError, ask)
        assert error.code == "rate_limit_exceeded" and error.response.headers["retry-after"] == "7"
        assert raises(openai.InternalServerError, ask).type == "server_error"
        assert raises(openai.APIError, lambda: list(ask(stream=True))).message == "Overloaded"
        raises(openai.APIConnectionError, lambda: list(ask(stream=True)))
        assert raises(openai.NotFoundError, lambda: ask(model="other")).code == "model_not_found"
        error = raises(openai.BadRequestError, lambda: ask(extra_body={"routing": {}}))
        assert (error.code, error.param) == ("unknown_parameter", "routing")
        stranger = client.with_options(api_key="sk-wrong")
        assert raises(openai.AuthenticationError, stranger.models.list).code == "invalid_api_key"


if __name__ == "__main__":
    sys.exit(run(named(dict(globals()))))
