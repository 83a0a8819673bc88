"""A judge of sounds: which pitch, which family of instruments; never a part of what it judges.

It hears samples, not pictures of a generator's making, and shares nothing with a discriminator:
whoever trains against a judge learns to please it. Harmonics lie beside each other as in Bittner
et al., "Deep Salience Representations for F0 Estimation in Polyphonic Music" (ISMIR 2017), so that
one small filter knows the pitch of every key: two semitones at 33 Hz are 2 Hz apart, but their
harmonics at 1 kHz are 60 Hz apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gansynth_lite.notes import Int, Notes
from gansynth_lite.pitch import hz
from gansynth_lite.training import sounds, trained
from groove_core.console import note
from groove_core.dsp import power, power_to_db, stft
from groove_core.errors import InputError, UsageError
from groove_core.learning.before import Shard, cosine, rounded

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["ClassifierSettings", "ClassifierTask", "Heard", "NoteClassifier", "hear",
           "train_classifier"]  # fmt: skip

AT_ONCE = 32
N_FFT, HOP_SAMPLES = 4096, 1024
"""Bins of 3.9 Hz at 16 kHz."""
BANDS = 4
"""Of a semitone."""
HARMONICS = (0.5, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24)
"""Multiples of a band's frequency that are seen beside it; the half tells octaves apart."""
RANGE_DB = 80.0
"""Below the loudest point; what is quieter is silence."""
FEATURES = 96
SHIFT_S = 0.1
NOISE_DB = (-90.0, -40.0)
"""Level of the noise added in training, against the peak."""


class NoteClassifier(nn.Module):
    """Notes to logits of pitches and families; how loud a note is does not matter.

    Parameters
    ----------
    sample_rate : int [Hz]
    samples : int
        Length of a note; others of any length are heard, too.
    families : sequence of str
        Names; may be empty.
    low, high : int [MIDI]
        First and last of the pitches.
    width : int
        Maps of the first layer; the others have twice as many.
    """

    filters: Tensor

    def __init__(
        self,
        sample_rate: int,
        samples: int,
        families: Sequence[str] = (),
        low: int = 24,
        high: int = 84,
        width: int = 32,
    ) -> None:
        super().__init__()
        if not 0 <= low < high <= 127 or hz(float(high)) > sample_rate / 4:
            raise UsageError(
                f"Pitches {low} to {high} cannot be told at {sample_rate} Hz.",
                hint="low=24, high=84",
            )
        self.config = {
            "sample_rate": sample_rate, "samples": samples, "families": list(families),
            "low": low, "high": high, "width": width,
        }  # fmt: skip
        self.sample_rate, self.samples = sample_rate, samples
        self.families, self.low, self.high = tuple(families), low, high
        filters = _filters(sample_rate, low)
        self.register_buffer("filters", filters, persistent=False)
        semitones = len(filters) // BANDS
        self.trunk = nn.Sequential(
            *_block(len(HARMONICS), width, (7, 3), (BANDS, 2)),
            *_block(width, 2 * width, (3, 3), (1, 2)),
            *_block(2 * width, 2 * width, (3, 3)),
        )
        self.salience = nn.Conv1d(4 * width, 1, 1)
        self.summary = nn.Linear(8 * width + semitones, FEATURES)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(FEATURES, high - low + 1 + len(families))

    def pictures(self, samples: Tensor) -> Tensor:
        """Give levels of quarters of a semitone [shape=(n, bands, frames), 0 to 1].

        0 is `RANGE_DB` below the loudest point of a note, 1 that point.
        """
        with torch.autocast(samples.device.type, enabled=False):
            spectrum = power(stft(samples.float(), n_fft=N_FFT, hop_samples=HOP_SAMPLES))
            level = power_to_db(self.filters @ spectrum)
            loudest = level.amax(dim=(1, 2), keepdim=True)
            return ((level - loudest) / RANGE_DB + 1).clamp_min(0)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Give the logits of notes.

        Parameters
        ----------
        samples : Tensor [shape=(n, samples)]
            Of any level.

        Returns
        -------
        pitches : Tensor [shape=(n, high - low + 1)]
        families : Tensor [shape=(n, families)]
        """
        pitches, families, _ = self.judged(samples)
        return pitches, families

    def features(self, samples: Tensor) -> Tensor:
        """Give what both decisions rest on [shape=(n, 96)]: for distances between sets of notes."""
        return self.judged(samples)[2]

    def judged(self, samples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give the logits of pitches and families, and the features."""
        x = self.trunk(_stacked(self.pictures(samples)))
        over_time = torch.cat([x.mean(dim=3), x.amax(dim=3)], dim=1)
        salience = self.salience(over_time).squeeze(1)
        over_all = torch.cat([over_time.mean(dim=2), over_time.amax(dim=2), salience], dim=1)
        features = F.silu(self.summary(over_all))
        count = self.high - self.low + 1
        logits = self.head(self.dropout(features))
        return logits[:, :count] + salience[:, :count], logits[:, count:], features


