"""What a coding agent is run in: a fake provider, a gateway before it, an empty home, and a way out that is shut.

Look first at `World`. Standard library only.
"""

import contextlib
import http.server
import json
import os
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import record
from gateway import FAKE_KEY, FakeProvider, Gateway, wait_for

RUN_S = 120
"""How long one run of an agent may take."""
CONTENT = "one two three"
"""What the file says that an agent is to read."""
WRITTEN = "four five six"
"""What it is to write."""
ACCOUNTS = {
    "openai": ("openai", "v1", {"openai": "fake-model", "gpt-5.5": "gpt-5.5", "gpt-6-sol": "gpt-6-sol"}),
    "anthropic": ("anthropic", "v1", {"claude": "claude-fake", "gpt-6-luna": "claude-other"}),
    "gemini": ("gemini", "v1beta", {"gemini": "gemini-3-fake"}),
}
"""The accounts at the fake provider: kind, version in the address, and models as callers and as the provider call them. Two
are called as Codex calls models it knows, for it sends them other tools; the third such name hides another's model."""


def _config(fake: FakeProvider) -> str:
    root = fake.base_url.removesuffix("/v1")
    accounts = []
    for account, (kind, version, models) in ACCOUNTS.items():
        entries = [
            f'{{ id = "{upstream}", name = "{_public(name)}", context_window = 200000, output_max = 64000, '
            "input_usd_per_million = 1, output_usd_per_million = 2, cache_read_usd_per_million = 0.1, "
            "cache_write_usd_per_million = 1.25 }"
            for name, upstream in models.items()
        ]
        accounts.append(f"""
[providers.{account}]
kind = "{kind}"
base_url = "{root}/{version}"
api_key = {{ env = "FAKE_KEY" }}
models = [{", ".join(entries)}]
""")
    return "".join(accounts)


def _public(name: str) -> str:
    return name if name.startswith("gpt-") else f"acme/{name}"


class World:
    """One run of an agent: in a folder with a file, against a model that calls these tools, then says this text."""

    def __init__(self, *calls: tuple[str, object], text: str = "All is done."):
        self.text, self.script = text, calls
        self.ending = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._set_up(stack)
            self.ending = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self.ending.close()

    def _set_up(self, stack: contextlib.ExitStack) -> None:
        path = stack.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-agents-"))
        self.root = Path(path)
        self.folder, self.home = self.root / "work", self.root / "home"
        self.folder.mkdir()
        self.home.mkdir()
        (self.folder / "greeting.txt").write_text(CONTENT + "\n")
        script = [{"name": name, "arguments": self._placed(arguments)} for name, arguments in self.script]
        models = [upstream for _, _, models in ACCOUNTS.values() for upstream in models.values()]
        answer = {"body": {"answer": {"text": self.text, "calls": script}}}
        self.fake = stack.enter_context(FakeProvider(self.root, models=models, otherwise=[answer]))
        self.gateway = stack.enter_context(Gateway(self.root, _config(self.fake), FAKE_KEY=FAKE_KEY))
        self.key = self.gateway.key("agent")
        self.outside = stack.enter_context(_Outside())

    def _placed(self, arguments):
        """Arguments with `{folder}` replaced."""
        return json.loads(json.dumps(arguments).replace("{folder}", str(self.folder)))

    def run(self, *command: str, **environment: str) -> str:
        """Runs an agent in the folder and gives what it printed. Its environment is this one, and nothing it calls but the
        gateway answers."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), **self.outside.variables, **environment}
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_S,
        )
        said = f"{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, f"exit code {done.returncode}:\n{said}\n{self.problems()}"
        assert not self.outside.asked, f"it wanted to call {self.outside.asked}"
        return done.stdout

    def calls(self) -> list["Call"]:
        """What the provider was asked, but for the gateway's own listings of models. Nothing improper was in it."""
        logged = map(json.loads, self.fake.log_file.read_text().splitlines())
        calls = [Call(entry) for entry in logged if entry["method"] != "GET"]
        for call in calls:
            assert not call.entry["violations"], (call.entry["path"], call.entry["violations"])
            assert call.entry["status"] == 200, call.entry
        return calls

    def record(self, name: str) -> None:
        """Keeps what it sent last, where `TRUNKLINE_RECORD_AGENTS` names a folder."""
        if folder := os.environ.get("TRUNKLINE_RECORD_AGENTS"):
            paths = {str(self.folder): "/project", str(self.home): "~"}
            record.keep(folder, name, self.calls()[-1].body, paths)

    def problems(self) -> list[str]:
        """What the provider found improper."""
        logged = map(json.loads, self.fake.log_file.read_text().splitlines())
        return [violation for entry in logged for violation in entry["violations"]]

    def usage(self, model: str) -> dict:
        """What `trunkline usage` says of a model, which is what the provider billed."""
        calls = self.calls()
        row = wait_for("all rows in the ledger", lambda: self._row(model, len(calls)))
        billed = [call.billed for call in calls]
        assert row["cache_read_tokens"] == sum(bill["cache_read_tokens"] for bill in billed), (row, billed)
        assert row["cache_write_tokens"] == sum(bill["cache_write_tokens"] for bill in billed), (row, billed)
        prompt = row["input_tokens"] + row["cache_read_tokens"] + row["cache_write_tokens"]
        assert prompt == sum(bill["prompt_tokens"] for bill in billed), (row, billed)
        generated = row["output_tokens"] + row["reasoning_tokens"]
        assert generated == sum(bill["completion_tokens"] for bill in billed), (row, billed)
        assert row["failed"] == 0, row
        return row

    def _row(self, model: str, requests: int):
        row = self.gateway.usage().get(model)
        return row if row and row["requests"] == requests else None

    def written(self, name: str) -> str:
        """What a file says that the agent was to write."""
        return (self.folder / name).read_text().strip()


@dataclass
class Call:
    """One call as the provider saw it."""

    entry: dict

    @property
    def path(self) -> str:
        return self.entry["path"].partition("?")[0]

    @property
    def body(self) -> dict:
        return json.loads(self.entry["body"])

    @property
    def billed(self) -> dict:
        return self.entry["billed"]

    def header(self, name: str) -> str:
        return dict(self.entry["headers"]).get(name, "")


class _Outside:
    """A proxy that answers nothing and remembers who was wanted."""

    def __init__(self):
        self.asked = asked = []

        class Shut(http.server.BaseHTTPRequestHandler):
            def refuse(self):
                asked.append(f"{self.command} {self.path}")
                self.send_error(403)

            do_CONNECT = do_GET = do_HEAD = do_POST = do_PUT = refuse

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shut)

    @property
    def variables(self) -> dict[str, str]:
        proxy = f"http://127.0.0.1:{self.server.server_port}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        own = {"NO_PROXY": "127.0.0.1,localhost"} | dict.fromkeys(names, proxy)
        return own | {name.lower(): value for name, value in own.items()}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()
