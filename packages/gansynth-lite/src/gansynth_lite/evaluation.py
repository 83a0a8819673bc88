"""What a generator of notes is worth, beside real notes, copies and noise."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gansynth_lite.classifier import Heard, NoteClassifier, hear
from gansynth_lite.holding import locked
from gansynth_lite.layout import Layout
from gansynth_lite.metrics import (
    diversity,
    inception_score,
    log_mel,
    ndb,
    nearest,
    pitch_accuracy,
    pitch_entropy,
)
from gansynth_lite.model import GANSynth, one_hot
from gansynth_lite.notes import Int, Notes
from gansynth_lite.pitch import cents, detect_f0, note_name
from gansynth_lite.progressive import ProgressiveGAN
from gansynth_lite.trees import FamilyTrees
from groove_core.console import track
from groove_core.errors import InputError, UsageError
from groove_core.learning import bootstrap, frechet_distance, interval, mean, wilson
from groove_core.values import Cell, Estimate, Report

__all__ = [
    "COLUMNS", "FAMILY_COLUMNS", "TREES_COLUMN", "Floats", "Generator", "batches", "check",
    "check_judge", "device_of", "families_told", "family_weights", "log_mels", "measure", "median",
    "played",
]  # fmt: skip

AT_ONCE = 16
KNOWN = 4096
"""Training notes that sets are compared with; the nearest is looked for among all."""
BINS = 50
COPY_DB = 0.1
"""Notes nearer than this are one and the same."""
TUNED_CENTS = 50.0
COLUMNS = (
    "notes", "pitch accuracy", "within 50 cents", "median cents", "pitch entropy", "NDB/K", "FID",
    "IS", "diversity", "family of the nearest", "nearest training note", "exact copies",
)  # fmt: skip
FAMILY_COLUMNS = "family accuracy", "family accuracy, second judge"
TREES_COLUMN = "family accuracy, trees"
SECOND_JUDGE = ("second judge: another network, which hears mel bands in time.",)

Floats = npt.NDArray[np.float64]
Generator = GANSynth | ProgressiveGAN
Making = Callable[[Tensor], Tensor]
"""Give the samples [shape=(n, samples), peak 1] of notes number i, j ..."""


@torch.no_grad()
def measure(
    model: Generator,
    notes: Notes,
    parts: Mapping[str, Int],
    classifier: NoteClassifier,
    second: NoteClassifier | None = None,
    *,
    beside: Mapping[str, Generator] | None = None,
    count: int,
    seed: int,
    name: str,
) -> Report:
    """Measure `count` generated notes beside held-out notes, copies and noise.

    Pitches and families wanted are those of held-out notes.

    Parameters
    ----------
    model : GANSynth or ProgressiveGAN
    notes : Notes
        Of the model's length and sample rate.
    parts : dict
        Of `gansynth_lite.notes.split`, as in training.
    classifier : NoteClassifier
        Trained on the same part, and on the same device.
    second : NoteClassifier, optional
        Of another network, to say families, too.
    beside : dict of str to model, optional
        Further models and the names of their rows, which come last.
    count : int
    seed : int
    name : str
        Of the row.

    Raises
    ------
    InputError
        If there are too few notes.
    UsageError
        If the notes are none that the model and the classifier know.
    """
    check(model.layout, notes, parts)
    check_judge(classifier, notes)
    device, generator = device_of(classifier), torch.Generator().manual_seed(seed)
    train, test = (torch.from_numpy(parts[part]) for part in ("train", "test"))
    pitches, families = (torch.from_numpy(one) for one in (notes.pitches, notes.families))
    test = test[torch.randperm(len(test), generator=generator)]
    wanted = test[torch.arange(count) % len(test)]
    copied = train[torch.randint(len(train), (count,), generator=generator)]
    held = test[:count]
    z = torch.randn(count, model.code, generator=generator)
    models = {name: model, **(beside or {})}

    def drawn(row: str, at: Tensor) -> Tensor:
        one = models[row]
        asked_for = family_weights(one, notes, wanted[at]).to(device)
        w = one.instruments(z[at].to(device), asked_for)
        return played(one, w, pitches[wanted[at]].to(device), generator)

    def noise(at: Tensor) -> Tensor:
        made = torch.randn(len(at), notes.samples.shape[1], generator=generator)
        return made / made.abs().amax(dim=1, keepdim=True)

    judges = [classifier] if second is None else [classifier, second]
    known = _Known.of(notes, train, classifier, generator, count)
    trees = known.trees(seed)
    makings: dict[str, tuple[Making, Tensor]] = {
        name: (functools.partial(drawn, name), wanted),
        "held-out notes": (lambda at: notes.sounds(held[at], device), held),
        "training notes copied": (lambda at: notes.sounds(copied[at], device), copied),
        "noise": (noise, wanted),
    }
    for row in beside or {}:
        makings[row] = functools.partial(drawn, row), wanted
    seen = {
        row: _Seen.of(make, pitches[who], families[who], judges, row)
        for row, (make, who) in makings.items()
    }
    real = diversity(seen["held-out notes"].log_mels, pitches[held]).value
    # The network of the source cannot be asked for a family.
    deaf = {row for row, one in models.items() if not isinstance(one, GANSynth) or not one.families}
    rows: list[tuple[Cell, ...]] = []
    for row, one in seen.items():
        told = [
            families_told(judge, heard, notes, one.families) if row not in deaf else None
            for judge, heard in zip(judges, one.heard, strict=True)
        ]
        by_trees = _told_by_trees(trees, one) if row not in deaf else None
        rows.append((row, *_cells(one, known, real, seed), *told, by_trees))
    return Report(
        f"{name}: {count} notes",
        ("", *COLUMNS, *FAMILY_COLUMNS[: len(judges)], TREES_COLUMN),
        tuple(rows),
        notes=(
            "pitch accuracy, pitch entropy [nats], IS (of pitches), FID, family accuracy: by a "
            "classifier that has not seen the generator; FID and NDB are those of "
            f"{len(known.features)} training notes, and larger for fewer notes.",
            *SECOND_JUDGE[: len(judges) - 1],
            "trees: a judge of another kind, randomized trees on log-mel spectrograms of the "
            "training notes; it has no part in any choice.",
            "within 50 cents, median cents: YIN, without training; where no pitch is found it is "
            "not within.",
            f"NDB/K: share of {known.bins} bins of log-mel spectrograms that hold another share of "
            "notes; .05 by chance.",
            f"diversity: mean distance between notes of one pitch, over that of held-out notes "
            f"({real:.1f} dB).",
            "nearest training note: root mean square difference of log-mel spectrograms [dB]; "
            "family of the nearest: how often it is of the family wanted.",
            "±: the wider side of the 95 % interval over notes (bootstrap; of shares Wilson's).",
        ),
        data={"seed": seed, "count": count, "known": len(known.features), "bins": known.bins},
    )


@dataclass(frozen=True)
class _Known:
    """The notes a generator learnt from: all log-mel spectrograms, features of some."""

    log_mels: Tensor
    pitches: Tensor
    families: Tensor
    features: Tensor
    some: Tensor
    """Which of the log-mel spectrograms those are."""
    bins: int

    @classmethod
    def of(
        cls,
        notes: Notes,
        train: Tensor,
        classifier: NoteClassifier,
        generator: torch.Generator,
        count: int,
    ) -> _Known:
        device = device_of(classifier)
        some = torch.randperm(len(train), generator=generator)[:KNOWN]
        heard = hear(classifier, (notes.sounds(one, device) for one in batches(train[some])))
        # A share of few notes cannot be told from another, not even from none.
        bins = max(2, min(BINS, len(some) // 10, count // 5))
        pitches, families = (
            torch.from_numpy(one)[train] for one in (notes.pitches, notes.families)
        )
        found = log_mels(notes, train, device)
        return cls(found, pitches, families, heard.features, some, bins)

    def trees(self, seed: int) -> FamilyTrees | None:
        """Return a judge that learnt from the notes; None if they are not of two families."""
        if len(self.families[self.families >= 0].unique()) < 2:
            return None
        return FamilyTrees(self.log_mels, self.pitches, self.families, seed)


@dataclass(frozen=True)
class _Seen:
    """Notes as they are judged, and what they were to be; on the CPU."""

    heard: list[Heard]
    """By each judge."""
    log_mels: Tensor
    cents: Tensor
    pitches: Tensor
    families: Tensor

    @classmethod
    def of(
        cls,
        make: Making,
        pitches: Tensor,
        families: Tensor,
        judges: Sequence[NoteClassifier],
        name: str,
    ) -> _Seen:
        log_mels, f0 = [], []
        others: list[Heard] = []
        rate, device = judges[0].sample_rate, device_of(judges[0])

        def each() -> Iterator[Tensor]:
            for at in track(batches(torch.arange(len(pitches))), f"hearing: {name}"):
                samples = make(at).to(device)
                log_mels.append(log_mel(samples, rate).cpu())
                f0.append(detect_f0(samples, rate, high_hz=min(4_400.0, rate / 4)).cpu())
                others.extend(hear(judge, [samples]) for judge in judges[1:])
                yield samples

        heard = [hear(judges[0], each())]
        if others:
            heard.append(Heard.together(others))
        away = cents(torch.cat(f0), pitches).abs()
        return cls(heard, torch.cat(log_mels), away, pitches, families)


def families_told(
    judge: NoteClassifier, heard: Heard, notes: Notes, families: Tensor
) -> Estimate | None:
    """Return how often a judge hears the families wanted.

    Parameters
    ----------
    judge : NoteClassifier
    heard : Heard
        By it.
    notes : Notes
        Whose families are numbered.
    families : Tensor [shape=(n,), int]
        -1 where unknown.

    Returns
    -------
    Estimate or None
        None where no family is known, or the judge knows others.
    """
    labelled = families >= 0
    if not judge.families or judge.families != notes.family_names or not labelled.any():
        return None
    right = (heard.families.argmax(dim=1) == families)[labelled]
    return wilson(int(right.sum()), len(right))


def _told_by_trees(trees: FamilyTrees | None, seen: _Seen) -> Estimate | None:
    """Return how often trees hear the families wanted; None without trees or families."""
    labelled = seen.families >= 0
    if trees is None or not labelled.any():
        return None
    right = trees.told(seen.log_mels[labelled], seen.pitches[labelled]) == seen.families[labelled]
    return wilson(int(right.sum()), len(right))


def _cells(seen: _Seen, known: _Known, real: float, seed: int) -> list[Cell]:
    n, heard = len(seen.pitches), seen.heard[0]
    found = seen.cents[seen.cents.isfinite()].double().numpy()
    varied = diversity(seen.log_mels, seen.pitches)
    labelled = seen.families >= 0
    close, which = nearest(seen.log_mels, known.log_mels)
    alike = known.families[which] == seen.families
    return [
        n,
        pitch_accuracy(heard.pitches, seen.pitches, heard.low),
        wilson(int((seen.cents <= TUNED_CENTS).sum()), n),
        median(found),
        pitch_entropy(heard.pitches),
        ndb(known.log_mels[known.some], seen.log_mels, bins=known.bins, seed=seed) / known.bins,
        frechet_distance(known.features, heard.features),
        inception_score(heard.pitches),
        Estimate(varied.value / real, varied.low / real, varied.high / real),
        wilson(int(alike[labelled].sum()), int(labelled.sum())) if labelled.any() else None,
        mean(close),
        float((close < COPY_DB).float().mean()),
    ]


def check_judge(judge: NoteClassifier, notes: Notes) -> None:
    """See that a classifier can judge notes.

    Raises
    ------
    UsageError
        If it hears another sample rate, or does not know all of the pitches.
    """
    if judge.sample_rate != notes.sample_rate:
        raise UsageError(
            f"The classifier hears {judge.sample_rate} Hz, the notes have {notes.sample_rate}.",
            hint="Train a classifier on these notes.",
        )
    low, high = int(notes.pitches.min()), int(notes.pitches.max())
    if not judge.low <= low <= high <= judge.high:
        raise UsageError(
            f"The classifier knows {note_name(judge.low)} to {note_name(judge.high)}, the notes "
            f"reach from {note_name(low)} to {note_name(high)}.",
            hint="Train a classifier on these notes.",
        )


def family_weights(model: Generator, notes: Notes, at: Tensor) -> Tensor:
    """Give the families [shape=(n, families)] of some notes, as a model is asked for them."""
    return one_hot(torch.from_numpy(notes.labels(model.families))[at], len(model.families))


def check(layout: Layout, notes: Notes, parts: Mapping[str, Int]) -> None:
    """See that notes are of a layout's kind, and enough of them."""
    found = notes.sample_rate, notes.samples.shape[1]
    if found != (layout.sample_rate, layout.samples):
        raise UsageError(
            f"The notes have {found[1]} samples at {found[0]} Hz, not {layout.samples} at "
            f"{layout.sample_rate}.",
            hint=f"Open them with sample_rate={layout.sample_rate}, samples={layout.samples}.",
        )
    for name, least in (("train", 20), ("test", 2)):
        if parts and len(parts[name]) < least:
            raise InputError(
                f"{len(parts[name])} notes are too few to {name} with.", hint="Give more notes."
            )


