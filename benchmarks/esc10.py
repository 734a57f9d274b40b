"""The ladder, and how far confidence can be believed, on real recordings: ESC-10 by its official folds, as tables.

    python benchmarks/esc10.py [DIR]        (default: ../shared/data/esc10)

Says so and ends with exit code 3 where the data isn't there. Its clips are evaluation only: nothing may be chosen by these figures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calm_core import readers
from calm_core.studio import Studio
from calm_core.trust import Measured

ROOT = Path(__file__).resolve().parents[1]
SHOTS, EPISODES, SEED = (1, 5, 10, 20), 20, 0
TRUST_COLUMNS = {
    "coverage of 90 % sets": "coverage",
    "mean size": "set_size",
    "empty": "nothing",
    "empty if unknown": "unknown_nothing",
    "AUROC of unknown": "unknown_auroc",
    "wrong labels found": "flags_found",
    "flags right": "flags_right",
}
ABSENT = 3  # exit code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT.parent / "shared" / "data" / "esc10")
    folder = parser.parse_args().folder
    if not folder.is_dir():
        print(f"skipped: there is no folder {folder.name} with the recordings", file=sys.stderr)
        raise SystemExit(ABSENT)
    studio = Studio()
    with TemporaryDirectory() as unpacked:
        data = readers.read(folder, Path(unpacked))
        found, _ = studio.evaluate(data, studio.backbone(), shots=SHOTS, episodes=EPISODES, seed=SEED, by_folds=True)
    print(f"{found.n_clips} clips, {found.n_classes} classes; {found.protocol}; {found.episodes} episodes, seed {found.seed}; accuracy")
    print(f"in %, in brackets the 95 % bootstrap interval of the mean over episodes; chance {100 / found.n_classes:.0f} %.\n")
    print("| method | " + " | ".join(f"{k} shots" for k in SHOTS) + " |\n|---|" + "---|" * len(SHOTS))
    for title, method in dict.fromkeys((row.title, row.method) for row in found.results):
        rows = [row for row in found.results if row.method == method]
        cells = [f"{100 * r.accuracy:.1f} ({100 * r.ci_low:.1f}-{100 * r.ci_high:.1f})" for r in rows]
        print(f"| {title} (`{method}`) | {' | '.join(cells)} |")
    print(f"\n| shots | method | calibration error | {' | '.join(TRUST_COLUMNS)} |\n|---|---|---|{'---|' * len(TRUST_COLUMNS)}")
    for row in found.trust:
        if row.calibration_error is not None:
            cells = [_cell(getattr(row, name)) for name in TRUST_COLUMNS.values()]
            print(f"| {row.shots} | `{row.method}` | {row.calibration_error:.3f} | {' | '.join(cells)} |")


def _cell(measured: Measured | None) -> str:
    return "-" if measured is None else f"{measured.value:.2f} ({measured.ci_low:.2f}-{measured.ci_high:.2f})"


if __name__ == "__main__":
    main()
