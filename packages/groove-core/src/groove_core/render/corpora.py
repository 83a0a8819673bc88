"""Corpora of rendered scores: folders of clips with a manifest that says what each is made of."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groove_core.batch import map_files
from groove_core.batch.engines import LOCAL, jobs_of
from groove_core.render.soundfont import find_soundfont, render
from groove_core.storage.files import check_writable, write_text
from groove_core.storage.tables import csv_text
from groove_core.values.scores.score import Score

__all__ = ["DRUM_KITS", "MANIFEST", "Clip", "find_soundfonts", "render_clips"]

MANIFEST = "manifest.csv"
SAMPLE_RATE = 22_050
DRUM_KITS = (0, 8, 16, 24, 25, 32, 40)
"""Programs of General MIDI Level 2: standard, room, power, electronic, TR-808, jazz, brush."""
INSTALLED = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
)


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound of a corpus.

    Parameters
    ----------
    path : str
        Below the folder of the corpus; the suffix says the format.
    score : callable of no argument
        Called only where the file is missing; it goes to other processes.
    soundfont : Path
    facts : mapping of str to str or number
        Columns of the manifest after ``path``, the same for all clips of a corpus.
    """

    path: str
    score: Callable[[], Score]
    soundfont: Path
    facts: Mapping[str, object]


def find_soundfonts() -> dict[str, Path]:
    """Find soundfonts that sound different: that of `find_soundfont`, then Debian's.

    Returns
    -------
    dict
        Paths by file name; a name that was found before is passed over.
    """
    found: dict[str, Path] = {}
    for path in (find_soundfont(), *INSTALLED):
        if path.is_file():
            found.setdefault(path.name, path)
    return found


def render_clips(
    into: Path,
    clips: Sequence[Clip],
    *,
    duration_s: float,
    jobs: int | None = None,
    engine: str = LOCAL,
) -> None:
    """Render clips into a folder, and write its manifest when all are there.

    Clips are mono, of one length and at 22,050 Hz, with a peak of -1 dBFS. Files that are
    there already stay as they are, so that an interrupted run goes on.

    Parameters
    ----------
    into : Path
    clips : sequence of Clip
    duration_s : float [s]
        What is longer is cut, what is shorter is padded with silence.
    jobs : int, optional
    engine : str
        How many clips to render at a time, and where; see `groove_core.batch.map_files`.

    Raises
    ------
    InputError
        If a soundfont is missing or broken, or the folder cannot be written to.
    """
    check_writable(into)
    missing = {str(path): clip for clip in clips if not (path := into / clip.path).exists()}
    work = functools.partial(_render, clips=missing, duration_s=duration_s)
    jobs = jobs_of(jobs, engine)
    for outcome in map_files(work, missing, jobs=jobs, engine=engine, text="rendering"):
        outcome.check()
    rows = [[clip.path, *clip.facts.values()] for clip in clips]
    write_text(into / MANIFEST, csv_text([["path", *clips[0].facts], *rows]))


def _render(target: Path, *, clips: Mapping[str, Clip], duration_s: float) -> dict[str, Any]:
    clip = clips[str(target)]
    sound = render(clip.score(), soundfont=clip.soundfont, sample_rate=SAMPLE_RATE)
    sound.to_mono().fitted(duration_s).normalized().save(target)
    return {}
