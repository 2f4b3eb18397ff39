"""Every official Python client at providers of every dialect, through a gateway that `run` has started: the same cases,
buffered and streamed. What a provider was sent is proven by its own strictness, what the caller is told of usage by the
provider's own bill.

Look first at `CASES`.
"""

import json
import os
import sys
from functools import partial

from checks import raises, run
from gateway import wait_for
from matrix_callers import CALLERS, Ask
from matrix_world import ARGUMENTS, MODELS, TOOLS, calls_marked

WORLD = json.loads(os.environ["TRUNKLINE_WORLD"])
TEXT = "Hello from the fake provider. It counts its words."
THOUGHT = "The words must be counted first."


def proper(marker: str, count: int) -> list[dict]:
    """The calls a provider saw, once they have ended: none was improper."""

    def found():
        calls = calls_marked(WORLD["log"], marker)
        return calls if len(calls) == count else None

    calls = wait_for(f"{count} calls marked {marker}", found)
    violations = [violation for call in calls for violation in call["violations"]]
    assert not violations, (violations, calls[-1]["body"])
    return calls


def as_billed(answer, call: dict) -> None:
    billed = call["billed"]
    assert answer.usage == (billed["prompt_tokens"], billed["completion_tokens"]), (answer.usage, billed)


class Case:
    """One client at one provider's dialect, one way."""

    def __init__(self, caller: str, upstream: str, stream: bool, check: str):
        self.caller = CALLERS[caller](WORLD["address"], WORLD["key"])
        self.name, self.upstream, self.stream = caller, upstream, stream
        self.owner = f"{caller}-{'streamed' if stream else 'buffered'}"
        self.marker = f"{self.owner}-{upstream}-{check}"
        self.text = f"What is the weather? [[{self.marker}]]"
        self.calls = 0

    def ask(self, **more):
        """Asks; the answer, and what the provider saw of it, which was proper and cost what was said."""
        ask = Ask(self.text, **more)
        answer = self.caller.ask(f"acme/{self.upstream}", ask, self.stream)
        self.calls += 1
        call = proper(self.marker, self.calls)[-1]
        as_billed(answer, call)
        return answer, json.loads(call["body"])

    def going_wrong(self, how: str) -> str:
        """The model of this case alone that goes wrong in that way."""
        return f"{how}-{self.owner}/{self.upstream}"

    def question(self):
        return self.caller.question(Ask(self.text))


def says_something(case: Case) -> None:
    answer, _ = case.ask()
    assert (answer.text, answer.finish, answer.thought, answer.calls) == (TEXT, "stop", "", []), answer


def follows_a_system_prompt(case: Case) -> None:
    answer, body = case.ask(system="Be brief. Be kind.")
    assert answer.text == TEXT
    assert "Be brief. Be kind." in json.dumps(body)
    # Four words more than the question's.
    assert answer.usage[0] == 4 + len(case.text.split())


def stops_where_there_is_no_more_room(case: Case) -> None:
    answer, _ = case.ask(most=3)
    assert (answer.text.strip(), answer.finish) == ("Hello from the", "capped"), answer


def stops_at_a_text(case: Case) -> None:
    answer, _ = case.ask(stop="It")
    assert (answer.text, answer.finish) == ("Hello from the fake provider. ", "stop"), answer


def sees_an_image(case: Case) -> None:
    answer, _ = case.ask(image=True)
    assert answer.text == TEXT and answer.usage[0] == 85 + len(case.text.split()), answer


UNFORCED = {("anthropic", "ollama"), ("gemini", "ollama")}
"""Where no call can be forced, since Ollama's own dialect has no words for it: that is refused, and the fake calls of its
own accord."""


def called(case: Case, tools: tuple[str, ...]):
    """The answer to a question that makes these tools be called."""
    forced = (case.name, case.upstream) not in UNFORCED
    if not forced:
        ask = Ask(case.text, tools=tools, forced=True)
        error = raises(case.caller.errors[400], lambda: case.caller.ask(f"acme/{case.upstream}", ask, case.stream))
        assert "`tool_choice` cannot be carried" in str(error), error
    return case.ask(tools=tools, forced=forced)[0]


