"""Training the symbolic twin; the networks are in `groove_vae.twin`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from groove_core.console import note
from groove_core.errors import InputError
from groove_core.learning import Step, Training, digest, shuffled
from groove_core.values import Report
from groove_vae.performances import Performance, split_of
from groove_vae.symbolic import STEPS, performance_grid, windows
from groove_vae.twin import DRUMS, Twin, active_units, as_feel, kl_divergence

__all__ = ["Settings", "TwinTraining", "Windows", "collapse"]


FEWEST = 8
"""Windows to learn from."""


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    latent: int = 16
    hidden: int = 128
    components: int = 3
    epochs: int = 45
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    dropout: float = 0.4
    beta: float = 0.5
    """Weight of the KL against the nats of the hits of a window."""
    free_bits: float = 0.05
    """Nats per dimension that the KL leaves free."""
    warm_up: float = 0.2
    """Share of the training over which beta rises from 0."""
    without_z: float = 0.5
    """Share of windows that are decoded without z."""
    unknown: float = 0.5
    """Share of windows whose style, and whose drummer, is withheld."""
    drum_dropout: float = 0.1
    """Chance of each drum to be left out of a window."""


@dataclass(frozen=True)
class Windows:
    """Windows of two bars as one table, so that a batch is one tensor.

    Parameters
    ----------
    table : float Tensor [shape=(n, 32 * 27 + 3)]
        The window, then tempo, index of the style and of the drummer (0 for unknown).
    styles, drummers : sequences of str
    """

    table: Tensor
    styles: tuple[str, ...]
    drummers: tuple[str, ...]

    @classmethod
    def of(
        cls,
        performances: Sequence[Performance],
        *,
        styles: Sequence[str] | None = None,
        drummers: Sequence[str] | None = None,
    ) -> Windows:
        """Cut performances into windows that start at every bar."""
        if styles is None:
            styles = sorted({one.style for one in performances} - {""})
        if drummers is None:
            found = {one.drummer for one in performances} - {""}
            drummers = sorted(found, key=lambda name: (len(name), name))
        rows = []
        for one in performances:
            cut = windows(performance_grid(one))
            known = (
                styles.index(one.style) + 1 if one.style in styles else 0,
                drummers.index(one.drummer) + 1 if one.drummer in drummers else 0,
            )
            about = np.tile(np.array([one.bpm, *known], np.float32), (len(cut), 1))
            rows.append(np.concatenate([cut.reshape(len(cut), STEPS * 3 * DRUMS), about], axis=1))
        empty = np.zeros((0, STEPS * 3 * DRUMS + 3), np.float32)
        table = torch.from_numpy(np.concatenate(rows or [empty]))
        return cls(table, tuple(styles), tuple(drummers))

    def __len__(self) -> int:
        return len(self.table)


def unpack(rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Give windows [(n, 32, 27)], tempo, style and drummer of rows of a table."""
    window = rows[:, :-3].unflatten(1, (STEPS, 3 * DRUMS))
    return window, rows[:, -3], rows[:, -2].long(), rows[:, -1].long()


