"""The network of the source: it convolves along time only, and an LSTM reads what it heard.

From slides of the Shibaura Institute of Technology ("learning the acoustic features a user
values"), which build on van den Oord, Dieleman and Schrauwen, "Deep content-based music
recommendation" (NIPS 2013). Rows (coefficients, bands) are never pooled, so that where in the
spectrum something happens is kept. The source's filters hear one row at a time; those of van den
Oord et al. hear the whole spectrum.

Nothing is padded: what is computed of a window depends on that window alone, so that a song is
convolved once and the windows are cut out of the result, exactly equal to computing each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from music_recsys.features import STEP, WINDOW, Columns, Kind, windows_of

__all__ = ["FIELDS", "LAYERS", "STRIDES", "PassageNet", "Reader", "Space", "Span"]

Reader = Literal["lstm", "flatten", "pool"]
Span = Literal["row", "spectrum"]
Space = Literal["components", "pieces"]
POOLS = (2, 5)
"""Together 10 columns, 0.2 s: a second is a whole number of steps."""
LAYERS, ENDS = 3, (4, 8, 11)
"""Convolutions, and where in the trunk each ends."""
STRIDES, FIELDS = (2, 10, 10), (4, 16, 36)
"""Columns from one step of a layer to the next, and columns that a step hears."""
AT_ONCE = 256
"""Windows that are read together."""


class PassageNet(nn.Module):
    """Windows of eight seconds to features, and to a score or a place.

    Parameters
    ----------
    kind : {"mfcc", "log-mel"}
        What it sees: see `Columns`.
    reader : {"lstm", "flatten", "pool"}
        What reads the steps of a window: an LSTM (its last state and its mean state); nothing,
        as in the source's CNN without LSTM, whose weights know the place of every step; or mean
        and maximum, which know no order at all.
    channels : sequence of int
        Feature maps of the three convolutions.
    width : int
        Of a step, and of the LSTM.
    outputs : int
        1 for a score; more for a front end, in whose space tastes are directions.
    summary : bool
        Whether the outputs see mean and deviation of each row, too: what lasts, beside what
        happens in time.
    span : {"row", "spectrum"}
        What the filters hear at once: one row, the same filters for all of them, as in the
        source; or the whole spectrum, as in van den Oord et al.
    space : {"components", "pieces"}
        What the outputs of a front end are: principal components, or the directions that tell
        pieces apart. See `music_recsys.training.whitened`.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        kind: Kind = "mfcc",
        reader: Reader = "lstm",
        channels: tuple[int, int, int] = (16, 32, 32),
        width: int = 64,
        outputs: int = 1,
        summary: bool = False,
        span: Span = "row",
        space: Space = "components",
    ) -> None:
        super().__init__()
        self.kind, self.reader, self.outputs, self.summary = kind, reader, outputs, summary
        self.channels, self.width, self.span = tuple(channels), width, span
        self.space = space
        self.columns = Columns(kind)
        rows = self.columns.rows
        first, second, third = channels
        heard, left = (1, rows) if span == "row" else (rows, 1)
        self.trunk = nn.Sequential(
            # Maxima are taken first, which leaves less to normalise and rectify.
            nn.Conv2d(1, first, (heard, 3)), nn.MaxPool2d((1, POOLS[0])),
            nn.BatchNorm2d(first), nn.ReLU(),
            nn.Conv2d(first, second, (1, 3)), nn.MaxPool2d((1, POOLS[1])),
            nn.BatchNorm2d(second), nn.ReLU(),
            nn.Conv2d(second, third, (1, 3)), nn.BatchNorm2d(third), nn.ReLU(),
        )  # fmt: skip
        # Twice as fast as the usual order.
        self.trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.rows = nn.Sequential(nn.Conv1d(third * left, width, 1), nn.ReLU())
        self.lstm = nn.LSTM(width, width, batch_first=True) if reader == "lstm" else None
        self.steps = _steps(WINDOW)
        self.features = width * (self.steps if reader == "flatten" else 2)
        self.head = nn.Linear(self.features + 2 * rows * summary, outputs)
        self.register_buffer("mean", torch.zeros(rows))
        self.register_buffer("deviation", torch.ones(rows))

    @property
    def config(self) -> dict[str, Any]:
        """What a checkpoint stores to build it again."""
        return {
            "kind": self.kind, "reader": self.reader,
            "channels": list(self.channels), "width": self.width, "outputs": self.outputs,
            "summary": self.summary, "span": self.span, "space": self.space,
        }  # fmt: skip

    def standardise(self, columns: Tensor) -> None:
        """Learn mean and deviation of each row [shape=(rows, frames)], of all that is learnt from.

        Stored in 16 bits, as the rest.
        """
        self.mean.copy_(columns.mean(dim=1).half())
        self.deviation.copy_(columns.std(dim=1).clamp_min(1e-3).half())

    @torch.no_grad()
    def settle(self, batches: Iterable[Tensor]) -> None:
        """Learn the statistics of batches of windows and nothing else: a fair untrained net."""
        self.train()
        for windows in batches:
            self(windows.to(self.mean))
        self.eval()

    def maps(self, columns: Tensor, layer: int = LAYERS) -> Tensor:
        """Return the feature maps of a convolution [shape=(n, channels, rows or 1, steps)].

        Parameters
        ----------
        columns : Tensor [shape=(n, rows, frames)]
        layer : int, 1 to 3
        """
        x = (columns - self.mean[:, None]) / self.deviation[:, None]
        found: Tensor = self.trunk[: ENDS[layer - 1]](x[:, None])
        return found

    def convolve(self, columns: Tensor) -> Tensor:
        """Give steps of 0.2 s [shape=(n, width, steps)] of columns [shape=(n, rows, frames)]."""
        steps: Tensor = self.rows(self.maps(columns).flatten(1, 2))
        return steps

    def read(self, steps: Tensor) -> Tensor:
        """Give features of windows [shape=(n, features)], of steps [shape=(n, width, steps)]."""
        if self.reader == "flatten":
            return steps.flatten(1)
        if self.lstm is None:
            return torch.cat([steps.mean(dim=2), steps.amax(dim=2)], dim=1)
        states, (last, _) = self.lstm(steps.mT)
        return torch.cat([last[0], states.mean(dim=1)], dim=1)

    def _seen(self, features: Tensor, windows: Tensor) -> Tensor:
        """Give all that the outputs see [shape=(n, ...)]."""
        if not self.summary:
            return features
        return torch.cat([features, windows.mean(dim=2), windows.std(dim=2)], dim=1)

    def forward(self, windows: Tensor) -> Tensor:
        """Give the outputs of windows [shape=(n, outputs)], a score before its sigmoid.

        Parameters
        ----------
        windows : Tensor [shape=(n, rows, WINDOW)]
        """
        outputs: Tensor = self.head(self._seen(self.read(self.convolve(windows)), windows))
        return outputs

    @torch.no_grad()
    def seen(self, columns: Tensor) -> Tensor:
        """Give all that the outputs see of a song's windows, which share one convolution.

        Parameters
        ----------
        columns : Tensor [shape=(rows, frames)]

        Returns
        -------
        Tensor [shape=(windows, ...)]
        """
        columns = columns.to(self.mean)
        windows, found = windows_of(columns), []
        for start in range(0, len(windows), AT_ONCE):  # bounds the memory of a song of hours
            some = windows[start : start + AT_ONCE]
            stretch = columns[:, start * STEP : (start + len(some) - 1) * STEP + WINDOW]
            shared = self.convolve(stretch[None])[0]
            cut = shared.unfold(-1, self.steps, STEP // STRIDES[-1]).movedim(1, 0)
            found.append(self._seen(self.read(cut), some))
        return torch.cat(found)

    @torch.no_grad()
    def listen(self, columns: Tensor) -> Tensor:
        """Return the outputs of all windows of a song, one a second, on the CPU.

        Exactly those of `forward`, up to float rounding.

        Parameters
        ----------
        columns : Tensor [shape=(rows, frames)]

        Returns
        -------
        Tensor [shape=(windows, outputs)]
        """
        outputs: Tensor = self.head(self.seen(columns))
        return outputs.cpu()


def _steps(frames: int) -> int:
    """Count the steps of so many columns: each convolution takes two off, each maximum divides."""
    return ((frames - 2) // POOLS[0] - 2) // POOLS[1] - 2