def device_of(model: nn.Module) -> torch.device:
    """Return where the weights of a model are."""
    return next(model.parameters()).device


def batches(values: Tensor) -> tuple[Tensor, ...]:
    """Cut numbers of notes, or instruments, into pieces that fit into memory."""
    return values.split(AT_ONCE) if len(values) else ()


def played(
    model: Generator, w: Tensor, pitches: Tensor, generator: torch.Generator | None
) -> Tensor:
    """Give the samples of instruments [shape=(n, samples), peak 1]."""
    made = model.layout.to_samples(locked(model(w, pitches, generator), model.layout))
    return made / made.abs().amax(dim=1, keepdim=True).clamp_min(1e-9)


def log_mels(notes: Notes, which: Tensor, device: torch.device) -> Tensor:
    """Describe notes as `gansynth_lite.metrics.log_mel` does, on the CPU."""
    found = [
        log_mel(notes.sounds(at, device), notes.sample_rate).cpu()
        for at in track(batches(which), "looking at notes")
    ]
    return torch.cat(found)


def median(values: Floats) -> Estimate | None:
    """Return the median; None of nothing."""
    if not len(values):
        return None
    draws = bootstrap(len(values)).astype(np.int64)
    return interval(np.array([np.median(np.repeat(values, counts)) for counts in draws]))
