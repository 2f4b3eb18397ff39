"""What the client tests stand on: pinned Python and Node packages under target/, and the workspace's own programs.

Standard library only: this runs before anything is installed. Look first at `python_with`.
"""

import hashlib
import os
import shutil
import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")


def python_with(requirements: Path, name: str) -> Path:
    """The interpreter of an environment that holds exactly these pinned requirements."""
    home = TARGET / f"{name}-python-{_digest(requirements)}"
    python = home / "bin" / "python"
    if not _complete(home).exists():
        venv.create(home, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
        subprocess.run(install, check=True)
        _complete(home).touch()
    return python


def node_with(package: Path, name: str) -> Path:
    """A directory whose `node_modules` holds exactly the packages of a `package-lock.json`."""
    lock = package / "package-lock.json"
    home = TARGET / f"{name}-node-{_digest(lock)}"
    if not _complete(home).exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for file in (package / "package.json", lock):
            shutil.copy(file, home)
        install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run(install, check=True, cwd=home)
        _complete(home).touch()
    return home


def node_program(home: Path) -> Path:
    """The Node that is pinned beside the packages: the client wants a newer one than many systems have."""
    (program,) = home.glob("node_modules/node-linux-*/bin/node")
    return program


def cargo_programs(*packages: str) -> None:
    """Builds the programs of packages in the dev profile."""
    chosen = [argument for package in packages for argument in ("-p", package)]
    subprocess.run(["cargo", "build", "--quiet", "--bins", *chosen], check=True, cwd=ROOT)


def program(name: str) -> Path:
    """Where cargo puts a program of the dev profile."""
    return TARGET / "debug" / name


def _complete(home: Path) -> Path:
    """The file that says that an installation was not broken off."""
    return home / "complete"


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
