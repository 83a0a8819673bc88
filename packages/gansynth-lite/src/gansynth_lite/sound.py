"""A loaded model that plays: what the actions share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gansynth_lite.classifier import NoteClassifier
from gansynth_lite.encoding import find_instruments, to_note
from gansynth_lite.families import family_of_program
from gansynth_lite.holding import frames_of, held, locked
from gansynth_lite.model import GANSynth, one_hot
from gansynth_lite.parallel import BATCH, seeds_of, side_by_side
from gansynth_lite.pitch import hz, note_name, parse_note_name
from gansynth_lite.playing import Instruments, render
from gansynth_lite.progressive import ProgressiveGAN
from gansynth_lite.recordings import pitch_of_name
from gansynth_lite.sampling import RATE, extended
from groove_core import devices
from groove_core.actions import each
from groove_core.errors import InputError, UsageError, did_you_mean
from groove_core.learning import pixel_norm
from groove_core.storage import checkpoints
from groove_core.values import Audio, Codes, Score, Track

__all__ = [
    "GENERATOR", "Voice", "family_of", "load_classifier", "load_generator",
    "load_judges",
    "parse_pitch",
]  # fmt: skip

PACKAGE, GENERATOR, CLASSIFIER = "gansynth-lite", "notes", "classifier"
MIDDLE_C = 60
TOGETHER = 8
"""Sounds that are encoded at once."""


def parse_pitch(text: str) -> float:
    """Read a pitch: a name such as F#3, or a MIDI number, which need not be whole.

    Raises
    ------
    UsageError
        If it is neither.
    """
    try:
        pitch = float(text)
    except ValueError:
        named = parse_note_name(text)
        pitch = math.nan if named is None else float(named)
    if not math.isfinite(pitch):
        raise UsageError(f"There is no pitch {text!r}.", hint="--pitch C4, F#3 or 60")
    return pitch


def family_of(track: Track, families: Sequence[str]) -> str | None:
    """Give the family of a track's program, if the model knows it."""
    family = family_of_program(track.program)
    return family if family in families else None


