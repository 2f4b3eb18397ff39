"""A model that calls a function, and answers with what the function says.

    pip install openai
    TRUNKLINE_KEY=sk-tl-… python tools.py
"""

import json
import os

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("TRUNKLINE_URL", "http://127.0.0.1:4600/v1"),
    api_key=os.environ["TRUNKLINE_KEY"],
)
model = os.environ.get("TRUNKLINE_MODEL", "sandbox/echo-small")

tools = [
    {
        "type": "function",
        "function": {
            "name": "line_length",
            "description": "The length of the trunk line between two exchanges, in kilometres",
            "parameters": {
                "type": "object",
                "properties": {"from": {"type": "string"}, "to": {"type": "string"}},
                "required": ["from", "to"],
            },
        },
    }
]


def line_length(arguments: dict) -> dict:
    return {"from": arguments["from"], "to": arguments["to"], "kilometres": 504}


messages = [{"role": "user", "content": "How long is the line from Berlin to Munich? Use line_length."}]
first = client.chat.completions.create(model=model, messages=messages, tools=tools, tool_choice="required")
message = first.choices[0].message
messages.append(message)
for call in message.tool_calls or []:
    result = line_length(json.loads(call.function.arguments))
    print(f"{call.function.name}({call.function.arguments}) = {result}")
    messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)})

second = client.chat.completions.create(model=model, messages=messages, tools=tools)
print(second.choices[0].message.content)
