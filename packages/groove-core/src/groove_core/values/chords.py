"""Chord symbols of lead sheets, and the pitch classes they stand for.

Two spellings are read: that of lead sheets (``Cmaj7``, ``F#m7b5``, ``Bb/D``, ``N.C.``) and that of
C. Harte et al., "Symbolic representation of musical chords", ISMIR 2005 (``C:maj7``,
``Eb:min/b3``, ``N``), which annotated corpora use. Written is the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from groove_core.errors import InputError, UsageError
from groove_core.values.pitches import FLATS, SHARPS, STEPS, pitch_class

__all__ = ["QUALITIES", "Chord"]

QUALITIES: dict[str, tuple[int, ...]] = {
    # canonical name: semitones above the root, in the order of thirds
    "": (0, 4, 7), "m": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "5": (0, 7),
    "sus2": (0, 2, 7), "sus4": (0, 5, 7), "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "m7": (0, 3, 7, 10), "mmaj7": (0, 3, 7, 11),
    "dim7": (0, 3, 6, 9), "m7b5": (0, 3, 6, 10), "aug7": (0, 4, 8, 10), "maj7#5": (0, 4, 8, 11),
    "7sus4": (0, 5, 7, 10), "7sus2": (0, 2, 7, 10), "9sus4": (0, 5, 7, 10, 14),
    "13sus4": (0, 5, 7, 10, 14, 21),
    "9": (0, 4, 7, 10, 14), "maj9": (0, 4, 7, 11, 14), "m9": (0, 3, 7, 10, 14),
    "mmaj9": (0, 3, 7, 11, 14), "6/9": (0, 4, 7, 9, 14), "m6/9": (0, 3, 7, 9, 14),
    "11": (0, 4, 7, 10, 14, 17), "maj11": (0, 4, 7, 11, 14, 17), "m11": (0, 3, 7, 10, 14, 17),
    "13": (0, 4, 7, 10, 14, 21), "maj13": (0, 4, 7, 11, 14, 21), "m13": (0, 3, 7, 10, 14, 21),
}  # fmt: skip
"""The qualities that chords are built on; changes such as ``b9`` or ``add9`` may follow."""

_ALIASES = {
    "M": "", "maj": "", "major": "", "min": "m", "-": "m", "mi": "m", "minor": "m", "o": "dim",
    "°": "dim", "+": "aug", "#5": "aug", "sus": "sus4", "M6": "6", "maj6": "6", "min6": "m6",
    "-6": "m6", "mi6": "m6", "dom7": "7", "M7": "maj7", "ma7": "maj7", "Maj7": "maj7", "^": "maj7",
    "^7": "maj7", "Δ": "maj7", "Δ7": "maj7", "j7": "maj7", "min7": "m7", "-7": "m7", "mi7": "m7",
    "mM7": "mmaj7", "minmaj7": "mmaj7", "m(maj7)": "mmaj7", "min(maj7)": "mmaj7", "-maj7": "mmaj7",
    "-^7": "mmaj7", "-Δ7": "mmaj7", "o7": "dim7", "°7": "dim7", "ø": "m7b5", "ø7": "m7b5",
    "h7": "m7b5", "hdim7": "m7b5", "min7b5": "m7b5", "-7b5": "m7b5", "mi7b5": "m7b5", "+7": "aug7",
    "7#5": "aug7", "7+5": "aug7", "7+": "aug7", "maj7+5": "maj7#5", "+maj7": "maj7#5",
    "augmaj7": "maj7#5", "7sus": "7sus4", "9sus": "9sus4", "13sus": "13sus4", "M9": "maj9",
    "^9": "maj9", "Δ9": "maj9", "ma9": "maj9", "min9": "m9", "-9": "m9", "mi9": "m9",
    "minmaj9": "mmaj9", "mM9": "mmaj9", "69": "6/9", "6add9": "6/9", "m69": "m6/9",
    "min69": "m6/9", "M11": "maj11", "min11": "m11", "-11": "m11", "M13": "maj13",
    "^13": "maj13", "min13": "m13", "-13": "m13",
}  # fmt: skip
_SPELLINGS = {**{name: name for name in QUALITIES}, **_ALIASES}
_LONGEST = sorted(_SPELLINGS, key=len, reverse=True)
_HARTE = {
    "maj": "", "min": "m", "dim": "dim", "aug": "aug", "maj7": "maj7", "min7": "m7", "7": "7",
    "dim7": "dim7", "hdim7": "m7b5", "minmaj7": "mmaj7", "maj6": "6", "min6": "m6", "9": "9",
    "maj9": "maj9", "min9": "m9", "sus2": "sus2", "sus4": "sus4", "11": "11", "maj11": "maj11",
    "min11": "m11", "13": "13", "maj13": "maj13", "min13": "m13", "5": "5",
}  # fmt: skip
_DEGREES = {1: 0, 2: 2, 3: 4, 4: 5, 5: 7, 6: 9, 7: 11, 8: 12, 9: 14, 10: 16, 11: 17, 12: 19,
            13: 21}  # fmt: skip
_NOTE = re.compile(r"[A-G](?:##?|bb?|♯|♭)?")
_CHANGE = re.compile(r"(add|no|omit|)([#b♯♭+-]?)(2|4|5|6|7|9|11|13|3)")
_DEGREE = re.compile(r"([#b]*)(\d{1,2})")
_NONE = ("N", "NC", "N.C.", "N.C", "n.c.", "NoChord")


@dataclass(frozen=True)
class Chord:
    """A chord symbol: root, quality and bass.

    Parameters
    ----------
    root : str
        Name of the root, such as ``C``, ``F#`` or ``Bb``; empty for no chord (``N.C.``).
    quality : str
        One of `QUALITIES`, with changes such as ``b9``, ``#11``, ``add9`` and ``no3`` behind it.
    bass : str
        Name of the lowest note, if it is not the root.

    Raises
    ------
    InputError
        If they make no chord; the message says at which character reading stopped.

    Examples
    --------
    >>> chord = Chord.parse("F#min7b5/A")
    >>> str(chord), chord.pitch_classes, chord.bass_pitch_class
    ('F#m7b5/A', (6, 9, 0, 4), 9)
    >>> str(Chord.parse("Eb:min/b3")), str(Chord.parse("N"))
    ('Ebm/Gb', 'N.C.')
    """

    root: str
    quality: str = ""
    bass: str = ""

    def __post_init__(self) -> None:
        root, bass = _note(self.root), _note(self.bass)
        if not root:
            if self.quality or bass:
                raise UsageError("A chord without a root has no quality or bass.", hint="Chord('')")
            return
        base, changes = _split(self.quality, f"{self.root}{self.quality}", len(self.root))
        object.__setattr__(self, "root", root)
        object.__setattr__(self, "quality", base + "".join(changes))
        object.__setattr__(self, "bass", "" if bass == root else bass)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a chord symbol in the spelling of lead sheets or in Harte's.

        Raises
        ------
        InputError
            If it cannot be read; the message names the character.
        """
        symbol = text.strip()
        if symbol in _NONE:
            return cls("")
        root = _NOTE.match(symbol)
        if root is None:
            raise _unreadable(symbol, 0)
        if symbol[root.end() : root.end() + 1] == ":":
            return cls._parse_harte(symbol, root[0])
        quality, bass = symbol[root.end() :], ""
        head, slash, tail = quality.rpartition("/")
        if slash and not tail.startswith("9"):  # 6/9 is no bass
            if not _NOTE.fullmatch(tail):
                raise _unreadable(symbol, len(symbol) - len(tail))
            quality, bass = head, tail
        base, changes = _split(quality, symbol, root.end())
        return cls(root[0], base + "".join(changes), bass)

    @classmethod
    def _parse_harte(cls, symbol: str, root: str) -> Self:
        body, slash, tail = symbol[len(root) + 1 :].partition("/")
        shorthand, bracket, rest = body.partition("(")
        if shorthand and shorthand not in _HARTE:
            raise _unreadable(symbol, len(root) + 1)
        if bracket and not rest.endswith(")"):
            raise _unreadable(symbol, len(symbol) - len(slash + tail))
        degrees = [one.strip() for one in rest[:-1].split(",")] if bracket else []
        semitones = {s % 12 for s in QUALITIES[_HARTE[shorthand]]} if shorthand else {0}
        for degree in degrees:
            if not (match := _DEGREE.fullmatch(degree.removeprefix("*"))) or (
                int(match[2]) not in _DEGREES
            ):
                raise _unreadable(symbol, symbol.index("(") + 1)
            tone = _degree(match) % 12
            semitones = semitones - {tone} if degree.startswith("*") else semitones | {tone}
        if degrees:
            quality = _quality_of(frozenset(semitones), _HARTE.get(shorthand, ""))
        else:
            quality = _HARTE[shorthand or "maj"]
        bass = ""
        if slash:
            if (match := _DEGREE.fullmatch(tail)) is None or int(match[2]) not in _DEGREES:
                raise _unreadable(symbol, len(symbol) - len(tail))
            bass = _spelled(root, int(match[2]), _degree(match))
        return cls(root, quality, bass)

    @property
    def intervals(self) -> tuple[int, ...]:
        """Semitones of the notes above the root, ascending within two octaves."""
        if not self.root:
            return ()
        base, changes = _split(self.quality, str(self), len(self.root))
        tones = list(QUALITIES[base])
        for change in changes:
            word, sign, number = _CHANGE.fullmatch(change).groups()  # type: ignore[union-attr]
            tone = _DEGREES[int(number)] + {"#": 1, "b": -1, "": 0}[sign]
            if word == "no":
                tones = [t for t in tones if t not in _of_degree(int(number))]
            else:
                if word != "add" and number == "5":  # an altered fifth takes the fifth's place
                    tones = [t for t in tones if t != 7]
                tones.append(tone)
        return tuple(sorted(set(tones)))

    @property
    def parts(self) -> tuple[str, tuple[tuple[str, str, int], ...]]:
        """One of `QUALITIES`, and its changes: ``add``, ``no`` or nothing, a sign, a degree.

        Examples
        --------
        >>> Chord.parse("C7b9").parts
        ('7', (('', 'b', 9),))
        """
        base, changes = _split(self.quality, str(self), len(self.root))
        found = (_CHANGE.fullmatch(change) for change in changes)
        return base, tuple((m[1], m[2], int(m[3])) for m in found if m)

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes, 0 to 11, of the chord without its bass, from the root upwards."""
        if not self.root:
            return ()
        return tuple(dict.fromkeys((self.root_pitch_class + tone) % 12 for tone in self.intervals))

    @property
    def root_pitch_class(self) -> int:
        """Pitch class of the root; -1 for no chord."""
        return pitch_class(self.root) if self.root else -1

    @property
    def bass_pitch_class(self) -> int:
        """Pitch class of the lowest note; -1 for no chord."""
        return pitch_class(self.bass) if self.bass else self.root_pitch_class

    def transpose(self, semitones: int, *, flats: bool | None = None) -> Chord:
        """Return the chord moved by semitones.

        Parameters
        ----------
        semitones : int
        flats : bool, optional
            Whether to spell it with flats, as in the key of Eb. None: as this one is spelled.

        Examples
        --------
        >>> str(Chord.parse("Bb/D").transpose(2)), str(Chord.parse("C").transpose(1))
        ('C/E', 'C#')
        """
        if flats is None:
            flats = "b" in self.root[1:] + self.bass[1:] or self.root == "F"
        names = FLATS if flats else SHARPS
        if not self.root or semitones % 12 == 0:
            return self
        moved = [
            names[(pitch_class(name) + semitones) % 12] if name else ""
            for name in (self.root, self.bass)
        ]
        return Chord(moved[0], self.quality, moved[1])

    def __str__(self) -> str:
        if not self.root:
            return "N.C."
        # C(b5) is not Cb5, the fifth on C flat.
        quality = f"({self.quality})" if self.quality[:1] in ("b", "#") else self.quality
        return self.root + quality + (f"/{self.bass}" if self.bass else "")


def _unreadable(symbol: str, at: int) -> InputError:
    where = f"character {at + 1}, {symbol[at:]!r}" if at < len(symbol) else "its end"
    return InputError(
        f"The chord {symbol!r} cannot be read from {where}.",
        hint="Write chords as Cmaj7, F#m7b5, Bb/D, C7(b9) or N.C.",
    )


def _note(name: str) -> str:
    if name and not _NOTE.fullmatch(name):
        raise _unreadable(name, 0)
    return name.replace("♯", "#").replace("♭", "b")


def _split(quality: str, symbol: str, at: int) -> tuple[str, list[str]]:
    """Split a quality into a canonical base and canonical changes."""
    # In brackets, with commas and without is one and the same: C7(b9,#11), C7b9#11.
    plain = quality if quality in _SPELLINGS else re.sub(r"[(), ]", "", quality)
    base = next(name for name in _LONGEST if _takes(plain, name))
    rest, changes = plain[len(base) :], []
    while rest:
        match = re.match(r"(sus[24])", rest)
        if match and _SPELLINGS[base] + match[1] in QUALITIES:
            base, rest = _SPELLINGS[base] + match[1], rest[4:]
            continue
        match = _CHANGE.match(rest)
        if match is None or (not match[1] and not match[2]):
            done = len(plain) - len(rest)
            raise _unreadable(symbol, at + (done if plain == quality else 0))
        word = "no" if match[1] == "omit" else match[1]
        sign = {"♯": "#", "+": "#", "♭": "b", "-": "b"}.get(match[2], match[2])
        changes.append((int(match[3]), word, sign))
        rest = rest[match.end() :]
    base, written = _SPELLINGS[base], [f"{w}{s}{n}" for n, w, s in sorted(set(changes))]
    # What is written may have a shorter name: 7#5b9 is aug7b9.
    again = base + "".join(written)
    return (base, written) if again == quality else _split(again, symbol, at)


def _takes(text: str, name: str) -> bool:
    """Return whether a quality begins with a name that does not cut a number or a word in two."""
    if not text.startswith(name):
        return False
    rest = text[len(name) :]
    word = rest[:1].isalpha() and not re.match(r"add|no|omit|sus|b\d", rest)
    cut = (name[-1:].isdigit() and rest[:1].isdigit()) or (name[-1:].isalpha() and word)
    return not cut


def _degree(match: re.Match[str]) -> int:
    return _DEGREES[int(match[2])] + match[1].count("#") - match[1].count("b")


def _of_degree(number: int) -> tuple[int, ...]:
    """List the semitones that a degree may be."""
    whole = _DEGREES[number]
    return (whole - 1, whole, whole + 1) if number != 3 else (whole - 1, whole)


def _quality_of(semitones: frozenset[int], base: str) -> str:
    """Name a set of semitones above the root: as a quality, or as `base` with changes."""
    for name, tones in QUALITIES.items():
        if semitones == {tone % 12 for tone in tones}:
            return name
    names = {1: "b9", 2: "add9", 3: "#9", 4: "add3", 5: "add11", 6: "#11", 7: "add5", 8: "b13",
             9: "add13", 10: "addb7", 11: "add7"}  # fmt: skip
    has = {tone % 12 for tone in QUALITIES[base]}
    gone = {3: "no3", 4: "no3", 6: "no5", 7: "no5", 8: "no5", 9: "no6", 10: "no7", 11: "no7"}
    more = [names[tone] for tone in sorted(semitones - has) if tone in names]
    less = [gone[tone] for tone in sorted(has - semitones) if tone in gone]
    return base + "".join(dict.fromkeys(more + less))


def _spelled(root: str, number: int, semitones: int) -> str:
    """Spell the degree of a root: the third of Eb is a G of some kind."""
    letter = "CDEFGAB"[("CDEFGAB".index(root[0]) + number - 1) % 7]
    off = (pitch_class(root) + semitones - STEPS[letter] + 6) % 12 - 6
    if abs(off) > 2:
        return (FLATS if "b" in root else SHARPS)[(pitch_class(root) + semitones) % 12]
    return letter + ("#" * off if off > 0 else "b" * -off)
