"""Single notes to learn from: NSynth as users have it, a soundfont, or a folder of recordings."""

from __future__ import annotations

import functools
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from gansynth_lite.families import FAMILIES
from gansynth_lite.pitch import cents, detect_f0, parse_note_name
from groove_core.console import note, track
from groove_core.errors import InputError, UsageError, did_you_mean
from groove_core.learning import Split, parts_for
from groove_core.storage import Cache, check_file, dump_json, list_files, read_json
from groove_core.values import Audio

__all__ = [
    "SOURCES",
    "SUBSETS",
    "Notes",
    "fitted",
    "groups",
    "learnt",
    "open_notes",
    "pitch_of_name",
    "settled",
    "split",
    "split_as_learnt",
]

SOURCES = ("acoustic", "electronic", "synthetic")
"""How NSynth's instruments make their sound, in its order."""
SUBSETS = (*SOURCES, "all")
VELOCITIES = (50, 90, 127)
"""Of a soundfont, when left out."""
FADE_S = 0.01
WAIT_S, BEFORE_S = 2.0, 0.005
"""Silence before a recorded note that is cut off, at most, and what is kept of it."""
SILENT = 10 ** (-50 / 20)
"""Peak below which a note is no note."""
FULL_SCALE = 32_767
IN_MEMORY_BYTES = 2**30
"""From this size on, notes are kept in a file that is mapped."""
RUMBLE_HZ = (12.0, 20.0)
"""Below the first nothing is kept, from the second on everything."""
VERSION = 3
"""Part of every key of the cache: another way to make notes is another number."""

Int = npt.NDArray[np.int64]
N = TypeVar("N", int, float)

_SEPARATED = r"(?:^|(?<=[^A-Za-z0-9#]))"
_NAME = re.compile(
    _SEPARATED + r"([A-Ga-g](?:#|♯|[Ss]harp|s|♭|[Ff]lat|b|)(?:-1|\d))(?=$|[^A-Za-z0-9]|[vV]\d)"
)
_NUMBER = re.compile(
    _SEPARATED + r"(?:m|midi|pitch|note)[ _-]?(\d{1,3})(?=$|[^A-Za-z0-9]|v\d)", re.IGNORECASE
)
LOWEST_KEY = 21
FEW = 3
"""Notes of a folder with pitches in their names from which on what is heard may overrule them."""
_NSYNTH = re.compile(r".+-(\d{3})-(\d{3})")
_LAYER = re.compile(r"[vV](?:el)?(\d{1,3})(?=$|[^A-Za-z0-9])")
_VELOCITY = re.compile(r" v\d+$")


