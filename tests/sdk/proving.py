"""What the proofs of the fake provider by official clients share: a fresh fake, what it says, and how to look at many
refusals.
"""

import json
import subprocess
from contextlib import contextmanager

from environment import program

KEY = "sk-fake"
MODEL = "fake-model"
QUESTION = "What is the weather?"
TEXT = "Hello from the fake provider. It counts its words."
THOUGHT = "The words must be counted first."
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOLS = ("get_weather", "get_news")
MESSAGES = [{"role": "user", "content": QUESTION}]
FUNCTIONS = [
    {"type": "function", "function": {"name": name, "description": "Does it.", "parameters": SCHEMA}} for name in TOOLS
]
"""The question and the tools, as OpenAI's dialect has them and others after it."""
ARGUMENTS = {"city": "some words", "days": 1}
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

LIMITED = {
    "headers": {"retry-after": "7"},
    "status": 429,
    "body": {"error": {"kind": "requests", "code": "rate_limit_exceeded", "message": "Slow down."}},
}
OVERLOADED = {"end": {"overloaded": 0}}
BREAKING = {"end": {"overloaded": 5}}
CUT = {"end": {"cut": {"pieces": 5}}}
"""Scripts of what goes wrong; the last two after the first words of a stream."""


@contextmanager
def fake(**setup):
    """The root of a fresh fake provider's addresses."""
    setup = {"key": KEY, "caller": "anyone", "models": [MODEL], **setup}
    process = subprocess.Popen([program("fake-provider"), json.dumps(setup)], stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())["base_url"].removesuffix("/v1")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def turns(*more) -> dict:
    """The question, and what was said after it."""
    return {"messages": [*MESSAGES, *more]}


def each_refused(refused: dict, check) -> None:
    """Calls `check` with what stands beside each name; says which of them it was that was not refused so."""
    for name, case in refused.items():
        try:
            check(*case)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def without_absent(body: dict) -> dict:
    """The body without what a case takes away by `...`."""
    return {name: value for name, value in body.items() if value is not ...}
