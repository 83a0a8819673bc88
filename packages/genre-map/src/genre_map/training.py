"""Training the genre classifier; the networks are in `genre_map.model`."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from genre_map.augmentation import varied
from genre_map.model import GenreClassifier
from genre_map.pictures import LAYOUTS, Layout, LayoutName, peaked, to_windows
from genre_map.songs import SongSet
from genre_map.splits import Fold
from groove_core.actions import each
from groove_core.learning.before import Shard, cosine, fit, launch, rounded
from groove_core.storage import Cache

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = [
    "Pictures", "Settings", "classify_songs", "cut", "digest", "read_pictures", "train_classifier",
]  # fmt: skip

VARY = 14
"""Which of the random numbers of a window says whether it is varied."""
SHORT = 1.25
"""Varied windows are cut from so many times their length: they may be played faster."""

Pictures = list[Tensor]
"""One per song [shape=(parts, n_mels, frames), float16]."""


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    network: LayoutName = "ours"
    epochs: int = 20
    windows: int = 6
    """Of each song in an epoch, on average; all genres have as many."""
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    smoothing: float = 0.1
    """Of labels."""
    vary: float = 0.5
    """Share of the windows that are: see `genre_map.augmentation`. For our own network only."""
    precision: Literal["32", "bf16"] = "32"


def read_pictures(songs: SongSet, layout: Layout, cache: Cache | None) -> tuple[SongSet, Pictures]:
    """Picture all songs; what cannot be read is told and left out.

    Returns
    -------
    songs : SongSet
        Those that were read.
    pictures : list of Tensor

    Raises
    ------
    InputError
        If none can be read.
    """
    paths = [song.path for song in songs]
    found = each(
        range(len(paths)),
        lambda index, _: (index, layout.read(paths[index], cache=cache)),
        "looking at songs",
        files=paths,
    )
    kept, pictures = zip(*found, strict=True)
    return songs.only(kept), list(pictures)


def cut(picture: Tensor, at: float, frames: int) -> Tensor:
    """Cut frames out of a song's picture, `at` 0 from its start to 1 from its end.

    A picture that is too short is continued by its last frame.
    """
    start = int(at * max(1, picture.shape[-1] - frames + 1))
    part = picture[..., start : start + frames].float()
    return F.pad(part, (0, frames - part.shape[-1]), mode="replicate")


def digest(pictures: Pictures, labels: Tensor) -> str:
    """Hash what is learnt from: a resumed training must have the same."""
    content = hashlib.sha256(labels.numpy().tobytes())
    for picture in pictures:
        content.update(picture.numpy().tobytes())
    return content.hexdigest()


class GenreTask:
    """How a classifier learns from windows drawn from songs."""

    def __init__(
        self,
        settings: Settings,
        genres: Sequence[str],
        pictures: Pictures,
        labels: Tensor,
        seed: int,
    ) -> None:
        self.settings, self.pictures, self.labels = settings, pictures, labels
        # The one place where global state is touched: layers are initialised from it.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = GenreClassifier(genres, settings.network)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.layout = self.model.layout
        self.modules: dict[str, torch.nn.Module] = {"classifier": self.model}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "classifier": torch.optim.AdamW(
                self.model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
            )
        }
        self.config: dict[str, Any] = {**asdict(settings), "pictures": digest(pictures, labels)}

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Draw songs, all genres as often: numbers of songs, batch by batch."""
        genres = int(self.labels.max()) + 1
        each = max(1, self.settings.windows * len(self.labels) // genres)
        chosen = []
        for genre in range(genres):
            mine = torch.nonzero(self.labels == genre).flatten()
            rounds = -(-each // len(mine))
            order = [mine[torch.randperm(len(mine), generator=generator)] for _ in range(rounds)]
            chosen.append(torch.cat(order)[:each])
        drawn = torch.cat(chosen)
        drawn = drawn[torch.randperm(len(drawn), generator=generator)]
        size = min(self.settings.batch_size, len(drawn))
        return [chunk for chunk in drawn.split(size) if len(chunk) == size]

    def step(self, fabric: Fabric, batch: Tensor, shard: Shard, done: float) -> dict[str, Tensor]:
        """Learn from one batch."""
        settings, classifier = self.settings, self.modules["classifier"]
        optimizer = self.optimizers["classifier"]
        rise = min(1.0, 50 * done)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rise * cosine(done)
        draw = shard.rand(len(batch), 16)
        room = shard.rand(len(batch), 4)
        labels = shard(self.labels[batch])
        windows = self._windows(shard(batch).tolist(), draw, room)
        with (
            torch.random.fork_rng(devices=[]),  # dropout draws from global state
            torch.autocast(fabric.device.type, torch.bfloat16, settings.precision == "bf16"),
        ):
            torch.manual_seed(int(torch.randint(2**31, (), generator=shard.generator)))
            logits = classifier(windows.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=settings.smoothing)
        optimizer.zero_grad()
        fabric.backward(loss)
        optimizer.step()
        right = (logits.argmax(dim=1) == labels).float().mean()
        return {"cross_entropy": loss, "accuracy": right}

    def _windows(self, songs: list[int], draw: Tensor, room: Tensor) -> Tensor:
        frames = self.layout.frames
        share = self.settings.vary if self.layout == LAYOUTS["ours"] else 0.0
        wide = int(SHORT * frames) + 1 if share else frames
        places = zip(songs, draw[:, -1].tolist(), strict=True)
        windows = torch.stack([cut(self.pictures[song], at, wide) for song, at in places])
        windows = windows.to(draw.device)
        if share:
            # What is as it was is learnt sooner; what is not carries over to other recordings.
            chosen = draw[:, VARY] >= 1 - share
            windows, long = windows[..., :frames].clone(), windows[chosen]
            windows[chosen] = varied(long, frames, draw[chosen], room[chosen])
            return windows
        return peaked(windows) if self.layout.scale == "peak" else windows


def classify_songs(
    model: GenreClassifier, pictures: Sequence[Tensor], *, precision: str = "32"
) -> list[Tensor]:
    """Give the logits of the windows of songs, on the CPU.

    Returns
    -------
    list of Tensor [shape=(windows, genres), float32]
    """
    device = model.temperature.device
    with torch.autocast(device.type, torch.bfloat16, precision == "bf16"):
        return [
            model.listen(to_windows(picture.to(device).float(), model.layout)).float().cpu()
            for picture in pictures
        ]


def calibrate(model: GenreClassifier, logits: Sequence[Tensor], labels: Sequence[int]) -> None:
    """Choose the temperature at which the windows of songs not learnt from are least surprising."""
    if not logits:
        return
    together = torch.cat(list(logits))
    wanted = torch.cat([torch.full((len(a),), b) for a, b in zip(logits, labels, strict=True)])
    temperatures = torch.logspace(-0.7, 0.9, 81)
    losses = [float(F.cross_entropy(together / t, wanted)) for t in temperatures]
    best = float(temperatures[int(torch.tensor(losses).argmin())])
    # Stored in 16 bits, as the rest.
    model.temperature.fill_(torch.tensor(best).half().float())


def train_classifier(
    songs: SongSet,
    pictures: Pictures,
    fold: Fold,
    settings: Settings,
    *,
    folder: Path | None = None,
    seed: int,
    device: str,
    devices: int = 1,
    strategy: str = "auto",
    resume: bool = False,
    restart: bool = False,
) -> tuple[GenreClassifier, list[dict[str, float]]]:
    """Train on the songs of a fold and calibrate on those kept for validation.

    Parameters
    ----------
    folder : Path, optional
        For the state of the training; none is kept when left out.

    Returns
    -------
    model : GenreClassifier
        On the CPU, in the precision it is stored in.
    history : list of dict
        Mean losses of each epoch.
    """
    labels = songs.labels
    fabric = launch(device, devices, strategy)
    seed = fabric.broadcast(seed)
    chosen = torch.tensor([labels[i] for i in fold.train])
    task = GenreTask(settings, songs.genres, [pictures[i] for i in fold.train], chosen, seed)
    with tempfile.TemporaryDirectory() as scratch:
        history = fit(
            fabric, task, epochs=settings.epochs, folder=folder or Path(scratch), seed=seed,
            resume=resume, restart=restart,
        )  # fmt: skip
    model = rounded(task.model)
    logits = classify_songs(model, [pictures[i] for i in fold.validation])
    calibrate(model, logits, [labels[i] for i in fold.validation])
    return model, history
