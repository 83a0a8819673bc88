"""The attention network: a window over the last 40 outputs of the first layer.

Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate"
(1409.0473), as the cell of Cheng, Dong and Lapata (1601.06733). With the outputs o of the last
n = 40 steps, and the LSTM's state s_t = (c_t, h_t):

    u_l = v^T tanh(W1 o_l + W2 s_t),   a = softmax(u),   d_t = sum_l a_l o_l
    x'_t = A [x_t, d_{t-1}],           o_t = B [h_t, d_t]
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from melody_rnn.encodings import KeyEncoding
from melody_rnn.recurrent import Recurrent

__all__ = ["Attention", "AttentionCell"]

LENGTH = 40


class AttentionCell(nn.Module):
    """An LSTM that looks back at its own last outputs.

    Parameters
    ----------
    size : int
        Numbers of a step.
    hidden : int
    length : int
        Steps that it looks back.
    """

    def __init__(self, size: int, hidden: int, length: int = LENGTH) -> None:
        super().__init__()
        self.hidden, self.length = hidden, length
        self.take_in = nn.Linear(size + hidden, size)
        self.cell = nn.LSTMCell(size, hidden)
        self.key = nn.Linear(hidden, hidden, bias=False)
        self.query = nn.Linear(2 * hidden, hidden)
        self.v = nn.Parameter(torch.empty(hidden).uniform_(-(hidden**-0.5), hidden**-0.5))
        self.give = nn.Linear(2 * hidden, hidden)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return the outputs of all steps [shape=(n, steps, hidden)] and the state.

        The state is that of the LSTM, d, and the last outputs with W1 times each.
        """
        n, steps, _ = x.shape
        if state is None:
            zero = x.new_zeros(n, self.hidden)
            state = ((zero, zero), zero, [zero] * self.length, [zero] * self.length)
        (h, c), d, memory, keys = state
        memory, keys = list(memory), list(keys)
        outputs = []
        for t in range(steps):
            h, c = self.cell(self.take_in(torch.cat([x[:, t], d], dim=-1)), (h, c))
            query = self.query(torch.cat([c, h], dim=-1))
            u = torch.tanh(torch.stack(keys, dim=1) + query[:, None]) @ self.v
            d = (u.softmax(dim=-1)[:, None] @ torch.stack(memory, dim=1))[:, 0]
            o = self.give(torch.cat([h, d], dim=-1))
            memory, keys = [*memory[1:], o], [*keys[1:], self.key(o)]
            outputs.append(o)
        return torch.stack(outputs, dim=1), ((h, c), d, memory, keys)


class Attention(Recurrent):
    """Told what sounds, how it moves and which keys are possible; its first layer looks back."""

    encoding = KeyEncoding

    def first_layer(self, hidden: int) -> nn.Module:
        return AttentionCell(self.encoding.size, hidden)