@dataclass(frozen=True, eq=False)
class Notes:
    """Single notes of one length and sample rate.

    Parameters
    ----------
    samples : int16 array [shape=(n, samples)]
        Mono, each scaled so that its peak is full scale (32,767). May be mapped from a file.
    pitches : int array [shape=(n,), MIDI]
    families : int array [shape=(n,)]
        Index into `family_names`, -1 where unknown.
    instruments : int array [shape=(n,)]
        Index into `instrument_names`. Notes of one number differ in pitch only: another
        velocity of an instrument is another number.
    velocities : int array [shape=(n,)]
        1 to 127, 0 where unknown.
    family_names, instrument_names : tuple of str
    sample_rate : int [Hz]
    source : str
        ``nsynth``, ``soundfont`` or ``folder``.
    name : str
        Name of the folder or file.
    license : str
    makers : int array [shape=(n,)], optional
        Index into `SOURCES`, -1 where unknown.
    dropped : dict
        How many notes were left out, by reason.
    """

    samples: npt.NDArray[np.int16]
    pitches: Int
    families: Int
    instruments: Int
    velocities: Int
    family_names: tuple[str, ...]
    instrument_names: tuple[str, ...]
    sample_rate: int
    source: str
    name: str
    license: str
    makers: Int | None = None
    dropped: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.samples)

    def only(self, indices: npt.ArrayLike) -> Notes:
        """Give some of the notes; names keep their numbers.

        Parameters
        ----------
        indices : int array or bool array
        """
        which = np.asarray(indices)
        which = np.flatnonzero(which) if which.dtype == bool else which.astype(np.int64)
        return replace(
            self,
            samples=self.samples[which],
            makers=None if self.makers is None else self.makers[which],
            **{key: getattr(self, key)[which] for key in _COLUMNS},
        )

    def labels(self, families: Sequence[str]) -> Int:
        """Give the families by their numbers among others, -1 where those have none such."""
        numbers = [families.index(name) if name in families else -1 for name in self.family_names]
        found: Int = np.array([*numbers, -1], dtype=np.int64)[
            self.families
        ]  # the last is that of -1
        return found

    def counts(self) -> dict[str, Any]:
        """Count notes by family, pitch, velocity and source, as JSON can hold it."""
        families = Counter(self.families.tolist())
        named = {name: families[i] for i, name in enumerate(self.family_names) if families[i]}
        if families[-1]:
            named["unknown"] = families[-1]
        makers = Counter([] if self.makers is None else self.makers.tolist())
        pitches = self.pitches.tolist()
        return {
            "notes": len(self),
            "families": named,
            "instruments": len(np.unique(self.instruments)),
            "pitches": [min(pitches), max(pitches)] if pitches else [],
            "velocities": dict(sorted(Counter(map(str, self.velocities.tolist())).items())),
            "sources": {name: makers[i] for i, name in enumerate(SOURCES) if makers[i]},
            "dropped": self.dropped,
        }


_COLUMNS = ("pitches", "families", "instruments", "velocities")


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
      than its notes sound, those count, see `settled`.
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
        All there are, or `VELOCITIES` of a soundfont, when left out.
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
        from gansynth_lite.families import family_of_program
        from gansynth_lite.rendered import render_notes

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
        make = functools.partial(_nsynth, path, tables, subset, cache=cache, **options)
        options["subset"] = subset
    else:
        files = list_files(path, Audio.suffixes[:-1])
        make = functools.partial(_folder, path, files, cache=cache, **options)
    return stored(cache, {"notes": VERSION, **options}, _listed(path, files), make)


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


BY_HASH = Split("pitch of an instrument")
"""How notes are divided, so that what one model has not heard, no other has."""


def groups(notes: Notes) -> list[str]:
    """Name what each note is kept together with: all velocities of a pitch of an instrument.

    Soundfonts call their instruments alike, so the name of the file belongs to those.
    """
    where = f"{notes.name}: " if notes.source == "soundfont" else ""
    bases = [where + _VELOCITY.sub("", name) for name in notes.instrument_names]
    rows = zip(notes.instruments.tolist(), notes.pitches.tolist(), strict=True)
    return [f"{bases[instrument]}, {pitch}" for instrument, pitch in rows]


def split(notes: Notes) -> dict[str, Int]:
    """Divide notes by a hash of instrument and pitch: all velocities go together.

    As in GANSynth, instruments are in all parts: what is tested is other pitches of them.

    Returns
    -------
    dict
        Indices of ``train``, ``validation`` and ``test``, ascending; about 80, 10 and 10 % of
        the pitches of instruments.
    """
    return BY_HASH.parts(groups(notes))


def split_as_learnt(notes: Notes, card: Mapping[str, Any]) -> dict[str, Int]:
    """Divide notes by what a checkpoint learnt from: what it does not know is a test.

    Notes of which it knows none are divided as for a training: any of them may be measured on.

    Raises
    ------
    InputError
        If it learnt from all of them.
    """
    names, by_hash = groups(notes), split(notes)
    parts = parts_for(card, names, otherwise=by_hash)
    return parts if len(parts["train"]) else by_hash


