"""Writes the tables of RESULTS.md anew by running the commands that stand in it.

    python benchmarks/results.py [WORD ...]        (only the commands that hold one of the words)

A block of RESULTS.md from `<!-- run: COMMAND -->` to `<!-- end -->` is replaced by what the command prints, with date and machine.
The prose around the blocks stays; read it again after a run. A command that says (exit code 3) that its data isn't there
leaves its block as it was.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
BLOCK = re.compile(r"(<!-- run: (?P<command>.+?) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
ABSENT = 3


def refreshed(block: re.Match[str]) -> str:
    """The block with what its command prints now."""
    command = block["command"]
    if sys.argv[1:] and not any(word in command for word in sys.argv[1:]):
        return block[0]
    print(command, file=sys.stderr)
    start = time.monotonic()
    program, *arguments = shlex.split(command)
    done = subprocess.run(
        [sys.executable if program == "python" else program, *arguments],
        cwd=RESULTS.parents[1],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode == ABSENT:
        return block[0]
    done.check_returncode()
    output = done.stdout.strip()
    shown = output if "|---" in output else f"```\n{output}\n```"
    when = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), {time.monotonic() - start:.0f} s"
    return f"{block[1]}`{command}` ({when})\n\n{shown}\n{block['end']}"


def main() -> None:
    text = RESULTS.read_text()
    if not BLOCK.search(text):
        raise SystemExit(f"{RESULTS.name} has no block '<!-- run: COMMAND -->' ... '<!-- end -->'; write one first.")
    RESULTS.write_text(BLOCK.sub(refreshed, text))


if __name__ == "__main__":
    main()
