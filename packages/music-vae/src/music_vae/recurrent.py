"""First weights of recurrent layers: so that a training begins with states that say something.

With torch's first weights an LSTM forgets half of its state at each step and hardly hears a note:
all pieces of 32 steps end in about the same state, and a code that is read from it says nothing for
thousands of steps. Here the forget gate is open, a note is heard, and a state is turned rather than
shrunk (R. Jozefowicz, W. Zaremba and I. Sutskever, "An Empirical Exploration of
Recurrent Network Architectures", 2015; A. M. Saxe et al., 1312.6120).
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["set_first_weights"]

ONE_HOT = 0.3
"""Deviation of the weights of features of an event, of which one or a few are 1."""
FORGET = 1.0
"""Bias of the forget gate of an LSTM."""


@torch.no_grad()
def set_first_weights(layers: nn.RNNBase, features: int = 0) -> None:
    """Draw the first weights of recurrent layers anew, from the global generator.

    Parameters
    ----------
    layers : LSTM or GRU
    features : int
        How many of its first inputs are features of an event; the others are dense.
    """
    size = layers.hidden_size
    for name, weight in layers.named_parameters():
        if "bias" in name:
            nn.init.zeros_(weight)
            if isinstance(layers, nn.LSTM) and name.startswith("bias_ih"):
                weight[size : 2 * size] = FORGET
        elif name.startswith("weight_hh"):
            for gate in weight.split(size):
                nn.init.orthogonal_(gate)
        else:
            first = features if name.startswith("weight_ih_l0") else 0
            dense = weight.shape[1] - first
            nn.init.normal_(weight[:, :first], std=ONE_HOT)
            nn.init.normal_(weight[:, first:], std=max(dense, 1) ** -0.5)
