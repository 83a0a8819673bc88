"""Single notes of one length: the collection, its split, and how it is kept."""

from __future__ import annotations

import functools
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from groove_core.learning import Split, as_learnt
from groove_core.storage import Cache, dump_json

if TYPE_CHECKING:
    import torch

__all__ = [
    "BY_HASH", "SOURCES", "Notes", "fitted", "groups", "room", "split", "split_as_learnt", "stored",
]  # fmt: skip

SOURCES = ("acoustic", "electronic", "synthetic")
"""How NSynth's instruments make their sound, in its order."""
FADE_S = 0.01
SILENT = 10 ** (-50 / 20)
"""Peak below which a note is no note."""
FULL_SCALE = 32_767
IN_MEMORY_BYTES = 2**30
"""From this size on, notes are kept in a file that is mapped."""
RUMBLE_HZ = (12.0, 20.0)
"""Below the first nothing is kept, from the second on everything."""

Int = npt.NDArray[np.int64]

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

    def sounds(self, at: torch.Tensor, device: torch.device | str = "cpu") -> torch.Tensor:
        """Return the samples of some notes [shape=(len(at), samples), -1 to 1]."""
        import torch

        some = torch.from_numpy(np.ascontiguousarray(self.samples[at.cpu().numpy()]))
        return some.to(device).float() / FULL_SCALE

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

    Notes of which it learnt none keep their own parts, see `groove_core.learning.as_learnt`.

    Raises
    ------
    InputError
        If it learnt from all of them.
    """
    return as_learnt([card], groups(notes), own=split(notes))


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


def room(count: int, samples: int, cache: Cache | None) -> npt.NDArray[np.int16]:
    """Give an array for notes: in memory, or mapped from a file without a name if it is large."""
    if 2 * count * samples < IN_MEMORY_BYTES:
        return np.zeros((count, samples), np.int16)
    folder = None
    if cache is not None and cache.folder.is_dir():
        folder = cache.folder
    with tempfile.TemporaryFile(dir=folder) as file:  # lives as long as the map
        return np.memmap(file, np.int16, "w+", shape=(count, samples))
