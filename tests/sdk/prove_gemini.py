"""Proves the fake provider's generateContent by Google's official client for Python: what the client accepts from the
fake, it would accept from Gemini, and what the fake refuses, it refuses in Google's form.

Run by `run`, which has built the fake provider and installed the client.
"""

import json
import sys
from contextlib import contextmanager

import httpx2
import pydantic
from checks import named, raises, run
from google import genai
from google.genai import errors, types
from proving import KEY, TEXT, THOUGHT, fake

MODEL = "gemini-3-fake"
QUESTION = types.UserContent(parts=[types.Part(text="What is the weather?")])
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="get_weather", parameters_json_schema={**SCHEMA, "additionalProperties": False}),
        types.FunctionDeclaration(
            name="get_news",
            parameters=types.Schema(
                type="OBJECT",
                properties={"city": types.Schema(type="STRING"), "days": types.Schema(type="INTEGER")},
                required=["city", "days"],
            ),
        ),
    ]
)
ARGS = {"city": "some words", "days": 1}
THINKING = types.ThinkingConfig(include_thoughts=True, thinking_level="low")


@contextmanager
def provider(**setup):
    """A client of a fresh fake provider."""
    with fake(**{"models": [MODEL], **setup}) as root:
        yield client(root)


def client(base_url, key=KEY):
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=base_url, timeout=10_000))


def ask(client, contents=QUESTION, **config):
    return client.models.generate_content(model=MODEL, contents=contents, config=config)


def streamed(client, contents=QUESTION, **config):
    return list(client.models.generate_content_stream(model=MODEL, contents=contents, config=config))


def parts(chunks):
    return [part for chunk in chunks for part in chunk.candidates[0].content.parts]


def text(chunks, thought=None):
    return "".join(part.text or "" for part in parts(chunks) if part.thought == thought)


def tokens(usage):
    return usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count, usage.total_token_count


def check_text():
    with provider() as client:
        for chunks in ([ask(client)], streamed(client)):
            assert text(chunks) == TEXT and chunks[-1].candidates[0].finish_reason == "STOP"
            assert tokens(chunks[-1].usage_metadata) == (4, 9, None, 13)
        for chunks in ([ask(client, max_output_tokens=3)], streamed(client, max_output_tokens=3)):
            assert (text(chunks), chunks[-1].candidates[0].finish_reason) == ("Hello from the ", "MAX_TOKENS")
        for chunks in ([ask(client, stop_sequences=["It"])], streamed(client, stop_sequences=["It"])):
            assert text(chunks) == "Hello from the fake provider. "
        picture = types.Part.from_bytes(data=b"\0\0\0", mime_type="image/png")
        answer = ask(client, ["Look:", picture], system_instruction="one two")
        assert answer.usage_metadata.prompt_token_count == 88
        assert len(ask(client, candidate_count=2).candidates) == 2


def check_tools_and_their_results():
    with provider() as client:
        calling = types.FunctionCallingConfig(mode="ANY")
        forced = {"tools": [TOOL], "tool_config": types.ToolConfig(function_calling_config=calling)}
        forced["automatic_function_calling"] = types.AutomaticFunctionCallingConfig(disable=True)
        for chunks in ([ask(client, **forced)], streamed(client, **forced)):
            calls = [part for part in parts(chunks) if part.function_call]
            assert [(part.function_call.name, part.function_call.args) for part in calls] == [
                ("get_weather", ARGS),
                ("get_news", ARGS),
            ]
            assert calls[0].thought_signature and not calls[1].thought_signature
            results = [
                types.Part.from_function_response(name=part.function_call.name, response={"result": "sunny"})
                for part in calls
            ]
            turns = [QUESTION, types.ModelContent(parts=calls), types.UserContent(parts=results)]
            assert ask(client, turns, tools=[TOOL]).text == TEXT
            for signature, words in ((None, "missing a thought_signature"), (b"forged", "Corrupted thought signature")):
                forged = [calls[0].model_copy(update={"thought_signature": signature}), calls[1]]
                turns[1] = types.ModelContent(parts=forged)
                error = raises(errors.ClientError, lambda: ask(client, turns, tools=[TOOL]))
                assert (error.code, error.status) == (400, "INVALID_ARGUMENT") and words in error.message
            # Only the current turn is looked at.
            turns[1] = types.ModelContent(parts=[calls[0].model_copy(update={"thought_signature": None}), calls[1]])
            assert ask(client, [*turns, types.ModelContent(parts=[types.Part(text="a")]), QUESTION]).text == TEXT


def check_structured_output():
    class Forecast(pydantic.BaseModel):
        city: str
        days: int

    with provider() as client:
        answer = ask(client, response_mime_type="application/json", response_schema=Forecast)
        assert answer.parsed == Forecast(city="some words", days=1)
        answer = ask(client, response_mime_type="application/json", response_json_schema=SCHEMA)
        assert json.loads(answer.text) == ARGS


def check_thoughts():
    with provider() as client:
        for chunks in ([ask(client, thinking_config=THINKING)], streamed(client, thinking_config=THINKING)):
            assert (text(chunks, thought=True), text(chunks)) == (THOUGHT, TEXT)
            assert tokens(chunks[-1].usage_metadata) == (4, 9, 6, 19)
            assert parts(chunks)[-1].thought_signature
            turns = [QUESTION, types.ModelContent(parts=parts(chunks)), QUESTION]
            assert ask(client, turns, thinking_config=THINKING).text == TEXT
        hidden = ask(client, thinking_config=types.ThinkingConfig(thinking_level="low"))
        assert len(hidden.candidates[0].content.parts) == 1 and hidden.usage_metadata.thoughts_token_count == 6


