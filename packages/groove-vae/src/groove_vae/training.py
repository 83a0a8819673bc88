"""Training the audio model; the networks are in `groove_vae.model`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from groove_core.console import note
from groove_core.errors import InputError
from groove_core.learning import Step, Training, cosine, digest
from groove_core.render import kits
from groove_core.render.kits import Hits, Kit
from groove_core.values import Report
from groove_vae import pairs
from groove_vae.frames import BANDS, ENVELOPES, HOP_S, bands, envelopes
from groove_vae.listening import frames_of, stroke_divergence
from groove_vae.model import Covariance, FeelVAE, Gaussian, elbo, prior_kl, rank_loss
from groove_vae.performances import Performance, long_enough, split_of
from groove_vae.twin import active_units

__all__ = ["FeelTraining", "Rendered", "Settings", "collapse"]


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    latent: int = 2
    hidden: int = 96
    covariance: Covariance = "diagonal"
    epochs: int = 60
    batches: int = 100
    """Per epoch; every one is rendered anew."""
    batch_size: int = 10
    """Segments; each two are versions of the same bars."""
    frames: int = 1536
    """Of a segment: 8.9 s."""
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    beta: float = 0.2
    """Weight of the KL."""
    free_bits: float = 0.02
    """Nats per frame and dimension that the KL leaves free."""
    warm_up: float = 0.2
    """Share of the training over which beta rises from 0."""
    rank: float = 5.0
    """Weight of the ranking term."""


PROGRAMS = (0, 8, 16, 40)
"""Kits of the soundfont to learn from; 24, 25 and 48 are kept for the test."""
SYNTHETIC = range(100)
CHANGE = pairs.Change(
    timing_ms=np.geomspace(1, 40, 60).tolist(),
    dynamics_db=np.geomspace(2, 20, 60).tolist(),
    ghost_db=np.linspace(0, 20, 20).tolist(),
    share=0.25,
)
FEWEST_HITS = 8
WORKERS = 4
"""Threads that render."""
# Columns of the rows of a batch: what is heard, what is wanted, and what was changed where.
_HEARD, _WANTED = slice(0, BANDS), slice(BANDS, BANDS + ENVELOPES)
_AMOUNT, _KIND, _SAME, COLUMNS = range(BANDS + ENVELOPES, BANDS + ENVELOPES + 4)


class Rendered:
    """The segments of an epoch by their numbers, rendered in threads before they are wanted.

    Segments 2 k and 2 k + 1 are the played and the programmed version of the same bars. Every
    pair has random numbers of its own: it is the same whoever renders it, and each process
    renders its part of a batch only.
    """

    def __init__(self, performances: Sequence[Performance], settings: Settings, seed: int) -> None:
        self.performances, self.settings, self.seed = performances, settings, seed
        length = np.array([one.onset_s[-1] for one in performances])
        self.weight = length / length.sum()
        for program in PROGRAMS:  # from now on they are in the cache, and threads only read
            kits.general_midi(program)
        self._threads = ThreadPoolExecutor(WORKERS)
        self._coming: dict[int, Future[Tensor]] = {}

    def batches(self) -> list[Tensor]:
        """Return the numbers of the segments, batch by batch."""
        size = self.settings.batch_size
        return list(torch.arange(self.settings.batches * size).split(size))

    def __getitem__(self, numbers: Tensor) -> Tensor:
        """Return pairs of segments [shape=(n, frames, columns)].

        Meanwhile those are rendered that have their place in the next batch.
        """
        size = self.settings.batch_size // 2
        wanted = (numbers[::2] // 2).tolist()
        following = [one + size for one in wanted if one + size < self.settings.batches * size]
        for one in (*wanted, *following):
            if one not in self._coming:
                self._coming[one] = self._threads.submit(self.pair, one)
        return torch.cat([self._coming.pop(one).result() for one in wanted])

    def pair(self, number: int) -> Tensor:
        """Render two versions of some bars; 4 of 10 times on the same kit."""
        rng = np.random.default_rng([self.seed, number])
        frames = self.settings.frames
        duration_s = (frames - 1) * HOP_S + 0.001
        hits = self._segment(rng, duration_s)
        played, strokes = pairs.changed(hits, CHANGE, rng)
        kit = _kit(rng)
        same = rng.random() < 0.4
        other = kit if same else _kit(rng)
        rooms = rng.integers(2**31, size=2)
        if rng.random() < 0.3:
            rooms[1] = rooms[0]
        rows = torch.full((2, frames, COLUMNS), -1.0)
        versions = ((played, kit, rooms[0]), (hits, other, rooms[1]))
        for row, (version, drums, room) in zip(rows, versions, strict=True):
            sound = kits.room(kits.play(version, drums, duration_s), np.random.default_rng(room))
            hiss = 10 ** (-rng.uniform(55, 90) / 20) * float(np.abs(sound).max())
            sound = sound + hiss * rng.standard_normal(len(sound), np.float32)
            row[:, _HEARD] = bands(torch.from_numpy(sound))[:frames]
            row[:, _WANTED] = torch.from_numpy(envelopes(version, frames))
            at = frames_of(strokes.onset_s)
            inside = (at >= 10) & (at < frames - 10)
            row[at[inside], _AMOUNT] = torch.from_numpy(strokes.amount).float()[inside]
            row[at[inside], _KIND] = torch.from_numpy(strokes.kind).float()[inside]
            row[:, _SAME] = float(same)
        return rows

    def _segment(self, rng: np.random.Generator, duration_s: float) -> Hits:
        """Take some bars, at another tempo, partly on the grid, with other dynamics."""
        while True:
            one = self.performances[int(rng.choice(len(self.performances), p=self.weight))]
            onset_s = one.onset_s
            if rng.random() < 0.4:
                step_s = 15 / one.bpm
                onset_s = np.round(onset_s / step_s) * step_s
            onset_s = onset_s * rng.uniform(0.87, 1.15)
            whole = Hits.of_velocity(onset_s, one.drum, one.velocity)
            start_s = rng.uniform(0, max(0.01, onset_s[-1] - duration_s))
            hits = whole.between(start_s, start_s + duration_s)
            if len(hits) >= FEWEST_HITS:
                break
        level_db = hits.level_db * rng.uniform(0.6, 1.2)
        if rng.random() < 0.3:
            softer = rng.random(len(hits)) < 0.2
            level_db = level_db - softer * rng.uniform(0, 12, len(hits))
        loose_s = rng.normal(0, rng.uniform(0, 0.004), len(hits))
        return Hits(hits.onset_s + loose_s, hits.drum, np.minimum(level_db, 0))


_synthetic = functools.lru_cache(maxsize=128)(kits.synthetic)


def _kit(rng: np.random.Generator) -> Kit:
    """Draw a kit: whole or mixed from several, of the soundfont or synthetic, often varied."""
    programs = [kits.general_midi(int(p)) for p in rng.choice(PROGRAMS, 3)]
    made = [_synthetic(int(s)) for s in rng.choice(SYNTHETIC, 2)]
    draw = rng.random()
    if draw < 0.25:
        kit = programs[0]
    elif draw < 0.4:
        kit = made[0]
    else:
        kit = kits.mixed([*programs, *made], rng)
    return kits.varied(kit, rng) if rng.random() < 0.7 else kit


class FeelTraining(Training[Settings, Sequence[Performance], FeelVAE]):
    """The audio model and how it learns from performances."""

    package = "groove-vae"
    multiple = 2
    """Every two segments are a pair."""
    max_norm = 1.0
    rendered: Rendered | Tensor

    def build(self) -> FeelVAE:
        """Make the model, and choose what it learns from."""
        settings = self.settings
        self.learnt = self.part("train")
        if not self.learnt:
            raise InputError(
                "The training split has no performance of a few bars.",
                hint="Give a folder with more MIDI files of drums.",
            )
        return FeelVAE(
            inputs=BANDS,
            outputs=ENVELOPES,
            latent=settings.latent,
            hidden=settings.hidden,
            covariance=settings.covariance,
        )

    def part(self, split: str) -> list[Performance]:
        """Return the performances of a split that are long enough."""
        return long_enough([one for one in self.data if one.split == split])

    def fingerprint(self) -> str:
        """Return a hash of the performances."""
        return digest(*(each for one in self.learnt for each in (one.tick, one.velocity)))

    def rate(self, optimizer: str, done: float) -> float:
        """Return the decay, after a quick rise."""
        return min(1.0, 20 * done) * cosine(done)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Return the numbers of segments, none of which was seen before."""
        seed = int(torch.randint(2**31, (1,), generator=generator))
        self.rendered = Rendered(self.learnt, self.settings, seed)
        return self.rendered.batches()

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the negative ELBO of the envelopes and the ranking loss of the pairs."""
        settings = self.settings
        noise = step.randn(len(batch), settings.frames, settings.latent)
        rows = self.rendered[step.rows(batch)].to(step.device)
        mean, scale, made, log_noise = self.modules["model"](rows[..., _HEARD], noise)
        latent = Gaussian(mean, scale)
        loss, surprise, each = elbo(
            latent,
            made,
            rows[..., _WANTED],
            log_noise,
            beta=settings.beta * min(1.0, step.done / settings.warm_up),
            free_bits=settings.free_bits,
        )
        ranks = _ranks(latent, rows)
        return loss + settings.rank * ranks, {
            "surprise": surprise,
            "rank": ranks,
            "kl": each.sum(),
            "active_units": active_units(each, settings.free_bits).float(),
            **{f"kl_{i + 1}": one for i, one in enumerate(each)},
        }

    def finish(self) -> None:
        """Look for posterior collapse."""
        watched = self.part("validation") or self.learnt
        self.extra["posterior"] = collapse(self.model, watched, self.settings)

    def measure(self, name: str) -> Report:
        """Measure on the test split."""
        from groove_vae.evaluation import evaluate_model

        return evaluate_model(self.model, self.part("test"), seed=1)

    def split(self) -> dict[str, Any]:
        """Return which performances are learnt from."""
        return split_of(self.data)

    def card(self) -> dict[str, Any]:
        """Say what the model is for."""
        return {
            "intended_use": "Comparing a played drum part with a programmed one, moment by moment.",
            "limits": (
                "Drums alone, not in a mix. Learnt from one soundfont and synthetic kits; strokes "
                "more than 24 dB softer than the loudest are often not heard. With another kit on "
                "the programmed side what is done to all strokes that sound alike is taken for "
                "tone."
            ),
            "paper": "arXiv:1312.6114",
        }


def _ranks(latent: Gaussian, rows: Tensor) -> Tensor:
    """Give the ranking loss of a batch.

    Among pairs on one kit, among pairs on two, and that a changed stroke on one kit
    diverges more than an untouched one on two.
    """
    found: dict[bool, list[tuple[Tensor, Tensor, Tensor]]] = {True: [], False: []}
    for one in range(0, len(rows), 2):
        frame = (rows[one, :, _AMOUNT] >= 0).nonzero()[:, 0]
        same = bool(rows[one, 0, _SAME] > 0)
        score = stroke_divergence(
            latent.at(one), latent.at(one + 1), rows[one + 1, :, _HEARD], frame, same_tone=same
        )
        found[same].append((score, rows[one, frame, _AMOUNT], rows[one, frame, _KIND]))
    losses = []
    groups = {}
    for same, parts in found.items():
        if parts:
            groups[same] = score, amount, kind = [torch.cat(t) for t in zip(*parts, strict=True)]
            losses.append(rank_loss(score, amount, kind))
    if len(groups) == 2:
        (mine, amount, kind), (others, untouched, _) = groups[True], groups[False]
        # Below 3 ms or dB a change need not outweigh another kit.
        counts = torch.cat([amount >= 3, untouched == 0])
        losses.append(
            rank_loss(
                torch.cat([mine, others])[counts],
                torch.cat([amount.clamp(max=1), untouched])[counts],
                torch.cat([kind, torch.zeros_like(untouched)])[counts],
            )
        )
    return torch.stack(losses).mean()


def collapse(
    model: FeelVAE, performances: Sequence[Performance], settings: Settings
) -> dict[str, Any]:
    """Look for posterior collapse: Gaussians that are the same at every moment.

    Returns
    -------
    dict
        ``kl_per_dimension`` in nats per frame, ``active_units``, and ``collapsed``: whether
        no dimension is active.
    """
    rendered = Rendered(performances, replace(settings, batches=1), seed=0)
    batch = rendered[torch.arange(settings.batch_size)]
    with torch.no_grad():
        latent = model.encode(batch[..., _HEARD].to(model.log_noise.device))
    kl = prior_kl(latent).mean(dim=(0, 1))
    active = int(active_units(kl, settings.free_bits))
    if not active:
        note(
            f"posterior collapse: none of {model.latent} dimensions is active, so that nothing "
            "diverges; train with a smaller --beta, or longer"
        )
    return {
        "kl_per_dimension": [round(x, 4) for x in kl.tolist()],
        "active_units": active,
        "collapsed": not active,
    }
