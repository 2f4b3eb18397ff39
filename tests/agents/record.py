"""What an agent sent, as a fixture: the form of it, without its vendor's prose, paths, ids and dates.

Look first at `scrubbed`. Standard library only.
"""

import json
import re
from pathlib import Path

PROSE_MIN = 48
"""From this length on, a text with a space in it is prose."""
ZEROS = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "00000000-0000-4000-8000-000000000000"),
    (re.compile(r"[0-9a-f]{64}"), "0" * 64),
    (re.compile(r"\d{13}"), "0" * 13),
    (re.compile(r"20\d\d-\d\d-\d\d"), "2025-01-01"),
    (re.compile(r"(cc_version=[\d.]+)\.\w+"), r"\1"),
]


def scrubbed(value, paths: dict[str, str]):
    """A JSON value with paths replaced, ids zeroed, and prose by a text that says how long it was."""
    if isinstance(value, dict):
        return {name: scrubbed(member, paths) for name, member in value.items()}
    if isinstance(value, list):
        return [scrubbed(item, paths) for item in value]
    if not isinstance(value, str):
        return value
    for path, instead in paths.items():
        value = value.replace(path, instead)
    for pattern, zeros in ZEROS:
        value = pattern.sub(zeros, value)
    prose = len(value) >= PROSE_MIN and " " in value and not value.startswith("{")
    return f"(a text of {len(value)} characters)" if prose else value


def keep(folder: str, name: str, body: dict, paths: dict[str, str]) -> None:
    """Writes a request's body into a folder."""
    text = json.dumps(scrubbed(body, paths), indent=1, ensure_ascii=False)
    (Path(folder) / f"{name}.json").write_text(text + "\n")
