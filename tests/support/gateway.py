"""A gateway and fake providers as processes, each on ports of its own, ended when the test is.

Look first at `Gateway`. Standard library only.
"""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from environment import program

PATIENCE_S = 20
"""How long anything is waited for before the test fails. Nothing is waited for longer than it takes."""
FAKE_KEY = "sk-fake"
FAKE_MODEL = "fake-model"


def wait_for(what: str, probe):
    """Calls `probe` until it returns something true, which is returned."""
    until = time.monotonic() + PATIENCE_S
    while not (found := probe()):
        if time.monotonic() > until:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.02)
    return found


class Gateway:
    """A gateway over a data directory. It can be killed and started again."""

    def __init__(self, directory: Path, config: str = "", **environment: str):
        self.data = directory / "data"
        self.config = directory / "trunkline.toml"
        self.config.write_text(config)
        self.log = directory / "gateway.log"
        self.environment = {"PATH": os.environ["PATH"], **environment}
        self.process = None
        self.address = None
        self.start()

    def start(self) -> None:
        command = [program("trunkline"), "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*command, *self._place()], stdout=log, stderr=log, env=self.environment, cwd=self.data.parent
            )
        self.address = wait_for("the gateway's addresses", self._listening)
        wait_for("a ready gateway", self._ready)

    def kill(self) -> None:
        """Ends it in the middle of whatever it does (SIGKILL)."""
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.kill()

    @property
    def base_url(self) -> str:
        return f"http://{self.address}/v1"

    def cli(self, *arguments: str) -> str:
        """Runs a command beside the gateway, or without one."""
        command = [program("trunkline"), *arguments, *self._place()]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, cwd=self.data.parent)
        if done.returncode:
            raise AssertionError(f"trunkline {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def key(self, name: str, *limits: str) -> str:
        """A new virtual key, with limits as `keys create` takes them."""
        return json.loads(self.cli("keys", "create", "--name", name, *limits, "--json"))["key"]

    def usage(self, by: str = "model") -> dict[str, dict]:
        """The rows of `trunkline usage` by what they are grouped by."""
        rows = json.loads(self.cli("usage", "--by", by, "--json"))["rows"]
        return {row[by]: row for row in rows}

    def get(self, path: str, key: str) -> dict:
        """A JSON document of the gateway's own."""
        request = urllib.request.Request(self.base_url + path, headers={"authorization": f"Bearer {key}"})
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return json.load(response)

    def _place(self) -> list[str]:
        return ["--config", str(self.config), "--data-dir", str(self.data)]

    def _listening(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway did not start:\n{self.log.read_text()}")
        try:
            addresses = json.loads((self.data / "addresses.json").read_text())
        except FileNotFoundError:
            return None
        # One that was killed leaves its file behind.
        return addresses["listen"] if addresses["pid"] == self.process.pid else None

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/readyz", timeout=PATIENCE_S):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False


class FakeProvider:
    """A strict, scripted provider with a log of its own."""

    def __init__(self, directory: Path, **setup):
        self.log_file = directory / f"provider-{len(list(directory.glob('provider-*')))}.jsonl"
        self.log_file.touch()
        setup = {"key": FAKE_KEY, "models": [FAKE_MODEL], "log_file": str(self.log_file), **setup}
        command = [program("fake-provider"), json.dumps(setup)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.base_url = json.loads(self.process.stdout.readline())["base_url"]

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def call_marked(log_file: Path, marker: str) -> dict:
    """The one call in a provider's log whose body holds `[[marker]]`, once it has ended; it must have been proper."""

    def found():
        calls = map(json.loads, Path(log_file).read_text().splitlines())
        return [call for call in calls if call["marker"] == marker]

    (call,) = wait_for(f"a call marked {marker}", found)
    assert not call["violations"], call["violations"]
    return call


def account(name: str, base_url: str, kind: str = "custom") -> str:
    """The configuration of an account at a fake provider whose models are known from its listing only."""
    return f"""
[providers.{name}]
kind = "{kind}"
base_url = "{base_url}"
api_key = {{ env = "FAKE_KEY" }}
"""


def priced_account(
    name: str, base_url: str, model: str = "test/fake", priority: int = 0, kind: str = "custom"
) -> str:
    """An account whose one model is described: a dollar a million tokens in, two out."""
    return account(name, base_url, kind) + f"""\
priority = {priority}
models = [{{ id = "{FAKE_MODEL}", name = "{model}", context_window = 100000, output_max = 4000, \
input_usd_per_million = 1, output_usd_per_million = 2 }}]
"""
