"""Open notes to learn from: NSynth, a soundfont, or a folder of recordings."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gansynth_lite.families import FAMILIES, family_of_program
from gansynth_lite.notes import SOURCES, Notes, stored
from gansynth_lite.recordings import read_folder, read_nsynth
from gansynth_lite.rendered import VELOCITIES, render_notes
from groove_core.errors import InputError, UsageError, did_you_mean
from groove_core.storage import Cache, check_file, dump_json, list_files
from groove_core.values import Audio

__all__ = ["SUBSETS", "open_cached", "open_notes"]

SUBSETS = (*SOURCES, "all")
VERSION = 3
"""Part of every key of the cache: another way to make notes is another number."""


def open_notes(
    path: str | Path,
    *,
    sample_rate: int = 16_000,
    samples: int = 64_000,
    low: int = 24,
    high: int = 84,
    velocities: Sequence[int] | None = None,
    families: Sequence[str] | None = None,
    subset: str = "acoustic",
    cache: Cache | None = None,
    jobs: int | None = None,
) -> Notes:
    """Open a collection of single notes; what kind it is shows in its files.

    - NSynth: a folder with ``examples.json`` and ``audio``, or the one above several such.
    - A soundfont: an ``.sf2`` file, rendered (see `gansynth_lite.rendered`).
    - Else a folder of sound files. The folder that a file is in is its instrument; one that is
      called as a family is the family. Its pitch is the last part of its name that is a note
      (``piano_C#4_v2.wav``, ``Yamaha C7 - C4``, ``A0v10.ogg``, ``Bb2``, ``C-1``) between any
      signs but letters and digits; else a number with ``m``, ``midi``, ``note`` or ``pitch``
      before it (``m060``); else the name is a number only (``60.wav``) or ends as NSynth's do
      (``-060-100``); else it is measured. Where most names of a folder say something else
      than its notes sound, those count, see
      `gansynth_lite.recordings.settled`.
      ``v10`` is a layer of velocity.

    Every note is mixed to mono, cut or padded to one length and scaled by its peak; silence
    before recorded ones is cut off.

    Parameters
    ----------
    path : path
    sample_rate : int [Hz]
    samples : int
        Length of each note.
    low, high : int [MIDI]
        Lowest and highest pitch.
    velocities : sequence of int, optional
        All there are, or `gansynth_lite.rendered.VELOCITIES` of a soundfont, when left out.
    families : sequence of str, optional
        Of `FAMILIES`; all when left out.
    subset : str
        Of NSynth: ``acoustic``, ``electronic``, ``synthetic`` or ``all``.
    cache : Cache, optional
        Where notes are kept that were read or rendered before.
    jobs : int, optional
        Processes that render; one for each processor when left out.

    Raises
    ------
    InputError
        If there is no such note.
    UsageError
        If an option is out of its range.
    """
    path = Path(path)
    _check(sample_rate, samples, low, high, velocities, families, subset)
    options: dict[str, Any] = {
        "sample_rate": sample_rate, "samples": samples, "low": low, "high": high,
        "velocities": None if velocities is None else sorted(set(velocities)),
        "families": None if families is None else sorted(set(families)),
    }  # fmt: skip
    if path.is_file() and path.suffix.lower() == ".sf2":
        wanted = options.pop("families")
        options["velocities"] = options["velocities"] or VELOCITIES
        programs = [
            program for program in range(128)
            if (family := family_of_program(program)) and (wanted is None or family in wanted)
        ]  # fmt: skip
        return render_notes(path, programs=programs, cache=cache, jobs=jobs, **options)
    if not path.is_dir():
        check_file(path, what="a folder of notes or a soundfont (.sf2)")
        raise InputError(
            f"{path} is neither a folder nor a soundfont.",
            hint="Give a folder of single notes, NSynth's folder, or an .sf2 file.",
        )
    tables = [path / "examples.json", *sorted(path.glob("nsynth-*/examples.json"))]
    tables = [table for table in tables if table.is_file()]
    if tables:
        files = [*tables, *(table.with_name("audio") for table in tables)]
        make = functools.partial(read_nsynth, path, tables, subset, cache=cache, **options)
        options["subset"] = subset
    else:
        files = list_files(path, Audio.suffixes[:-1])
        make = functools.partial(read_folder, path, files, cache=cache, **options)
    return stored(cache, {"notes": VERSION, **options}, _listed(path, files), make)


def open_cached(path: Path, samples: int, subset: str, low: int = 24, high: int = 84) -> Notes:
    """Open a collection of notes and keep what was read of it; see `open_notes`."""
    return open_notes(path, samples=samples, subset=subset, low=low, high=high, cache=Cache())


def _listed(root: Path, files: Sequence[Path]) -> bytes:
    """Give what tells a collection from another, and from itself before it was changed."""
    rows: list[tuple[str, int, int]] = []
    for path in files:
        if path.exists():
            about = path.stat()
            rows.append((path.relative_to(root).as_posix(), about.st_size, about.st_mtime_ns))
    return dump_json([root.name, rows], indent=None).encode("utf-8", "backslashreplace")


def _check(
    sample_rate: int,
    samples: int,
    low: int,
    high: int,
    velocities: Sequence[int] | None,
    families: Sequence[str] | None,
    subset: str,
) -> None:
    if not 0 <= low <= high <= 127:
        raise UsageError(f"There is no pitch from {low} to {high}.", hint="low=24, high=84")
    if sample_rate < 4_000 or samples < sample_rate // 10:
        raise UsageError(
            f"Notes cannot be {samples} samples long at {sample_rate} Hz: a tenth of a second at "
            "least, at 4,000 Hz at least.",
            hint="sample_rate=16000, samples=64000",
        )
    for velocity in velocities or ():
        if not 1 <= velocity <= 127:
            raise UsageError(f"velocity must be 1 to 127, not {velocity}.", hint="velocities=(90,)")
    for family in families or ():
        if family not in FAMILIES:
            raise UsageError(
                f"There is no family {family!r}.",
                hint=did_you_mean(family, FAMILIES) or f"Choose of {', '.join(FAMILIES)}.",
            )
    if subset not in SUBSETS:
        raise UsageError(
            f"NSynth has no subset {subset!r}.",
            hint=did_you_mean(subset, SUBSETS) or f"Choose of {', '.join(SUBSETS)}.",
        )
