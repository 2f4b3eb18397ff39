"""What a user of the official client notices of a dead provider (nothing), and of a gateway killed in the middle of a
stream (that stream breaks, and `trunkline usage` still shows every attempt).
"""

import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import openai
from checks import named, raises, run
from gateway import FAKE_KEY, FakeProvider, Gateway, priced_account

MODEL, ENDLESS = "test/fake", "test/endless"
MESSAGES = [{"role": "user", "content": "What is the weather?"}]
STALLS = {"end": {"stall": {"pieces": 4}}}
"""A stream's role and three words, then silence for as long as anybody listens."""


def client(gateway: Gateway, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0, timeout=30)


def words(stream):
    """The pieces of content of a stream, as they come."""
    return (choice.delta.content for chunk in stream for choice in chunk.choices if choice.delta.content)


def check_nobody_notices_a_dead_provider():
    with tempfile.TemporaryDirectory() as path:
        directory = Path(path)
        with FakeProvider(directory) as dead:
            pass
        with FakeProvider(directory) as alive:
            # The lower number is tried first.
            config = priced_account("dead", dead.base_url, priority=1)
            config += priced_account("alive", alive.base_url, priority=2)
            with Gateway(directory, config, FAKE_KEY=FAKE_KEY) as gateway:
                ask = client(gateway, gateway.key("caller")).chat.completions.create
                for _ in range(5):
                    assert ask(model=MODEL, messages=MESSAGES).choices[0].message.content
                    assert "".join(words(ask(model=MODEL, messages=MESSAGES, stream=True)))
                accounts = gateway.usage("account")
                (model,) = gateway.usage("model").values()
    dead, alive = accounts["dead"], accounts["alive"]
    assert alive["attempts"] == 10 and alive["failed"] == 0, alive
    assert dead["attempts"] == dead["failed"] >= 1 and Decimal(dead["cost_usd"]) == 0, dead
    assert model["requests"] == 10 and model["attempts"] == 10 + dead["attempts"], model


def check_a_gateway_killed_in_a_stream_forgets_no_attempt():
    with tempfile.TemporaryDirectory() as path:
        directory = Path(path)
        with FakeProvider(directory) as fake, FakeProvider(directory, otherwise=[STALLS]) as endless:
            config = priced_account("fake", fake.base_url)
            config += priced_account("endless", endless.base_url, ENDLESS)
            with Gateway(directory, config, FAKE_KEY=FAKE_KEY) as gateway:
                key = gateway.key("caller")
                ask = client(gateway, key).chat.completions.create
                ask(model=MODEL, messages=MESSAGES)
                streams = [ask(model=ENDLESS, messages=MESSAGES, stream=True) for _ in range(3)]
                streams.append(ask(model="sandbox/echo-large", messages=MESSAGES, stream=True))
                for stream in streams:
                    assert next(words(stream))
                gateway.kill()
                for stream in streams:
                    raises(openai.APIConnectionError, lambda: list(stream))
                without = gateway.usage()
                gateway.start()
                beside = gateway.usage()
                answer = client(gateway, key).chat.completions.create(model=MODEL, messages=MESSAGES)
                assert answer.choices[0].message.content
                afterwards = gateway.usage()
    assert without == beside
    assert {model: row["attempts"] for model, row in beside.items()} == {
        MODEL: 1,
        ENDLESS: 3,
        "sandbox/echo-large": 1,
    }
    # Nobody knows what they cost, so they count as much as they can have cost.
    assert Decimal(beside[ENDLESS]["cost_usd"]) > Decimal(beside[MODEL]["cost_usd"])
    assert afterwards[MODEL]["attempts"] == 2 and afterwards[ENDLESS] == beside[ENDLESS]


if __name__ == "__main__":
    sys.exit(run(named(dict(globals()))))
