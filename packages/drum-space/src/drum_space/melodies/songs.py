"""From a beat to a piece: the form, the drums of its parts, and the voices on top."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from drum_space.melodies.accents import ACCENTS, agreement
from drum_space.melodies.crops import codes_of
from drum_space.melodies.lines import (
    BASS,
    HOLD,
    INSTRUMENTS,
    LOWEST,
    NO_BASS,
    OCTAVES,
    sounding,
)
from drum_space.melodies.model import FREE, PHRASE, Conditions, DrumMelody
from drum_space.model import DrumAutoencoder
from drum_space.playing.performing import Feel
from drum_space.playing.phrases import fills_on
from drum_space.space import audible, code_of, hits_of, spread_of
from groove_core.drums import DRUMS, FOLD, STEPS_PER_BAR, TICKS_PER_STEP, DrumPattern
from groove_core.errors import UsageError
from groove_core.values import Score, Track

__all__ = [
    "KEYS",
    "SCALES",
    "Part",
    "Voice",
    "arrange",
    "compose",
    "parse_form",
    "self_similarity",
    "voice_of",
    "write_line",
]

KEYS = {
    "C": 0, "C#": 1, "Db": 1, "D": 2, "D#": 3, "Eb": 3, "E": 4, "F": 5, "F#": 6, "Gb": 6,
    "G": 7, "G#": 8, "Ab": 8, "A": 9, "A#": 10, "Bb": 10, "B": 11,
}  # fmt: skip
SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic-minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "minor-pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "chromatic": tuple(range(12)),
}
MAX_PARTS = 64
MAX_DRAWS = 10
BUSY = 0.6
"""Share of its bars in which a line plays, for it to be preferred."""
LOUD, SOFT = 104, 84
OTHER_PART = 0.6
"""How far the beat of another part lies on the way to a beat drawn at random."""
VARIED = 0.2
"""How far varied parts stray, in the spread of all beats."""

Bits = npt.NDArray[np.bool_]
Line = npt.NDArray[np.int64]


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


# drums ---------------------------------------------------------------------------------


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

    The first letter plays the beat that is given, all its bars, as it is played; each other letter
    a beat on the way from it to one that is drawn. A variation (A') goes to and fro between the
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

    beats: dict[str, tuple[torch.Tensor, Bits]] = {form[0].letter: (codes, theme)}
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


# voices --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Voice:
    """Who plays a line, and what it may play."""

    instrument: int
    """Index into `INSTRUMENTS`."""
    tonic: int
    """Pitch class."""
    scale: tuple[int, ...]
    low: int
    high: int
    """MIDI pitches, both played."""
    temperature: float = 1.0

    @property
    def shift(self) -> int:
        """Semitones from the key in which networks think, C, to the one that sounds."""
        return self.tonic if self.tonic <= 6 else self.tonic - 12

    @property
    def mode(self) -> int:
        """0 for major, 1 for minor, by the third; without one, major."""
        return int(3 in self.scale and 4 not in self.scale)

    def allowed(self) -> torch.Tensor:
        """Which pitch class, from the tonic, may be played in which octave [shape=(12, 7)].

        Raises
        ------
        UsageError
            If no note of the scale is in the range.
        """
        pitch = LOWEST + 12 * torch.arange(OCTAVES)[None] + torch.arange(12)[:, None]
        heard = pitch + self.shift
        fits = (heard >= self.low) & (heard <= self.high)
        fits &= torch.isin(torch.arange(12), torch.tensor(self.scale))[:, None]
        if not fits.any():
            raise UsageError(
                f"No note of this scale lies between {self.low} and {self.high}.",
                hint=f"--low {self.low} --high {min(127, self.low + 12)}",
            )
        return fits


def voice_of(
    instrument: str,
    key: str,
    scale: str,
    *,
    low: int | None = None,
    high: int | None = None,
    temperature: float = 1.0,
) -> Voice:
    """Make a voice of names, with the instrument's range where none is given.

    Raises
    ------
    UsageError
        If there is no such key, or no note of the scale is in the range.
    """
    tonic = KEYS.get(key[:1].upper() + key[1:])
    if tonic is None:
        raise UsageError(f"There is no key {key!r}.", hint=f"Keys: {', '.join(KEYS)}.")
    index = next(i for i, one in enumerate(INSTRUMENTS) if one.name == instrument)
    usual = INSTRUMENTS[index]
    # One bound alone moves the usual range rather than emptying it.
    low = low if low is not None else min(usual.low, (high or usual.high) - 12)
    high = high if high is not None else max(usual.high, low + 12)
    voice = Voice(index, tonic, SCALES[scale], low, high, temperature)
    voice.allowed()
    return voice


def write_line(
    model: DrumMelody,
    space: DrumAutoencoder,
    voice: Voice,
    drums: Bits,
    generator: torch.Generator,
    *,
    bass: Line | None = None,
    given: Line | None = None,
    takes: int = 1,
) -> Line:
    """Write lines on drums, and keep the one whose notes meet the accents best.

    Parameters
    ----------
    drums : bool array [shape=(steps, 14)]
        Whole pairs of bars.
    bass : int array [shape=(steps,)], optional
        A line that was written on the same drums, for the lines above it.
    given : int array [shape=(steps,)], optional
        What is known of the line; `FREE` elsewhere.
    takes : int
        Lines to choose from. Those that rest in most bars are kept if there is no other.

    Returns
    -------
    int array [shape=(steps,)]
        MIDI pitches as they sound in the key of C, `REST` or `HOLD`.
    """
    steps = len(drums)
    below = np.full(steps, NO_BASS)
    if bass is not None:
        sounds = sounding(bass)
        below = np.where(sounds >= 0, sounds % 12, NO_BASS).astype(np.int64)
    hits = torch.tensor(drums).expand(takes, -1, -1)
    on = Conditions(
        hits.float(),
        codes_of(space, hits[:1]).repeat_interleave(PHRASE, dim=1).expand(takes, -1, -1),
        torch.from_numpy(below).expand(takes, -1),
        torch.full((takes,), voice.instrument),
        torch.full((takes,), voice.mode),
        torch.ones(takes),
    )
    known = None if given is None else torch.from_numpy(given).expand(takes, -1)
    for _ in range(MAX_DRAWS):
        lines = model.write(
            on,
            allowed=voice.allowed(),
            given=known,
            temperature=voice.temperature,
            generator=generator,
        )
        if (lines >= 0).any():
            break
    # A line that rests for most bars meets accents by chance.
    busy = (lines >= 0).unflatten(1, (-1, STEPS_PER_BAR)).any(dim=2).double().mean(dim=1).numpy()
    best = np.lexsort((np.nan_to_num(agreement(lines, hits), nan=-1.0), busy >= BUSY))[-1]
    line: Line = lines[best].numpy()
    return line


def _phrase(write: Callable[..., Line], steps: int) -> Line:
    """Write a part whose second half begins as its first does: a question and an answer."""
    given = np.full(steps, FREE)
    half, quarter = steps // 2, steps // 4
    if quarter >= STEPS_PER_BAR:
        given[:half] = write(given=given)[:half]
        given[half : half + quarter] = given[:quarter]
    return write(given=given)


def _vary(write: Callable[..., Line], line: Line) -> Line:
    """Keep the first half of a line and go on otherwise."""
    kept = np.arange(len(line)) < len(line) // 2
    return write(given=np.where(kept, line, FREE))


def compose(
    model: DrumMelody,
    space: DrumAutoencoder,
    beat: DrumPattern,
    form: Sequence[Part],
    bars: int,
    voices: Sequence[Voice],
    *,
    takes: int = 1,
    tempo_bpm: float,
    generator: torch.Generator,
    playing: Feel,
    fills: Callable[[int], torch.Tensor] | None = None,
) -> Score:
    """Write a piece: the drums of a form and one line per voice.

    A letter that comes back brings back its lines; a variation keeps the first half of
    them and goes on otherwise. The bass is written first, and the others over it.

    Parameters
    ----------
    beat : DrumPattern
    bars : int
        Length of a part, even.
    takes : int
        Lines of which the one that meets the beat best is kept.
    playing, fills
        See `arrange`.
    """
    beat = replace(beat, tempo_bpm=tempo_bpm)
    drums = arrange(space, beat, form, bars, generator, playing=playing, fills=fills)
    order = sorted(range(len(voices)), key=lambda i: voices[i].instrument != BASS)
    written: dict[Part, dict[int, Line]] = {}
    for part, played in zip(form, drums, strict=True):
        if part in written:
            continue
        hits = played.hits
        lines: dict[int, Line] = {}
        bass = None
        for number in order:
            voice = voices[number]
            write = partial(
                write_line, model, space, voice, hits, generator, bass=bass, takes=takes
            )
            plain = written.get(Part(part.letter), {}).get(number) if part.varied else None
            lines[number] = _vary(write, plain) if plain is not None else _phrase(write, len(hits))
            if voice.instrument == BASS:
                bass = lines[number]
        written[part] = lines
    return _score(form, drums, written, voices)


def _score(
    form: Sequence[Part],
    parts: Sequence[DrumPattern],
    written: dict[Part, dict[int, Line]],
    voices: Sequence[Voice],
) -> Score:
    drums = DrumPattern.join(list(parts))
    if drums.offset_ticks is not None:  # the piece begins with its first beat, not before it
        late = drums.offset_ticks.copy()
        late[0] = late[0].clip(min=0)
        drums = replace(drums, offset_ticks=late)
    played = drums.to_score()
    tracks = []
    for number, voice in enumerate(voices):
        line = np.concatenate([written[part][number] for part in form])
        instrument = INSTRUMENTS[voice.instrument]
        notes = _notes(line, voice.shift, drums)
        tracks.append(Track(notes, instrument.name, instrument.program))
    ticks = len(parts[0].hits) * TICKS_PER_STEP
    return Score(
        (*tracks, *played.tracks),
        ticks_per_quarter=played.ticks_per_quarter,
        tempos=played.tempos,
        time_signatures=played.time_signatures,
        markers=(*played.markers, *((i * ticks, str(part)) for i, part in enumerate(form))),
        end_tick=played.end_tick,
        name="this piece",
    )


def _notes(line: Line, shift: int, drums: DrumPattern) -> npt.NDArray[np.int64]:
    """Return the notes of a line in ticks; those that meet a kick, snare or crash are louder.

    They sound with it, too: as late as the first of these.
    """
    accents = drums.hits[:, ACCENTS]
    meets: Bits = np.any(accents, axis=1)
    at = np.arange(len(line)) * TICKS_PER_STEP
    if drums.offset_ticks is not None:
        late = np.where(accents, drums.offset_ticks[:, ACCENTS], TICKS_PER_STEP).min(axis=1)
        at = at + np.where(meets, late, 0)
    at = np.append(at, len(line) * TICKS_PER_STEP)
    starts = np.nonzero(line >= 0)[0]
    ends = np.nonzero(line != HOLD)[0]
    until = [int(ends[ends > s].min(initial=len(line))) for s in starts]
    return np.array(
        [
            (at[s], at[e] - at[s], line[s] + shift, v)
            for s, e, v in zip(starts, until, np.where(meets[starts], LOUD, SOFT), strict=True)
        ]
    ).reshape(-1, 4)


# form ----------------------------------------------------------------------------------


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
