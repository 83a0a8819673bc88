"""What the cards of trained models say of their making."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import torch

from groove_vae.__about__ import __version__
from groove_vae.performances import Performance, card_of_split

__all__ = ["card"]


def card(
    settings: dict[str, Any],
    performances: Sequence[Performance],
    watch: dict[str, Any],
    *,
    name: str,
    seed: int,
    data: str | None,
    intended_use: str,
    limits: str,
    paper: str,
) -> dict[str, Any]:
    """Fill what a card says of a training; its metrics come from an evaluation.

    Parameters
    ----------
    watch : dict
        What `collapse` found.
    data : str, optional
        Where the performances came from; None for the shipped ones.
    """
    counts = Counter(one.split for one in performances)
    return {
        "name": name,
        "version": "1",
        "package": "groove-vae",
        "data": {
            "name": data or "groove-midi",
            "license": "unknown: your own data" if data else "CC-BY-4.0",
            "split": "by performance, the official one" if data is None else "by performance",
            **counts,
            "learnt": card_of_split(performances),
        },
        "training": settings,
        "posterior": watch,
        "seed": seed,
        "made_with": {
            "groove-vae": __version__,
            "groove-core": metadata.version("groove-core"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "license": "yours to choose" if data else "MIT",
        "intended_use": intended_use,
        "limits": limits,
        "paper": paper,
    }
