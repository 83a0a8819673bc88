"""Voices: who plays a line, in which scale, and how real lines move through it.

A network that learnt from pieces in major and minor knows nothing of other modes, and lines drawn
from it alone stay on one note. So it says when a note starts, and its wish for a pitch is weighed
with what melodies do: how far they go from note to note, and which degrees they like on which
beats, counted in the melodies of POP909. Modes are written in the major or minor scale with their
third, degree by degree: the sixth of a D dorian line is as welcome as one of D minor, and is
raised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from drum_space.melodies.lines import INSTRUMENTS, LOWEST, OCTAVES
from drum_space.melodies.model import Prior
from groove_core.drums import STEPS_PER_BAR
from groove_core.errors import UsageError

__all__ = ["KEYS", "SCALES", "Voice", "voice_of"]

KEYS = {
    "C": 0, "C#": 1, "Db": 1, "D": 2, "D#": 3, "Eb": 3, "E": 4, "F": 5, "F#": 6, "Gb": 6,
    "G": 7, "G#": 8, "Ab": 8, "A": 9, "A#": 10, "Bb": 10, "B": 11,
}  # fmt: skip
SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic-minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "minor-pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "chromatic": tuple(range(12)),
}
PARENTS = SCALES["major"], SCALES["minor"]
MOVES = (0.240, 0.442, 0.175, 0.066, 0.043, 0.022, 0.005, 0.008)
"""Share of moves by so many degrees, up or down: 0 to 7. See `python benchmarks/songs.py moves`."""
FAR = 0.0005
"""Share of each move beyond."""
DEGREES = (
    (
        (0.199, 0.189, 0.195, 0.049, 0.167, 0.165, 0.035),
        (0.200, 0.187, 0.193, 0.047, 0.179, 0.149, 0.044),
        (0.220, 0.171, 0.188, 0.050, 0.184, 0.131, 0.056),
    ),
    (
        (0.265, 0.070, 0.144, 0.164, 0.230, 0.030, 0.097),
        (0.222, 0.076, 0.156, 0.200, 0.194, 0.031, 0.122),
        (0.189, 0.087, 0.169, 0.171, 0.202, 0.031, 0.150),
    ),
)
"""Share of the degrees in major and in minor, on the first beat, on others, and between beats."""
LEAST = 0.08
"""What a degree counts at least, so that a scale can be told from its neighbours."""
TYPICAL = 0.15
"""What a note counts at least that the major or minor scale with this third does not have."""
AROUND = 7.0
"""How far lines stray from the middle of their range, in semitones."""
TRUST = 0.4
"""Exponent of what the network says of a pitch."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Voice:
    """Who plays a line, and what it may play."""

    instrument: int
    """Index into `INSTRUMENTS`."""
    tonic: int
    """Pitch class."""
    scale: tuple[int, ...]
    low: int
    high: int
    """MIDI pitches, both played."""
    temperature: float = 1.0

    @property
    def mode(self) -> int:
        """0 for major, 1 for minor, by the third; without one, major."""
        return int(3 in self.scale and 4 not in self.scale)

    @property
    def written(self) -> npt.NDArray[np.int64]:
        """Pitch classes that stand for the scale in lines: of C major or minor, if it has seven."""
        return np.array(PARENTS[self.mode] if len(self.scale) == 7 else self.scale)

    def sounding(self, line: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return what a line sounds like: its notes in the key and the mode.

        Parameters
        ----------
        line : int array
            MIDI pitches in C major or minor; what is below zero stays.
        """
        shift = np.zeros(12, np.int64)
        shift[self.written] = np.array(self.scale) - self.written
        shift += self.tonic if self.tonic <= 6 else self.tonic - 12
        heard: npt.NDArray[np.int64] = np.where(line >= 0, line + shift[line % 12], line)
        return heard

    def playable(self) -> npt.NDArray[np.bool_]:
        """Return which pitches lines may have [shape=(84,)], from `LOWEST` on.

        Raises
        ------
        UsageError
            If no note of the scale is in the range.
        """
        pitch = LOWEST + np.arange(12 * OCTAVES)
        heard = self.sounding(pitch)
        fits: npt.NDArray[np.bool_] = np.isin(pitch % 12, self.written)
        fits &= (heard >= self.low) & (heard <= self.high)
        if not fits.any():
            raise UsageError(
                f"No note of this scale lies between {self.low} and {self.high}.",
                hint=f"--low {self.low} --high {min(127, self.low + 12)}",
            )
        return fits

    def liked(self) -> Floats:
        """Return how often real lines play each pitch class [shape=(3, 12)].

        On the first beat of a bar, on other beats, and between beats; what is not in the scale has
        zero.
        """
        usual = np.zeros((3, 12))
        tables = [self.mode] if len(self.scale) < 12 else [0, 1]
        for mode in tables:
            usual[:, PARENTS[mode]] += np.array(DEGREES[mode]) / len(tables)
        found = np.zeros((3, 12))
        found[:, self.written] = usual[:, self.written].clip(min=LEAST)
        own = self.written[~np.isin(self.scale, PARENTS[self.mode])]
        found[:, own] = found[:, own].clip(min=TYPICAL)
        return found

    def strays(self, pitch: npt.NDArray[np.int64]) -> Floats:
        """Return what speaks against pitches that are far from the middle of the range."""
        away = self.sounding(pitch) - (self.low + self.high) / 2
        found: Floats = (away / AROUND) ** 2 / 2
        return found

    def prior(self, steps: int) -> Prior:
        """Return what real lines would play on each step, among the pitches of the voice."""
        fits = self.playable()
        pitch = np.arange(len(fits))
        with np.errstate(divide="ignore"):
            liked = np.log(self.liked())[:, (LOWEST + pitch) % 12]
        at = np.arange(steps) % STEPS_PER_BAR
        places = liked[np.where(at == 0, 0, np.where(at % 4 == 0, 1, 2))]
        places -= self.strays(LOWEST + pitch)
        places[:, ~fits] = -np.inf
        # A step of a scale of five notes is as wide as 1.4 of one of seven.
        rank = np.cumsum(np.isin((LOWEST + pitch) % 12, self.written)) * 7 / len(self.scale)
        far = np.abs(rank[:, None] - rank[None])
        each = np.log([MOVES[0], *(one / 2 for one in MOVES[1:]), FAR])
        moves = np.interp(far, np.arange(len(each)), each)
        shares = self.liked().mean(axis=0)
        return Prior(
            torch.from_numpy(places).float(),
            torch.from_numpy(moves).float(),
            torch.from_numpy(shares / shares.sum()).float(),
            TRUST,
        )


def voice_of(
    instrument: str,
    key: str,
    scale: str,
    *,
    low: int | None = None,
    high: int | None = None,
    temperature: float = 1.0,
) -> Voice:
    """Make a voice of names, with the instrument's range where none is given.

    Raises
    ------
    UsageError
        If there is no such key, or no note of the scale is in the range.
    """
    tonic = KEYS.get(key[:1].upper() + key[1:])
    if tonic is None:
        raise UsageError(f"There is no key {key!r}.", hint=f"Keys: {', '.join(KEYS)}.")
    index = next(i for i, one in enumerate(INSTRUMENTS) if one.name == instrument)
    usual = INSTRUMENTS[index]
    # One bound alone moves the usual range rather than emptying it.
    low = low if low is not None else min(usual.low, (high or usual.high) - 12)
    high = high if high is not None else max(usual.high, low + 12)
    voice = Voice(index, tonic, SCALES[scale], low, high, temperature)
    voice.playable()
    return voice