def load_generator(
    wanted: str | None, device: str
) -> tuple[GANSynth | ProgressiveGAN, dict[str, Any]]:
    """Load a generator of either kind, and give its card.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    stored = checkpoints.find(PACKAGE, wanted or GENERATOR)
    address = checkpoints.read_card(stored.path)["model"]
    kind = ProgressiveGAN if address.endswith(":ProgressiveGAN") else GANSynth
    model, card = checkpoints.load(PACKAGE, wanted or GENERATOR, kind, device=device)
    return model, card


def load_classifier(wanted: str | None, device: str) -> NoteClassifier:
    """Load a classifier of notes, the packaged one if it is None."""
    judge: NoteClassifier
    judge, _ = checkpoints.load(PACKAGE, wanted or CLASSIFIER, NoteClassifier, device=device)
    return judge


def load_judges(wanted: str | None, second: str | None, device: str) -> list[NoteClassifier]:
    """Load a classifier, the packaged one if it is None, and a second if one is named."""
    others = [] if second is None else [load_classifier(second, device)]
    return [load_classifier(wanted, device), *others]


@dataclass(frozen=True)
class Voice:
    """A model, and how it is to play."""

    model: GANSynth | ProgressiveGAN
    name: str
    device: str
    seed: int
    refine: int = 0
    card: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, checkpoint: str | None, device: str, seed: int, refine: int) -> Voice:
        """Load the model of a checkpoint, the packaged one if it is None."""
        where = devices.resolve(device)
        model, card = load_generator(checkpoint, where)
        return cls(model, card["name"], where, seed, refine, card)

    @property
    def range(self) -> str:
        """The pitches that the model plays, in words."""
        low, high = self.model.low, self.model.high
        return f"{note_name(low)} to {note_name(high)} (MIDI {low} to {high})"

    def nearest(self, pitch: float) -> float:
        """Return the pitch that the model plays and that is nearest to one."""
        return min(max(pitch, self.model.low), self.model.high)

    def pitch(self, text: str | None, default: float = MIDDLE_C) -> float:
        """Return a pitch of the model's range.

        Parameters
        ----------
        text : str, optional
            See `parse_pitch`. Default: the pitch nearest to ``default``.
        default : float [MIDI]

        Raises
        ------
        UsageError
            If it is no pitch, or the model does not play it.
        """
        if text is None:
            return self.nearest(default)
        pitch = parse_pitch(text)
        if pitch != self.nearest(pitch):
            raise UsageError(
                f"The pitch {text} is out of the model's range.",
                hint=f"Give a pitch from {self.range}.",
            )
        return pitch

    def drawn(self, count: int, families: Sequence[str | None]) -> Tensor:
        """Draw instruments [shape=(count, code)]; of a family that is drawn, too, where it is None.

        Raises
        ------
        UsageError
            If the model knows no such family.
        """
        generator = torch.Generator().manual_seed(self.seed)
        known = self.model.families
        z = torch.randn(count, self.model.code, generator=generator)
        chosen = torch.randint(max(1, len(known)), (count,), generator=generator)
        for i, family in enumerate(families):
            if family is None:
                continue
            if family not in known:
                raise UsageError(
                    f"The model knows no family {family!r}.",
                    hint=did_you_mean(family, list(known))
                    or (f"Families: {', '.join(known)}." if known else "Leave the family out."),
                )
            chosen[i] = known.index(family)
        weights = one_hot(chosen, len(known))
        with torch.inference_mode():
            return self.model.instruments(z.to(self.device), weights.to(self.device))

    def drawn_for(self, score: Score, families: str | None, keys: int) -> Tensor:
        """Draw instruments [shape=(tracks, keys, code)] for the tracks of a score.

        Parameters
        ----------
        families : str, optional
            Of the tracks in turn, divided by commas (default: by their programs).
        keys : int
            Instruments of each track.
        """
        asked = families.split(",") if families else []
        wanted = [
            asked[i % len(asked)].strip() if asked else family_of(one, self.model.families)
            for i, one in enumerate(score.tracks)
        ]
        w = self.drawn(len(wanted) * keys, [family for family in wanted for _ in range(keys)])
        return w.reshape(len(wanted), keys, w.shape[1])

    def instrument(self, given: Audio | Codes) -> Tensor:
        """Give the instruments [shape=(n, code)] of codes, or the one of a sound.

        Raises
        ------
        UsageError
            If codes are of another model.
        InputError
            If no pitch is heard in the sound.
        """
        if isinstance(given, Audio):
            return self.encoded([given], None, 0)[0]
        if given.points.shape[1] != self.model.code:
            raise UsageError(
                f"These codes have {given.points.shape[1]} numbers, the model's {self.model.code}.",
                hint="Codes that `groove run gansynth-lite encode` made with the same checkpoint.",
            )
        return pixel_norm(torch.from_numpy(given.points).float().to(self.device))

    def encoded(
        self, sounds: Sequence[Audio], pitch: str | None, steps: int
    ) -> tuple[Tensor, list[str]]:
        """Find the instruments of sounds, and give them names.

        Of several sounds those are left out, and said, in which no note of the model's range is
        heard; of one alone it is an error.
        """
        known = None if pitch is None else self.pitch(pitch)

        def hear(sound: Audio, name: str) -> tuple[Tensor, float, str]:
            named = pitch_of_name(Path(name).stem) if sound.name else None
            samples, at = to_note(sound, self.model.layout, known, name, named=named)
            if at != self.nearest(at):
                raise InputError(
                    f"{name} sounds at {note_name(round(at))} (MIDI {at:.4g}), which is out of "
                    "the model's range.",
                    hint=f"Give a note from {self.range}, or say which it is with --pitch.",
                )
            return samples, at, name

        notes, found, names = each(sounds, hear, "listening"), [], []
        while some := list(islice(notes, TOGETHER)):
            samples = torch.stack([one for one, _, _ in some]).to(self.device)
            pitches = torch.tensor([at for _, at, _ in some], device=self.device)
            found.append(
                find_instruments(self.model, samples, pitches, steps=steps, seed=self.seed)
            )
            names += [name for _, _, name in some]
        return torch.cat(found), names

    def notes(
        self, w: Tensor, pitches: Sequence[float], held_s: float | None = None
    ) -> Iterator[Audio]:
        """Play one note of each instrument, with a peak of -1 dBFS.

        Parameters
        ----------
        w : Tensor [shape=(n, code)]
        pitches : sequence of float [MIDI]
        held_s : float, optional [seconds]
            How long the key is held (default: as the model draws it, with its release).
        """
        layout = self.model.layout
        codes = w.split(BATCH)
        at = torch.tensor(pitches, dtype=torch.float32, device=self.device).split(BATCH)
        seeds = seeds_of(len(codes), self.seed)

        def played(batch: int) -> npt.NDArray[np.float32]:
            with torch.inference_mode():
                generator = torch.Generator().manual_seed(seeds[batch])
                pictures = locked(self.model(codes[batch], at[batch], generator), layout)
                if held_s is not None:
                    frames = frames_of(round(held_s * layout.sample_rate), layout)
                    pictures = held(pictures, frames, layout)
                samples: npt.NDArray[np.float32] = (
                    layout.to_samples(pictures, refine=self.refine).cpu().numpy()
                )
            return samples

        for some in side_by_side(played, len(codes)):
            for one in some:
                yield Audio(one, layout.sample_rate).normalized()

    def heard(self, w: Tensor, pitches: Sequence[float]) -> Iterator[Audio]:
        """Play `notes` as they are written to files: at 44.1 kHz.

        What the model does not draw goes on from what lies below; see `extended`.
        """
        for sound, pitch in zip(self.notes(w, pitches), pitches, strict=True):
            rate = max(sound.sample_rate, RATE)
            [fine] = sound.resampled(rate).samples
            yield Audio(extended(fine, rate, hz(pitch), sound.sample_rate), rate).normalized()

    def render(self, score: Score, instruments: Instruments, sample_rate: int) -> Audio:
        """Play a score."""
        return render(
            score, self.model, instruments, seed=self.seed, refine=self.refine,
            sample_rate=sample_rate,
        )  # fmt: skip
