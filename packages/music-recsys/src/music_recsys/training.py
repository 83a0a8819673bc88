"""Training the front end without labels, by telling which two windows are of one song.

Chen, Kornblith, Norouzi and Hinton, "A Simple Framework for Contrastive Learning of Visual
Representations" (ICML 2020), on music as in Spijkervet and Burgoyne, "Contrastive Learning of
Musical Representations" (ISMIR 2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groove_core.learning import Step, Training, cosine, digest
from groove_core.values import Report
from music_recsys.features import PER_SECOND, WINDOW, Columns, Kind
from music_recsys.model import PassageNet, Reader

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = [
    "ContrastTraining",
    "Heard",
    "Piece",
    "Settings",
    "contrast",
    "front_end",
    "varied",
    "whitened",
]

Piece = Sequence[Tensor]
"""The songs or excerpts of one piece [shape=(rows, frames) each]."""
COMPONENTS = 64
"""Of what the reader gives, that are kept."""
MOVED, NOISE = 0.5, 0.1
"""By how much windows are varied, in deviations of a row from song to song."""


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    kind: Kind = "mfcc"
    reader: Reader = "lstm"
    epochs: int = 60
    batch_size: int = 128
    """Pieces, of each of which two windows are heard."""
    windows: int = 2
    """Pairs of each piece in an epoch."""
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    temperature: float = 0.1
    precision: Literal["32", "bf16"] = "32"


def varied(windows: Tensor, spread: Tensor, draw: Tensor, noise: Tensor) -> Tensor:
    """Give what could be the same music by other instruments, in another room.

    Each row is moved by a number of its own for the whole window: another mean spectrum. So
    what lasts is no help in telling songs apart, and what happens in time is learnt.

    Parameters
    ----------
    windows : Tensor [shape=(n, rows, frames)]
    spread : Tensor [shape=(rows,)]
        By how much rows differ from song to song.
    draw : Tensor [shape=(n, rows), normal]
    noise : Tensor [shape=(n, rows, frames), normal]
    """
    moved = MOVED * spread * draw
    return windows + moved[:, :, None] + NOISE * spread[:, None] * noise


def contrast(first: Tensor, second: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Give the normalised cross-entropy (equation 1 of Chen et al.), and how often it is right.

    Parameters
    ----------
    first, second : Tensor [shape=(n, d)]
        Row i of both is of one song.
    """
    both = F.normalize(torch.cat([first, second]).float(), dim=1)
    similarity = both @ both.T / temperature
    n = len(first)
    similarity.fill_diagonal_(-math.inf)
    partner = torch.arange(2 * n, device=both.device).roll(n)
    right = (similarity.argmax(dim=1) == partner).float().mean()
    return F.cross_entropy(similarity, partner), right


def front_end(kind: Kind, reader: Reader) -> PassageNet:
    """Build an untrained front end."""
    rows = Columns(kind).rows
    return PassageNet(kind, reader, outputs=COMPONENTS + 2 * rows, summary=True)


@dataclass(frozen=True)
class Heard:
    """What a front end learns from.

    Parameters
    ----------
    sets : sequence of sequences of Piece
        Two windows of one piece belong together; pieces of one set are told apart.
    split : dict
        What the card says of the split, see `groove_core.learning.Split.card`.
    share : float [0 to 1]
        Of all pieces.
    """

    sets: Sequence[Sequence[Piece]]
    split: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0


