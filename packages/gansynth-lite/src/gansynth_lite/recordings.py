"""Notes from recordings: NSynth as users have it, or a folder whose names and sounds say what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from gansynth_lite.families import FAMILIES
from gansynth_lite.notes import SOURCES, Int, Notes, fitted, room
from gansynth_lite.pitch import cents, detect_f0, parse_note_name
from groove_core.console import note, track
from groove_core.errors import InputError
from groove_core.storage import Cache, read_json
from groove_core.values import Audio

__all__ = ["pitch_of_name", "read_folder", "read_nsynth", "settled"]

WAIT_S, BEFORE_S = 2.0, 0.005
"""Silence before a recorded note that is cut off, at most, and what is kept of it."""
LOWEST_KEY = 21
FEW = 3
"""Notes of a folder with pitches in their names from which on what is heard may overrule them."""

N = TypeVar("N", int, float)

_SEPARATED = r"(?:^|(?<=[^A-Za-z0-9#]))"
_NAME = re.compile(
    _SEPARATED + r"([A-Ga-g](?:#|♯|[Ss]harp|s|♭|[Ff]lat|b|)(?:-1|\d))(?=$|[^A-Za-z0-9]|[vV]\d)"
)
_NUMBER = re.compile(
    _SEPARATED + r"(?:m|midi|pitch|note)[ _-]?(\d{1,3})(?=$|[^A-Za-z0-9]|v\d)", re.IGNORECASE
)
_NSYNTH = re.compile(r".+-(\d{3})-(\d{3})")
_LAYER = re.compile(r"[vV](?:el)?(\d{1,3})(?=$|[^A-Za-z0-9])")


def _from_onset(sound: npt.NDArray[np.float32], sample_rate: int) -> npt.NDArray[np.float32]:
    """Cut off the silence before a note: what is 40 dB below its peak."""
    level = np.abs(sound)
    onset = int(np.argmax(level >= 0.01 * level.max(initial=0.0))) if len(sound) else 0
    return sound[max(0, onset - int(BEFORE_S * sample_rate)) :]


@dataclass(frozen=True, slots=True)
class _Item:
    """A sound file, and what is known of it before it is read."""

    path: Path
    pitch: int | None
    family: str
    instrument: str
    velocity: int = 0
    maker: str = ""


def _collected(
    items: Sequence[_Item],
    *,
    source: str,
    name: str,
    license: str,
    sample_rate: int,
    samples: int,
    low: int,
    high: int,
    cache: Cache | None,
) -> Notes:
    """Read the files, measure pitches that are not known, and leave out what is of no use."""
    array = room(len(items), samples, cache)
    exact = source == "nsynth"  # where notes start exactly and pitches are known
    read: list[_Item] = []
    heard: list[int | None] = []
    kept: list[_Item] = []
    left: dict[str, list[Path]] = {}
    for item in track(items, "reading notes"):
        try:
            audio = Audio.read(
                item.path,
                sample_rate=sample_rate,
                mono=True,
                duration_s=samples / sample_rate + WAIT_S,
            )
        except InputError:
            left.setdefault("broken", []).append(item.path)
            continue
        sound = audio.samples[0]
        made = fitted(sound if exact else _from_onset(sound, sample_rate), samples, sample_rate)
        if made is None:
            left.setdefault("silent", []).append(item.path)
            continue
        array[len(read)] = made
        read.append(item)
        heard.append(None if exact else _measured(made, sample_rate))
    pitches = [item.pitch for item in read] if exact else _settled_by_folder(read, heard)
    for place, (item, pitch) in enumerate(zip(read, pitches, strict=True)):
        if pitch is None:
            left.setdefault("without a pitch", []).append(item.path)
        elif not low <= pitch <= high:
            left.setdefault(f"not of pitch {low} to {high}", []).append(item.path)
        else:
            array[len(kept)] = array[place]
            kept.append(replace(item, pitch=pitch))
    measured = sum(i.pitch is None and p is not None for i, p in zip(read, pitches, strict=True))
    if measured:
        note(f"the names of {measured} notes do not say their pitch, which was measured")
    changed = sum(i.pitch not in (None, p) for i, p in zip(read, pitches, strict=True))
    if changed:
        note(f"the names of {changed} notes say another pitch than what is heard, which counts")
    for reason, paths in left.items():
        note(f"left out, {reason}: {len(paths)} files, the first is {paths[0]}")
    if not kept:
        raise InputError(
            f"{name} holds no note of pitch {low} to {high} that can be used.",
            hint="Name files by their pitch, as in piano_C#4.wav, one note in each.",
        )
    known = sorted({item.instrument for item in kept})
    numbers = {instrument: i for i, instrument in enumerate(known)}
    return Notes(
        samples=array[: len(kept)],
        pitches=np.array([item.pitch for item in kept], dtype=np.int64),
        families=_indices([item.family for item in kept], FAMILIES),
        instruments=np.array([numbers[item.instrument] for item in kept], dtype=np.int64),
        velocities=np.array([item.velocity for item in kept], dtype=np.int64),
        family_names=FAMILIES,
        instrument_names=tuple(known),
        sample_rate=sample_rate,
        source=source,
        name=name,
        license=license,
        makers=_indices([item.maker for item in kept], SOURCES),
        dropped={reason: len(paths) for reason, paths in left.items()},
    )


def _settled_by_folder(items: Sequence[_Item], heard: Sequence[int | None]) -> list[int | None]:
    pitches: list[int | None] = [None] * len(items)
    folders: dict[Path, list[int]] = {}
    for number, item in enumerate(items):
        folders.setdefault(item.path.parent, []).append(number)
    for numbers in folders.values():
        named = [items[i].pitch for i in numbers]
        sound = [heard[i] for i in numbers]
        if sum(pitch is not None for pitch in named) < FEW:
            found = [h if n is None else n for n, h in zip(named, sound, strict=True)]
        else:
            found = settled(named, sound)
        for number, pitch in zip(numbers, found, strict=True):
            pitches[number] = pitch
    return pitches


def settled(named: Sequence[int | None], heard: Sequence[N | None]) -> list[int | N | None]:
    """Settle the pitches of the notes of a folder by their names and by what is heard.

    Names hold where half of them are heard to a semitone, whatever the octave: a pitch that was
    measured wrong counts less than the names of a whole library. Libraries that call middle C
    C3 or C5 are known by most notes sounding that octave higher or lower. Where most names are
    something else, as of a ``Hammond B3``, what is heard counts.

    Parameters
    ----------
    named, heard : sequence of numbers, MIDI
        None where a name says nothing, or no pitch is heard.

    Returns
    -------
    list of numbers
        None where neither says anything.

    Examples
    --------
    >>> settled([60, 62, 64], [60, 62, 52]), settled([48, 50], [60, 62]), settled([59], [65])
    ([60, 62, 64], [60, 62], [65])
    """
    both = [(n, h) for n, h in zip(named, heard, strict=True) if n is not None and h is not None]
    octaves = Counter(round((h - n) / 12) for n, h in both if abs((h - n + 6) % 12 - 6) <= 1)
    if 2 * octaves.total() < len(both):
        return [n if h is None else h for n, h in zip(named, heard, strict=True)]
    octave, votes = octaves.most_common(1)[0] if octaves else (0, 0)
    shift = 12 * octave if 2 * votes > len(both) else 0
    return [h if n is None else n + shift for n, h in zip(named, heard, strict=True)]


def _indices(words: Sequence[str], names: Sequence[str]) -> Int:
    number = {name: i for i, name in enumerate(names)}
    return np.array([number.get(word, -1) for word in words], dtype=np.int64)


def _measured(made: npt.NDArray[np.int16], sample_rate: int) -> int | None:
    import torch

    f0 = detect_f0(torch.from_numpy(made)[None], sample_rate, high_hz=min(4_400.0, sample_rate / 4))
    if f0.isnan().any():
        return None
    return round(float(cents(f0, torch.zeros(1))) / 100)


def read_nsynth(
    root: Path,
    tables: Sequence[Path],
    subset: str,
    *,
    velocities: Sequence[int] | None,
    families: Sequence[str] | None,
    low: int,
    high: int,
    **options: Any,
) -> Notes:
    """Read the notes of NSynth that are asked for; see `gansynth_lite.sources.open_notes`."""
    items = [
        item
        for item in _nsynth_items(tables)
        if (subset == "all" or item.maker == subset)
        and low <= (item.pitch or 0) <= high
        and (velocities is None or item.velocity in velocities)
        and (families is None or item.family in families)
    ]
    if not items:
        raise InputError(
            f"{root} holds no note of NSynth's subset {subset!r} and pitch {low} to {high}.",
            hint="Choose another subset: acoustic, electronic, synthetic or all.",
        )
    return _collected(
        items, source="nsynth", name=root.name, license="CC-BY-4.0", low=low, high=high, **options
    )


def _nsynth_items(tables: Sequence[Path]) -> Iterator[_Item]:
    for table in tables:
        examples = read_json(table)
        try:
            for name, about in sorted(examples.items()):
                velocity = int(about["velocity"])
                yield _Item(
                    table.parent / "audio" / f"{name}.wav",
                    int(about["pitch"]),
                    about["instrument_family_str"],
                    f"{about['instrument_str']} v{velocity}",
                    velocity,
                    about["instrument_source_str"],
                )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{table} is not NSynth's table of notes: {error!r}.",
                hint="Give a folder as nsynth-train.jsonwav.tar.gz unpacks it.",
            ) from error


def read_folder(
    root: Path,
    files: Sequence[Path],
    *,
    velocities: Sequence[int] | None,
    families: Sequence[str] | None,
    **options: Any,
) -> Notes:
    """Read a folder of recordings; see `gansynth_lite.sources.open_notes`."""
    items = [
        item
        for item in (_named(root, path) for path in files)
        if (velocities is None or item.velocity in velocities)
        and (families is None or item.family in families)
    ]
    if not items:
        raise InputError(
            f"{root} holds no note of the families and velocities asked for.",
            hint="Put notes into folders called as families: bass, brass, flute ...",
        )
    return _collected(items, source="folder", name=root.name, license="unknown", **options)


def _named(root: Path, path: Path) -> _Item:
    """Tell what the path says of a note; see `gansynth_lite.sources.open_notes`."""
    stem, folders = path.stem, path.relative_to(root).parts[:-1]
    words = [re.sub(r"[ -]", "_", part.lower()) for part in (root.name, *folders)]
    family = next((word for word in reversed(words) if word in FAMILIES), "")
    instrument = "/".join(folders) or root.name
    velocity = 0
    if match := _LAYER.search(stem):
        velocity = int(match[1]) if 1 <= int(match[1]) <= 127 else 0
        instrument = f"{instrument} v{int(match[1])}"
    if match := _NSYNTH.fullmatch(stem):
        velocity = int(match[2])
        instrument = f"{instrument} v{velocity}"
    return _Item(path, pitch_of_name(stem), family, instrument, velocity)


def pitch_of_name(stem: str) -> int | None:
    """Return the MIDI pitch that the name of a file says, without its ending.

    The rules are those of `gansynth_lite.sources.open_notes`.

    Examples
    --------
    >>> pitch_of_name("piano_C#4_v2"), pitch_of_name("take m060"), pitch_of_name("violin")
    (61, 60, None)
    >>> pitch_of_name("Yamaha C7 - C4"), pitch_of_name("Rhodes MK1 A2 v3")
    (60, 45)

    A number below the lowest key of a piano counts files:

    >>> pitch_of_name("note-001") is None
    True
    """
    for match in reversed(list(_NAME.finditer(stem))):
        if (pitch := parse_note_name(match[1])) is not None:
            return pitch
    number = _NUMBER.search(stem) or _NSYNTH.fullmatch(stem) or re.fullmatch(r"(\d{1,3})", stem)
    return int(number[1]) if number and LOWEST_KEY <= int(number[1]) <= 127 else None
