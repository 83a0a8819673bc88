"""What `evaluate` measures: the networks, on the tunes that none of them has learnt."""

from __future__ import annotations

from typing import Any

from groove_core.tunes import TuneSet
from groove_core.values import Report
from melody_rnn.evaluation import compared, filled
from melody_rnn.lessons import Lesson
from melody_rnn.loading import NETWORKS, load, load_transformer
from melody_rnn.places import placed
from melody_rnn.samples import harmony, sampled

__all__ = ["report"]


def report(
    about: str, tunes: TuneSet, checkpoint: str | None, *, count: int, seed: int, device: str
) -> Report:
    """Measure the packaged networks, or one that was trained.

    Parameters
    ----------
    about : ``bits``, ``places``, ``melodies``, ``fill`` or ``chords``
    tunes : TuneSet
        Divided anew by what the networks have learnt.
    checkpoint : str, optional
        Default: the packaged networks.
    count : int
        Melodies that are written.

    Raises
    ------
    InputError
        If the networks learnt from all of the tunes, or there is nothing to measure on.
    UsageError
        If ``fill`` or ``chords`` is asked of a network that is not a Transformer.
    """
    loaded: dict[str, tuple[Any, dict[str, Any]]]
    if about in ("fill", "chords"):
        loaded = {"transformer": load_transformer(checkpoint, device)}
        if about == "fill" and checkpoint is None:
            loaded["attention"] = load("attention", None, device)
    elif checkpoint is None:
        loaded = {name: load(name, None, device) for name in reversed(NETWORKS)}
    else:
        network, card = load("transformer", checkpoint, device)
        loaded = {card["name"]: (network, card)}
    networks = {name: network for name, (network, _) in loaded.items()}
    lesson = Lesson(tunes.as_learnt([card for _, card in loaded.values()]), "basic")
    if about == "fill":
        return filled(networks["transformer"], networks.get("attention"), lesson)
    if about == "chords":
        return harmony(networks["transformer"], lesson, seed=seed)
    if about == "bits":
        return compared(networks, lesson)
    if about == "places":
        return placed(networks, lesson)
    return sampled(networks, lesson, count=count, seed=seed)
