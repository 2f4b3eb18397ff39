"""Runs checks one by one and says how many passed."""

import sys
import traceback


def named(module: dict) -> dict:
    """The functions of a module that are called `check_…`, in its order."""
    return {name: check for name, check in module.items() if name.startswith("check_")}


def run(checks: dict) -> int:
    """Calls every check. Prints `N passed, N failed` last. The exit code."""
    failed = failures(checks)
    print(f"{len(checks) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def failures(checks: dict) -> int:
    """Calls every check; one's failure hides no other's. How many failed."""
    failed = 0
    for name, check in checks.items():
        try:
            check()
            print(f"ok      {name}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {name}", flush=True)
            traceback.print_exc(file=sys.stdout)
    return failed


def raises(kind, call):
    """The error of this kind that a call ends in."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")
