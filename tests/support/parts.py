"""Runs programs that end with `N passed, N failed`, and adds them up."""

import re
import subprocess

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed$")


class Sum:
    """What has passed and failed so far."""

    def __init__(self):
        self.passed = self.failed = 0

    def run(self, title: str, command, **environment) -> None:
        """Runs one program. Ending without a summary, or badly with nothing failed, is a failure."""
        print(f"--- {title}", flush=True)
        with subprocess.Popen([*command], stdout=subprocess.PIPE, text=True, env=environment) as process:
            last = ""
            for last in process.stdout:
                if not SUMMARY.match(last):
                    print(last, end="", flush=True)
        summary = SUMMARY.match(last)
        passed, failed = map(int, summary.groups()) if summary else (0, 1)
        if process.returncode and not failed:
            failed = 1
        if not summary:
            print(f"FAILED  {title}: it ended without a summary (exit code {process.returncode})", flush=True)
        self.passed += passed
        self.failed += failed

    def finish(self) -> int:
        """Prints the sum, last. The exit code."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0
