"""What the cards of trained models say of their making."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib import metadata
from typing import Any

import torch

from genre_map.__about__ import __version__
from genre_map.gan_training import GANSettings
from genre_map.songs import SongSet
from genre_map.splits import Fold, learnt
from genre_map.training import Settings

__all__ = ["classifier_card", "generator_card"]

RENDERED = (
    "Learnt from rendered music only, in which nothing but the groove depends on the genre: what "
    "it says of recordings is a guess by rhythm and texture, and often wrong."
)
NAMES = {"gtzan": "GTZAN", "fma": "FMA", "corpus": "rendered corpus"}
LICENSES = {"gtzan": "unknown: see GTZAN", "fma": "CC, by track: see FMA", "corpus": "MIT"}


def classifier_card(
    settings: Settings, songs: SongSet, fold: Fold, *, name: str, seed: int
) -> dict[str, Any]:
    """Fill what a card says of a classifier; its metrics come from an evaluation."""
    return {
        **_common(songs, fold, name, seed),
        "training": asdict(settings),
        "intended_use": "Telling the genre of songs by windows of three seconds; research.",
        "limits": RENDERED if songs.kind == "corpus" else "Genres as the training songs have them.",
        "paper": "arXiv:1802.09697; Zhang et al., Interspeech 2016",
    }


def generator_card(
    settings: GANSettings,
    songs: SongSet,
    fold: Fold,
    classifier: dict[str, Any],
    *,
    name: str,
    seed: int,
) -> dict[str, Any]:
    """Fill what a card says of a generator."""
    return {
        **_common(songs, fold, name, seed, classifier),
        "training": asdict(settings),
        "classifier": {key: classifier[key] for key in ("name", "version", "sha256")},
        "intended_use": "Maps of genres; sketches of spectrograms to look at and listen to.",
        "limits": "Three seconds; without phase, which Griffin-Lim guesses: it sounds veiled. The "
        "genres are the classifier's.",
        "paper": "arXiv:1704.00028; arXiv:1808.06670",
    }


def _common(
    songs: SongSet, fold: Fold, name: str, seed: int, start: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "version": "1",
        "package": "genre-map",
        "data": {
            "name": NAMES.get(songs.kind, "own songs"),
            "license": LICENSES.get(songs.kind, "unknown: your own data"),
            "split": "by song",
            "songs": songs.counts(),
            "train": len(fold.train),
            "validation": len(fold.validation),
            "test": len(fold.test),
            "learnt": learnt(songs, fold, start),
        },
        "seed": seed,
        "made_with": {
            "genre-map": __version__,
            "groove-core": metadata.version("groove-core"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "license": "MIT" if songs.kind == "corpus" else "yours to choose",
    }
