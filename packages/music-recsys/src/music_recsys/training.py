"""Training the front end without labels, by telling which two windows are of one song.

Chen, Kornblith, Norouzi and Hinton, "A Simple Framework for Contrastive Learning of Visual
Representations" (ICML 2020), on music as in Spijkervet and Burgoyne, "Contrastive Learning of
Musical Representations" (ISMIR 2021).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groove_core.learning.before import Shard, cosine, fit, launch, rounded
from music_recsys.features import WINDOW, Columns, Kind
from music_recsys.model import PassageNet, Reader

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Piece", "Settings", "contrast", "front_end", "train_front_end", "varied", "whitened"]

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


class ContrastTask:
    """How a front end learns from pairs of windows."""

    def __init__(self, settings: Settings, sets: Sequence[Sequence[Piece]], seed: int) -> None:
        self.settings = settings
        self.pieces = [piece for pieces in sets for piece in pieces]
        songs = [song for piece in self.pieces for song in piece]
        ends = torch.tensor([len(pieces) for pieces in sets]).cumsum(0).tolist()
        self.sets = [range(end - len(pieces), end) for end, pieces in zip(ends, sets, strict=True)]
        # The one place where global state is touched: layers are initialised from it.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = front_end(settings.kind, settings.reader)
            width = self.net.features
            projection = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 64))
        self.net.standardise(
            torch.cat([song.float() for song in songs[:: len(songs) // 500 + 1]], 1)
        )
        self.modules: dict[str, nn.Module] = {"front end": _Features(self.net), "head": projection}
        self.net.head.requires_grad_(False)  # found after the training
        learnt = [
            p for part in (self.net, projection) for p in part.parameters() if p.requires_grad
        ]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "both": torch.optim.AdamW(
                learnt, settings.learning_rate, weight_decay=settings.weight_decay
            )
        }
        self.spread = torch.stack([song.float().mean(dim=1) for song in songs]).std(dim=0)
        frames = sum(song.shape[1] for song in songs)
        self.config: dict[str, Any] = {**asdict(settings), "songs": len(songs), "frames": frames}

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

    def step(self, fabric: Fabric, batch: Tensor, shard: Shard, done: float) -> dict[str, Tensor]:
        """Learn from one batch."""
        settings = self.settings
        optimizer = self.optimizers["both"]
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * min(1.0, 50 * done) * cosine(done)
        pieces = shard(batch).tolist()
        views = [self._view(pieces, len(batch), shard) for _ in range(2)]
        with torch.autocast(fabric.device.type, torch.bfloat16, settings.precision == "bf16"):
            features = self.modules["front end"](torch.cat(views))
            first, second = self.modules["head"](features).chunk(2)
        if fabric.world_size > 1:  # what is told apart is the whole batch
            first, second = (_gathered(fabric, one) for one in (first, second))
        loss, right = contrast(first, second, settings.temperature)
        optimizer.zero_grad()
        fabric.backward(loss)
        optimizer.step()
        return {"contrast": loss, "right": right}

    def _view(self, pieces: list[int], batch: int, shard: Shard) -> Tensor:
        """Cut a window out of each piece of this process's part of a batch, and vary it."""
        draws = zip(pieces, *shard.rand(batch, 2).T.tolist(), strict=True)
        cut = []
        for number, which, at in draws:
            piece = self.pieces[number]
            song = piece[int(which * len(piece))]
            start = int(at * (song.shape[1] - WINDOW + 1))
            cut.append(song[:, start : start + WINDOW].float())
        windows = torch.stack(cut).to(shard.fabric.device)
        rows = windows.shape[1]
        draw, noise = shard.randn(batch, rows), shard.randn(batch, rows, WINDOW)
        return varied(windows, self.spread.to(windows.device), draw, noise)


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


def train_front_end(
    sets: Sequence[Sequence[Piece]],
    settings: Settings,
    *,
    folder: Path | None = None,
    seed: int,
    device: str,
    devices: int = 1,
    strategy: str = "auto",
    resume: bool = False,
    restart: bool = False,
) -> tuple[PassageNet, list[dict[str, float]]]:
    """Train a front end on songs.

    Parameters
    ----------
    sets : sequence of sequences of Piece
        Two windows of one piece belong together; pieces of one set are told apart.
    folder : Path, optional
        For the state of the training; none is kept when left out.

    Returns
    -------
    net : PassageNet
        On the CPU, in the precision it is stored in.
    history : list of dict
        Mean losses of each epoch.
    """
    fabric = launch(device, devices, strategy)
    seed = fabric.broadcast(seed)
    task = ContrastTask(settings, sets, seed)
    with tempfile.TemporaryDirectory() as scratch:
        history = fit(
            fabric, task, epochs=settings.epochs, folder=folder or Path(scratch), seed=seed,
            resume=resume, restart=restart,
        )  # fmt: skip
    net = task.net.cpu().eval()
    whitened(net, [song for pieces in sets for piece in pieces for song in piece])
    return rounded(net), history
