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
from gansynth_lite.encoded import Instruments
from gansynth_lite.encoding import Note, find_instruments, to_note
from gansynth_lite.envelope import finished, measured, padded, parted
from gansynth_lite.families import family_of_program
from gansynth_lite.holding import frames_of, locked
from gansynth_lite.likeness import Likeness
from gansynth_lite.model import GANSynth, one_hot
from gansynth_lite.parallel import BATCH, seeds_of, side_by_side
from gansynth_lite.pitch import hz, note_name, parse_note_name
from gansynth_lite.playing import Path as Way
from gansynth_lite.playing import render
from gansynth_lite.progressive import ProgressiveGAN
from gansynth_lite.recordings import pitch_of_name
from gansynth_lite.sampling import RATE, extended
from groove_core import devices
from groove_core.actions import each
from groove_core.console import note
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
FADE_S = 0.1
"""At the end of a note of an encoded instrument, which has no release of its own."""


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

    def drawn_for(
        self,
        score: Score,
        families: str | None,
        keys: int,
        given: Mapping[int, str | Audio | Instruments | Codes] | None = None,
    ) -> Tensor:
        """Draw instruments [shape=(tracks, keys, code)] for the tracks of a score.

        Parameters
        ----------
        families : str, optional
            Of the tracks in turn, divided by commas (default: by their programs).
        keys : int
            Instruments of each track.
        given : mapping, optional
            Families or instruments of some tracks, see `gansynth_lite.casting.cast`.

        Raises
        ------
        UsageError
            If the model knows no such family, or a file holds several instruments.
        """
        given = given or {}
        asked = families.split(",") if families else []
        wanted = [
            asked[i % len(asked)].strip() if asked else family_of(one, self.model.families)
            for i, one in enumerate(score.tracks)
        ]
        for i, one in given.items():
            if isinstance(one, str):
                wanted[i] = one
        w = self.drawn(len(wanted) * keys, [family for family in wanted for _ in range(keys)])
        w = w.reshape(len(wanted), keys, w.shape[1])
        return self.given_to(w, given)

    def given_to(self, w: Tensor, given: Mapping[int, str | Audio | Instruments | Codes]) -> Tensor:
        """Replace the instruments of some tracks [shape=(tracks, keys, code)]; they stay."""
        for i, one in given.items():
            if isinstance(one, str):
                continue
            mine = self.instrument(one)
            if len(mine) > 1:
                raise UsageError(
                    f"The file for track {i + 1} holds {len(mine)} instruments.",
                    hint="Encode one sound for each track.",
                )
            w = padded(w, max(w.shape[-1], mine.shape[1])).clone()
            w[i] = padded(mine, w.shape[-1])
        return w

    def instrument(self, given: Audio | Instruments | Codes) -> Tensor:
        """Return instruments [shape=(n, code or code + envelope)], or the one of a sound.

        Raises
        ------
        UsageError
            If codes are of another model.
        InputError
            If no pitch is heard in the sound, or it is not one note.
        """
        if isinstance(given, Audio):
            given = self.encoded([given], None, 0)
        if given.points.shape[1] != self.model.code:
            raise UsageError(
                f"These codes have {given.points.shape[1]} numbers, the model's {self.model.code}.",
                hint="Codes that `groove run gansynth-lite encode` made with the same checkpoint.",
            )
        codes = pixel_norm(torch.from_numpy(given.points).float().to(self.device))
        if isinstance(given, Codes):
            return codes
        return torch.cat([codes, torch.from_numpy(given.envelopes).to(codes)], dim=1)

    def encoded(self, sounds: Sequence[Audio], pitch: str | None, steps: int) -> Instruments:
        """Find the instruments of sounds, and say how near each comes.

        Of several sounds those are left out, and said, in which no note of the model's range is
        heard, or which are not one note; of one alone it is an error.
        """
        known = None if pitch is None else self.pitch(pitch)

        def hear(sound: Audio, name: str) -> tuple[Note, str]:
            named = pitch_of_name(Path(name).stem) if sound.name else None
            one = to_note(sound, self.model.layout, known, name, named=named)
            if one.pitch != self.nearest(one.pitch):
                raise InputError(
                    f"{name} sounds at {note_name(round(one.pitch))} (MIDI {one.pitch:.4g}), which "
                    "is out of the model's range.",
                    hint=f"Give a note from {self.range}, or say which it is with --pitch.",
                )
            if one.cut:
                note(f"{name} holds more than one note: the first is encoded.")
            return one, name

        heard = each(sounds, hear, "listening")
        codes: list[Tensor] = []
        envelopes: list[Tensor] = []
        names: list[str] = []
        about: list[str] = []
        while some := list(islice(heard, TOGETHER)):
            samples = torch.stack([one.samples for one, _ in some]).to(self.device)
            pitches = torch.tensor([one.pitch for one, _ in some], device=self.device)
            found = find_instruments(self.model, samples, pitches, steps=steps, seed=self.seed)
            for w, (one, name) in zip(found.split(1), some, strict=True):
                envelope, likeness = self._compared(w, one)
                envelopes.append(envelope)
                about.append(likeness.words())
                names.append(name)
            codes.append(found)
        return Instruments(
            torch.cat(codes).cpu().double().numpy(), torch.stack(envelopes).cpu().numpy(), names,
            self.name, about,
        )  # fmt: skip

    @torch.inference_mode()
    def _compared(self, w: Tensor, one: Note) -> tuple[Tensor, Likeness]:
        """Measure the envelope of a note, and how near it then comes."""
        layout, pitch = self.model.layout, torch.tensor([one.pitch], device=self.device)
        generator = torch.Generator().manual_seed(self.seed)
        picture = locked(self.model(w, pitch, generator), layout)
        samples = one.samples.to(self.device)
        envelope = measured(picture[0], samples, layout, one.pitch, end_s=one.end_s)
        [made] = self.notes(torch.cat([w, envelope[None]], dim=1), [one.pitch])
        heard = torch.from_numpy(made.samples[0].copy())
        rate = layout.sample_rate
        return envelope, Likeness.of(one.samples, heard, rate, one.pitch, one.end_s)

    def notes(
        self, w: Tensor, pitches: Sequence[float], held_s: float | None = None
    ) -> Iterator[Audio]:
        """Play one note of each instrument, with a peak of -1 dBFS.

        Parameters
        ----------
        w : Tensor [shape=(n, code or code + envelope)]
        pitches : sequence of float [MIDI]
        held_s : float, optional [seconds]
            How long the key is held (default: as the model draws it, with its release; with an
            envelope as long as a drawn note, with a fade).
        """
        layout = self.model.layout
        codes, envelopes = (one.split(BATCH) for one in parted(w, self.model.code))
        at = torch.tensor(pitches, dtype=torch.float32, device=self.device).split(BATCH)
        seeds = seeds_of(len(codes), self.seed)
        fades = held_s is None and bool(w[:, self.model.code :].any())
        frames, hold = layout.frames, fades or held_s is not None
        if hold:
            length = layout.duration_s if held_s is None else held_s
            frames = frames_of(round(length * layout.sample_rate), layout)

        def played(batch: int) -> npt.NDArray[np.float32]:
            with torch.inference_mode():
                generator = torch.Generator().manual_seed(seeds[batch])
                pictures = locked(self.model(codes[batch], at[batch], generator), layout)
                made = finished(
                    pictures, layout, frames, hold=hold, pitches=at[batch],
                    envelopes=envelopes[batch], refine=self.refine,
                )  # fmt: skip
            samples: npt.NDArray[np.float32] = made.cpu().numpy()
            if fades:
                samples = samples[:, : layout.samples]
                count = round(FADE_S * layout.sample_rate)
                samples[:, -count:] *= np.linspace(1, 0, count, dtype=np.float32)
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

    def render(
        self, score: Score, instruments: Way, sample_rate: int, stems: bool = False
    ) -> Audio:
        """Play a score."""
        return render(
            score, self.model, instruments, seed=self.seed, refine=self.refine,
            sample_rate=sample_rate, stems=stems, announce=True,
        )  # fmt: skip
