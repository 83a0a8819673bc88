"""What z tells of a performance, in nats per hit: the symbolic model with and without it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.console import track
from groove_core.errors import InputError
from groove_core.learning import about_intervals, bootstrap, interval
from groove_core.storage import checkpoints
from groove_core.values import Report
from groove_vae.performances import Performance, as_learnt, held_out, load
from groove_vae.twin import Twin, as_feel, kl_divergence
from groove_vae.twin_training import Windows, unpack

__all__ = ["COLUMNS", "WAYS", "evaluate", "evaluate_latent"]

COLUMNS = ("nats per hit", "more than without z")
WAYS = (
    "its own z",
    "its own z, less what z costs",
    "z integrated out",
    "z of another performance",
    "z drawn from the prior",
    "without z",
)
DRAWS = 16
"""Of z for each window."""
BATCH = 512

Floats = npt.NDArray[np.float64]


def evaluate(
    *, checkpoint: str, data: Path | None, count: int | None, seed: int, device: str
) -> Report:
    """Measure a checkpoint; see `groove_vae.actions.evaluate`."""
    model, card = checkpoints.load("groove-vae", checkpoint, Twin, device=device)
    return evaluate_latent(model, as_learnt(card, load(data=data)), count=count, seed=seed)


def evaluate_latent(
    model: Twin, performances: Sequence[Performance], *, count: int | None = None, seed: int
) -> Report:
    """Measure how much likelier z makes the hits of the test split.

    The model is never told style or drummer, so that z alone can say them.

    Parameters
    ----------
    count : int, optional
        Measure on so many performances, spread evenly; on all by default.

    Raises
    ------
    InputError
        If there are not two performances with hits in the test split.
    """
    cut = [
        Windows.of([one], styles=model.styles, drummers=model.drummers).table
        for one in held_out(performances, count)
    ]
    cut = [table for table in cut if len(table)]
    if len(cut) < 2:
        raise InputError(
            f"The test split has {len(cut)} performances with hits; z is compared with that of "
            "another one.",
            hint="Give more files.",
        )
    owner = np.repeat(np.arange(len(cut)), [len(table) for table in cut])
    rows = torch.cat(cut)
    rng = np.random.default_rng(seed)
    partner = rng.integers(len(rows), size=len(rows))
    while (same := owner[partner] == owner).any():
        partner[same] = rng.integers(len(rows), size=int(same.sum()))
    found = _densities(model, rows, torch.from_numpy(partner), seed)
    size = len(cut)
    hits = np.bincount(owner, found.pop("hits"), size)
    draws = bootstrap(size)
    total = draws @ hits
    rounds = {name: draws @ np.bincount(owner, values, size) for name, values in found.items()}
    cost = interval(rounds.pop("cost") / total)
    without = rounds["without z"]
    table = tuple(
        (
            name,
            interval(rounds[name] / total),
            None if name == "without z" else interval((rounds[name] - without) / total),
        )
        for name in WAYS
    )
    return Report(
        title=f"groove-vae: what z tells of {int(hits.sum())} hits of {size} held-out performances",
        columns=("", *COLUMNS),
        rows=table,
        notes=(
            "Log density of offset and velocity (in half sixteenths, and 0 to 1) of each hit in "
            f"windows of two bars, that start at every bar; mean over {DRAWS} draws of z; style "
            "and drummer are not told.",
            f"what z costs: KL from the prior, {cost.value:.3f} nats per hit. Less that it is a "
            "lower bound of the density; z integrated out is a tighter one (Y. Burda, R. Grosse, "
            "R. Salakhutdinov, ICLR 2016). Above the row without z, a model with z explains "
            "performances better than one without.",
            f"{about_intervals('performances')} Differences are paired.",
        ),
        data={"cost": cost.value},
    )


def _densities(model: Twin, rows: Tensor, partner: Tensor, seed: int) -> dict[str, Floats]:
    """Return the log density of each window in every way, its hits, and its KL."""
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    parts: dict[str, list[Tensor]] = {name: [] for name in (*WAYS, "hits", "cost")}
    with torch.inference_mode():
        codes = [model.encoder(*unpack(some.to(device))[:2]) for some in rows.split(BATCH)]
        means, log_variances = (torch.cat(side) for side in zip(*codes, strict=True))
        batches = torch.arange(len(rows)).split(BATCH)
        for at in track(batches, "measuring", total=len(batches)):
            window, tempo, _, _ = unpack(rows[at].to(device))
            hits, velocity, offset = window.chunk(3, dim=2)
            played = torch.stack([offset, velocity], dim=-1)
            unknown = torch.zeros(len(at), dtype=torch.long, device=device)

            def density(z: Tensor, *, with_z: bool = True) -> Tensor:
                given = torch.full((len(z),), with_z, device=device)
                out = model.decoder(hits, tempo, unknown, unknown, z, given)  # noqa: B023
                total: Tensor = (as_feel(out).log_prob(played) * hits).sum(dim=(1, 2))  # noqa: B023
                return total

            def noise() -> Tensor:
                shape = len(at), model.latent  # noqa: B023
                return torch.randn(shape, generator=generator).to(device)

            mean, scale = means[at], (0.5 * log_variances[at]).exp()
            cost = kl_divergence(mean, log_variances[at]).sum(dim=1)
            own, weighted, others, drawn = [], [], [], []
            for _ in range(DRAWS):
                e = noise()
                z = mean + scale * e
                own.append(density(z))
                # log p(x | z) + log p(z) - log q(z | x)
                prior = 0.5 * (e.square() - z.square()).sum(dim=1) + scale.log().sum(dim=1)
                weighted.append(own[-1] + prior)
                other = partner[at]
                z = means[other] + (0.5 * log_variances[other]).exp() * noise()
                others.append(density(z))
                drawn.append(density(noise()))
            for name, values in {
                "its own z": torch.stack(own).mean(dim=0),
                "its own z, less what z costs": torch.stack(own).mean(dim=0) - cost,
                "z integrated out": torch.stack(weighted).logsumexp(dim=0) - math.log(DRAWS),
                "z of another performance": torch.stack(others).mean(dim=0),
                "z drawn from the prior": torch.stack(drawn).mean(dim=0),
                "without z": density(mean, with_z=False),
                "hits": hits.sum(dim=(1, 2)),
                "cost": cost,
            }.items():
                parts[name].append(values.cpu())
    return {name: torch.cat(some).double().numpy() for name, some in parts.items()}
