"""Watch every run of every package, without changing any: a diary of what was made.

Observers are hooks. An installed package registers the module that holds them in the entry-point
group `groove.observers.v1`; here the package is two files that this program writes, found because
their folder is on the path. Writes diary.txt and the beats.
"""

import sys
from pathlib import Path

from groove_core import GrooveError, run

MODULE = """
from groove_core.hookspecs import Run, hookimpl


def note(line: str) -> None:
    with open("diary.txt", "a", encoding="utf-8") as diary:
        diary.write(line + "\\n")


@hookimpl
def groove_run_finished(run: Run, result: dict[str, object]) -> None:
    note(f"{run.package} {run.action} seed {run.seed}: {len(run.files)} files")


@hookimpl
def groove_run_failed(run: Run, error: BaseException) -> None:
    note(f"{run.package} {run.action} failed: {error}")
"""
ENTRY = "[groove.observers.v1]\ngroove-diary = groove_diary\n"
METADATA = "Metadata-Version: 2.1\nName: groove-diary\nVersion: 0.1\nSummary: A diary of runs.\n"


def main() -> None:
    """Install the diary into this folder, then run twice: once well, once not."""
    folder = Path("diary-package")
    about = folder / "groove_diary-0.1.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (folder / "groove_diary.py").write_text(MODULE, encoding="utf-8")
    (about / "METADATA").write_text(METADATA, encoding="utf-8")
    (about / "entry_points.txt").write_text(ENTRY, encoding="utf-8")
    sys.path.insert(0, str(folder))

    run("drum-space", "sample", count=2, seed=1, out="beats", formats="mid", overwrite=True)
    try:
        run("drum-space", "sample", genre="polka")
    except GrooveError as error:
        print(error.message)
    print(Path("diary.txt").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()