class TwinTraining(Training[Settings, Sequence[Performance], Twin]):
    """The twin and how it learns from windows of performances."""

    package = "groove-vae"
    fewest = 4
    max_norm = 1.0

    def build(self) -> Twin:
        """Make the network, and cut the windows that it learns from."""
        settings, self.windows = self.settings, self.learnt()
        if len(self.windows) < FEWEST:
            raise InputError(
                f"The training split has {len(self.windows)} windows of two bars, too few to "
                "learn from.",
                hint="Give a folder with more MIDI files in 4/4.",
            )
        return Twin(
            styles=self.windows.styles,
            drummers=self.windows.drummers,
            hidden=settings.hidden,
            latent=settings.latent,
            components=settings.components,
        )

    def learnt(self) -> Windows:
        """Return the windows of the training split."""
        return Windows.of([one for one in self.data if one.split == "train"])

    def networks(self) -> dict[str, nn.Module]:
        """Name encoder and decoder."""
        return {"encoder": self.model.encoder, "decoder": self.model.decoder}

    def fingerprint(self) -> str:
        """Return a hash of the windows."""
        return digest(self.windows.table)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Shuffle the windows into whole batches."""
        return shuffled(len(self.windows), self.settings.batch_size, generator)

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the negative ELBO per hit of windows, of which some are decoded without z."""
        settings, n = self.settings, len(batch)
        window, tempo, style, drummer = unpack(step.part(self.windows.table[batch]))
        # Drums that are left out: fewer notes are a part, too, and there are many such parts.
        kept = (step.rand(n, 1, DRUMS) >= settings.drum_dropout).repeat(1, 1, 3)
        window = window * kept
        hits, velocity, offset = window.chunk(3, dim=2)
        style = style * (step.rand(n) >= settings.unknown)
        drummer = drummer * (step.rand(n) >= settings.unknown)
        # The batch is shuffled: its first part is decoded with z, the rest without.
        m = round(len(window) * (1 - settings.without_z))
        mean, log_variance = self.modules["encoder"](window[:m], tempo[:m])
        noise = step.randn(n, settings.latent)
        z = torch.cat([mean + noise[:m] * (0.5 * log_variance).exp(), torch.zeros_like(noise[m:])])
        with_z = torch.arange(len(window), device=window.device) < m
        kept_states = step.rand(n, STEPS, 2 * settings.hidden) >= settings.dropout
        mask = kept_states / (1 - settings.dropout)
        out = self.modules["decoder"](hits, tempo, style, drummer, z, with_z, mask)
        log_prob = as_feel(out).log_prob(torch.stack([offset, velocity], dim=-1)) * hits
        surprise = -log_prob.sum(dim=(1, 2))
        count = hits.sum(dim=(1, 2))
        kl = kl_divergence(mean, log_variance).mean(dim=0)
        rise = min(1.0, step.done / settings.warm_up)
        penalty = rise * settings.beta * m * kl.clamp(min=settings.free_bits).sum()
        return (surprise.sum() + penalty) / count.sum().clamp(min=1), {
            "with_z": surprise[:m].sum() / count[:m].sum().clamp(min=1),
            "without_z": surprise[m:].sum() / count[m:].sum().clamp(min=1),
            "kl": kl.sum(),
            "active_units": active_units(kl, settings.free_bits).float(),
            **{f"kl_{i + 1}": one for i, one in enumerate(kl)},
        }

    def finish(self) -> None:
        """Look for posterior collapse."""
        held_out = Windows.of(
            [one for one in self.data if one.split == "validation"],
            styles=self.windows.styles,
            drummers=self.windows.drummers,
        )
        watched = held_out if len(held_out) > 1 else self.windows
        self.extra["posterior"] = collapse(self.model, watched, self.settings.free_bits)

    def measure(self, name: str) -> Report:
        """Measure on the test split."""
        from groove_vae.twin_evaluation import evaluate_twin

        return evaluate_twin(self.model, self.data, seed=1)

    def split(self) -> dict[str, Any]:
        """Return which performances are learnt from."""
        return split_of(self.data)

    def card(self) -> dict[str, Any]:
        """Say what the network is for."""
        return {
            "intended_use": "Velocities and micro-timing for drum parts in 4/4, in sixteenths.",
            "limits": (
                "Two bars at a time; no triplet grid and no other metre. Ten drummers on one "
                "electronic kit, mostly rock, funk and latin, playing to a metronome. What a "
                "drummer will do is known only in part from the notes."
            ),
            "paper": "arXiv:1905.06118",
        }


def collapse(model: Twin, data: Windows, free_bits: float) -> dict[str, Any]:
    """Look for posterior collapse: a z that says nothing, so that every take is the same.

    Returns
    -------
    dict
        ``kl_per_dimension`` in nats, ``active_units`` (see there), and ``collapsed``: whether
        fewer than an eighth of the dimensions are active.
    """
    means, log_variances = [], []
    device = next(model.parameters()).device
    with torch.no_grad():
        for rows in data.table.split(1024):
            window, tempo, _, _ = unpack(rows.to(device))
            mean, log_variance = model.encoder(window, tempo)
            means.append(mean.cpu())
            log_variances.append(log_variance.cpu())
    kl = kl_divergence(torch.cat(means), torch.cat(log_variances)).mean(dim=0)
    active = int(active_units(kl, free_bits))
    collapsed = active < max(1, model.latent // 8)
    if collapsed:
        note(
            f"posterior collapse: {active} of {model.latent} dimensions are active; "
            "train with a smaller --beta, or longer"
        )
    return {
        "kl_per_dimension": [round(one, 4) for one in kl.tolist()],
        "active_units": active,
        "collapsed": collapsed,
    }
