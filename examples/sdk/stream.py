"""An answer as it is written, and what it cost.

    pip install openai
    TRUNKLINE_KEY=sk-tl-… python stream.py
"""

import os
import sys

from openai import APIError, OpenAI

client = OpenAI(
    base_url=os.environ.get("TRUNKLINE_URL", "http://127.0.0.1:4600/v1"),
    api_key=os.environ["TRUNKLINE_KEY"],
)
model = os.environ.get("TRUNKLINE_MODEL", "sandbox/echo-small")

stream = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": "What is a trunk line?"}],
    stream=True,
    stream_options={"include_usage": True},
    # OpenRouter's way of asking for the cost in the chunk with usage.
    extra_body={"usage": {"include": True}},
)
try:
    for chunk in stream:
        if chunk.choices:
            print(chunk.choices[0].delta.content or "", end="", flush=True)
        if chunk.usage:
            print(f"\n{chunk.usage.total_tokens} tokens, {chunk.usage.cost:.7f} USD")
except APIError as error:
    # A stream that broke off says so; try the model sandbox/cut.
    sys.exit(f"\nnot the whole answer: {error.message}")
