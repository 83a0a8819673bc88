"""Run the commands and the code blocks of READMEs, in order, in an empty folder each.

    python tools/check_readme.py                           # all READMEs; every line and its time
    python tools/check_readme.py packages/groove-core/README.md --check
    python tools/check_readme.py --list                    # what would run, and what would not
    python tools/check_readme.py --twice                   # as readers do who come back
    python tools/check_readme.py --shell zsh               # pasted into another shell

Each line of a ``bash`` block is one command, which works when it is pasted into bash or zsh; each
``python`` block goes on where the one before it ended. Lines that install something are passed
over: packages are installed where this runs.
HTML comments, which readers do not see, stand before a block and say what it needs:

    <!-- not run: REASON -->                     the block
    <!-- not run `TEXT`: REASON -->              lines that have TEXT in them
    <!-- with `TEXT`: MORE WORDS -->             add words to lines with TEXT: make them quick
    <!-- make beats: FOLDER -->                  files that a user has: 30 beats as MIDI,
    <!-- make songs: FOLDER -->                  two sounds of 12 seconds,
    <!-- make sound: FILE.wav -->                one of them,
    <!-- make tune: FILE.mid -->                 a melody
    <!-- make tunes: FOLDER -->                  30 of them, of eight bars each,
    <!-- make song: FILE.mid -->                 a melody of eight bars, silent in two, with a bass

Not Sybil: it would replace the search for blocks only. Most of what runs here are commands, which
it does not know, and it runs Python in the process of the tests instead of an empty folder.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from monorepo import ROOT, Stop, tell

COMMENT = re.compile(r"^<!-- (not run|with|make \w+)((?: `[^`]+`)?): (.*) -->$")
SOUND = """
import numpy as np
from groove_core import Audio
def sound(path, pitch):
    time_s = np.arange(12 * 22050) / 22050
    Audio(np.sin(time_s * pitch) * (time_s * 2 % 1 < 0.4) / 2, 22050).save(path)
"""
MAKE = {
    "beats": """
from groove_core import DrumPattern
for index in range(30):
    masks = [5, index, 4, 0, 6, 0, 4, index] * 8
    DrumPattern.from_masks(masks).save(f"{where}/{index}.mid")
""",
    "songs": SOUND + "sound(f'{where}/one.wav', 900)\nsound(f'{where}/two.wav', 1400)\n",
    "sound": SOUND + "sound(where, 900)\n",
    "tune": """
from groove_core import Score, Track
Score([Track([[0, 400, 60, 90], [480, 400, 67, 60]], program=73)]).save(where)
""",
    "tunes": """
import random
from groove_core import Score, Track
for index in range(30):
    draw = random.Random(index)
    pitches = [draw.choice((60, 62, 64, 65, 67, 69, 71, 72)) for _ in range(32)]
    notes = [[480 * beat, 400, pitch, 90] for beat, pitch in enumerate(pitches)]
    Score([Track(notes)]).save(f"{where}/tune-{index}.mid")
""",
    "song": """
