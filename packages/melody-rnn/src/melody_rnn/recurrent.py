"""Two layers of LSTM over events, as magenta's basic and lookback networks have them.

    h_t = LSTM_2(LSTM_1(x_t)),  p(y_t | y_1 ... y_{t-1}) = softmax(W h_t + b)

Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997. What is told of each step, x, and the
labels y are those of `melody_rnn.encodings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from groove_core.learning import Dropout
from melody_rnn.encodings import LOOKBACK, Encoding, LookbackEncoding, OneHot
from melody_rnn.lines import CLASSES, HOLD

__all__ = ["Basic", "Lookback", "Recurrent", "bars_ago", "event_chances"]


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
        initialise(self)

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


def initialise(network: nn.Module) -> None:
    """Begin as the originals did: without biases, but cells that forget nothing.

    With torch's own first weights the networks stay at the frequencies of events for an epoch.
    """
    for module in network.modules():
        if not isinstance(module, (nn.LSTM, nn.LSTMCell, nn.Linear)):
            continue
        for name, values in module.named_parameters():
            if values.dim() > 1:
                nn.init.xavier_uniform_(values)
                continue
            nn.init.zeros_(values)
            if name.startswith("bias_ih"):  # in, forget, cell and out gate
                nn.init.ones_(values.detach().chunk(4)[1])


class Basic(Recurrent):
    """Told the last event, nothing else."""

    encoding = OneHot


class Lookback(Recurrent):
    """Told what happened one and two bars ago, and able to say "as then"."""

    encoding = LookbackEncoding


def event_chances(labels: Tensor, ago: Sequence[Tensor]) -> Tensor:
    """Return the chances of events: those of repetitions are added to what they repeat.

    Parameters
    ----------
    labels : Tensor [shape=(..., 38 or 40)]
        Chances of labels.
    ago : int tensors [each shape=(...)]
        The events one and two bars ago, or silence.

    Returns
    -------
    Tensor [shape=(..., 38)]
    """
    chances = labels[..., :CLASSES].clone()
    for number in range(labels.shape[-1] - CLASSES):
        chances.scatter_add_(-1, ago[number][..., None], labels[..., CLASSES + number, None])
    return chances


def bars_ago(events: Tensor) -> list[Tensor]:
    """Return the events one and two bars before each step of melodies [each shape=(n, steps)]."""
    steps = events.shape[1]
    return [F.pad(events, (back, 0), value=HOLD)[:, :steps] for back in LOOKBACK]
