"""Names of pitches and keys."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from groove_core.errors import UsageError

__all__ = [
    "key_name", "key_sharps", "note_name", "parse_note_name", "pitch_class", "transpose_sharps",
]  # fmt: skip

N = TypeVar("N", bound=Any)

SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIGNS = {"": 0, "#": 1, "♯": 1, "s": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
_NOTE = re.compile(r"([a-g])(#|♯|sharp|s|♭|flat|b|)(-?\d{1,2})", re.IGNORECASE)
_KEY = re.compile(r"([A-G])([#b♯♭]?) ?(m|min|minor|maj|major|)")
_FIFTHS = ("Fb", "Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B",
           "F#", "C#", "G#", "D#", "A#")  # fmt: skip
"""Tonics along the circle of fifths; C, with no sharps in major, is the ninth."""


def note_name(pitch: int, *, flats: bool = False) -> str:
    """Return the name of a MIDI pitch; 60 is C4.

    Examples
    --------
    >>> note_name(60), note_name(58), note_name(58, flats=True), note_name(0)
    ('C4', 'A#3', 'Bb3', 'C-1')
    """
    return f"{(FLATS if flats else SHARPS)[pitch % 12]}{pitch // 12 - 1}"


def parse_note_name(name: str) -> int | None:
    """Return the MIDI pitch of a name such as ``A#3``, ``Bb2``, ``Fs4``, ``Dsharp3`` or ``C-1``.

    Returns
    -------
    int or None
        None for what is no name of one of the 128 pitches.

    Examples
    --------
    >>> parse_note_name("A#3"), parse_note_name("Bb2"), parse_note_name("C-1")
    (58, 46, 0)
    >>> parse_note_name("H4") is None
    True
    """
    match = _NOTE.fullmatch(name)
    if match is None:
        return None
    step, sign, octave = match.groups()
    pitch = 12 * (int(octave) + 1) + STEPS[step.upper()] + _SIGNS[sign.lower()]
    return pitch if 0 <= pitch <= 127 else None


def pitch_class(name: str) -> int:
    """Return the pitch class, 0 to 11, of a name without octave such as ``F#``, ``Bb`` or ``Ebb``.

    Examples
    --------
    >>> pitch_class("F#"), pitch_class("Cb"), pitch_class("Ebb")
    (6, 11, 2)
    """
    return (STEPS[name[0]] + name.count("#") - name[1:].count("b")) % 12


def key_name(sharps: int, minor: bool) -> str:
    """Return the key of a signature, such as ``Bb`` or ``F#m``; flats are negative.

    Examples
    --------
    >>> key_name(-2, False), key_name(3, True)
    ('Bb', 'F#m')
    """
    return _FIFTHS[8 + sharps + 3 * minor] + "m" * minor


def transpose_sharps(sharps: N, semitones: int) -> N:
    """Return the signature of a key, or of an array of keys, that is moved by semitones.

    It has six signs at most; whole octaves leave it.

    Examples
    --------
    >>> transpose_sharps(1, 2), transpose_sharps(-7, 12)
    (3, -7)
    """
    moved: N = (sharps + 7 * semitones + 5) % 12 - 5 if semitones % 12 else sharps
    return moved


def key_sharps(key: str) -> tuple[int, bool]:
    """Return the signature of a key, and whether it is minor.

    Parameters
    ----------
    key : str
        ``C``, ``Bb``, ``F#m``, ``A minor``, ``Eb major``.

    Returns
    -------
    int, -7 to 7
        Sharps; flats are negative.
    bool

    Raises
    ------
    UsageError
        If there is no such key, or its signature has more than seven signs (G# major).

    Examples
    --------
    >>> key_sharps("Bb"), key_sharps("F# minor")
    ((-2, False), (3, True))
    """
    match = _KEY.fullmatch(key.strip())
    if match is not None:
        tonic = match[1] + match[2].replace("♯", "#").replace("♭", "b")
        minor = match[3] in ("m", "min", "minor")
        sharps = _FIFTHS.index(tonic) - 8 - 3 * minor if tonic in _FIFTHS else 8
        if -7 <= sharps <= 7:
            return sharps, minor
    raise UsageError(f"There is no key {key!r}.", hint="Write it as C, Bb, F#m or A minor.")
