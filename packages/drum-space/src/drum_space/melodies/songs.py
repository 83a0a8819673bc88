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
from drum_space.melodies.harmony import (
    CHORD_STEPS,
    bass_of,
    bass_on,
    chord_of,
    harmonize,
    struck_again,
)
from drum_space.melodies.lines import HOLD, INSTRUMENTS, LOWEST, NO_BASS, REST
from drum_space.melodies.model import FREE, PHRASE, Conditions, DrumMelody, Prior
from drum_space.melodies.voices import Voice
from drum_space.model import DrumAutoencoder
from drum_space.playing.performing import Feel
from drum_space.playing.phrases import fills_on
from drum_space.space import audible, code_of, hits_of, spread_of
from groove_core.drums import DRUMS, FOLD, STEPS_PER_BAR, TICKS_PER_STEP, DrumPattern
from groove_core.errors import UsageError
from groove_core.values import Chord, Score, Track
from groove_core.values.scores.symbols import CHORDS

__all__ = [
    "Part",
    "arrange",
    "compose",
    "parse_form",
    "self_similarity",
    "write_line",
]

MAX_PARTS = 64
MAX_DRAWS = 10
BUSY, DENSE = 0.6, 2.0
"""Share of its bars in which a line plays, and its notes per bar, for it to be preferred."""
GUIDANCE = 2.5
"""How much more than they have learnt to, lines follow the beat."""
LOUD, SOFT = 104, 84
BELOW = 0.7
"""How loud chords are, as a share of the melody."""
CHORDS_FROM = 53
"""Lowest pitch of chords."""
SILENT = {"I": -0.8, "O": -0.5}
"""Parts without a melody, introduction and outro: dB against the verse."""
LOUDER, CRESCENDO = 1.2, 2.0
"""dB of other letters than the first, and of the last bar before another letter at its end."""
DB_PER_DECADE = 40
"""Of velocity, as the General MIDI standard has it."""
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


def write_line(
    model: DrumMelody,
    space: DrumAutoencoder,
    voice: Voice,
    drums: Bits,
    generator: torch.Generator,
    *,
    given: Line | None = None,
    prior: Prior | None = None,
    takes: int = 1,
) -> Line:
    """Write lines on drums, and keep the one whose notes meet the accents best.

    Parameters
    ----------
    drums : bool array [shape=(steps, 14)]
        Whole pairs of bars.
    given : int array [shape=(steps,)], optional
        What is known of the line; `FREE` elsewhere.
    prior : Prior, optional
        Which pitches fit on each step. Default: those of a melody of the voice.
    takes : int
        Lines to choose from. Those that rest in most bars are kept if there is no other.

    Returns
    -------
    int array [shape=(steps,)]
        MIDI pitches in C major or minor, see `Voice.sounding`; `REST` or `HOLD`.
    """
    steps = len(drums)
    hits = torch.tensor(drums).expand(takes, -1, -1)
    on = Conditions(
        hits.float(),
        codes_of(space, hits[:1]).repeat_interleave(PHRASE, dim=1).expand(takes, -1, -1),
        torch.full((takes, steps), NO_BASS),
        torch.full((takes,), voice.instrument),
        torch.full((takes,), voice.mode),
        torch.ones(takes),
    )
    known = None if given is None else torch.from_numpy(given).expand(takes, -1)
    prior = prior or voice.prior(steps)
    for _ in range(MAX_DRAWS):
        lines = model.write(
            on,
            prior=prior,
            guidance=GUIDANCE,
            given=known,
            temperature=voice.temperature,
            generator=generator,
        )
        if (lines >= 0).any():
            break
    # A line that rests for most bars meets accents by chance.
    played = (lines >= 0).unflatten(1, (-1, STEPS_PER_BAR)).double()
    busy = (played.amax(dim=2).mean(dim=1) >= BUSY) & (played.sum(dim=2).mean(dim=1) >= DENSE)
    best = np.lexsort((np.nan_to_num(agreement(lines, hits), nan=-1.0), busy.numpy()))[-1]
    line: Line = lines[best].numpy()
    return line


