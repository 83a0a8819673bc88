"""Training the front end by telling which windows belong together, and on labels if there are any.

Without labels, two windows of one piece belong together: Chen, Kornblith, Norouzi and Hinton, "A
Simple Framework for Contrastive Learning of Visual Representations" (ICML 2020), on music as in
Spijkervet and Burgoyne, "Contrastive Learning of Musical Representations" (ISMIR 2021). Where
several songs play one groove, windows of all of them do: Khosla et al., "Supervised Contrastive
Learning" (NeurIPS 2020). Each kind of label has a classifier of its own, which is thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groove_core.learning import Step, Training, cosine, digest, shuffled
from groove_core.values import Report
from music_recsys.features import PER_SECOND, WINDOW, Columns, Kind
from music_recsys.model import PassageNet, Reader, Space, Span

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = [
    "ContrastTraining",
    "Heard",
    "Piece",
    "Settings",
    "contrast",
    "directions",
    "front_end",
    "varied",
    "whitened",
]

Piece = Sequence[Tensor]
"""The songs or excerpts that belong together [shape=(rows, frames) each]."""
UNKNOWN = -100
"""Number of a label that is not known."""
COMPONENTS = 64
"""Of what the reader gives, that are kept."""
CHANNELS: dict[Span, tuple[int, int, int]] = {"row": (16, 32, 32), "spectrum": (80, 80, 80)}
RIDGE = 0.01
"""Of the mean variance within pieces, added to it in every direction."""
MOVED, NOISE = 0.5, 0.1
"""By how much windows are varied, in deviations of a row from song to song."""


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    kind: Kind = "mfcc"
    reader: Reader = "lstm"
    epochs: int = 60
    batch_size: int = 128
    """Songs; one window of each is heard, and one of a song that belongs to it."""
    windows: int = 2
    """Pairs of each song in an epoch."""
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    temperature: float = 0.1
    span: Span = "row"
    space: Space = "components"
    summary: bool = True
    augment: float = MOVED
    """By how much the level of each row is moved, see `varied`."""
    labels: float = 0.5
    """Weight of the classifiers of labels, beside the contrast."""
    precision: Literal["32", "bf16"] = "32"


def varied(
    windows: Tensor, spread: Tensor, draw: Tensor, noise: Tensor, moved: float = MOVED
) -> Tensor:
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
    moved : float
        By how much rows are moved, in units of `spread`.
    """
    levels = moved * spread * draw
    return windows + levels[:, :, None] + NOISE * spread[:, None] * noise


