"""Which instrument plays which track: `1=mine/encode.json,2=strings`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gansynth_lite.encoded import Instruments
from groove_core.errors import UsageError, did_you_mean
from groove_core.storage import read_json
from groove_core.values import Audio, Codes, Score

__all__ = ["EXAMPLE", "cast"]

EXAMPLE = "--instruments 1=mine/encode.json,2=string"


def cast(
    text: str, score: Score, families: Sequence[str]
) -> dict[int, str | Audio | Instruments | Codes]:
    """Read which tracks of a score have which instruments.

    Parameters
    ----------
    text : str
        ``TRACK=INSTRUMENT``, divided by commas: number (from 1) or name of a track, and a family
        (in the singular or plural), an instrument that `encode` wrote, or the sound of a note.
    score : Score
    families : sequence of str
        Those the model knows.

    Returns
    -------
    dict of int to family, Audio, Instruments or Codes
        By the index of the track.

    Raises
    ------
    UsageError
        If there is no such track or family, a track is named twice or is of drums, or something is
        no pair.
    InputError
        If a file is missing or holds no instrument.
    """
    found: dict[int, str | Audio | Instruments | Codes] = {}
    for pair in text.split(","):
        track, equals, instrument = (part.strip() for part in pair.partition("="))
        if not equals or not track or not instrument:
            raise UsageError(f"{pair.strip()!r} is not TRACK=INSTRUMENT.", hint=EXAMPLE)
        index = _track(track, score)
        if index in found:
            raise UsageError(
                f"Track {index + 1} is given two instruments.", hint="Give each track one."
            )
        found[index] = _instrument(instrument, families)
    return found


def _track(text: str, score: Score) -> int:
    names = [one.name.strip() for one in score.tracks]
    lowered = [name.lower() for name in names]
    if lowered.count(text.lower()) > 1:
        raise UsageError(f"Several tracks are called {text}.", hint="Give the track's number.")
    if text.lower() in lowered:
        index = lowered.index(text.lower())
    elif text.isdecimal() and 1 <= int(text) <= len(names):
        index = int(text) - 1
    else:
        listed = ", ".join(f"{i + 1} {name}".strip() for i, name in enumerate(names))
        raise UsageError(
            f"{score.name or 'The score'} has no track {text!r}.",
            hint=did_you_mean(text, [name for name in names if name]) or f"Tracks: {listed}.",
        )
    if score.tracks[index].is_drum:
        raise UsageError(
            f"Track {index + 1} is drums, which the soundfont plays.",
            hint="Leave it out of --instruments.",
        )
    return index


def _instrument(text: str, families: Sequence[str]) -> str | Audio | Instruments | Codes:
    path = Path(text)
    suffix = path.suffix.lower().lstrip(".")
    if suffix == "json":
        document = read_json(path)
        of_codes = isinstance(document, dict) and document.get("kind") == Codes.kind
        return (Codes if of_codes else Instruments).from_document(document, path)
    if suffix == "csv":
        return Codes.read(path)
    if suffix in Audio.suffixes or path.is_file():
        return Audio.read(path)
    singular = text.lower().replace(" ", "_")
    for family in (singular, singular.removesuffix("s")):
        if family in families:
            return family
    raise UsageError(
        f"{text} is neither a file nor a family of instruments.",
        hint=did_you_mean(singular, list(families))
        or f"Families: {', '.join(families) or 'this model knows none'}.",
    )