def _block(
    of: int, to: int, size: tuple[int, int], stride: tuple[int, int] = (1, 1)
) -> list[nn.Module]:
    around = (size[0] // 2, size[1] // 2)
    conv = nn.Conv2d(of, to, size, stride, around, bias=False)
    return [conv, nn.BatchNorm2d(to), nn.ReLU()]


def _filters(sample_rate: int, low: int) -> Tensor:
    """Give triangular bands [shape=(bands, bins)]: `BANDS` a semitone from the lowest pitch on.

    The lowest are narrower than a bin, and interpolate between two.
    """
    top = 69 + 12 * np.log2(sample_rate / 2 / 440)
    semitones = int(top - low)
    # Band 4 k, on which the stride of the first layer is centred, is the k-th pitch.
    centre = hz(low + torch.arange(semitones * BANDS, dtype=torch.float64) / BANDS)[:, None]
    width = sample_rate / N_FFT
    half = (centre * (2 ** (1 / (12 * BANDS)) - 1)).clamp_min(width)
    bins = torch.arange(N_FFT // 2 + 1, dtype=torch.float64) * width
    # Halves, so that a model rounded for storage has the filters that it has when loaded again.
    return (1 - (bins - centre).abs() / half).clamp_min(0).half().float()


def _stacked(pictures: Tensor) -> Tensor:
    """Put harmonics beside each other [shape=(n, harmonics, bands, frames)], 0 where none is."""
    bands = pictures.shape[1]
    shifts = [round(12 * BANDS * float(np.log2(h))) for h in HARMONICS]
    before = -min(shifts)
    padded = F.pad(pictures, (0, 0, before, max(shifts)))
    return torch.stack([padded[:, before + s : before + s + bands] for s in shifts], dim=1)


@dataclass(frozen=True)
class Heard:
    """What a classifier made of notes, on the CPU.

    Parameters
    ----------
    pitches : Tensor [shape=(n, pitches)]
        Probabilities of `low`, `low` + 1 ...
    families : Tensor [shape=(n, families)]
        Probabilities.
    features : Tensor [shape=(n, 96)]
    low : int [MIDI]
    """

    pitches: Tensor
    families: Tensor
    features: Tensor
    low: int

    @property
    def pitch(self) -> Tensor:
        """The most probable pitch of each note [MIDI]."""
        return self.low + self.pitches.argmax(dim=1)


@torch.no_grad()
def hear(classifier: NoteClassifier, sounds: Iterable[Tensor]) -> Heard:
    """Judge batches of notes [shape=(n, samples)], one at a time.

    Raises
    ------
    InputError
        If there is none.
    """
    device = classifier.filters.device
    found = []
    for batch in sounds:
        for some in batch.split(AT_ONCE):
            pitches, families, features = classifier.judged(some.to(device))
            found.append((pitches.softmax(dim=1), families.softmax(dim=1), features))
    if not found:
        raise InputError("There is no note to hear.", hint="Give at least one.")
    pitch, family, feature = (torch.cat(one).float().cpu() for one in zip(*found, strict=True))
    return Heard(pitch, family, feature, classifier.low)


@dataclass(frozen=True)
class ClassifierSettings:
    """What decides the outcome, beside the notes and the seed."""

    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    width: int = 32
    precision: Literal["32", "bf16"] = "32"


class ClassifierTask:
    """How a classifier learns from notes."""

    def __init__(
        self, settings: ClassifierSettings, notes: Notes, low: int, high: int, seed: int
    ) -> None:
        self.settings, self.notes = settings, notes
        with torch.random.fork_rng(devices=[]):  # layers are initialised from global state
            torch.manual_seed(seed)
            self.model = NoteClassifier(
                notes.sample_rate, notes.samples.shape[1], notes.family_names, low, high,
                settings.width,
            )  # fmt: skip
        self.modules: dict[str, nn.Module] = {"classifier": self.model}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "classifier": torch.optim.AdamW(
                self.model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
            )
        }
        content = np.stack([notes.pitches, notes.families]).tobytes()
        content += notes.samples[::97].tobytes()  # some tell these notes from others
        self.config: dict[str, Any] = {
            **asdict(settings), "low": low, "high": high,
            "notes": hashlib.sha256(content).hexdigest()[:16],
        }  # fmt: skip
        self.pitches = torch.from_numpy(notes.pitches) - low
        self.families = torch.from_numpy(notes.families)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Give the notes in a new order, batch by batch."""
        order = torch.randperm(len(self.pitches), generator=generator)
        size = min(self.settings.batch_size, len(order))
        return [some for some in order.split(size) if len(some) == size]

    def step(self, fabric: Fabric, batch: Tensor, shard: Shard, done: float) -> dict[str, Tensor]:
        """Learn from a batch, a little shifted in time and with a little noise."""
        settings, classifier = self.settings, self.modules["classifier"]
        optimizer = self.optimizers["classifier"]
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * min(1.0, 20 * done + 0.05) * cosine(done)
        mine = shard(batch)
        draw = shard.rand(len(batch), 2)
        seed = int(torch.randint(2**62, (1,), generator=shard.generator)) + fabric.global_rank
        heard = self._varied(sounds(self.notes, mine, fabric.device), draw, seed)
        pitches, families = (
            labels[mine.cpu()].to(fabric.device) for labels in (self.pitches, self.families)
        )
        with (
            torch.random.fork_rng(devices=[]),  # dropout draws from global state
            torch.autocast(fabric.device.type, torch.bfloat16, settings.precision == "bf16"),
        ):
            torch.manual_seed(seed)
            pitch_logits, family_logits = classifier(heard)
        losses = {"pitch": F.cross_entropy(pitch_logits.float(), pitches)}
        known = families >= 0
        if family_logits.shape[1]:
            # A sum, since the mean over none would be no number.
            total = F.cross_entropy(
                family_logits.float(), families, ignore_index=-1, reduction="sum"
            )
            losses["family"] = total / known.sum().clamp_min(1)
        optimizer.zero_grad()
        fabric.backward(torch.stack(list(losses.values())).sum())
        optimizer.step()
        right = (pitch_logits.argmax(dim=1) == pitches).float().mean()
        return {**losses, "accuracy": right}

    def _varied(self, samples: Tensor, draw: Tensor, seed: int) -> Tensor:
        shift = (draw[:, :1] * SHIFT_S * self.notes.sample_rate).long()
        at = torch.arange(samples.shape[1], device=samples.device) - shift
        late = samples.gather(1, at.clamp_min(0)) * (at >= 0)
        noise = torch.randn(
            samples.shape, generator=torch.Generator(samples.device).manual_seed(seed),
            device=samples.device,
        )  # fmt: skip
        low, high = NOISE_DB
        return late + 10 ** ((low + (high - low) * draw[:, 1:]) / 20) * noise


def train_classifier(
    notes: Notes,
    parts: Mapping[str, Int],
    settings: ClassifierSettings,
    *,
    low: int | None = None,
    high: int | None = None,
    folder: Path | None = None,
    seed: int,
    device: str,
    devices: int = 1,
    strategy: str = "auto",
    resume: bool = False,
    restart: bool = False,
) -> tuple[NoteClassifier, list[dict[str, float]]]:
    """Train on the notes of the training part; tell how well those of validation are heard.

    Parameters
    ----------
    notes : Notes
    parts : dict
        Of `gansynth_lite.notes.split`.
    low, high : int, optional [MIDI]
        Range of pitches; that of the notes when left out.
    folder : Path, optional
        For the state of the training; none is kept when left out.

    Returns
    -------
    model : NoteClassifier
        On the CPU, in the precision it is stored in.
    history : list of dict
        Mean losses of each epoch.
    """
    low = int(notes.pitches.min()) if low is None else low
    high = int(notes.pitches.max()) if high is None else high
    known = notes.only(parts["train"])
    task, history = trained(
        lambda seed: ClassifierTask(settings, known, low, high, seed), settings.epochs,
        folder=folder, seed=seed, device=device, devices=devices, strategy=strategy,
        resume=resume, restart=restart,
    )  # fmt: skip
    model = rounded(task.model)
    held = torch.from_numpy(parts["validation"])
    if len(held):
        heard = hear(model, (sounds(notes, some) for some in held.split(AT_ONCE)))
        right = heard.pitch == torch.from_numpy(notes.pitches)[held]
        note(f"pitch heard right in {right.float().mean():.1%} of {len(held)} other notes")
    return model, history