def learnt(
    notes: Notes, parts: Mapping[str, Int], start: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what the card of a model remembers of the notes it learnt from."""
    return BY_HASH.card(groups(notes), parts, start)


def stored(
    cache: Cache | None, settings: Mapping[str, Any], content: bytes, make: Callable[[], Notes]
) -> Notes:
    """Give notes from the cache, or make them and keep them there."""
    if cache is None:
        return make()
    once = functools.cache(make)

    def described() -> npt.NDArray[np.uint8]:
        made = once()
        about = {
            key: getattr(made, key)
            for key in ("family_names", "instrument_names", "sample_rate", "source", "name",
                        "license", "dropped")
        }  # fmt: skip
        about |= {key: getattr(made, key).tolist() for key in _COLUMNS}
        about["makers"] = None if made.makers is None else made.makers.tolist()
        return np.frombuffer(dump_json(about, indent=None).encode(), np.uint8)

    samples = cache.get(cache.key({**settings, "part": "samples"}, content), lambda: once().samples)
    text = cache.get(cache.key({**settings, "part": "about"}, content), described)
    about = json.loads(text.tobytes())
    columns = {
        key: None if about[key] is None else np.array(about[key], dtype=np.int64)
        for key in (*_COLUMNS, "makers")
    }
    names = {key: tuple(about[key]) for key in ("family_names", "instrument_names")}
    return Notes(samples=samples, **{**about, **columns, **names})


def fitted(
    sound: npt.NDArray[np.float32], samples: int, sample_rate: int
) -> npt.NDArray[np.int16] | None:
    """Cut with a short fade-out, or pad, to one length, take out rumble, and scale by the peak.

    Parameters
    ----------
    sound : float32 array [shape=(frames,)]
    samples : int
    sample_rate : int [Hz]

    Returns
    -------
    int16 array [shape=(samples,)] or None
        None for silence.
    """
    heard = sound[:samples].astype(np.float64)
    if not np.abs(heard).max(initial=0.0) > SILENT:
        return None
    heard = _without_rumble(heard, sample_rate)
    peak = np.abs(heard).max()
    if len(sound) > samples:
        fade = min(samples, int(FADE_S * sample_rate))
        heard[samples - fade :] *= np.linspace(1, 0, fade)
        peak = np.abs(heard).max()
    made = np.zeros(samples, np.int16)
    made[: len(heard)] = np.round(heard * (FULL_SCALE / peak))
    return made


def _without_rumble(sound: npt.NDArray[np.float64], sample_rate: int) -> npt.NDArray[np.float64]:
    """Take out what lies below the lowest notes: pictures do not hold what is near 0 Hz."""
    size = len(sound) + sample_rate // 4  # silence behind, so that the end does not reach the start
    low, high = RUMBLE_HZ
    weights = (np.fft.rfftfreq(size, 1 / sample_rate) - low) / (high - low)
    whole = np.fft.irfft(np.fft.rfft(sound, size) * weights.clip(0, 1), size)
    return np.asarray(whole[: len(sound)])


def _from_onset(sound: npt.NDArray[np.float32], sample_rate: int) -> npt.NDArray[np.float32]:
    """Cut off the silence before a note: what is 40 dB below its peak."""
    level = np.abs(sound)
    onset = int(np.argmax(level >= 0.01 * level.max(initial=0.0))) if len(sound) else 0
    return sound[max(0, onset - int(BEFORE_S * sample_rate)) :]


def room(count: int, samples: int, cache: Cache | None) -> npt.NDArray[np.int16]:
    """Give an array for notes: in memory, or mapped from a file without a name if it is large."""
    if 2 * count * samples < IN_MEMORY_BYTES:
        return np.zeros((count, samples), np.int16)
    folder = None
    if cache is not None and cache.folder.is_dir():
        folder = cache.folder
    with tempfile.TemporaryFile(dir=folder) as file:  # lives as long as the map
        return np.memmap(file, np.int16, "w+", shape=(count, samples))


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


def _nsynth(
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


def _folder(
    root: Path,
    files: Sequence[Path],
    *,
    velocities: Sequence[int] | None,
    families: Sequence[str] | None,
    **options: Any,
) -> Notes:
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
    """Tell what the path says of a note; see `open_notes`."""
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
    """Give the MIDI pitch that the name of a file (without ending) says, see `open_notes`.

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
