"""Whether a latent code is an instrument: over pitches, between codes, and from a note."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from gansynth_lite.evaluation import (
    Floats,
    Generator,
    batches,
    check,
    device_of,
    family_weights,
    log_mels,
    median,
    played,
)
from gansynth_lite.metrics import apart, distances, log_mel, smoothness, timbre, timbre_ratio
from gansynth_lite.notes import Int, Notes
from gansynth_lite.playing import slerp
from groove_core.console import note, track
from groove_core.errors import UsageError
from groove_core.learning import about_intervals, mean
from groove_core.values import Cell, Estimate, Report

__all__ = ["measure_instruments"]

STEPS = 32
"""Of a morph."""
PITCHES = 6
"""At which the timbre of an instrument is looked at."""


@torch.no_grad()
def measure_instruments(
    model: Generator,
    notes: Notes,
    parts: Mapping[str, Int],
    *,
    count: int,
    seed: int,
    name: str,
) -> Report:
    """Measure whether a latent code is an instrument: over pitches, between codes, from a note.

    Parameters
    ----------
    model : GANSynth or ProgressiveGAN
        Without an encoder, rows of notes that are encoded are left out.
    notes, parts
        See `measure`.
    count : int
        Instruments, and held-out notes to encode; a fourth as many morphs.
    seed : int
    name : str

    Raises
    ------
    InputError, UsageError
        See `measure`.
    """
    check(model.layout, notes, parts)
    device, generator = device_of(model), torch.Generator().manual_seed(seed)
    test = torch.from_numpy(parts["test"])
    test = test[torch.randperm(len(test), generator=generator)]
    pitches = torch.from_numpy(notes.pitches)
    drawn = test[torch.arange(count) % len(test)]
    z = torch.randn(count, model.code, generator=generator).to(device)
    places = _places(notes)
    w = model.instruments(z, family_weights(model, notes, drawn).to(device))
    across = _timbre_of_model(model, w, places)
    morphs = _morphs(model, w, pitches[drawn].to(device))
    encoded = _encoded(model, notes, parts, test[:count], generator)
    rows: list[tuple[Cell, ...]] = [
        ("timbre across pitches / across instruments", across),
        ("the same of real instruments", _timbre_of_notes(notes, places)),
        ("largest / mean step of a morph, median", median(morphs)),
        ("the same, worst", float(morphs.max()) if len(morphs) else None),
        *encoded.items(),
    ]
    return Report(
        f"{name}: {count} instruments",
        ("", "value"),
        tuple(rows),
        notes=(
            f"timbre: levels of partials and in time; at pitches "
            f"{', '.join(map(str, places.tolist()))}; below 1, an instrument is more like itself "
            "at other pitches than like others.",
            f"morph: {len(morphs)} pairs of instruments, {STEPS} steps on the sphere.",
            "Distances are root mean square differences of log-mel spectrograms to a held-out "
            "note [dB].",
            about_intervals("instruments, morphs or notes"),
        ),
        data={"seed": seed, "count": count, "steps": STEPS, "pitches": places.tolist()},
    )


def _places(notes: Notes) -> Tensor:
    """Return pitches over the range of the notes, without its ends: some have no partials."""
    low, high = int(notes.pitches.min()), int(notes.pitches.max())
    span = high - low
    places = np.linspace(low + span / 5, high - span / 8, PITCHES).round()
    return torch.from_numpy(np.unique(places)).long()


def _timbre_of_model(model: Generator, w: Tensor, places: Tensor) -> Estimate | None:
    if min(len(w), len(places)) < 2:
        return None
    found = []
    for one in track(w, "hearing instruments", total=len(w)):
        pitches = places.to(w.device)
        made = played(model, one.expand(len(places), -1), pitches, None)
        found.append(timbre(made, pitches, model.layout.sample_rate).cpu())
    return timbre_ratio(torch.stack(found))


def _timbre_of_notes(notes: Notes, places: Tensor) -> Estimate | None:
    """Measure those instruments that have all the pitches, at the velocity most notes have."""
    usual = np.bincount(notes.velocities).argmax()
    found = []
    for instrument in np.unique(notes.instruments[notes.velocities == usual]):
        mine = np.flatnonzero((notes.instruments == instrument) & (notes.velocities == usual))
        at = {
            pitch: i for i, pitch in zip(mine.tolist(), notes.pitches[mine].tolist(), strict=True)
        }
        if all(pitch in at for pitch in places.tolist()):
            chosen = torch.tensor([at[pitch] for pitch in places.tolist()])
            found.append(timbre(notes.sounds(chosen), places, notes.sample_rate))
    if len(found) < 2 or len(places) < 2:
        note("too few real instruments have all pitches at which timbre is compared")
        return None
    return timbre_ratio(torch.stack(found))


def _morphs(model: Generator, w: Tensor, pitches: Tensor) -> Floats:
    """Go from instrument to instrument at one pitch; give how even each way is."""
    found = []
    steps = torch.linspace(0, 1, STEPS + 1, device=w.device)
    for index in track(range(0, len(w) - 1, 4), "morphing", total=len(w) // 4):
        a, b = w[index : index + 1], w[index + 1 : index + 2]
        path = slerp(a.expand(len(steps), -1), b.expand(len(steps), -1), steps)
        levels = [
            log_mel(
                played(model, some, pitches[index].expand(len(some)), None),
                model.layout.sample_rate,
            )
            for some in batches(path)
        ]
        found.append(smoothness(torch.cat(levels)))
    return np.array(found)


def _encoded(
    model: Generator,
    notes: Notes,
    parts: Mapping[str, Int],
    held: Tensor,
    generator: torch.Generator,
) -> dict[str, Cell]:
    """Make held-out notes of their own codes, and of those of other notes of the instrument."""
    device = device_of(model)
    train = torch.from_numpy(parts["train"])
    pitches, instruments = (torch.from_numpy(one) for one in (notes.pitches, notes.instruments))
    mine: list[int] = []
    others: list[int] = []
    for i in held.tolist():
        same = (instruments[train] == instruments[i]) & (pitches[train] != pitches[i])
        choice = train[same]
        if len(choice):
            mine.append(i)
            others.append(int(choice[torch.randint(len(choice), (), generator=generator)]))

    def decoded(sources: Tensor, wanted: Tensor) -> Tensor:
        """Return the distances between notes that were made of others and those wanted."""
        found = []
        for of, to in zip(batches(sources), batches(wanted), strict=True):
            pictures = model.layout.to_pictures(notes.sounds(of, device))
            w = model.encode(pictures, pitches[of].to(device))
            made = played(model, w, pitches[to].to(device), None)
            real = log_mel(notes.sounds(to, device), notes.sample_rate)
            found.append(apart(log_mel(made, notes.sample_rate), real).cpu())
        return torch.cat(found) if found else torch.zeros(0)

    try:
        own = decoded(held, held)
    except UsageError:  # the network of the source has no encoder
        return {}
    same_pitch = train[torch.isin(pitches[train], pitches[held])]
    between = distances(log_mels(notes, held, device), log_mels(notes, same_pitch, device))
    between[pitches[held][:, None] != pitches[same_pitch]] = torch.nan
    known = between[~between.isnan().all(dim=1)]
    return {
        "a note, encoded and decoded": mean(own),
        "from another pitch of its instrument": mean(
            decoded(torch.tensor(others, dtype=torch.int64), torch.tensor(mine, dtype=torch.int64))
        ),
        "nearest training note of its pitch": mean(known.nan_to_num(torch.inf).amin(dim=1)),
        "any training note of its pitch": mean(known.nanmean(dim=1)),
    }