def calls_a_tool_and_takes_its_result(case: Case) -> None:
    answer = called(case, ("get_weather",))
    assert (answer.calls, answer.finish, answer.text) == ([("get_weather", ARGUMENTS)], "calls", ""), answer
    turns = [case.question(), answer.turn, *case.caller.results(answer)]
    answer, _ = case.ask(tools=("get_weather",), turns=turns)
    assert (answer.text, answer.finish) == (TEXT, "stop"), answer


def calls_several_tools_at_once(case: Case) -> None:
    answer = called(case, TOOLS)
    assert answer.calls == [(name, ARGUMENTS) for name in TOOLS], answer
    turns = [case.question(), answer.turn, *case.caller.results(answer)]
    answer, _ = case.ask(tools=TOOLS, turns=turns)
    assert answer.text == TEXT, answer


UNSIGNED = {("gemini", "gemini")}
"""Where a call made elsewhere is refused: Gemini takes its own signed calls only, and a caller of it is relayed."""


def takes_up_what_another_provider_said(case: Case) -> None:
    elsewhere = "claude" if case.upstream == "openai" else "openai"
    answer = case.caller.ask(f"acme/{elsewhere}", Ask(case.text, tools=TOOLS, forced=True), case.stream)
    case.calls += 1
    turns = [case.question(), answer.turn, *case.caller.results(answer)]
    if (case.name, case.upstream) in UNSIGNED:
        ask = Ask(case.text, tools=TOOLS, turns=turns)
        error = raises(case.caller.errors[400], lambda: case.caller.ask(f"acme/{case.upstream}", ask, case.stream))
        assert "missing a thought_signature" in str(error), error
    else:
        answer, _ = case.ask(tools=TOOLS, turns=turns)
        assert answer.text == TEXT, answer


def speaks_json_by_a_schema(case: Case) -> None:
    answer, _ = case.ask(schema=True)
    assert json.loads(answer.text) == ARGUMENTS, answer


def thinks_and_takes_its_thoughts_back(case: Case) -> None:
    answer, _ = case.ask(thinks=True)
    thought = "" if (case.name, case.upstream) in UNSHOWN else THOUGHT
    assert (answer.text, answer.thought) == (TEXT, thought), answer
    turns = [case.question(), answer.turn, case.question()]
    again, body = case.ask(thinks=True, turns=turns)
    assert again.text == TEXT, again
    # Forged signatures would have been refused; what was left out would not.
    kept = "thoughtSignature" in body["contents"][1]["parts"][-1] if case.upstream == "gemini" else False
    if case.upstream in ("claude", "bedrock"):
        kept = "signature" in json.dumps(body["messages"][1])
    assert kept == ((case.name, case.upstream) in CARRIED), body


UNSHOWN = {*((caller, upstream) for caller in CALLERS for upstream in ("openai", "mistral")), ("openai", "ollama")}
"""Where no thought comes: OpenAI's chat shows none, callers of it are answered by it wherever it is spoken, and the fake's
Mistral has none."""
CARRIED = {*((caller, upstream) for caller in CALLERS for upstream in ("claude", "bedrock")), ("gemini", "gemini")}
"""Where a signature comes back to its provider. Of Gemini's text the other two have no place for one: the loss is named
in a header."""


CASES = {
    "says something": says_something,
    "follows a system prompt": follows_a_system_prompt,
    "stops where there is no more room": stops_where_there_is_no_more_room,
    "stops at a text": stops_at_a_text,
    "sees an image": sees_an_image,
    "calls a tool and takes its result": calls_a_tool_and_takes_its_result,
    "calls several tools at once": calls_several_tools_at_once,
    "takes up what another provider said": takes_up_what_another_provider_said,
    "speaks JSON by a schema": speaks_json_by_a_schema,
    "thinks and takes its thoughts back": thinks_and_takes_its_thoughts_back,
}


def fails(case: Case, kind, model: str, key: str | None = None):
    """The error a question ends in, which is the client's own class for it."""
    caller = type(case.caller)(WORLD["address"], key) if key else case.caller
    return raises(caller.errors[kind], lambda: caller.ask(model, Ask(case.text), case.stream))


