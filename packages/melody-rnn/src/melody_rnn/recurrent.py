"""Two layers of LSTM over events, as magenta's basic and lookback networks have them.

    h_t = LSTM_2(LSTM_1(x_t)),  p(y_t | y_1 ... y_{t-1}) = softmax(W h_t + b)

Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997. What is told of each step, x, and the
labels y are those of `melody_rnn.encodings`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groove_core.learning import Dropout
from melody_rnn.encodings import LOOKBACK, Encoding, LookbackEncoding, OneHot
from melody_rnn.lines import CLASSES, HOLD

__all__ = ["Basic", "Lookback", "Recurrent"]


class Recurrent(nn.Module):
    """A recurrent network that predicts the label of the next event.

    Parameters
    ----------
    hidden : int
        Of each of the two layers.
    dropout : float
        Behind each layer.
    """

    encoding: ClassVar[type[Encoding]]

    def __init__(self, *, hidden: int = 128, dropout: float = 0.5) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"hidden": hidden, "dropout": dropout}
        self.first = self.first_layer(hidden)
        self.second = nn.LSTM(hidden, hidden, batch_first=True)
        self.drop = Dropout(dropout)
        self.out = nn.Linear(hidden, self.encoding.labels)

    def first_layer(self, hidden: int) -> nn.Module:
        """Make the first layer."""
        return nn.LSTM(self.encoding.size, hidden, batch_first=True)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return logits of labels, and the state behind the last step.

        Parameters
        ----------
        x : Tensor [shape=(n, steps, size)]
        """
        one, two = state or (None, None)
        h, one = self.first(x, one)
        h, two = self.second(self.drop(h), two)
        return self.out(self.drop(h)), (one, two)


class Basic(Recurrent):
    """Told the last event, nothing else."""

    encoding = OneHot


class Lookback(Recurrent):
    """Told what happened one and two bars ago, and able to say "as then"."""

    encoding = LookbackEncoding


def event_chances(encoding: type[Encoding], logits: Tensor, events: Tensor) -> Tensor:
    """Turn logits of labels into chances of events: repetitions are added to what they repeat.

    Parameters
    ----------
    logits : Tensor [shape=(n, steps, labels)]
    events : int tensor [shape=(n, steps)]
        The melodies, of which earlier steps are repeated.

    Returns
    -------
    Tensor [shape=(n, steps, 38)]
    """
    chances = logits.softmax(dim=-1)
    found = chances[..., :CLASSES].clone()
    if encoding.labels > CLASSES:
        for number, back in enumerate(LOOKBACK):
            ago = F.pad(events, (back, 0), value=HOLD)[:, : events.shape[1]]
            found.scatter_add_(-1, ago[..., None], chances[..., CLASSES + number, None])
    return found