def check_counts():
    with provider() as client:
        assert client.models.count_tokens(model=MODEL, contents=QUESTION).total_tokens == 4


USER = {"role": "user", "parts": [{"text": "Hello"}]}
UNSIGNED = "skip_thought_signature_validator"
CALL = {"role": "model", "parts": [{"functionCall": {"name": "a"}, "thoughtSignature": UNSIGNED}]}
RESPONSE = {"role": "user", "parts": [{"functionResponse": {"name": "a", "response": {}}}]}
DECLARED = [{"functionDeclarations": [{"name": "a"}]}]
REFUSED = {
    "an unknown name": ({"max_tokens": 5}, 'Unknown name "max_tokens": Cannot find field.'),
    "a gateway's member": ({"routing": {}}, 'Unknown name "routing": Cannot find field.'),
    "an unknown name inside": (
        {"contents": [{"role": "user", "parts": [{"text": "a", "id": "b"}]}]},
        "Unknown name \"id\" at 'contents[0].parts[0]': Cannot find field.",
    ),
    "a schema of another kind": (
        {"tools": [{"functionDeclarations": [{"name": "a", "parameters": {"type": "OBJECT", "$schema": "b"}}]}]},
        "Unknown name \"$schema\" at 'tools[0].function_declarations[0].parameters': Cannot find field.",
    ),
    "another type": (
        {"generationConfig": {"maxOutputTokens": "many"}},
        "Invalid value at 'generation_config.max_output_tokens' (TYPE_INT32)",
    ),
    "too warm": ({"generationConfig": {"temperature": 2.5}}, "temperature must be in the range [0.0, 2.0]"),
    "no contents": ({"contents": []}, "contents is not specified"),
    "the assistant's role": ({"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}, "Please use a valid role"),
    "no parts": ({"contents": [{"role": "user", "parts": []}]}, "contents.parts must not be empty"),
    "an empty part": ({"contents": [{"role": "user", "parts": [{}]}]}, "required oneof field 'data'"),
    "a part of two kinds": (
        {"contents": [{"role": "user", "parts": [{"text": "a", "functionCall": {"name": "a"}}]}]},
        "oneof field 'data' is already set",
    ),
    "a call first": ({"contents": [CALL, RESPONSE]}, "function call turn comes immediately after a user turn"),
    "a call without its response": ({"contents": [USER, CALL, USER]}, "number of function response parts is equal"),
    "a response without its call": (
        {"contents": [USER, RESPONSE]},
        "function response turn comes immediately after a function call turn",
    ),
    "a response without a name": (
        {"contents": [USER, CALL, {"role": "user", "parts": [{"functionResponse": {"response": {}}}]}]},
        "Name cannot be empty",
    ),
    "a name with a space": ({"tools": [{"functionDeclarations": [{"name": "a b"}]}]}, "Invalid function name."),
    "an allowed name in mode AUTO": (
        {"tools": DECLARED, "toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["a"]}}},
        "Allowed function names should only be set",
    ),
    "a schema without its type": ({"generationConfig": {"responseSchema": {"type": "OBJECT"}}}, "response mime type"),
    "two ways of thinking": (
        {"generationConfig": {"thinkingConfig": {"thinkingBudget": 5, "thinkingLevel": "LOW"}}},
        "only one of thinking budget and thinking level",
    ),
    "bytes that are none": (
        {"contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "?"}}]}]},
        "(TYPE_BYTES), Base64 decoding failed",
    ),
}


def check_what_the_real_one_refuses_is_refused():
    with provider() as client:
        for name, (change, words) in REFUSED.items():
            body = {"contents": [USER], **change}
            request = lambda: client._api_client.request("post", f"models/{MODEL}:generateContent", body, None)
            error = raises(errors.ClientError, request)
            assert (error.code, error.status) == (400, "INVALID_ARGUMENT"), f"{name}: {error}"
            assert words in error.message, f"{name}: {error.message}"


def check_errors():
    overloaded = {"status": 503, "body": {"error": {"kind": "overloaded_error", "code": None, "message": "Overloaded"}}}
    limited = {
        "status": 429,
        "body": {"error": {"kind": "requests", "code": "rate_limit_exceeded", "message": "Please retry in 7s."}},
    }
    event = {"end": {"overloaded": 3}}
    cut = {"end": {"cut": {"pieces": 3}}}
    with provider(scripts=[limited, overloaded, event, cut]) as ours:
        error = raises(errors.ClientError, lambda: ask(ours))
        assert (error.code, error.status) == (429, "RESOURCE_EXHAUSTED")
        error = raises(errors.ServerError, lambda: ask(ours))
        assert (error.code, error.status) == (503, "UNAVAILABLE")
        assert raises(errors.APIError, lambda: streamed(ours)).status == "UNAVAILABLE"
        raises(httpx2.RemoteProtocolError, lambda: streamed(ours))
        error = raises(errors.ClientError, lambda: ours.models.generate_content(model="other", contents="a"))
        assert (error.code, error.status) == (404, "NOT_FOUND")
        stranger = client(ours._api_client._http_options.base_url, "sk-wrong")
        error = raises(errors.ClientError, lambda: ask(stranger))
        assert error.code == 400 and error.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


if __name__ == "__main__":
    sys.exit(run(named(dict(globals()))))
