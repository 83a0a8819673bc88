"""How near the note of an instrument comes to a recorded one: in numbers, and in words."""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import torch
from torch import Tensor

from gansynth_lite.envelope import HOP_S, fine_levels
from gansynth_lite.metrics import apart, log_mel
from gansynth_lite.pitch import cents, detect_f0, note_name

__all__ = ["Heard", "Likeness"]

DECAYS_S = 1.0, 3.0
"""At which the level of a note is told, relative to its loudest moment."""
LEVEL_S, BEGINNING_S = 0.1, 0.5
FLOOR_DB = -60.0
"""Softer is silence: falls of more are the same."""
NEAR_DB = 6.0, 9.0, 13.0
"""Distances up to which a note is very near, near, or alike. Of recorded pianos, two neighbouring
notes of one instrument are 5 to 9 dB apart."""
BRIGHTER = 0.15, 0.5
"""Octaves of the spectrum's middle that are a little brighter, and that are brighter."""


class Heard(NamedTuple):
    """What a musician hears of a note."""

    cents: float
    """Above the pitch wanted; NaN where no pitch is heard."""
    attack_s: float
    """Until it is within 3 dB of the loudest moment of its beginning."""
    falls_db: tuple[float, ...]
    """After each of `DECAYS_S`, relative to the loudest moment; NaN where the note has ended."""
    octaves: float
    """Where the middle of its spectrum lies, above the fundamental, in the first second."""

    @classmethod
    def of(cls, samples: Tensor, sample_rate: int, pitch: float, end_s: float = math.inf) -> Self:
        """Listen to a note [shape=(samples,)] of a pitch that is held until some time."""
        f0 = detect_f0(samples[None], sample_rate, high_hz=sample_rate / 4)
        fine = fine_levels(samples[: round(BEGINNING_S * sample_rate)], sample_rate, pitch)
        width = round(LEVEL_S * sample_rate)
        count = max(len(samples) // (width // 2) - 1, 1)
        levels = torch.stack([
            10 * (samples[i * (width // 2) :][:width].square().mean() + 1e-12).log10()
            for i in range(count)
        ])  # fmt: skip
        loudest = levels[: round(2 * BEGINNING_S / LEVEL_S)].max()
        falls = [
            max(float(levels[round(2 * at / LEVEL_S) - 1] - loudest), FLOOR_DB)
            if at + LEVEL_S / 2 <= min(end_s, len(samples) / sample_rate)
            else math.nan
            for at in DECAYS_S
        ]
        spectrum = torch.fft.rfft(samples[:sample_rate]).abs()
        frequency = torch.fft.rfftfreq(len(samples[:sample_rate]), 1 / sample_rate)
        middle = (spectrum * frequency).sum() / spectrum.sum().clamp_min(1e-12)
        return cls(
            float(cents(f0, torch.tensor([pitch]))[0]),
            float((fine >= fine.max() - 3).int().argmax()) * HOP_S,
            tuple(falls),
            math.log2(max(float(middle), 1.0) / (440 * 2 ** ((pitch - 69) / 12))),
        )


class Likeness(NamedTuple):
    """A recorded note, the note that is played instead, and how far they are apart."""

    pitch: float
    real: Heard
    made: Heard
    away_db: float
    """Root mean square difference of log-mel spectrograms, over what was recorded."""

    @classmethod
    def of(
        cls, real: Tensor, made: Tensor, sample_rate: int, pitch: float, end_s: float = math.inf
    ) -> Self:
        """Compare two notes [shape=(samples,)], as long as the recorded one is held."""
        count = min(len(real), len(made), round(min(end_s, 1e3) * sample_rate))
        real, made = real[:count], made[:count]
        both = log_mel(torch.stack([real, made]), sample_rate)
        heard, played = (Heard.of(one, sample_rate, pitch, end_s) for one in (real, made))
        return cls(pitch, heard, played, float(apart(both[:1], both[1:])))

    def words(self) -> str:
        """Tell how near the note comes, as a musician would."""
        return f"{note_name(round(self.pitch))}, {self._nearness()}: " + ", ".join(
            [self._tuning(), self._attack(), *self._decay(), self._brightness()]
        )

    def _nearness(self) -> str:
        words = ("very near", "near", "alike", "far from it")
        place = sum(self.away_db > limit for limit in NEAR_DB)
        return f"{words[place]} ({self.away_db:.1f} dB apart)"

    def _tuning(self) -> str:
        off = self.made.cents - (0 if math.isnan(self.real.cents) else self.real.cents)
        if math.isnan(off):
            return "no clear pitch"
        if abs(off) < 10:
            return "in tune"
        return f"{abs(off):.0f} cents {'sharp' if off > 0 else 'flat'}"

    def _attack(self) -> str:
        real, made = (round(1000 * one.attack_s) for one in (self.real, self.made))
        if abs(real - made) <= max(10, real / 4):
            return f"attack as recorded ({real} ms)"
        return f"attack {'slower' if made > real else 'faster'} ({made} ms, recorded {real})"

    def _decay(self) -> list[str]:
        found = []
        for at, real, made in zip(DECAYS_S, self.real.falls_db, self.made.falls_db, strict=True):
            if math.isnan(real):
                continue
            told = f"{made:.0f} dB after {at:g} s"
            found.append(told + ("" if abs(real - made) < 1 else f" (recorded {real:.0f})"))
        return found

    def _brightness(self) -> str:
        away = self.made.octaves - self.real.octaves
        if abs(away) < BRIGHTER[0]:
            return "as bright"
        little = "a little " if abs(away) < BRIGHTER[1] else ""
        return f"{little}{'brighter' if away > 0 else 'darker'}"
