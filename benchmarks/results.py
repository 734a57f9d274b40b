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


def output(command: str) -> str | None:
    """What the command prints now, with date and machine; None where its data isn't there."""
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
        return None
    done.check_returncode()
    text = done.stdout.strip()
    shown = text if "|---" in text else f"```\n{text}\n```"
    when = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), {time.monotonic() - start:.0f} s"
    return f"`{command}` ({when})\n\n{shown}\n"


def filled(block: re.Match[str], command: str, told: str | None) -> str:
    return block[0] if block["command"] != command or told is None else f"{block[1]}{told}{block['end']}"


def main() -> None:
    commands = [block["command"] for block in BLOCK.finditer(RESULTS.read_text())]
    if not commands:
        raise SystemExit(f"{RESULTS.name} has no block '<!-- run: COMMAND -->' ... '<!-- end -->'; write one first.")
    for command in commands:
        if not sys.argv[1:] or any(word in command for word in sys.argv[1:]):
            told = output(command)
            # Read and written after every command: one that fails loses no table, and prose may change meanwhile.
            text = RESULTS.read_text()
            RESULTS.write_text(BLOCK.sub(lambda block, told=told, command=command: filled(block, command, told), text))


if __name__ == "__main__":
    main()
