"""What the cards of trained models say of their making."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from typing import Any

import torch

from gansynth_lite.__about__ import __version__
from gansynth_lite.adapting import AdaptSettings
from gansynth_lite.classifier import ClassifierSettings
from gansynth_lite.notes import Int, Notes, learnt
from gansynth_lite.progressive_training import ProgressiveSettings
from gansynth_lite.training import Settings

__all__ = ["classifier_card", "generator_card"]


def generator_card(
    settings: Settings | ProgressiveSettings | AdaptSettings,
    notes: Notes,
    parts: Mapping[str, Int],
    *,
    name: str,
    seed: int,
    device: str,
) -> dict[str, Any]:
    """Fill what a card says of a generator; its metrics come from an evaluation."""
    return {
        **_common(notes, parts, name, seed, device),
        "training": asdict(settings),
        "intended_use": "Playing and morphing single notes; sketches and research.",
        "limits": "16 kHz: nothing above 8 kHz. Single notes of MIDI pitch "
        f"{notes.pitches.min()} to {notes.pitches.max()} as its training notes have them"
        + (": a soundfont's, not recordings of players." if notes.source == "soundfont" else "."),
        "paper": "arXiv:1902.08710; arXiv:1912.04958",
    }


def classifier_card(
    settings: ClassifierSettings,
    notes: Notes,
    parts: Mapping[str, Int],
    *,
    name: str,
    seed: int,
    device: str,
) -> dict[str, Any]:
    """Fill what a card says of a classifier of notes."""
    return {
        **_common(notes, parts, name, seed, device),
        "training": asdict(settings),
        "intended_use": "Judging generators of notes that learnt from the same notes.",
        "limits": "Families and pitches as the training notes have them.",
        "paper": "arXiv:1902.08710, section 4",
    }


def _common(
    notes: Notes, parts: Mapping[str, Int], name: str, seed: int, device: str
) -> dict[str, Any]:
    return {
        "name": name,
        "version": "1",
        "package": "gansynth-lite",
        "data": {
            "name": notes.name,
            "license": notes.license,
            "split": "by pitch of an instrument, all its velocities together",
            **notes.counts(),
            **{part: len(which) for part, which in parts.items()},
            "learnt": learnt(notes, parts),
        },
        "seed": seed,
        "made_with": {
            "gansynth-lite": __version__,
            "groove-core": metadata.version("groove-core"),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "device": device,
        },
        "license": "yours to choose",
    }
