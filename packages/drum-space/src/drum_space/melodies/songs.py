"""From a beat to a piece: lines on the drums of its parts, chords, and the score of it all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from drum_space.melodies.accents import ACCENTS, agreement
from drum_space.melodies.crops import codes_of
from drum_space.melodies.forms import SILENT, Part, arrange, levels, verse_of
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
from groove_core.drums import STEPS_PER_BAR, TICKS_PER_STEP, DrumPattern
from groove_core.values import Chord, Score, Track
from groove_core.values.scores.symbols import CHORDS

__all__ = ["compose", "write_line"]

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
DB_PER_DECADE = 40
"""Of velocity, as the General MIDI standard has it."""

Bits = npt.NDArray[np.bool_]
Line = npt.NDArray[np.int64]


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
            before = plain.bass if plain is not None else None
            below = on_them() if before is None else _vary(on_them, before)
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
        again = np.array([part.letter not in (verse_of(form), *SILENT) for part in form])
        begins = np.diff(numbers, axis=1, prepend=-1) != 0  # and at the beginning of every part
        starts, ends = _lasting((begins | again[:, None]).ravel())
        numbers = numbers.ravel()
        rows = [
            (start * CHORD_STEPS, until * CHORD_STEPS, one)
            for start, until in zip(starts, ends, strict=True)
            for one in _voiced(names[int(numbers[start])])
        ]
        begin, end, pitch = np.array(rows).T
        notes = _notes(begin, end, pitch, drums, gain * BELOW)
        tracks.append(Track(notes, "chords", INSTRUMENTS[0].program))
        symbols = [
            (int(half) * CHORD_STEPS * TICKS_PER_STEP, str(names[int(numbers[half])]))
            for half in np.flatnonzero(np.diff(numbers, prepend=-1))
        ]
    if bass is not None:
        tracks.append(track(bass, np.concatenate([p.bass for p in pieces if p.bass is not None])))
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
