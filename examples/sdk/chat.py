"""A question, its answer, and what it cost.

    pip install openai
    TRUNKLINE_KEY=sk-tl-… python chat.py
"""

import os

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("TRUNKLINE_URL", "http://127.0.0.1:4600/v1"),
    api_key=os.environ["TRUNKLINE_KEY"],
)
model = os.environ.get("TRUNKLINE_MODEL", "sandbox/echo-small")

# The raw response has the headers; parse() gives the object the plain call would have returned.
response = client.chat.completions.with_raw_response.create(
    model=model,
    messages=[{"role": "user", "content": "What is a trunk line?"}],
)
answer = response.parse()
print(answer.choices[0].message.content)
print(f"{response.headers['x-trunkline-cost-usd']} USD, answered by {response.headers['x-trunkline-provider']}")
