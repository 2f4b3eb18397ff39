"""The official OpenAI client for Python and what a provider keeps of its responses, against a gateway that `run` has
started.

The provider's log says what it was asked; the client knows other ids than the provider.
"""

import json
import os
import sys
from decimal import Decimal

import openai
from checks import named, raises, run
from gateway import call_marked

WORLD = json.loads(os.environ["TRUNKLINE_WORLD"])
KEPT, ELSEWHERE = "test/kept", "test/fake"
TEXT = "Hello from the fake provider. It counts its words."


def client(key: str = "plain") -> openai.OpenAI:
    return openai.OpenAI(base_url=WORLD["base_url"], api_key=WORLD["keys"][key], max_retries=0, timeout=30)


def asked(marker: str, **more):
    return client().responses.create(model=KEPT, input=f"What is the weather? [[responses-{marker}]]", **more)


def provider_id(marker: str) -> str:
    return call_marked(WORLD["provider_log"], f"responses-{marker}")["answer_id"]


def check_a_response_is_created_and_goes_on():
    first = asked("first")
    assert first.output_text == TEXT and first.status == "completed"
    assert first.id.startswith("resp_") and first.id != provider_id("first")
    second = client().responses.create(
        model=KEPT, input="And tomorrow? [[responses-second]]", previous_response_id=first.id
    )
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > first.usage.total_tokens, "the first is read again"
    sent = json.loads(call_marked(WORLD["provider_log"], "responses-second")["body"])
    assert sent["previous_response_id"] == provider_id("first")


def check_a_stream_goes_on_and_is_found_again():
    first = asked("stream-first")
    with client().responses.stream(
        model=KEPT, input="And tomorrow? [[responses-stream]]", previous_response_id=first.id
    ) as stream:
        events = list(stream)
        final = stream.get_final_response()
    ids = {event.response.id for event in events if hasattr(event, "response")}
    assert ids == {final.id} and final.id != provider_id("stream"), ids
    assert final.output_text == TEXT and final.previous_response_id == first.id
    again = client().responses.retrieve(final.id)
    assert (again.id, again.output_text, again.previous_response_id) == (final.id, TEXT, first.id)


def check_a_response_is_retrieved_listed_and_deleted():
    first = asked("kept", instructions="Be brief.")
    again = client().responses.retrieve(first.id, include=["reasoning.encrypted_content"])
    assert again == first
    items = list(client().responses.input_items.list(first.id, limit=10, order="asc"))
    assert "[[responses-kept]]" in items[0].content[0].text
    error = raises(openai.BadRequestError, lambda: client().responses.cancel(first.id))
    assert "Cannot cancel a synchronous response." in str(error)
    client().responses.delete(first.id)
    error = raises(openai.NotFoundError, lambda: client().responses.retrieve(first.id))
    assert first.id in str(error) and provider_id("kept") not in str(error)


def check_asking_again_costs_nothing():
    spent = lambda: Decimal(str(client().get("/key", cast_to=object)["data"]["usage"]))  # noqa: E731
    first = asked("spent")
    before = spent()
    for _ in range(3):
        client().responses.retrieve(first.id)
        client().responses.input_items.list(first.id)
    assert spent() == before > 0


def check_nobody_else_has_it():
    first = asked("mine")
    forged = first.id[:-1] + ("A" if first.id[-1] != "A" else "B")
    for key, response_id in (("poor", first.id), ("plain", provider_id("mine")), ("plain", forged)):
        responses = client(key).responses
        for ask in (responses.retrieve, responses.delete, responses.cancel, responses.input_items.list):
            error = raises(openai.NotFoundError, lambda ask=ask, response_id=response_id: ask(response_id))
            assert error.type == "invalid_request_error", error
        error = raises(
            openai.NotFoundError,
            lambda response_id=response_id, responses=responses: responses.create(
                model=KEPT, input="x", previous_response_id=response_id
            ),
        )
        assert error.param == "previous_response_id"
    assert client().responses.retrieve(first.id).id == first.id


def check_what_cannot_be_kept_is_refused_by_name():
    first = asked("bound")
    error = raises(
        openai.APIStatusError,
        lambda: client().responses.create(model=ELSEWHERE, input="x", previous_response_id=first.id),
    )
    assert (error.status_code, error.code) == (410, "provider_state_gone")
    for field, value in (("background", True), ("conversation", "conv_1")):
        error = raises(openai.BadRequestError, lambda field=field, value=value: asked("never", **{field: value}))
        assert error.param == field
    error = raises(openai.BadRequestError, lambda: list(client().responses.retrieve(first.id, stream=True)))
    assert error.param == "stream"


if __name__ == "__main__":
    sys.exit(run(named(dict(globals()))))
