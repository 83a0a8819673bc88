"""Training the melody network; the network itself is in `drum_space.melodies.model`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from drum_space.melodies.lines import BASS, NO_BASS, Piece
from drum_space.melodies.model import PHRASE, Conditions, DrumMelody
from drum_space.model import DrumAutoencoder
from groove_core.drums import STEPS_PER_BAR
from groove_core.errors import InputError
from groove_core.learning import Run, Shard, cosine, fit, launch, rounded

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["CROP_BARS", "Crops", "Settings", "codes_of", "crops_of", "train_network"]

CROP_BARS = 8
CROP = CROP_BARS * STEPS_PER_BAR
_CUT = ("line", "drums", "bass", "instrument", "mode", "piece")


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a training, beside the data and the seed."""

    hidden: int = 128
    layers: int = 2
    around: int = 5
    columns: int = 24
    dropout: float = 0.5
    epochs: int = 5
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    hide_drums: float = 0.2
    """Share of lines that are learnt without a beat, so that there is one to compare with."""
    hide_bass: float = 0.5
    blur_codes: float = 1.0
    """Noise on codes, in their deviations: an exact code would give the piece away."""
    lose_drum: float = 0.2
    """Chance of each drum to be missing from a beat: no kit is the only one to follow."""


@dataclass(frozen=True)
class Crops:
    """Eight bars of a line each, and what is played below it.

    ``line`` and ``bass`` are int8 tensors [shape=(n, 128)], ``drums`` bool
    [shape=(n, 128, 14)], ``codes`` float [shape=(n, 4, latent)], one for every two bars;
    ``instrument``, ``mode`` and ``piece`` int tensors [shape=(n,)].
    """

    line: Tensor
    drums: Tensor
    codes: Tensor
    bass: Tensor
    instrument: Tensor
    mode: Tensor
    piece: Tensor

    def __len__(self) -> int:
        return len(self.line)

    def each(self, change: Callable[[Tensor], Tensor]) -> Crops:
        """Give them with every field changed."""
        return Crops(**{field.name: change(getattr(self, field.name)) for field in fields(self)})

    def pick(self, index: Tensor) -> Crops:
        """Give some of them."""
        return self.each(lambda field: field[index])

    def on(self, heard: Tensor, *, beats_of: Crops | None = None) -> Conditions:
        """Give what the lines are played on: their own beats, or those of other crops."""
        beat = beats_of or self
        return Conditions(
            beat.drums.float(),
            beat.codes.repeat_interleave(PHRASE, dim=1),
            self.bass.long(),
            self.instrument,
            self.mode,
            heard,
        )


def codes_of(space: DrumAutoencoder, drums: Tensor) -> Tensor:
    """Encode every two bars of beats [shape=(n, steps, 14)] to [shape=(n, steps / 32, latent)]."""
    pairs = drums.unflatten(1, (-1, PHRASE))
    with torch.no_grad():
        codes: Tensor = space.encode(pairs.flatten(0, 1)).unflatten(0, pairs.shape[:2])
    return codes


def crops_of(
    pieces: Sequence[Piece], space: DrumAutoencoder, *, hop_bars: int = 1, onsets: int = 8
) -> Crops:
    """Cut lines into crops of eight bars that have both notes and a beat.

    Raises
    ------
    InputError
        If there are none.
    """
    found: dict[str, list[Any]] = {name: [] for name in _CUT}
    for number, piece in enumerate(pieces):
        steps = len(piece.drums)
        for start in range(0, steps - CROP + 1, hop_bars * STEPS_PER_BAR):
            at = slice(start, start + CROP)
            if not piece.drums[at].any():
                continue
            kinds = piece.instruments.tolist()
            for kind, line in zip(kinds, piece.lines[:, at], strict=True):
                if (line >= 0).sum() < onsets:
                    continue
                bass = np.full(CROP, NO_BASS, np.int8) if kind == BASS else piece.bass[at]
                cut = (line, piece.drums[at], bass, kind, piece.mode, number)
                for name, value in zip(_CUT, cut, strict=True):
                    found[name].append(value)
    if not found["line"]:
        raise InputError(
            "No line has eight bars of 4/4 with notes and drums.",
            hint="Give more MIDI files with drums and other instruments.",
        )
    tensors = {name: torch.from_numpy(np.array(values)) for name, values in found.items()}
    return Crops(codes=codes_of(space, tensors["drums"]), **tensors)


class MelodyTask:
    """The network and how it learns from a batch of crops."""

    def __init__(self, settings: Settings, crops: Crops, latent: int, seed: int) -> None:
        self.settings, self.crops = settings, crops
        # The one place where global state is touched: layers are initialised from it.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = DrumMelody(
                latent=latent,
                hidden=settings.hidden,
                layers=settings.layers,
                around=settings.around,
                columns=settings.columns,
                dropout=settings.dropout,
            )
        codes = crops.codes.flatten(0, 1)
        self.model.code_mean.copy_(codes.mean(dim=0))
        self.model.code_spread.copy_(codes.std(dim=0).clamp(min=1e-3))
        self.modules: dict[str, torch.nn.Module] = {"melody": self.model}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "melody": torch.optim.AdamW(
                self.model.parameters(),
                lr=settings.learning_rate,
                weight_decay=settings.weight_decay,
            )
        }
        self.config: dict[str, Any] = {**asdict(settings), "crops": len(crops)}

    def batches(self, generator: torch.Generator) -> Sequence[Tensor]:
        """Shuffle the crops into whole batches."""
        order = torch.randperm(len(self.crops), generator=generator)
        size = min(self.settings.batch_size, len(order))
        return [chunk for chunk in order.split(size) if len(chunk) == size]

    def step(self, fabric: Fabric, batch: Tensor, shard: Shard, done: float) -> dict[str, Tensor]:
        """Learn from one batch."""
        settings = self.settings
        chosen = self.crops.pick(batch).each(shard)
        n = len(batch)
        heard = (shard.rand(n) >= settings.hide_drums).float()
        hidden = shard.rand(n) < settings.hide_bass
        kept = shard.rand(n, 1, chosen.drums.shape[2]) >= settings.lose_drum
        noise = shard.randn(n, *chosen.codes.shape[1:]) * self.model.code_spread
        on = replace(
            chosen,
            bass=torch.where(hidden[:, None], NO_BASS, chosen.bass),
            drums=chosen.drums & kept,
            codes=chosen.codes + settings.blur_codes * noise,
        ).on(heard)
        optimizer = self.optimizers["melody"]
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * cosine(done)
        with torch.random.fork_rng(devices=[]):  # dropout draws from global state
            torch.manual_seed(int(torch.randint(2**31, (), generator=shard.generator)))
            loss = self.modules["melody"](chosen.line, on).mean()
        optimizer.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(self.modules["melody"], optimizer, max_norm=1.0)
        optimizer.step()
        return {"nll": loss}


def train_network(
    pieces: Sequence[Piece], space: DrumAutoencoder, settings: Settings, run: Run
) -> tuple[DrumMelody, list[dict[str, float]]]:
    """Train on pieces; give the network, on the CPU and rounded as it is stored, and its losses."""
    crops = crops_of(pieces, space)
    fabric = launch(run.device, run.devices, run.strategy)
    task = MelodyTask(settings, crops, space.latent, fabric.broadcast(run.seed))
    history = fit(
        fabric, task, epochs=settings.epochs, folder=run.folder, seed=run.seed,
        resume=run.resume, restart=run.restart,
    )  # fmt: skip
    return rounded(task.model), history