class ContrastTraining(Training[Settings, Heard, PassageNet]):
    """How a front end learns from pairs of windows."""

    package = "music-recsys"

    def build(self) -> PassageNet:
        """Make the front end, which knows mean and deviation of its rows, and a projection."""
        sets = self.data.sets
        self.pieces = [piece for pieces in sets for piece in pieces]
        self.songs = songs = [song for piece in self.pieces for song in piece]
        ends = torch.tensor([len(pieces) for pieces in sets]).cumsum(0).tolist()
        self.sets = [range(end - len(pieces), end) for end, pieces in zip(ends, sets, strict=True)]
        net = front_end(self.settings.kind, self.settings.reader)
        width = net.features
        self.projection = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 64))
        net.standardise(torch.cat([song.float() for song in songs[:: len(songs) // 500 + 1]], 1))
        net.head.requires_grad_(False)  # found after the training
        self.spread = torch.stack([song.float().mean(dim=1) for song in songs]).std(dim=0)
        return net

    def networks(self) -> dict[str, nn.Module]:
        """Name the front end without its last layer, and the projection."""
        return {"front end": _Features(self.model), "head": self.projection}

    def rate(self, optimizer: str, done: float) -> float:
        """Return the decay, after a quick rise."""
        return min(1.0, 50 * done) * cosine(done)

    def fingerprint(self) -> str:
        """Return a hash of the songs."""
        return digest(*self.songs)

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw pieces, all as often: their numbers, batch by batch.

        Those of a batch are of one set: what is easily told apart teaches little.
        """
        drawn = []
        for pieces in self.sets:
            size = min(self.settings.batch_size, len(pieces))
            for _ in range(self.settings.windows):
                order = torch.randperm(len(pieces), generator=generator) + pieces.start
                drawn += [part for part in order.split(size) if len(part) == size]
        return [drawn[i] for i in torch.randperm(len(drawn), generator=generator).tolist()]

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the contrast of two windows of each piece of a batch."""
        pieces = step.rows(batch).tolist()
        views = [self._view(pieces, len(batch), step) for _ in range(2)]
        with step.autocast(self.settings.precision):
            features = self.modules["front end"](torch.cat(views))
            first, second = self.modules["head"](features).chunk(2)
        if step.fabric.world_size > 1:  # what is told apart is the whole batch
            first, second = (_gathered(step.fabric, one) for one in (first, second))
        loss, right = contrast(first, second, self.settings.temperature)
        return loss, {"contrast": loss, "right": right}

    def _view(self, pieces: list[int], batch: int, step: Step) -> Tensor:
        """Cut a window out of each piece of this process's part of a batch, and vary it."""
        draws = zip(pieces, *step.rand(batch, 2).T.tolist(), strict=True)
        cut = []
        for number, which, at in draws:
            piece = self.pieces[number]
            song = piece[int(which * len(piece))]
            start = int(at * (song.shape[1] - WINDOW + 1))
            cut.append(song[:, start : start + WINDOW].float())
        windows = torch.stack(cut).to(step.device)
        rows = windows.shape[1]
        draw, noise = step.randn(batch, rows), step.randn(batch, rows, WINDOW)
        return varied(windows, self.spread.to(windows.device), draw, noise)

    def finish(self) -> None:
        """Find the last layer."""
        whitened(self.model, self.songs)

    def measure(self, name: str) -> Report:
        """Show how well the passages of a piece were found; tastes are measured by `evaluate`."""
        last, most = self.history[-1], min(self.settings.batch_size, len(self.pieces))
        return Report(
            f"{name}: which two of {2 * most} passages are of one piece?",
            ("", "contrast", "told right"),
            (("last epoch of training", last["contrast"], last["right"]),),
            notes=("How well tastes are found with it: groove run music-recsys evaluate.",),
            data={"split": "train"},
        )

    def split(self) -> dict[str, Any]:
        """Return which pieces are learnt from."""
        return {**self.data.split}

    def card(self) -> dict[str, Any]:
        """Say what the front end is for."""
        seconds = sum(song.shape[1] for song in self.songs) / PER_SECOND
        return {
            "data": {
                "share": self.data.share,
                "pieces": len(self.pieces),
                "hours": round(seconds / 3600, 2),
            },
            "intended_use": "Places of passages of music, among which few ratings show a taste.",
            "limits": "It knows what it heard. Trained without labels: what nobody hears in eight "
            "seconds (words, fame, memories) is not in it.",
            "paper": "arXiv:2002.05709; arXiv:2103.09410",
        }


def _gathered(fabric: Fabric, part: Tensor) -> Tensor:
    """Put the parts of all processes together."""
    whole = fabric.all_gather(part, sync_grads=True)
    assert isinstance(whole, Tensor)
    return whole.flatten(0, 1)


class _Features(nn.Module):
    """The front end without its last layer, which is found after the training."""

    def __init__(self, net: PassageNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, windows: Tensor) -> Tensor:
        return self.net.read(self.net.convolve(windows))


def whitened(net: PassageNet, songs: Sequence[Tensor]) -> None:
    """Set the last layer so that no direction is preferred before a listener has said anything.

    What the reader gives is turned to its principal components, each with variance 1; what
    the summary gives is standardised.
    """
    with torch.no_grad():
        seen = torch.cat([net.seen(song.float())[::4] for song in songs]).cpu().double()
        mean = seen.mean(dim=0)
        inner = net.features
        variance, directions = torch.linalg.eigh(torch.cov((seen - mean)[:, :inner].T))
        beside = seen[:, inner:].std(dim=0).clamp_min(1e-3).reciprocal()
        components = net.outputs - len(beside)
        strongest = variance.argsort(descending=True)[:components]
        scale = (variance[strongest] + 1e-3 * variance.max()).rsqrt()
        weight = torch.block_diag((directions[:, strongest] * scale).T, torch.diag(beside))
        net.head.weight.copy_(weight)
        net.head.bias.copy_(-(weight @ mean))
