"""The form of a piece: its parts, their drums, and how loud they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from drum_space.model import DrumAutoencoder
from drum_space.playing.performing import Feel
from drum_space.playing.phrases import fills_on
from drum_space.space import audible, code_of, hits_of, spread_of
from groove_core.drums import DRUMS, FOLD, STEPS_PER_BAR, DrumPattern
from groove_core.errors import UsageError
from groove_core.values import Score

__all__ = ["SILENT", "Part", "arrange", "levels", "parse_form", "self_similarity", "verse_of"]

MAX_PARTS = 64
SILENT = {"I": -0.6, "O": -0.6}
"""Parts without a melody, introduction and outro: dB against the first with one."""
LOUDER, CRESCENDO = 1.2, 2.0
"""dB of other letters than the first, and of the last bar before another letter at its end."""
OTHER_PART = 0.6
"""How far the beat of another part lies on the way to a beat drawn at random."""
VARIED = 0.2
"""How far varied parts stray, in the spread of all beats."""

Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a form: its letter, and whether it is a variation (A')."""

    letter: str
    varied: bool = False

    def __str__(self) -> str:
        return self.letter + "'" * self.varied


def parse_form(text: str) -> list[Part]:
    """Read a form such as ``AABA`` or ``A A' B A``.

    Raises
    ------
    UsageError
        If it is something else.

    Examples
    --------
    >>> [str(part) for part in parse_form("AA'BA")]
    ['A', "A'", 'B', 'A']
    """
    form = text.replace(" ", "").replace("-", "").replace("’", "'").upper()
    if not re.fullmatch(r"([A-Z]'?)+", form):
        raise UsageError(
            f"A form is letters, with ' for a variation, not {text!r}.", hint='--form "AA\'BA"'
        )
    parts = [Part(found[0], len(found) > 1) for found in re.findall(r"[A-Z]'?", form)]
    if len(parts) > MAX_PARTS:
        raise UsageError(
            f"The form has {len(parts)} parts; {MAX_PARTS} is the most.", hint="--form AABA"
        )
    return parts


def arrange(
    space: DrumAutoencoder,
    beat: DrumPattern,
    form: Sequence[Part],
    bars: int,
    generator: torch.Generator,
    *,
    playing: Feel,
    fills: Callable[[int], torch.Tensor] | None = None,
) -> list[DrumPattern]:
    """Return the drums of every part of a form, each of so many bars.

    The first letter, introductions (I) and outros (O) play the beat that is given, all its bars, as
    it is played; each other letter a beat on the way from it to one that is drawn. A variation (A')
    goes to and fro between the
    beat and what a neighbour of it changes. A part longer than two bars ends in a fill.

    Parameters
    ----------
    beat : DrumPattern
        Of any number of bars.
    playing : Feel
        For what the beat does not say how to play.
    fills : callable of int, optional
        Draws codes of fills; without it, fills are drawn far from the beat.
    """
    given = _bars_of(beat, bars)
    theme = given.hits.reshape(bars // 2, 2 * STEPS_PER_BAR, -1)
    codes = code_of(space, *(given.slice_bars(bar) for bar in range(0, bars, 2)))
    first, spread = codes[0], spread_of(space)

    def elsewhere(count: int) -> torch.Tensor:
        return first.lerp(space.sample_codes(count, generator).cpu(), OTHER_PART)

    beats = dict.fromkeys((verse_of(form), *SILENT), (codes, theme))
    for part in form:
        if part.letter not in beats:
            code, decoded = audible(space, elsewhere, 1)
            beats[part.letter] = code.expand_as(codes), np.repeat(decoded.numpy(), bars // 2, 0)
    played: dict[Part, DrumPattern] = {}
    for part in form:
        if part in played:
            continue
        codes, groups = beats[part.letter]
        hits = groups.copy()
        if part.varied:
            noise = VARIED * spread * torch.randn(1, space.latent, generator=generator)
            known, near = (hits_of(space, one).numpy() for one in (codes, codes + noise))
            hits[1::2] = np.where(known == near, hits, near)[1::2]
        if bars > 2:
            fill, filled = fills_on(space, codes[-1:], fills, generator)
            last = hits[-1:, STEPS_PER_BAR:]
            last[:] = np.where(filled, fill, last)
        played[part] = playing.like(given, hits.reshape(given.hits.shape), number=len(played))
    return [played[part] for part in form]


def _bars_of(beat: DrumPattern, bars: int) -> DrumPattern:
    """Repeat a beat for so many bars."""
    return DrumPattern.join([beat.slice_bars(bar % beat.bars, 1) for bar in range(bars)])


def verse_of(form: Sequence[Part]) -> str:
    """Return the letter of the first part with a melody."""
    return next((part.letter for part in form if part.letter not in SILENT), "")


def levels(form: Sequence[Part], bars: int) -> npt.NDArray[np.float64]:
    """Return how loud each step of a form is, in dB over its first part with a melody.

    As in POP909, other letters are 1.2 dB louder, introductions (I) and outros (O) 0.6 dB softer,
    see ``python benchmarks/songs.py parts``. A crescendo over the last bar into another letter is
    a rule: those songs have none.

    Returns
    -------
    float array [shape=(16 * bars * len(form),)]

    Examples
    --------
    >>> levels(parse_form("AB"), 2)[::8].round(2).tolist()
    [0.0, 0.0, 0.0, 1.0, 1.2, 1.2, 1.2, 1.2]
    """
    letters, verse = [part.letter for part in form], verse_of(form)
    steps = bars * STEPS_PER_BAR
    found = np.concatenate(
        [np.full(steps, SILENT.get(one, 0.0 if one == verse else LOUDER)) for one in letters]
    )
    for number in range(1, len(form)):
        if letters[number] != letters[number - 1]:
            seam = slice(number * steps - STEPS_PER_BAR, number * steps)
            found[seam] += CRESCENDO * np.arange(STEPS_PER_BAR) / STEPS_PER_BAR
    return found


def self_similarity(score: Score) -> npt.NDArray[np.float64]:
    """Compare every bar of a piece with every other.

    Returns
    -------
    float array [shape=(bars, bars), 0 to 1]
        Cosine of what starts on each sixteenth: pitch classes of each track and drums.
    """
    quarter = score.ticks_per_quarter
    bars = -(-score.end_tick // (4 * quarter))
    grids = []
    for track in score.tracks:
        notes = track.notes
        if track.is_drum:
            notes = notes[[n in FOLD for n in notes[:, 2].tolist()]]
            row = np.array([FOLD[n] for n in notes[:, 2].tolist()], dtype=np.int64)
        else:
            row = notes[:, 2] % 12
        grid = np.zeros((bars * STEPS_PER_BAR, len(DRUMS) if track.is_drum else 12))
        step = np.minimum(np.round(notes[:, 0] * 4 / quarter).astype(np.int64), len(grid) - 1)
        grid[step, row] = 1
        grids.append(grid)
    played = np.concatenate(grids, axis=1).reshape(bars, -1)
    played /= np.linalg.norm(played, axis=1, keepdims=True).clip(min=1e-9)
    similar: npt.NDArray[np.float64] = played @ played.T
    return similar
