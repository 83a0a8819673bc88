"""How near drawn instruments are to known ones: a choice, made on validation notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from gansynth_lite.classifier import NoteClassifier, hear
from gansynth_lite.evaluation import (
    KNOWN,
    Generator,
    batches,
    check,
    check_judge,
    device_of,
    families_told,
    family_weights,
    played,
)
from gansynth_lite.model import GANSynth, mixed
from gansynth_lite.notes import Int, Notes
from groove_core.console import track
from groove_core.errors import InputError, UsageError
from groove_core.learning import frechet_distance, mean, pixel_norm
from groove_core.values import Cell, Report

__all__ = ["TRIED", "measure_focus"]

TRIED = (1.0, 2.0, 4.0, 6.0, 10.0)


@torch.no_grad()
def measure_focus(
    model: Generator,
    notes: Notes,
    parts: Mapping[str, Int],
    judge: NoteClassifier,
    *,
    count: int,
    seed: int,
    tried: Sequence[float] = TRIED,
) -> Report:
    """Measure notes of instruments that are drawn with several values of `GANSynth.focus`.

    Pitches and families wanted are those of validation notes: the test is left alone.

    Parameters
    ----------
    model : GANSynth
        With known instruments.
    notes, parts, seed
        See `gansynth_lite.evaluation.measure`.
    judge : NoteClassifier
        Chooses, so it should not be the one that measures in the end.
    count : int
        Notes of each value.
    tried : sequence of float

    Raises
    ------
    InputError
        If there are no validation notes.
    UsageError
        If the model has no known instruments.
    """
    check(model.layout, notes, parts)
    check_judge(judge, notes)
    if not isinstance(model, GANSynth) or not model.config["known"]:
        raise UsageError(
            "The model does not mix known instruments.",
            hint="Use a checkpoint that this version trained or adapted.",
        )
    if not len(parts["validation"]):
        raise InputError("There are no validation notes to choose by.", hint="Give more notes.")
    device, generator = device_of(judge), torch.Generator().manual_seed(seed)
    train, held = (torch.from_numpy(parts[part]) for part in ("train", "validation"))
    wanted = held[torch.randperm(len(held), generator=generator)]
    wanted = wanted[torch.arange(count) % len(wanted)]
    pitches = torch.from_numpy(notes.pitches)[wanted]
    families = torch.from_numpy(notes.families)[wanted]
    asked = family_weights(model, notes, wanted)
    z = torch.randn(count, model.code, generator=generator)
    some = train[torch.randperm(len(train), generator=generator)[:KNOWN]]
    known = hear(judge, (notes.sounds(at, device) for at in batches(some))).features
    rows: list[tuple[Cell, ...]] = []
    for focus in tried:
        shares = mixed(z.to(device), asked.to(device), model.known, model.groups, focus)
        w = pixel_norm(shares @ model.known)
        again = torch.Generator().manual_seed(seed)
        sounds = (
            played(model, w[at], pitches[at].to(device), again)
            for at in track(batches(torch.arange(count)), f"hearing: focus {focus:g}")
        )
        heard = hear(judge, sounds)
        rows.append((
            f"{focus:g}", families_told(judge, heard, notes, families),
            frechet_distance(known, heard.features), mean(shares.amax(dim=1).cpu()),
        ))  # fmt: skip
    return Report(
        f"focus of drawn instruments, {count} notes each",
        ("focus", "family accuracy", "FID", "largest share of one instrument"),
        tuple(rows),
        notes=("On pitches and families of validation notes, by the second judge.",),
        data={"seed": seed, "count": count},
    )
