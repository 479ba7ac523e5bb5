"""`python -m bench [group …]`: measure, and print one figure a line: name, value, unit. All else goes to standard error.

A group is a module of this package with a function `figures()` that yields (name, value, unit). What each figure means
stands in that module; a figure that could not be measured is not printed, and the exit status is then 1.
"""

import importlib
import math
import sys
import time
import traceback

GROUPS = ("setup", "http", "timers", "simulate", "worktime", "live")


def main(wanted: list[str]) -> int:
    """Run the groups and print their figures. Returns the exit status."""
    unknown = [name for name in wanted if name not in GROUPS]
    if unknown:
        print(f"unknown group {', '.join(unknown)}; known: {', '.join(GROUPS)}", file=sys.stderr)
        return 1
    failed = False
    for group in wanted or GROUPS:
        begin = time.monotonic()
        print(f"{group} …", file=sys.stderr, flush=True)
        try:
            for name, value, unit in importlib.import_module(f"bench.{group}").figures():
                print(name, readable(value), unit, flush=True)
        except Exception:  # noqa: BLE001  # The other groups are still worth measuring; the status tells.
            traceback.print_exc()
            failed = True
        print(f"{group}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    return int(failed)


def readable(value: float) -> str:
    """Four significant digits, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
