"""Load a network for melodies."""

from __future__ import annotations

from typing import Any

from groove_core.errors import UsageError
from groove_core.storage import checkpoints
from melody_rnn.attention import Attention
from melody_rnn.recurrent import Basic, Lookback, Recurrent
from melody_rnn.transformer import Transformer

__all__ = ["NETWORKS", "PACKAGE", "load", "load_transformer"]

PACKAGE = "melody-rnn"
NETWORKS: dict[str, type[Recurrent | Transformer]] = {
    "transformer": Transformer, "attention": Attention, "lookback": Lookback, "basic": Basic,
}  # fmt: skip


def load(
    model: str, checkpoint: str | None, device: str
) -> tuple[Recurrent | Transformer, dict[str, Any]]:
    """Load a network, packaged or trained, and its card.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, or of another kind.
    """
    if checkpoint is None:
        return checkpoints.load(PACKAGE, model, NETWORKS[model], device=device)
    address = checkpoints.verify(checkpoints.find(PACKAGE, checkpoint).path)["model"]
    kind = next((k for k in NETWORKS.values() if address == f"{k.__module__}:{k.__qualname__}"),
                NETWORKS[model])  # fmt: skip
    return checkpoints.load(PACKAGE, checkpoint, kind, device=device)


def load_transformer(checkpoint: str | None, device: str) -> tuple[Transformer, dict[str, Any]]:
    """Load a Transformer, packaged or trained, and its card.

    Raises
    ------
    UsageError
        If the checkpoint is of an original network.
    """
    model, card = load("transformer", checkpoint, device)
    if not isinstance(model, Transformer):
        raise UsageError(
            f"{card['name']} is not a Transformer, which alone reads both sides of a gap.",
            hint="Leave --checkpoint out, or give another one.",
        )
    return model, card
