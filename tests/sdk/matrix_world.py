"""What the matrix of clients and providers stands on: fake providers that go wrong in one way each, and for every one
of them an account in each dialect it speaks.

Look first at `config`. Standard library only.
"""

import json
from pathlib import Path

from gateway import FAKE_KEY, FakeProvider

MODELS = {
    "openai": "fake-model",
    "claude": "claude-fake",
    "gemini": "gemini-3-fake",
    "ollama": "ollama-fake",
    "cohere": "cohere-fake",
    "mistral": "mistral-fake",
    "bedrock": "us.anthropic.claude-fake-v1:0",
}
"""The model of each upstream dialect, as its provider calls it; callers call it `acme/openai`, and so on."""
KINDS = {
    "openai": ("custom", "/v1"),
    "claude": ("anthropic", "/v1"),
    "gemini": ("gemini", "/v1beta"),
    "ollama": ("ollama", ""),
    "cohere": ("cohere", ""),
    "mistral": ("mistral", "/mistral/v1"),
    "bedrock": ("bedrock", ""),
}
"""The kind of account of each, and the path of its addresses."""
KEYED = 'api_key = { env = "FAKE_KEY" }'
SIGNED = """auth = { kind = "aws", region = "eu-west-1", access_key_id = { env = "AWS_ID" }, \
secret_access_key = { env = "AWS_SECRET" } }"""
SIGNING = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
"""The good Bedrock is called with signatures, the others with a key."""
TOOLS = ("get_weather", "get_news")
ARGUMENTS = {"city": "some words", "days": 1}
CALLING = {"body": {"answer": {"calls": [{"name": name, "arguments": ARGUMENTS} for name in TOOLS], "at_once": 2}}}
"""Calls of its own accord, for the dialect in which no call can be forced."""


def _error(status: int, message: str, **headers: str) -> dict:
    return {"status": status, "headers": headers, "body": {"error": {"kind": "x", "code": None, "message": message}}}


WRONG = {
    "refusing": _error(400, "The fake refuses this."),
    "limited": _error(429, "Slow down.", **{"retry-after": "7"}),
    "overloaded": {"end": {"overloaded": 0}},
    "cut": {"end": {"cut": {"pieces": 6}}},
    "breaking": {"end": {"overloaded": 6}},
}
"""What goes wrong, and the script for it: the last two go wrong after the first words of a stream."""


def providers(directory: Path) -> dict[str, FakeProvider]:
    """The good provider, and one for each thing that goes wrong."""
    models = list(MODELS.values())
    good = FakeProvider(directory, models=models, otherwise=[CALLING], signing=SIGNING)
    return {"good": good} | {
        name: FakeProvider(directory, models=models, otherwise=[script]) for name, script in WRONG.items()
    }


def config(fakes: dict[str, FakeProvider], callers: list[str]) -> str:
    """Accounts for all of them. The good one's models are `acme/claude` and so on. What goes wrong cools an account
    down, so each caller has those for itself: `limited-CALLER/claude`, where the caller says how it asks, too."""
    accounts = []
    for name, fake in fakes.items():
        for owner in [""] if name == "good" else callers:
            for dialect, model in MODELS.items():
                kind, path = KINDS[dialect]
                root = fake.base_url.removesuffix("/v1")
                author = f"{name}-{owner}" if owner else "acme"
                accounts.append(f"""
[providers.{author}-{dialect}]
kind = "{kind}"
base_url = "{root}{path}"
{SIGNED if name == "good" and kind == "bedrock" else KEYED}
models = [{{ id = "{model}", name = "{author}/{dialect}", context_window = 100000, output_max = 4000, \
input_usd_per_million = 1, output_usd_per_million = 2 }}]
""")
    return "".join(accounts)


def environment() -> dict[str, str]:
    signing = {"AWS_ID": SIGNING["access_key_id"], "AWS_SECRET": SIGNING["secret_access_key"]}
    return {"FAKE_KEY": FAKE_KEY, **signing}


def calls_marked(log_file: str, marker: str) -> list[dict]:
    """The calls in a provider's log whose body holds `[[marker]]`."""
    calls = map(json.loads, Path(log_file).read_text().splitlines())
    return [call for call in calls if call["marker"] == marker]