def status(error) -> int:
    return getattr(error, "status_code", None) or error.code


def refuses_a_wrong_key(case: Case) -> None:
    assert status(fails(case, 401, f"acme/{case.upstream}", "sk-tl-wrong")) == 401


def does_not_know_a_model(case: Case) -> None:
    error = fails(case, 404, f"acme/{case.upstream}-2")
    assert status(error) == 404 and f"acme/{case.upstream}" in str(error), error


def passes_on_a_refusal(case: Case) -> None:
    error = fails(case, 400, case.going_wrong("refusing"))
    assert status(error) == 400 and "The fake refuses this." in str(error), error


def passes_on_a_limit(case: Case) -> None:
    error = fails(case, 429, case.going_wrong("limited"))
    assert status(error) == 429 and 0 < int(case.caller.retry_after(error)) <= 7, error


def says_that_a_provider_is_overloaded(case: Case) -> None:
    # In a stream Cohere says it by a sentence only: a failure like another.
    unsaid = case.upstream == "cohere" and case.stream
    assert status(fails(case, 529, case.going_wrong("overloaded"))) in ((502,) if unsaid else (503, 529))


ERRORS = {
    "refuses a wrong key": refuses_a_wrong_key,
    "does not know a model": does_not_know_a_model,
    "passes on a refusal": passes_on_a_refusal,
    "passes on a limit": passes_on_a_limit,
    "says that a provider is overloaded": says_that_a_provider_is_overloaded,
}


def ends_in_an_error(how: str, case: Case) -> None:
    said = []
    error = raises(
        case.caller.errors["broken"],
        lambda: said.extend(case.caller.words(case.going_wrong(how), Ask(case.text))),
    )
    assert "".join(said).startswith("Hello "), (said, error)


def breaks_off(case: Case) -> None:
    ends_in_an_error("cut", case)


def breaks_off_with_an_error(case: Case) -> None:
    ends_in_an_error("breaking", case)


BROKEN = {"breaks off": breaks_off, "breaks off with an error": breaks_off_with_an_error}


def embeds(caller: str, upstream: str) -> None:
    """Vectors by a client in its own form, at a provider of either."""
    marker = f"{caller}-{upstream}-embeddings"
    texts = [f"one [[{marker}]]", "two three"]
    client = CALLERS[caller](WORLD["address"], WORLD["key"]).client
    model = f"acme/{upstream}"
    if caller == "gemini":
        answer = client.models.embed_content(model=model, contents=texts, config={"output_dimensionality": 4})
        vectors = [embedding.values for embedding in answer.embeddings]
    else:
        answer = client.embeddings.create(model=model, input=texts, dimensions=4)
        vectors = [item.embedding for item in answer.data]
    # Google's client takes a name with "gemini" in it for that of a model that makes one vector of all contents.
    merged = caller == "gemini" and "gemini" in model
    assert [len(vector) for vector in vectors] == [4] * (1 if merged else 2), vectors
    assert any(vectors[0]), vectors
    proper(marker, 1)


EMBEDDERS = [(caller, upstream) for caller in ("openai", "gemini") for upstream in ("openai", "gemini")]


def checks() -> dict:
    found = {f"{caller} at {upstream}: embeds": partial(embeds, caller, upstream) for caller, upstream in EMBEDDERS}
    for caller in CALLERS:
        for upstream in MODELS:
            for stream in (False, True):
                framing = "streamed" if stream else "buffered"
                for name, check in (CASES | ERRORS | (BROKEN if stream else {})).items():
                    case = partial(Case, caller, upstream, stream, name.replace(" ", "-"))
                    title = f"{caller} at {upstream}, {framing}: {name}"
                    found[title] = lambda check=check, case=case: check(case())
    return found


if __name__ == "__main__":
    # Words choose checks: `matrix_python.py "openai at" streamed`.
    words = sys.argv[1:]
    sys.exit(run({name: check for name, check in checks().items() if all(word in name for word in words)}))
