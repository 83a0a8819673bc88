"""How often gansynth-lite plays the family that was asked for, by batches of further adapting.

    python benchmarks/families.py FluidR3_GM.sf2 --at 32 64 128 --keep FOLDER
    python benchmarks/families.py FluidR3_GM.sf2 --at 32 64 128 --keep FOLDER --json

The shipped weights, or those of --start, go on with `adapt`, from nothing but the notes that they
have learnt. At each number of batches, what has been learnt is kept, and instruments pass an
audition: an auditor that knows half of the notes chooses them. On pitches and families of
validation notes, another auditor that knows the other half says how often a family is heard: that
is to choose by. The other columns are of test notes, and are looked at once. --keep holds what was
learnt, so that it is learnt once.
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gansynth_lite.adapting import AdaptSettings, AdaptTraining, begun_with
from gansynth_lite.auditions import BEGINNING, Auditor, auditioned
from gansynth_lite.evaluation import AT_ONCE, family_weights, measure
from gansynth_lite.lessons import Lesson
from gansynth_lite.listener import Listener, spectra_of
from gansynth_lite.model import GANSynth
from gansynth_lite.notes import Notes
from gansynth_lite.sound import load_classifier, load_generator
from gansynth_lite.sources import open_notes
from groove_core.learning import Run, Step, pixel_norm, rounded, trained, wilson
from groove_core.storage import Cache, checkpoints
from groove_core.values import Cell, Report

COLUMNS = (
    "family accuracy", "family accuracy, trees", "family of the nearest", "FID", "NDB/K",
    "diversity",
)  # fmt: skip
HEARD = 5000
"""Notes that the listener knows."""


class Watched(AdaptTraining):
    """An adapting that keeps what has been learnt on the way, before any audition."""

    at: tuple[int, ...] = ()
    keep = Path()

    @property
    def how(self) -> dict[str, Any]:
        """What decides the outcome, to be kept beside it."""
        assert self.data.start is not None
        return {**asdict(self.settings), "seed": self.seed, "start": self.data.start[1]["sha256"]}

    def learn(self, batch: Tensor, step: Step) -> dict[str, Tensor]:
        """Learn, and keep the average of weights and codes after some batches."""
        losses = super().learn(batch, step)
        done = self.clock.steps + 1  # the loop counts afterwards
        if done in self.at:
            average = self.average.module
            torch.save(
                {"model": average.model.state_dict(), "codes": average.codes.detach(),
                 "groups": self.groups, "how": self.how},
                self.keep / f"{done}.pt",
            )  # fmt: skip
        return losses

    def finish(self) -> None:
        """Leave the auditions to later."""


def learnt(
    lesson: Lesson, at: list[int], keep: Path, settings: AdaptSettings, seed: int
) -> dict[int, dict[str, Any]]:
    """Adapt the shipped weights, or read what was kept of that."""
    keep.mkdir(parents=True, exist_ok=True)
    paths = {count: keep / f"{count}.pt" for count in at}
    if not all(path.is_file() for path in paths.values()):
        Watched.at, Watched.keep = tuple(at), keep
        trained(Watched, settings, lesson, Run(seed=seed))
    found = {count: torch.load(path, weights_only=True) for count, path in paths.items()}
    assert lesson.start is not None
    how = {**asdict(settings), "seed": seed, "start": lesson.start[1]["sha256"]}
    if any(one["how"] != how for one in found.values()):
        raise SystemExit(f"{keep} holds what was learnt with other settings. Give another folder.")
    return found


def auditors(notes: Notes, start: GANSynth, seed: int) -> tuple[Listener, list[Auditor]]:
    """Make two auditors, which share no note."""
    chance = torch.Generator().manual_seed(seed)
    some = torch.randperm(len(notes), generator=chance)
    listener = Listener(start.layout, len(start.families))
    spectra = spectra_of(
        listener, lambda at: start.layout.magnitudes(notes.sounds(some[at])), len(some), "cpu"
    )
    pitches = torch.from_numpy(notes.pitches).float()[some]
    families = torch.from_numpy(notes.labels(start.families))[some]
    halves = [
        Auditor(spectra[i::2], pitches[i::2], families[i::2], len(start.families)) for i in (0, 1)
    ]
    return listener, halves


@torch.no_grad()
def heard(
    model: GANSynth, notes: Notes, held: Tensor, listener: Listener, auditor: Auditor, seed: int
) -> list[bool]:
    """Return whether each note of new instruments is heard as the family wanted."""
    chance = torch.Generator().manual_seed(seed)
    z = torch.randn(len(held), model.code, generator=chance)
    pitches = torch.from_numpy(notes.pitches).float()[held]
    wanted = torch.from_numpy(notes.labels(model.families))[held]
    frames = max(1, int(BEGINNING * model.layout.frames))
    right: list[bool] = []
    for at in torch.arange(len(held)).split(AT_ONCE):
        w = model.instruments(z[at], family_weights(model, notes, held[at]))
        spectra = listener.spectrum(model(w, pitches[at], chance, frames)[:, 0])
        found = auditor.scores(spectra, pitches[at]).argmax(dim=1)
        right += (found == wanted[at]).tolist()
    return right


@torch.no_grad()
def played_by(
    start: GANSynth,
    kept: dict[str, Any],
    auditor: Auditor,
    listener: Listener,
    pitches: Tensor,
    families: Tensor,
    seed: int,
) -> GANSynth:
    """Return a model with what was kept, whose instruments have passed an audition."""
    model = copy.deepcopy(start)
    names = {name for name, _ in model.named_parameters()}
    weights = {name: value for name, value in kept["model"].items() if name in names}
    missing, _ = model.load_state_dict(weights, strict=False)
    assert not names & {*missing}
    codes, groups = auditioned(
        rounded(model), pixel_norm(kept["codes"]), kept["groups"], auditor, listener, pitches,
        families, seed=seed,
    )  # fmt: skip
    model.settle(codes, groups)
    return rounded(model)


def main() -> None:
    """Adapt, hold auditions, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notes", type=Path, help="FluidR3_GM.sf2")
    parser.add_argument("--start", help="checkpoint to go on from (default: the shipped one)")
    parser.add_argument("--at", type=int, nargs="+", default=[32, 64, 128], help="batches")
    parser.add_argument("--keep", type=Path, required=True, help="folder of what was learnt")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--listening", type=int, default=400, help="batches of the listener")
    parser.add_argument("--short", type=float, default=0.75, help="share of short notes")
    parser.add_argument(
        "--harder", type=float, default=4.0, help="how much more often misheard families are drawn"
    )
    parser.add_argument("--count", type=int, default=300, help="notes measured of each")
    parser.add_argument("--store", type=int, help="store this number of batches as a checkpoint")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    start, card = load_generator(options.start, "cpu")
    assert isinstance(start, GANSynth)
    notes = open_notes(
        options.notes, samples=start.layout.samples, subset="acoustic", low=start.low,
        high=start.high, cache=Cache(),
    )  # fmt: skip
    lesson = Lesson.of(notes, None, (start, card), again=True)
    settings = AdaptSettings(
        epochs=1, batches=max(options.at), batch_size=options.batch_size, precision="bf16",
        listening=options.listening, heard=HEARD, short=options.short, harder=options.harder,
    )  # fmt: skip
    kept = learnt(lesson, sorted(options.at), options.keep, settings, options.seed)
    listener, (chooses, hears) = auditors(lesson.known, start, options.seed)
    judge = load_classifier(None, "cpu")
    chance = torch.Generator().manual_seed(options.seed)
    validation = torch.from_numpy(lesson.parts["validation"])
    validation = validation[torch.randperm(len(validation), generator=chance)[: options.count]]
    pitches = torch.from_numpy(lesson.known.pitches).float()
    families = torch.from_numpy(lesson.known.labels(start.families))
    models = {0: start} | {
        count: played_by(start, one, chooses, listener, pitches, families, options.seed)
        for count, one in kept.items()
    }
    if options.store:
        about = {key: value for key, value in card.items() if key not in ("config", "sha256")}
        about |= {"training": asdict(settings), "start": begun_with(card)}
        checkpoints.save(options.keep / "stored", models[options.store], about, half=True)
    report = measure(
        start, notes, lesson.parts, judge, count=options.count, seed=options.seed, name="0",
        beside={str(count): model for count, model in models.items() if count},
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for count, model in models.items():
        right = heard(model, notes, validation, listener, hears, options.seed)
        told = wilson(int(np.sum(right)), len(right))
        rows.append((str(count), told, *(report.cell(str(count), name) for name in COLUMNS)))
    found = Report(
        f"batches of further adapting, {options.count} notes",
        ("batches", "heard by the other auditor, validation", *COLUMNS),
        tuple(rows),
        notes=(
            f"0: the weights to begin with, {card['name']}, version {card['version']}.",
            "validation: pitches and families of validation notes; all other columns: of test "
            "notes.",
        ),
        data={"seed": options.seed, "count": options.count},
    )
    print(json.dumps(found.to_json()) if options.json else found.to_text())


if __name__ == "__main__":
    main()
