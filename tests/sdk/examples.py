"""The clients of examples/sdk do what they say, against a gateway that `run` has started."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from checks import run
from environment import ROOT

WORLD = json.loads(os.environ["TRUNKLINE_WORLD"])
EXAMPLES = ROOT / "examples" / "sdk"


def prints_something(example: Path) -> None:
    if example.suffix == ".mjs":
        # Node looks for packages beside the file it runs.
        command = [WORLD["node"], shutil.copy(example, WORLD["node_home"])]
    else:
        command = [sys.executable, example]
    variables = {**os.environ, "TRUNKLINE_URL": WORLD["base_url"], "TRUNKLINE_KEY": WORLD["keys"]["plain"]}
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=120)
    assert done.returncode == 0 and done.stdout.strip(), done.stdout + done.stderr


if __name__ == "__main__":
    examples = sorted(file for file in EXAMPLES.iterdir() if file.suffix in (".py", ".mjs"))
    sys.exit(run({file.name: lambda file=file: prints_something(file) for file in examples}))
