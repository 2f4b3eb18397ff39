"""The official Python clients behind one face, so that one table of cases serves them all: each asks the same question
in its own dialect and gives the answer as the same `Answer`.

Look first at `Ask` and `Answer`.
"""

import base64
import json
from dataclasses import dataclass, field

import anthropic
import openai
from google import genai
from google.genai import errors, types

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@dataclass
class Ask:
    """A question."""

    text: str
    system: str | None = None
    tools: tuple[str, ...] = ()
    forced: bool = False
    parallel: bool = True
    image: bool = False
    schema: bool = False
    thinks: bool = False
    stop: str | None = None
    most: int = 2000
    turns: list = field(default_factory=list)
    """What was said before, in the client's own form."""


@dataclass
class Answer:
    """An answer. `turn` is the client's own form of it, to be sent back."""

    text: str
    thought: str
    calls: list[tuple[str, dict]]
    finish: str
    usage: tuple[int, int]
    turn: object


class OpenAI:
    """The OpenAI client."""

    def __init__(self, address: str, key: str):
        self.client = openai.OpenAI(base_url=f"http://{address}/v1", api_key=key, max_retries=0, timeout=30)

    errors = {
        401: openai.AuthenticationError,
        404: openai.NotFoundError,
        400: openai.BadRequestError,
        429: openai.RateLimitError,
        529: openai.InternalServerError,
        "broken": openai.APIError,
    }

    def question(self, ask: Ask):
        content = ask.text
        if ask.image:
            url = {"url": f"data:image/png;base64,{PIXEL}"}
            content = [{"type": "text", "text": ask.text}, {"type": "image_url", "image_url": url}]
        return {"role": "user", "content": content}

    def ask(self, model: str, ask: Ask, stream: bool) -> Answer:
        system = [{"role": "system", "content": ask.system}] if ask.system else []
        body = {
            "model": model,
            "messages": [*system, *(ask.turns or [self.question(ask)])],
            "max_completion_tokens": ask.most,
        }
        if ask.tools:
            body["tools"] = [
                {"type": "function", "function": {"name": name, "parameters": SCHEMA, "description": "Does it."}}
                for name in ask.tools
            ]
            body["tool_choice"] = "required" if ask.forced else "auto"
        if not ask.parallel:
            body["parallel_tool_calls"] = False
        if ask.schema:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "forecast", "strict": True, "schema": SCHEMA},
            }
        if ask.thinks:
            body["reasoning_effort"] = "low"
        if ask.stop:
            body["stop"] = [ask.stop]
        create = self.client.chat.completions
        if stream:
            try:
                with create.stream(**body, stream_options={"include_usage": True}) as events:
                    answer = events.get_final_completion()
            except openai.LengthFinishReasonError as error:
                answer = error.completion
        else:
            answer = create.create(**body)
        (choice,) = answer.choices
        message = choice.message
        calls = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or []]
        turn = message.model_dump(exclude_none=True)
        turn.pop("parsed", None)
        for call in turn.get("tool_calls", ()):
            call["function"].pop("parsed_arguments", None)
        return Answer(
            text=message.content or "",
            thought=getattr(message, "reasoning_content", None) or "",
            calls=calls,
            finish={"length": "capped", "tool_calls": "calls"}.get(choice.finish_reason, choice.finish_reason),
            usage=(answer.usage.prompt_tokens, answer.usage.completion_tokens),
            turn=turn,
        )

    def results(self, answer: Answer) -> list:
        return [{"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in answer.turn["tool_calls"]]

    def words(self, model: str, ask: Ask):
        stream = self.client.chat.completions.create(model=model, messages=[self.question(ask)], stream=True)
        return (choice.delta.content for chunk in stream for choice in chunk.choices if choice.delta.content)

    def retry_after(self, error) -> str | None:
        return error.response.headers.get("retry-after")


class Anthropic:
    """The Anthropic client."""

    def __init__(self, address: str, key: str):
        self.client = anthropic.Anthropic(base_url=f"http://{address}", api_key=key, max_retries=0, timeout=30)

    errors = {
        401: anthropic.AuthenticationError,
        404: anthropic.NotFoundError,
        400: anthropic.BadRequestError,
        429: anthropic.RateLimitError,
        529: anthropic.InternalServerError,
        "broken": anthropic.APIError,
    }

    def question(self, ask: Ask):
        content = ask.text
        if ask.image:
            source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
            content = [{"type": "text", "text": ask.text}, {"type": "image", "source": source}]
        return {"role": "user", "content": content}

    def ask(self, model: str, ask: Ask, stream: bool) -> Answer:
        body = {"model": model, "messages": ask.turns or [self.question(ask)], "max_tokens": ask.most}
        if ask.system:
            body["system"] = ask.system
        if ask.tools:
            body["tools"] = [
                {"name": name, "input_schema": SCHEMA, "description": "Does it."} for name in ask.tools
            ]
            body["tool_choice"] = {"type": "any" if ask.forced else "auto"}
            if not ask.parallel:
                body["tool_choice"]["disable_parallel_tool_use"] = True
        if ask.schema:
            body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
        if ask.thinks:
            body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        if ask.stop:
            body["stop_sequences"] = [ask.stop]
        if stream:
            with self.client.messages.stream(**body) as events:
                answer = events.get_final_message()
        else:
            answer = self.client.messages.create(**body)
        blocks = {kind: [block for block in answer.content if block.type == kind] for kind in ("text", "thinking")}
        calls = [(block.name, block.input) for block in answer.content if block.type == "tool_use"]
        finish = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "capped", "tool_use": "calls"}
        usage = answer.usage
        cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        return Answer(
            text="".join(block.text for block in blocks["text"]),
            thought="".join(block.thinking for block in blocks["thinking"]),
            calls=calls,
            finish=finish[answer.stop_reason],
            usage=(usage.input_tokens + cached, usage.output_tokens),
            turn={"role": "assistant", "content": answer.content},
        )

    def results(self, answer: Answer) -> list:
        calls = [block for block in answer.turn["content"] if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"} for call in calls]
        return [{"role": "user", "content": results}]

    def words(self, model: str, ask: Ask):
        body = {"model": model, "messages": [self.question(ask)], "max_tokens": ask.most}
        with self.client.messages.stream(**body) as events:
            yield from events.text_stream

    def retry_after(self, error) -> str | None:
        return error.response.headers.get("retry-after")


class Gemini:
    """Google's client."""

    def __init__(self, address: str, key: str):
        options = types.HttpOptions(base_url=f"http://{address}", timeout=30_000)
        self.client = genai.Client(api_key=key, http_options=options)

    errors = {
        401: errors.ClientError,
        404: errors.ClientError,
        400: errors.ClientError,
        429: errors.ClientError,
        529: errors.ServerError,
        "broken": errors.APIError,
    }

    def question(self, ask: Ask):
        parts = [types.Part(text=ask.text)]
        if ask.image:
            parts.append(types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png"))
        return types.UserContent(parts=parts)

    def ask(self, model: str, ask: Ask, stream: bool) -> Answer:
        config = {"max_output_tokens": ask.most}
        if ask.system:
            config["system_instruction"] = ask.system
        if ask.tools:
            declared = [
                types.FunctionDeclaration(name=name, parameters_json_schema=SCHEMA, description="Does it.")
                for name in ask.tools
            ]
            config["tools"] = [types.Tool(function_declarations=declared)]
            calling = types.FunctionCallingConfig(mode="ANY" if ask.forced else "AUTO")
            config["tool_config"] = types.ToolConfig(function_calling_config=calling)
        if ask.schema:
            config |= {"response_mime_type": "application/json", "response_json_schema": SCHEMA}
        if ask.thinks:
            config["thinking_config"] = types.ThinkingConfig(include_thoughts=True, thinking_level="low")
        if ask.stop:
            config["stop_sequences"] = [ask.stop]
        arguments = {"model": model, "contents": ask.turns or [self.question(ask)], "config": config}
        if stream:
            chunks = list(self.client.models.generate_content_stream(**arguments))
        else:
            chunks = [self.client.models.generate_content(**arguments)]
        candidates = [chunk.candidates[0] for chunk in chunks if chunk.candidates]
        parts = [part for candidate in candidates if candidate.content for part in candidate.content.parts or []]
        calls = [(part.function_call.name, part.function_call.args) for part in parts if part.function_call]
        (finish,) = [candidate.finish_reason for candidate in candidates if candidate.finish_reason]
        usage = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata][-1]
        said = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        return Answer(
            text="".join(part.text or "" for part in parts if not part.thought),
            thought="".join(part.text or "" for part in parts if part.thought),
            calls=calls,
            finish="calls" if calls else {"STOP": "stop", "MAX_TOKENS": "capped"}[finish.value],
            usage=(usage.prompt_token_count, said),
            turn=types.ModelContent(parts=parts),
        )

    def results(self, answer: Answer) -> list:
        calls = [part.function_call for part in answer.turn.parts if part.function_call]
        response = {"result": "sunny"}
        parts = [
            types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response=response))
            for call in calls
        ]
        return [types.UserContent(parts=parts)]

    def words(self, model: str, ask: Ask):
        chunks = self.client.models.generate_content_stream(model=model, contents=self.question(ask))
        return (chunk.text for chunk in chunks if chunk.text)

    def retry_after(self, error) -> str | None:
        return error.response.headers.get("retry-after")


CALLERS = {"openai": OpenAI, "anthropic": Anthropic, "gemini": Gemini}
