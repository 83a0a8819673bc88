"""Adapting a network to a few songs: which of them are held out, and which weights are kept.

A fifth of the songs is held out. It says when to stop: the weights that know it best are kept.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from groove_core.errors import InputError
from groove_core.learning.splits import PARTS, Split, hashed, parts_to_learn

__all__ = ["Best", "adapted_split", "parts_to_adapt"]

FEWEST = 3
"""Different songs that are needed."""


def adapted_split(by: str) -> Split:
    """Return how few songs are divided: what is held out also chooses the weights."""
    return Split(by, shares=(0.8, 0.2, 0.0))


def parts_to_adapt(
    card: Mapping[str, Any], groups: Sequence[str], *, by: str = "song"
) -> dict[str, npt.NDArray[np.int64]]:
    """Divide songs for an adaptation: exactly a fifth of the groups is held out.

    Of ten songs, a throw of the dice for each would often hold out none. What the checkpoint knows
    stays on its side.

    Parameters
    ----------
    card : dict
        As `groove_core.storage.checkpoints.load` returns it.
    groups : sequence of str
        Name of the group of each song.
    by : str
        What messages call a group.

    Returns
    -------
    dict of str to int array
        Songs to learn from (``train``) and those that are held out (``validation``), ascending;
        ``test`` is empty.

    Raises
    ------
    InputError
        If there are fewer than three groups, or the checkpoint has learnt from all of them.

    Examples
    --------
    >>> found = parts_to_adapt({"name": "mine", "data": {}}, [f"song {i}" for i in range(10)])
    >>> found["train"].tolist(), found["validation"].tolist()
    ([0, 1, 3, 4, 6, 7, 8, 9], [2, 5])
    """
    different = sorted(set(groups), key=hashed)
    if len(different) < FEWEST:
        raise InputError(
            f"Only {len(different)} different {by}s are usable; {FEWEST} are needed, one of them "
            "to see when to stop.",
            hint="Give more songs; ten are a good beginning.",
        )
    kept_back = set(different[: max(1, round(adapted_split(by).shares[1] * len(different)))])
    held_out = np.array([group in kept_back for group in groups])
    sides = np.flatnonzero(~held_out), np.flatnonzero(held_out), np.zeros(0, np.int64)
    parts = parts_to_learn(card, groups, dict(zip(PARTS, sides, strict=True)))
    if not len(parts["validation"]):
        raise InputError(
            f"{card['name']} has learnt from all of these {by}s: none is left to see when to stop.",
            hint="Give more songs, or leave --checkpoint out.",
        )
    return parts


class Best(nn.Module):
    """The weights that know the held-out songs best so far, as a module to keep with a training.

    Parameters
    ----------
    model : Module
        To begin with.
    bits : float
        Of the held-out songs; less is better.
    """

    bits: Tensor
    waited: Tensor

    def __init__(self, model: nn.Module, bits: float) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.register_buffer("bits", torch.tensor([bits, bits]))  # before, and best
        self.register_buffer("waited", torch.tensor(0))

    def take(self, model: nn.Module, bits: float) -> None:
        """Keep weights if they are better, or count one more that was not."""
        self.waited += 1
        now = self.bits.new_tensor(bits)  # as rounded as the best, or equal ones would be better
        if now < self.bits[1]:
            self.model.load_state_dict(model.state_dict())
            self.bits[1] = now
            self.waited.zero_()