def contrast(
    places: Tensor, pieces: Tensor, sets: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Return the normalised cross-entropy (equation 2 of Khosla et al.), and how often it is right.

    With two places of each piece it is equation 1 of Chen et al.

    Parameters
    ----------
    places : Tensor [shape=(n, d)]
    pieces : int Tensor [shape=(n,)]
        Places of one number belong together; each has another one.
    sets : int Tensor [shape=(n,)]
        Only places of one set are told apart: other material is told apart too easily.
    temperature : float > 0
    """
    unit = F.normalize(places.float(), dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    similarity = unit @ unit.T / temperature
    similarity = similarity.masked_fill(itself | (sets[:, None] != sets), -math.inf)
    partners = (pieces[:, None] == pieces) & ~itself
    logarithms = similarity - similarity.logsumexp(dim=1, keepdim=True)
    together = logarithms.masked_fill(~partners, 0.0).sum(dim=1) / partners.sum(dim=1)
    right = partners.gather(1, similarity.argmax(dim=1, keepdim=True)).float().mean()
    return -together.mean(), right


def front_end(
    kind: Kind,
    reader: Reader,
    span: Span = "row",
    space: Space = "components",
    *,
    summary: bool = True,
) -> PassageNet:
    """Build an untrained front end."""
    beside = 2 * Columns(kind).rows if summary and space == "components" else 0
    return PassageNet(
        kind, reader, CHANNELS[span], outputs=COMPONENTS + beside, summary=summary, span=span,
        space=space,
    )  # fmt: skip


@dataclass(frozen=True)
class Heard:
    """What a front end learns from.

    Parameters
    ----------
    sets : sequence of sequences of Piece
        Windows of one piece belong together; pieces of one set are told apart.
    labels : dict of sequences of str or None
        By kind, the label of each song, in the order of the sets; None where it is not known.
    split : dict
        What the card says of the split, see `groove_core.learning.Split.card`.
    share : float [0 to 1]
        Of all pieces.
    fraction : float [0 to 1]
        Of the families of that share.
    """

    sets: Sequence[Sequence[Piece]]
    labels: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    split: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0
    fraction: float = 1.0

    @property
    def classes(self) -> dict[str, list[str]]:
        """Return the labels of each kind."""
        return {
            kind: sorted({label for label in labels if label is not None})
            for kind, labels in self.labels.items()
        }


class ContrastTraining(Training[Settings, Heard, PassageNet]):
    """How a front end learns from pairs of windows, and from labels."""

    package = "music-recsys"

    def __init__(self, settings: Settings, data: Heard, seed: int = 0, device: str = "cpu") -> None:
        super().__init__(settings, data, seed, device)
        for name in ("space", "summary"):  # a finished training may be given another last layer
            del self.config[name]

    def build(self) -> PassageNet:
        """Make the front end, which knows mean and deviation of its rows, and its helpers."""
        pieces = [(number, piece) for number, some in enumerate(self.data.sets) for piece in some]
        self.songs = songs = [song for _, piece in pieces for song in piece]
        sizes = [len(piece) for _, piece in pieces]
        ends = torch.tensor(sizes).cumsum(0).tolist()
        self.pieces = [range(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        self.owner = torch.arange(len(pieces)).repeat_interleave(torch.tensor(sizes))
        self.set = torch.tensor([number for number, _ in pieces])[self.owner]
        self.targets = {}
        for kind, classes in self.data.classes.items():
            numbers: dict[str | None, int] = {label: n for n, label in enumerate(classes)}
            labels = self.data.labels[kind]
            self.targets[kind] = torch.tensor([numbers.get(label, UNKNOWN) for label in labels])
        net = front_end(self.settings.kind, self.settings.reader, self.settings.span)
        self.helpers = _Helpers(net.features, {k: len(c) for k, c in self.data.classes.items()})
        net.standardise(torch.cat([song.float() for song in songs[:: len(songs) // 500 + 1]], 1))
        net.head.requires_grad_(False)  # found after the training
        self.spread = torch.stack([song.float().mean(dim=1) for song in songs]).std(dim=0)
        return net

    def networks(self) -> dict[str, nn.Module]:
        """Name the front end without its last layer, and what is thrown away after training."""
        return {"front end": _Features(self.model), "head": self.helpers}

    def rate(self, optimizer: str, done: float) -> float:
        """Return the decay, after a quick rise."""
        return min(1.0, 50 * done) * cosine(done)

    def fingerprint(self) -> str:
        """Return a hash of the songs and of their labels."""
        return digest(*self.songs, self.owner, *self.targets.values())

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw songs, all as often: their numbers, batch by batch."""
        batches: list[Tensor] = []
        for _ in range(self.settings.windows):
            batches += shuffled(len(self.songs), self.settings.batch_size, generator)
        return batches

    def loss(self, batch: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the contrast of two windows for each song of a batch, and what labels say."""
        songs = step.rows(batch)
        which = torch.rand(len(batch), generator=step.generator)
        # The second window is of any song of the piece, where there are several of another one.
        partners = step.rows(torch.tensor([
            self._partner(song, at) for song, at in zip(batch.tolist(), which.tolist(), strict=True)
        ]))  # fmt: skip
        heard = torch.cat([songs, partners])
        views = torch.cat([self._view(some, len(batch), step) for some in (songs, partners)])
        with step.autocast(self.settings.precision):
            places, told = self.modules["head"](self.modules["front end"](views))
        if step.fabric.world_size > 1:  # what is told apart is the whole batch
            places = torch.cat([_gathered(step.fabric, part) for part in places.chunk(2)])
        whole = batch.repeat(2)
        loss, right = contrast(
            places,
            self.owner[whole].to(places.device),
            self.set[whole].to(places.device),
            self.settings.temperature,
        )
        shown = {"contrast": loss, "right": right}
        for kind, scores in told.items():
            targets = self.targets[kind][heard].to(scores.device)
            known = (targets != UNKNOWN).sum().clamp_min(1)
            total = F.cross_entropy(
                scores.float(), targets, ignore_index=UNKNOWN, reduction="sum", label_smoothing=0.1
            )
            shown[kind] = total / known
            loss = loss + self.settings.labels * shown[kind]
        return loss, shown

    def _partner(self, song: int, at: float) -> int:
        """Choose a song of the same piece: another one, if there is one."""
        piece = self.pieces[int(self.owner[song])]
        others = [one for one in piece if one != song] or [song]
        return others[int(at * len(others))]

    def _view(self, songs: Tensor, batch: int, step: Step) -> Tensor:
        """Cut a window out of each song of this process's part of a batch, and vary it."""
        starts = step.rows(torch.rand(batch, generator=step.generator)).tolist()
        cut = []
        for number, at in zip(songs.tolist(), starts, strict=True):
            song = self.songs[number]
            start = int(at * (song.shape[1] - WINDOW + 1))
            cut.append(song[:, start : start + WINDOW].float())
        windows = torch.stack(cut).to(step.device)
        rows = windows.shape[1]
        draw, noise = step.randn(batch, rows), step.randn(batch, rows, WINDOW)
        spread = self.spread.to(windows.device)
        return varied(windows, spread, draw, noise, self.settings.augment)

    def finish(self) -> None:
        """Find the last layer."""
        s = self.settings
        net = front_end(s.kind, s.reader, s.span, s.space, summary=s.summary).eval()
        learnt = {k: x for k, x in self.model.state_dict().items() if not k.startswith("head.")}
        net.load_state_dict(learnt, strict=False)
        self.model = net.to(self.model.mean.device)
        whitened(self.model, self.songs, self.owner.tolist())

    def measure(self, name: str) -> Report:
        """Show how well the passages of a piece were found; tastes are measured by `evaluate`."""
        last, most = self.history[-1], min(self.settings.batch_size, len(self.songs))
        return Report(
            f"{name}: which of {2 * most} excerpts belong together?",
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
                "fraction": self.data.fraction,
                "labels": self.data.classes,
                "pieces": len(self.pieces),
                "hours": round(seconds / 3600, 2),
            },
            "intended_use": "Places of passages of music, among which few ratings show a taste.",
            "limits": "It knows what it heard. What nobody hears in eight seconds (words, fame, "
            "memories) is not in it.",
            "paper": "arXiv:2002.05709; arXiv:2004.11362; arXiv:2103.09410",
        }


def _gathered(fabric: Fabric, part: Tensor) -> Tensor:
    """Put the parts of all processes together."""
    whole = fabric.all_gather(part, sync_grads=True)
    assert isinstance(whole, Tensor)
    return whole.flatten(0, 1)


class _Helpers(nn.Module):
    """What only the training needs: a projection for the contrast, a classifier of each kind."""

    def __init__(self, width: int, classes: Mapping[str, int]) -> None:
        super().__init__()
        self.projection = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 64))
        self.classifiers = nn.ModuleDict(
            {kind: nn.Linear(width, count) for kind, count in classes.items()}
        )

    def forward(self, features: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        told = {kind: classify(features) for kind, classify in self.classifiers.items()}
        return self.projection(features), told


class _Features(nn.Module):
    """The front end without its last layer, which is found after the training."""

    def __init__(self, net: PassageNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, windows: Tensor) -> Tensor:
        return self.net.read(self.net.convolve(windows))


def whitened(net: PassageNet, songs: Sequence[Tensor], pieces: Sequence[int]) -> None:
    """Set the last layer so that no direction is preferred before a listener has said anything.

    Principal components of what the reader gives have variance 1 each, and what the summary gives
    is standardised beside them. In the space of pieces both are seen together: what differs within
    a piece has variance 1 in every direction, and those directions are kept along which pieces
    differ most (linear discriminants; the same as within-class covariance normalisation, Hatch,
    Kajarekar and Stolcke, Interspeech 2006), scaled to variance 1 in the mean.

    Parameters
    ----------
    net : PassageNet
    songs : sequence of Tensor [shape=(rows, frames)]
    pieces : sequence of int
        Number of the piece of each song.
    """
    with torch.no_grad():
        each = [net.seen(song.float())[::4].cpu().double() for song in songs]
        seen = torch.cat(each)
        owner = torch.tensor(pieces).repeat_interleave(torch.tensor([len(some) for some in each]))
        mean = seen.mean(dim=0)
        # What is read keeps its own proportions; means and deviations of rows have none.
        scale = torch.ones_like(mean)
        scale[: net.features] = (seen - mean)[:, : net.features].square().mean().rsqrt()
        if net.summary:
            scale[net.features :] = seen[:, net.features :].std(dim=0).clamp_min(1e-3).reciprocal()
        x = (seen - mean) * scale
        if net.space == "pieces":
            turn = directions("pieces", x, owner, net.outputs)
        else:
            beside = torch.eye(x.shape[1] - net.features, dtype=x.dtype)
            inner = directions("components", x[:, : net.features], owner, COMPONENTS)
            turn = torch.block_diag(inner, beside)
        weight = (scale[:, None] * turn).T
        net.head.weight.copy_(weight)
        net.head.bias.copy_(-(weight @ mean))


def directions(space: Space, x: Tensor, owner: Tensor, count: int) -> Tensor:
    """Return the directions of a space [shape=(features, count)], see `whitened`.

    Parameters
    ----------
    space : {"components", "pieces"}
    x : Tensor [shape=(n, features), float64]
        Of mean 0.
    owner : int Tensor [shape=(n,)]
        Number of the piece of each row.
    count : int
    """
    return _components(x, count) if space == "components" else _discriminants(x, owner, count)


def _components(x: Tensor, count: int) -> Tensor:
    """Return principal components, in which x has variance 1."""
    variance, directions = torch.linalg.eigh(torch.cov(x.T))
    strongest = variance.argsort(descending=True)[:count]
    found: Tensor = directions[:, strongest] * (variance[strongest] + 1e-3 * variance.max()).rsqrt()
    return found


def _discriminants(x: Tensor, owner: Tensor, count: int) -> Tensor:
    """Return the directions along which pieces differ most."""
    numbers, index = owner.unique(return_inverse=True)
    sums = x.new_zeros(len(numbers), x.shape[1]).index_add_(0, index, x)
    within = torch.cov((x - (sums / index.bincount()[:, None])[index]).T)
    total = torch.cov(x.T)
    # The second term is for pieces of one excerpt each, within which nothing differs.
    within.diagonal().add_(RIDGE * within.diagonal().mean() + 1e-6 * total.diagonal().mean())
    turn = torch.linalg.inv(torch.linalg.cholesky(within))
    ratio, directions = torch.linalg.eigh(turn @ total @ turn.T)
    found = turn.T @ directions[:, ratio.argsort(descending=True)[:count]]
    scaled: Tensor = found / (x @ found).square().mean().sqrt()
    return scaled