def _phrase(write: Callable[..., Line], drums: Bits) -> Line:
    """Write a part whose second half begins as its first does: a question and an answer."""
    given = np.full(len(drums), FREE)
    half, quarter = len(drums) // 2, len(drums) // 4
    if quarter >= STEPS_PER_BAR:
        whole_pairs = -(-half // PHRASE) * PHRASE
        given[:half] = write(drums=drums[:whole_pairs])[:half]
        given[half : half + quarter] = given[:quarter]
    return write(drums=drums, given=given)


def _vary(write: Callable[..., Line], line: Line) -> Line:
    """Keep the first half of a line and go on otherwise."""
    kept = np.arange(len(line)) < len(line) // 2
    return write(given=np.where(kept, line, FREE))


def _close(line: Line, voice: Voice) -> Line:
    """End a line on the tonic: the one next to the note before, if the voice has one."""
    closed, starts = line.copy(), np.flatnonzero(line >= 0)
    home = LOWEST + np.flatnonzero(voice.playable())
    home = home[home % 12 == 0]
    if len(starts) and len(home):
        before = line[starts[-2:][0]]
        closed[starts[-1]] = home[np.argmin(np.abs(home - before))]
    return closed


def compose(
    model: DrumMelody,
    space: DrumAutoencoder,
    beat: DrumPattern,
    form: Sequence[Part],
    bars: int,
    lead: Voice,
    bass: Voice | None = None,
    *,
    chords: bool = False,
    takes: int = 1,
    tempo_bpm: float,
    generator: torch.Generator,
    playing: Feel,
    fills: Callable[[int], torch.Tensor] | None = None,
) -> Score:
    """Write a piece: the drums of a form, a melody, chords below it, and a bass that plays them.

    A letter that comes back brings back its lines; a variation keeps the first half of
    them and goes on otherwise. The parts differ in loudness, see `levels`, unless all is flat.

    Parameters
    ----------
    beat : DrumPattern
    bars : int
        Length of a part, even.
    lead, bass : Voice
        Who plays the melody, and the bass, if there is one.
    chords : bool
        Whether chords are heard; see `drum_space.melodies.harmony` for how they are chosen.
    takes : int
        Lines of which the one that meets the beat best is kept.
    playing, fills
        See `arrange`.
    """
    beat = replace(beat, tempo_bpm=tempo_bpm)
    drums = arrange(space, beat, form, bars, generator, playing=playing, fills=fills)
    low = bass and bass_of(bass)
    written: dict[Part, Written] = {}
    for part, played in zip(form, drums, strict=True):
        if part in written:
            continue
        plain = written.get(Part(part.letter)) if part.varied else None
        write = partial(
            write_line, model, space, drums=played.hits, generator=generator, takes=takes
        )
        if part.letter in SILENT:
            line = np.full(len(played.hits), REST)
        elif plain is None:
            line = _close(_phrase(partial(write, lead), played.hits), lead)
        else:
            line = _close(_vary(partial(write, lead), plain.line), lead)
        known = () if plain is None else plain.chords[: len(plain.chords) // 2]
        under = harmonize(line, lead, given=known)
        below = None
        if low is not None:
            on_them = partial(write, low, prior=bass_on(under, low))
            below = on_them() if plain is None else _vary(on_them, plain.bass)
            below = struck_again(below, under, low)
        written[part] = Written(line, under, below)
    shape = np.zeros(len(form) * bars * STEPS_PER_BAR) if playing.flat else levels(form, bars)
    return _score(form, drums, written, lead, low, shape, chords=chords)


@dataclass(frozen=True, slots=True)
class Written:
    """The lines of a part, and its chords."""

    line: Line
    chords: Line
    bass: Line | None


def levels(form: Sequence[Part], bars: int) -> npt.NDArray[np.float64]:
    """Return how loud each step of a form is, in dB over its first part with a melody.

    As in POP909, other letters are 1.2 dB louder, introductions (I) 0.8 dB softer, and outros (O)
    0.5 dB. A crescendo over the last bar into another letter is a rule: those songs have none.

    Returns
    -------
    float array [shape=(16 * bars * len(form),)]

    Examples
    --------
    >>> levels(parse_form("AB"), 2)[::8].round(2).tolist()
    [0.0, 0.0, 0.0, 1.0, 1.2, 1.2, 1.2, 1.2]
    """
    letters, verse = [part.letter for part in form], _verse(form)
    steps = bars * STEPS_PER_BAR
    found = np.concatenate(
        [np.full(steps, SILENT.get(one, 0.0 if one == verse else LOUDER)) for one in letters]
    )
    for number in range(1, len(form)):
        if letters[number] != letters[number - 1]:
            seam = slice(number * steps - STEPS_PER_BAR, number * steps)
            found[seam] += CRESCENDO * np.arange(STEPS_PER_BAR) / STEPS_PER_BAR
    return found


def _verse(form: Sequence[Part]) -> str:
    """Return the letter of the first part with a melody."""
    return next((part.letter for part in form if part.letter not in SILENT), "")


def _score(
    form: Sequence[Part],
    parts: Sequence[DrumPattern],
    written: dict[Part, Written],
    lead: Voice,
    bass: Voice | None,
    shape: npt.NDArray[np.float64],
    *,
    chords: bool,
) -> Score:
    drums = DrumPattern.join(list(parts))
    if drums.offset_ticks is not None:  # the piece begins with its first beat, not before it
        late = drums.offset_ticks.copy()
        late[0] = late[0].clip(min=0)
        drums = replace(drums, offset_ticks=late)
    gain = 10 ** (shape / DB_PER_DECADE)
    if drums.velocity is not None:
        loud = np.round(drums.velocity * gain[:, None]).clip(1, 127).astype(drums.velocity.dtype)
        drums = replace(drums, velocity=np.where(drums.hits, loud, drums.velocity))
    played = drums.to_score()
    pieces = [written[part] for part in form]

    def track(voice: Voice, line: Line) -> Track:
        instrument = INSTRUMENTS[voice.instrument]
        heard = voice.sounding(line)
        starts, ends = _spans(heard)
        notes = _notes(starts, ends, heard[starts], drums, gain)
        return Track(notes, instrument.name, instrument.program)

    tracks = [track(lead, np.concatenate([one.line for one in pieces]))]
    symbols: list[tuple[int, str]] = []
    if chords:
        numbers = np.stack([one.chords for one in pieces])
        names = {int(number): chord_of(int(number), lead) for number in np.unique(numbers)}
        again = np.array([part.letter not in (_verse(form), *SILENT) for part in form])
        begins = np.diff(numbers, axis=1, prepend=-1) != 0  # and at the beginning of every part
        starts, ends = _lasting((begins | again[:, None]).ravel())
        numbers = numbers.ravel()
        rows = [
            (start * CHORD_STEPS, end * CHORD_STEPS, pitch)
            for start, end in zip(starts, ends, strict=True)
            for pitch in _voiced(names[int(numbers[start])])
        ]
        notes = _notes(*np.array(rows).T, drums, gain * BELOW)
        tracks.append(Track(notes, "chords", INSTRUMENTS[0].program))
        symbols = [
            (int(half) * CHORD_STEPS * TICKS_PER_STEP, str(names[int(numbers[half])]))
            for half in np.flatnonzero(np.diff(numbers, prepend=-1))
        ]
    if bass is not None:
        tracks.append(track(bass, np.concatenate([one.bass for one in pieces])))
    ticks = len(parts[0].hits) * TICKS_PER_STEP
    return Score(
        (*tracks, *played.tracks),
        ticks_per_quarter=played.ticks_per_quarter,
        tempos=played.tempos,
        time_signatures=played.time_signatures,
        markers=(
            *played.markers,
            *((i * ticks, f"part {part}") for i, part in enumerate(form)),
            *(((0, CHORDS), *symbols) if symbols else ()),
        ),
        end_tick=played.end_tick,
        name="this piece",
    )


def _voiced(chord: Chord) -> list[int]:
    """List the pitches of a chord, within an octave around middle C."""
    return sorted(CHORDS_FROM + (one - CHORDS_FROM) % 12 for one in chord.pitch_classes)


def _lasting(begins: Bits) -> tuple[Line, Line]:
    """Return where things begin, and where the next one does."""
    starts = np.flatnonzero(begins)
    return starts, np.append(starts[1:], len(begins))


def _spans(line: Line) -> tuple[Line, Line]:
    """Return the steps on which the notes of a line begin and end."""
    starts, ends = np.flatnonzero(line >= 0), np.append(np.flatnonzero(line != HOLD), len(line))
    return starts, ends[np.searchsorted(ends, starts, side="right")]


def _notes(
    starts: Line, ends: Line, pitches: Line, drums: DrumPattern, gain: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Return notes from step to step in ticks; those that meet a kick, snare or crash are louder.

    They sound with it, too: as late as the first of these.
    """
    accents = drums.hits[:, ACCENTS]
    meets: Bits = np.any(accents, axis=1)
    at = np.arange(len(meets)) * TICKS_PER_STEP
    if drums.offset_ticks is not None:
        late = np.where(accents, drums.offset_ticks[:, ACCENTS], TICKS_PER_STEP).min(axis=1)
        at = at + np.where(meets, late, 0)
    at = np.append(at, len(meets) * TICKS_PER_STEP)
    loud = np.round(np.where(meets, LOUD, SOFT) * gain).clip(1, 127).astype(np.int64)
    return np.stack([at[starts], at[ends] - at[starts], pitches, loud[starts]], axis=1)


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