from groove_core import Score, Track
tune = (60, 64, 67, 64, 65, 69, 67, 65, 64, 67, 72, 71, 69, 67, 65, 62)
line = [[480 * beat, 400, pitch, 90] for beat, pitch in enumerate(tune)]
line += [[480 * (24 + beat), 400, pitch, 90] for beat, pitch in enumerate(tune[8:])]
bass = [[1920 * bar, 1800, pitch, 80] for bar, pitch in enumerate((36, 41, 36, 43) * 2)]
tracks = [Track(line, "melody", 73), Track(bass, "bass", 32)]
Score(tracks, time_signatures=[[0, 4, 4]]).save(where)
""",
}
UNSAFE = re.compile(r"""^(?:[^"']|"[^"]*"|'[^']*')*?(\s#|[\w.]\[)""")
"""A comment, which zsh takes for arguments when it is pasted, and a bracket that is not quoted."""
INSTALLS = re.compile(r"(^|&& )(python3? -m )?(pip3?|hatch|uv|conda) |-m venv ")


@dataclass(frozen=True)
class Step:
    """Something to run, or not to."""

    line: int
    language: str
    text: str
    skipped: str = ""
    name: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a step."""

    step: Step
    seconds: float = 0.0
    error: str = ""

    @property
    def status(self) -> str:
        """One word for a table."""
        return "skipped" if self.step.skipped else "FAILED" if self.error else "ok"


def steps(text: str) -> list[Step]:
    """Read what a README has in ``bash`` and ``python`` blocks.

    Raises
    ------
    Stop
        If a comment of ours stands before no block, or names text that the block lacks.
    """
    found: list[Step] = []
    comments: list[tuple[str, str, str]] = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if comment := COMMENT.match(line):
            comments.append((comment[1], comment[2].strip(" `"), comment[3]))
        elif line.startswith("```") and line.strip("`"):
            end = lines.index("```", number)
            language = line.strip("`").split()[0]
            if language in ("bash", "python"):
                found += _block(language, number + 1, lines[number:end], comments)
                comments = []
            number = end + 1
        elif line.startswith("<!-- not run"):
            raise Stop(f"line {number}: a reason is missing.", "<!-- not run: REASON -->")
        if comments and line and not line.startswith(("<!--", "```")):
            raise Stop(f"line {number}: a comment stands before no block.", "Put it before one.")
    return found


def _block(
    language: str, first: int, lines: list[str], comments: list[tuple[str, str, str]]
) -> Iterator[Step]:
    for kind, text, _ in comments:
        if text and not any(text in line for line in lines):
            raise Stop(f"line {first}: no line of the block has {text!r} ({kind}).", "Correct it.")
    for kind, _, words in comments:
        what = kind.removeprefix("make ")
        if what != kind:
            if what not in MAKE:
                raise Stop(f"line {first}: {what!r} cannot be made.", f"One of {', '.join(MAKE)}.")
            # In a process of its own: a reader's Python knows nothing of it.
            code = f"where = {words!r}\n{MAKE[what]}"
            yield Step(first, "bash", shlex.join([sys.executable, "-c", code]), name=f"make {what}")
    skipped = next((why for kind, text, why in comments if kind == "not run" and not text), "")
    if language == "python":
        yield Step(first, language, "\n".join(lines), skipped)
        return
    for number, text in _commands(first, lines):
        why = skipped or next(
            (w for kind, part, w in comments if kind == "not run" and part in text), ""
        )
        if not why and INSTALLS.search(text):
            why = "installs"
        if trap := UNSAFE.search(text):
            raise Stop(
                f"line {number}: zsh stumbles over {trap[0].strip()!r} as it is pasted.",
                "Quote brackets; put what a line does outside of the block.",
            )
        more = [w for kind, part, w in comments if kind == "with" and part in text]
        yield Step(number, language, " ".join([text, *more]), why)


def _commands(first: int, lines: list[str]) -> Iterator[tuple[int, str]]:
    held, start = "", first
    for number, line in enumerate(lines, first):
        start = start if held else number
        held += line
        if held.endswith("\\"):
            held = held[:-1]
        elif held.strip() and not held.lstrip().startswith("#"):
            yield start, held
            held = ""
        else:
            held = ""


SHELLS = {"bash": ("-c",), "zsh": ("-f", "-i", "-c")}
"""How each runs a line; zsh as someone pastes it, when comments are none."""


def run_steps(listed: list[Step], folder: Path, shell: str = "bash") -> Iterator[Outcome]:
    """Run steps in a folder, one after another."""
    found = shutil.which(shell)
    if found is None:
        raise Stop(f"There is no {shell} here.", "Install one; on Windows, Git brings bash.")
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GROOVE_HOME": str(folder / ".home"),
        "COLUMNS": "100",
    }
    with Blocks(folder, env) as blocks:
        for step in listed:
            if step.skipped:
                yield Outcome(step)
                continue
            started = time.monotonic()
            if step.language == "python":
                error = blocks.run(step.text)
            else:
                done = subprocess.run(
                    [found, *SHELLS[shell], step.text],
                    cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                )  # fmt: skip
                end = (done.stdout + done.stderr).strip().splitlines()[-6:]
                error = "\n".join([f"ended with {done.returncode}", *end]) * bool(done.returncode)
            yield Outcome(step, time.monotonic() - started, error)


class Blocks:
    """A Python that runs one block after another and remembers; started when it is needed.

    What the blocks print is kept in the file ``.printed``.
    """

    PROGRAM = """if True:
    import contextlib, json, os, sys, traceback
    printed = os.path.abspath(".printed")
    names, answers = {"__name__": "__main__"}, sys.stdout
    for line in sys.stdin:
        error = ""
        with open(printed, "a") as file, contextlib.redirect_stdout(file):
            try:
                exec(json.loads(line), names)
            except BaseException:
                error = traceback.format_exc()
        print(json.dumps(error), file=answers, flush=True)
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.env = env
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Blocks:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process:
            self.process.communicate()

    def run(self, text: str) -> str:
        """Run a block; gives the end of its traceback, or nothing."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", self.PROGRAM],
                cwd=self.folder, env=self.env, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(text) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        error = str(json.loads(answer)) if answer else "it ended Python"
        return "\n".join(error.strip().splitlines()[-6:])


def readmes(root: Path) -> list[Path]:
    """List the READMEs of a repository."""
    return sorted([root / "README.md", *root.glob("packages/*/README.md")])


def main(arguments: list[str] | None = None) -> int:
    """Run READMEs; gives 1 with ``--check`` if something fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, help="all READMEs when left out")
    parser.add_argument("--twice", action="store_true", help="run each twice in its folder")
    parser.add_argument("--shell", choices=SHELLS, default="bash", help="what runs the commands")
    parser.add_argument("--list", action="store_true", help="run nothing")
    parser.add_argument("--check", action="store_true", help="exit with 1 if something fails")
    options = parser.parse_args(arguments)
    failed = 0
    for path in options.files or readmes(ROOT):
        name = path.resolve().relative_to(ROOT) if path.resolve().is_relative_to(ROOT) else path
        try:
            listed = steps(path.read_text(encoding="utf-8"))
        except Stop as stop:
            raise Stop(f"{name}, {stop.message}", stop.hint) from stop
        with tempfile.TemporaryDirectory(prefix="groove-readme-") as folder:
            listed *= 1 + options.twice
            outcomes = (
                map(Outcome, listed)
                if options.list
                else run_steps(listed, Path(folder), options.shell)
            )
            for one in outcomes:
                status = "would run" if options.list and not one.step.skipped else one.status
                first = one.step.name or one.step.text.splitlines()[0]
                why = f"  ({one.step.skipped})" if one.step.skipped else ""
                print(
                    f"{name}:{one.step.line}: {status} {one.seconds:.1f} s  {first}{why}",
                    flush=True,
                )
                if one.error:
                    print(f"    {one.error}".replace("\n", "\n    "), flush=True)
                    failed += 1
    if failed:
        print(
            f"error: {failed} failed\nhint: Correct them, or put <!-- not run: REASON --> before.",
            file=sys.stderr,
        )
    return int(options.check and failed > 0)


if __name__ == "__main__":
    sys.exit(tell(main))
