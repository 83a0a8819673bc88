"""Measure the tune, the mode and the chords of melodies that drum-space writes on beats.

    python benchmarks/songs.py melodies           # of each scale, beside real and random lines
    python benchmarks/songs.py chords             # how well lines and their chords agree
    python benchmarks/songs.py moves              # how lines of POP909 move: numbers in voices.py
    python benchmarks/songs.py parts --pop909 FOLDER    # how loud its parts are: in forms.py
    python benchmarks/songs.py melodies --beats 4 --seeds 2 --first 100    # a smaller one

Beats are drawn, of all instruments and keys in turn. Real lines are those of POP909 among the
packaged tunes of melody-rnn: eight bars of held-out songs that have eight notes or more.

The key-and-mode finder knows nothing of how lines are written. It asks for every tonic and scale
how well they explain the notes: the basic space of F. Lerdahl ("Tonal Pitch Space", 2001) says how
stable each note is, in whatever scale: 5 for the tonic, 4 for the fifth, 3 for the third, 2 for
others of the scale. Notes beyond are as rare as in POP909. Notes on the first beat of a bar count
double, and a line likes to end on the tonic or begin on a note of its triad, as half of those of
POP909 do.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import numpy.typing as npt

import drum_space
from drum_space.melodies.actions import compose
from drum_space.melodies.harmony import chord_of, harmonize
from drum_space.melodies.lines import HOLD, REST
from drum_space.melodies.voices import voice_of
from groove_core.drums import DRUMS, STEPS_PER_BAR, TICKS_PER_STEP, DrumPattern
from groove_core.learning import about_intervals, mean
from groove_core.storage.files import dump_json
from groove_core.tunes import find_songs
from groove_core.values import Chord, LeadSheet, Report, Score, key_sharps
from groove_core.values.scores.symbols import chord_symbols
from melody_rnn.tunes import shipped

SCALES = {
    "major": "C D E F G A B", "minor": "C D Eb F G Ab Bb", "harmonic-minor": "C D Eb F G Ab B",
    "dorian": "C D Eb F G A Bb", "phrygian": "C Db Eb F G Ab Bb", "lydian": "C D E F# G A B",
    "mixolydian": "C D E F G A Bb", "pentatonic": "C D E G A", "minor-pentatonic": "C Eb F G Bb",
    "blues": "C Eb F F# G Bb", "chromatic": "C Db D Eb E F F# G Ab A Bb B",
}  # fmt: skip
NAMES = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]
PLAYERS = ("keys", "mallets", "guitar", "bass", "strings", "winds", "lead", "pad")
BARS, FEWEST = 8, 8
HALF = STEPS_PER_BAR // 2
CORPUS = "pop909", "train"
OUTSIDE = 0.025
"""Share of notes outside of their scale, in the melodies of POP909 that are learnt from."""
ENDS, BEGINS = (0.55, 0.15), (0.30, 0.45)
"""Share of lines that end or begin on the tonic, and on the third or the fifth."""
CHARACTER = {
    "dorian": 9, "phrygian": 1, "lydian": 6, "mixolydian": 10, "harmonic-minor": 11, "minor": 8,
    "blues": 6,
}  # fmt: skip
TUNES = (
    # Eighths, as they are known; a dash holds.
    ("dorian", "D", "A4 A4 A4 A4 A4 D4 F4 A4 G4 G4 G4 G4 G4 C4 E4 G4 A4 A4 A4 A4 A4 B4 C5 D5 "
     "C5 A4 G4 E4 D4 - D4 -"),  # What shall we do with the drunken sailor
    ("pentatonic", "G", "D4 - G4 - - - B4 G4 B4 - - - A4 - G4 - - - E4 - D4 - - - D4 - G4 - - - "
     "B4 G4 B4 - - - A4 - D5 - - - - - - - B4 - D5 - - - B4 D5 B4 - - - G4 - D4 - - - E4 G4 G4 - "
     "- - E4 - D4 - - - D4 - G4 - - - B4 G4 B4 - - - A4 - G4 - - - - -"),  # Amazing grace
    ("major", "C", "C5 - B4 - - A4 G4 - - - F4 - E4 - - - D4 - C4 - - - G4 - A4 - - A4 A4 - B4 - - "
     "B4 B4 - C5 - - - - - C5 C5 B4 A4 G4 - - F4 E4 C5 C5 B4 A4 G4 - - F4 E4"),  # Joy to the world
    ("minor", "E", "E4 E4 B4 B4 A4 G4 F#4 E4 D4 - E4 F#4 G4 A4 B4 - - - E4 E4 B4 B4 A4 G4 F#4 E4 "
     "D4 - E4 F#4 G4 A4 B4 - - - B4 C5 A4 B4 C5 D5 E5 B4 A4 G4 E4 F#4 G4 A4 - - G4 A4 B4 - C5 - "
     "B4 B4 A4 G4 F#4 E4 - -"),  # God rest ye merry, gentlemen
)  # fmt: skip
PLAIN = (1, 2, 3, 1, 5, 4, 3, 2, 1, 3, 5, 6, 7, 6, 5, 3, 4, 5, 2, 3, 1, 7, 6, 7, 5, 3, 2, 1)
"""A line in degrees of whatever scale, in quarters: plain as in a book of exercises."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sung:
    """A line: when notes start, in sixteenths from a bar on, and their pitches."""

    at: Ints
    pitch: Ints
    tonic: int = 0
    scale: str = ""
    agreement: float = float("nan")

    def replaced(self, pitch: npt.ArrayLike) -> Sung:
        """Return the line with other pitches."""
        return Sung(self.at, np.asarray(pitch), self.tonic, self.scale, self.agreement)


# --- the finder --------------------------------------------------------------------------------


@cache
def _spaces() -> tuple[list[tuple[int, str]], npt.NDArray[np.float64]]:
    """Return tonics and scales, and the logarithm of the share of each pitch class."""
    every, shares = [], []
    for (name, notes), tonic in itertools.product(SCALES.items(), range(12)):
        inside = [NAMES.index(one) for one in notes.split()]
        weight = np.zeros(12)
        weight[inside] = 2
        for semitones, level in ((3, 3), (4, 3), (7, 4), (0, 5)):
            weight[semitones] = level * (semitones in inside)
        share = (1 - OUTSIDE) * weight / weight.sum() + OUTSIDE / 12
        every.append((tonic, name))
        shares.append(np.roll(np.log(share), tonic))
    return every, np.array(shares)


def find_mode(line: Sung) -> tuple[int, str]:
    """Return the tonic, and the name of the scale, that explain a line best."""
    every, shares = _spaces()
    heard = line.pitch % 12
    count = np.bincount(heard, 1.0 + (line.at % STEPS_PER_BAR == 0), minlength=12)
    scores = shares @ count
    for number, (tonic, _) in enumerate(every):
        for note, (on_tonic, on_triad) in ((heard[-1], ENDS), (heard[0], BEGINS)):
            degree = (note - tonic) % 12
            rest = (1 - on_tonic - on_triad) / 9
            chance = on_tonic if degree == 0 else on_triad / 3 if degree in (3, 4, 7) else rest
            scores[number] += np.log(chance)
    return every[int(np.argmax(scores))]


# --- lines -------------------------------------------------------------------------------------


def beats(count: int, first: int) -> list[DrumPattern]:
    """Draw beats."""
    return list(drum_space.sample(count=count, seed=1 + first, flat=True))


def line_of(score: Score, tonic: int, scale: str) -> Sung:
    """Return the first track of a score, and how well it meets the drums."""
    notes = score.tracks[0].notes
    at = np.round(notes[:, 0] / TICKS_PER_STEP).astype(np.int64)
    drums = DrumPattern.from_score(score)
    accents = drums.hits[:, [d.name in ("kick", "snare", "crash") for d in DRUMS]].any(axis=1)
    starts = np.isin(np.arange(len(accents)), at)
    with np.errstate(invalid="ignore"):
        met = float(np.corrcoef(starts, accents)[0, 1])
    return Sung(at, notes[:, 2], tonic, scale, met)


def written(options: argparse.Namespace, seeds: int) -> Iterator[Sung]:
    """Write melodies on all beats, in all scales."""
    for number, beat in enumerate(beats(options.beats, options.first)):
        for scale, seed in itertools.product(SCALES, range(seeds)):
            tonic = (5 * number + 7 * seed) % 12
            score = compose(
                beat, bass=False, chords=False, form="A", key=NAMES[tonic], scale=scale,
                instrument=PLAYERS[(number + seed) % len(PLAYERS)], flat=True,
                seed=options.first + seed,
            )  # fmt: skip
            yield line_of(score, tonic, scale)


def alone(options: argparse.Namespace) -> list[Sung]:
    """Write melodies without what real lines do: any note of the scale that the network wants."""
    import torch

    from drum_space.melodies.model import Prior
    from drum_space.melodies.voices import Voice

    def prior(voice: Voice, steps: int) -> Prior:
        places = np.where(voice.playable(), 0.0, -np.inf)
        moves = torch.zeros(len(places), len(places))
        return Prior(torch.from_numpy(places).float().expand(steps, -1), moves)

    with mock.patch.object(Voice, "prior", prior):
        return list(written(options, 1))


def sheets(part: str) -> Iterator[tuple[LeadSheet, int, str]]:
    """Return melodies of POP909 in 4/4, with their tonic and scale."""
    tunes = shipped()
    for number in tunes.of_part(part, corpus="pop909").tolist():
        sheet = tunes.melody(number)
        if sheet.steps_per_quarter == 4 and sheet.metre == (4, 4) and sheet.key:
            sharps, minor = key_sharps(sheet.key)
            yield sheet, (7 * sharps + 9 * minor) % 12, "minor" if minor else "major"


def real(part: str) -> Iterator[Sung]:
    """Cut melodies of POP909 into eight bars."""
    for sheet, tonic, scale in sheets(part):
        at = sheet.notes[:, 0] + (-sheet.pickup % STEPS_PER_BAR)
        for first in range(0, int(at[-1]) + 1, BARS * STEPS_PER_BAR):
            here = (at >= first) & (at < first + BARS * STEPS_PER_BAR)
            if here.sum() >= FEWEST:
                yield Sung(at[here] - first, sheet.notes[here, 2], tonic, scale)


def known() -> Iterator[Sung]:
    """Return tunes whose mode everybody knows, and a plain line in each scale."""
    for scale, key, text in TUNES:
        words = np.array(text.split())
        at = np.flatnonzero(words != "-")
        pitch = [NAMES.index(w[:-1]) + 12 * int(w[-1]) + 12 for w in words[at]]
        yield Sung(2 * at, np.array(pitch), NAMES.index(key), scale)
    for scale, notes in SCALES.items():
        steps = [NAMES.index(one) for one in notes.split()]
        if len(steps) < 12:
            pitch = [60 + steps[(d - 1) % len(steps)] for d in PLAIN]
            yield Sung(4 * np.arange(len(PLAIN)), np.array(pitch), 0, scale)


def random_lines(lines: Sequence[Sung], rng: np.random.Generator) -> Iterator[Sung]:
    """Replace notes by notes of the scale that are drawn evenly from an octave and a half."""
    for line in lines:
        inside = [NAMES.index(one) for one in SCALES[line.scale].split()]
        pitches = [60 + line.tonic + p for p in range(18) if p % 12 in inside]
        yield line.replaced(rng.choice(pitches, len(line.at)))


def shuffled(lines: Sequence[Sung], rng: np.random.Generator) -> Iterator[Sung]:
    """Move each note by its own number of semitones: nothing of a key is left."""
    for line in lines:
        yield line.replaced(line.pitch + rng.integers(12, size=len(line.at)))


# --- tables ------------------------------------------------------------------------------------

COLUMNS = (
    "commonest", "at most half", "repeated", "mode found", "tonic found", "typical note",
    "ends on tonic", "agreement", "notes per bar",
)  # fmt: skip


def figures(line: Sung) -> list[float]:
    """Measure a line."""
    heard = line.pitch % 12
    commonest = np.bincount(heard).max() / len(heard)
    tonic, scale = find_mode(line)
    typical = CHARACTER.get(line.scale)
    return [
        commonest,
        commonest <= 0.5,
        float(np.mean(np.diff(line.pitch) == 0)) if len(heard) > 1 else np.nan,
        (tonic, scale) == (line.tonic, line.scale),
        tonic == line.tonic,
        np.nan if typical is None else float(np.mean((heard - line.tonic) % 12 == typical)),
        heard[-1] == line.tonic,
        line.agreement,
        len(heard) / BARS,
    ]


def melodies(options: argparse.Namespace) -> Report:
    """Measure melodies on beats of every scale, beside real ones and controls."""
    rng = np.random.default_rng(1)
    lines = list(written(options, options.seeds))
    rows: dict[str, Sequence[Sung]] = {"drum-space": lines}
    rows |= {f"drum-space, {name}": [one for one in lines if one.scale == name] for name in SCALES}
    rows["without real lines"] = alone(options)
    rows["random notes of the scale"] = list(random_lines(lines, rng))
    rows["shuffled"] = list(shuffled(lines, rng))
    rows["POP909, test"] = list(real("test"))
    rows["POP909, test, shuffled"] = list(shuffled(rows["POP909, test"], rng))
    rows["known tunes"] = list(known())
    table = []
    for name, some in rows.items():
        if some:
            values = np.array([figures(one) for one in some], float).T
            fine = [column[np.isfinite(column)] for column in values]
            table.append((name, *(mean(one) if len(one) else None for one in fine)))
    return Report(
        title=f"{len(lines)} melodies of eight bars on {options.beats} beats",
        columns=("", *COLUMNS),
        rows=tuple(table),
        notes=(
            "commonest: share of the commonest pitch class; repeated: share of notes at the "
            "pitch of the one before.",
            "mode found: whether the finder names tonic and scale; those of POP909 are known as "
            "major or minor only, and many use five or six of its notes.",
            "without real lines: notes of the scale as the network wants them, but that a repeated "
            "note is no likelier than another; on one seed of each beat.",
            "typical note: share of the note that tells a mode from its neighbours.",
            "agreement: correlation of where notes start with where kick, snare or crash are "
            "struck.",
            about_intervals("melodies"),
        ),
    )


@dataclass(frozen=True)
class Harmonized:
    """A line, and its chords as pitch classes: a row for each half bar, and their roots."""

    line: Sung
    tones: npt.NDArray[np.bool_]
    roots: Ints

    @classmethod
    def of(cls, line: Sung, chords: Sequence[Chord]) -> Harmonized:
        """Read the chords that hold at each half bar."""
        tones = np.zeros((len(chords), 12), bool)
        for half, chord in enumerate(chords):
            tones[half, list(chord.pitch_classes)] = True
        return cls(line, tones, np.array([chord.root_pitch_class for chord in chords]))

    def figures(self) -> list[float]:
        """Measure how well a line and its chords agree, and how the chords move."""
        half = self.line.at // HALF
        inside = self.tones[half, self.line.pitch % 12]
        known = self.tones.any(axis=1)[half]
        strong = self.line.at % 4 == 0
        changes = self.roots[1:] != self.roots[:-1]
        up = (np.diff(self.roots) % 12)[changes]
        return [
            float(inside[strong & known].mean()) if (strong & known).any() else np.nan,
            float(inside[~strong & known].mean()) if (~strong & known).any() else np.nan,
            float(2 * changes.sum() / len(self.roots)),
            float((up == 5).mean()) if len(up) else np.nan,
            self.roots[-1] == self.line.tonic,
        ]


def harmonized(options: argparse.Namespace) -> Iterator[Harmonized]:
    """Write melodies with chords."""
    for number, beat in enumerate(beats(options.beats, options.first)):
        for scale in SCALES:
            tonic = 5 * number % 12
            score = compose(
                beat, bass=False, form="A", key=NAMES[tonic], scale=scale, instrument="lead",
                flat=True, seed=options.first,
            )  # fmt: skip
            starts, names = zip(*chord_symbols(score.markers), strict=True)
            halves = np.arange(2 * BARS) * HALF * TICKS_PER_STEP
            chords = [names[n] for n in np.searchsorted(starts, halves, side="right") - 1]
            yield Harmonized.of(line_of(score, tonic, scale), chords)


def played(part: str) -> Iterator[tuple[Harmonized, Harmonized]]:
    """Return melodies of POP909 with the chords that were played, and with those of the rules."""
    for sheet, tonic, scale in sheets(part):
        notes, length = sheet.notes, sheet.length - sheet.length % STEPS_PER_BAR
        if not sheet.chords or sheet.pickup or length < 2 * STEPS_PER_BAR:
            continue
        notes = notes[notes[:, 0] < length]
        line = Sung(notes[:, 0], notes[:, 2], tonic, scale)
        chords = sheet.chord_at(np.arange(0, length, HALF) + HALF // 2)
        voice = voice_of("lead", NAMES[tonic], scale)
        written = np.full(length, REST)
        for at, held, pitch, *_ in notes.tolist():
            written[at] = pitch - tonic
            written[at + 1 : at + held] = HOLD
        ours = [chord_of(int(number), voice) for number in harmonize(written, voice)]
        yield Harmonized.of(line, chords), Harmonized.of(line, ours)


def chance(lines: Sequence[Harmonized], rng: np.random.Generator) -> Iterator[Harmonized]:
    """Replace chords by triads of the scale, or of the major or minor scale, at random."""
    for one in lines:
        scale = one.line.scale if len(SCALES[one.line.scale].split()) == 7 else "major"
        voice = voice_of("lead", NAMES[one.line.tonic], scale)
        numbers = rng.integers(7, size=len(one.roots)).tolist()
        yield Harmonized.of(one.line, [chord_of(number, voice) for number in numbers])


def chords(options: argparse.Namespace) -> Report:
    """Measure how well lines and chords agree, beside songs that were played and chance."""
    rng = np.random.default_rng(1)
    own = list(harmonized(options))
    theirs, ruled = zip(*played("test"), strict=True)
    rows = {
        "drum-space": own,
        "drum-space, random chords": list(chance(own, rng)),
        "POP909, test, as played": theirs,
        "POP909, test, chords by the rules": ruled,
        "POP909, test, random chords": list(chance(theirs, rng)),
    }
    table = []
    for name, some in rows.items():
        values = np.array([one.figures() for one in some], float).T
        table.append((name, *(mean(column[np.isfinite(column)]) for column in values)))
    return Report(
        title=f"chords of {len(own)} melodies on beats, and of {len(theirs)} melodies of POP909",
        columns=(
            "", "strong notes in chord", "weak notes in chord", "changes per bar",
            "roots up a fourth", "last chord on tonic",
        ),
        rows=tuple(table),
        notes=(
            "strong notes: those that begin on a beat; weak: between beats.",
            "random chords: triads of the scale, a new one each half bar.",
            about_intervals("melodies"),
        ),
    )  # fmt: skip


def moves(options: argparse.Namespace) -> Report:
    """Count how melodies of POP909 move and which degrees they like."""
    far = np.zeros(9)
    degrees = np.zeros((2, 3, 7))
    for sheet, tonic, scale in sheets("train"):
        inside = np.array([NAMES.index(one) for one in SCALES[scale].split()])
        at = (sheet.notes[:, 0] - sheet.pickup) % STEPS_PER_BAR
        octave, semitone = np.divmod(sheet.notes[:, 2] - tonic, 12)
        fits = np.isin(semitone, inside)
        degree = np.searchsorted(inside, semitone) % 7
        strength = np.where(at == 0, 0, np.where(at % 4 == 0, 1, 2))
        np.add.at(degrees[int(scale == "minor")], (strength[fits], degree[fits]), 1)
        steps = np.abs(np.diff(7 * octave + degree))[fits[1:] & fits[:-1]]
        np.add.at(far, np.minimum(steps, 8), 1)
    degrees /= degrees.sum(axis=2, keepdims=True)
    rows = [("moves", *(far / far.sum()))]
    for scale, mode in zip(("major", "minor"), degrees, strict=True):
        for place, shares in zip(("first beats", "other beats", "between"), mode, strict=True):
            rows.append((f"{scale}, {place}", *shares, None, None))
    columns = ("", *(str(n) for n in range(8)), "more")
    return Report(title="moves and degrees of POP909", columns=columns, rows=tuple(rows))


def parts(options: argparse.Namespace) -> Report:
    """Measure how loud and how busy the piano of POP909 is in each part of a song.

    Against its first part with a melody, over songs that are learnt from; loudness is 40 log10 of
    the velocity. Where the bars of the annotated parts lie in a song is known by its melody, which
    is annotated, too.
    """
    texts = zipfile.ZipFile(options.pop909 / "structure.zip")
    learnt = {tune.name for tune in shipped().heads if (tune.corpus, tune.part) == CORPUS}
    found: dict[str, list[list[float]]] = {}
    for song in find_songs([options.pop909 / "pop909.zip", options.pop909 / "annotations.zip"]):
        if song.name not in learnt:
            continue
        score, folder = song.read(), song.name.rpartition("/")[2]
        label, melody = (texts.read(f"{folder}/{name}.txt").decode()
                         for name in ("human_label1", "melody"))  # fmt: skip
        steps = {one.name: one.notes[:, 0] / TICKS_PER_STEP for one in score.tracks}
        pitches = {one.name: one.notes[:, 2] for one in score.tracks}
        pitch, length = np.array([line.split() for line in melody.splitlines() if line], int).T
        at = (np.cumsum(length) - length)[pitch > 0]
        away = np.round(steps["MELODY"])[:, None] - at
        shifts, counts = np.unique(
            away[pitches["MELODY"][:, None] == pitch[pitch > 0]], return_counts=True
        )
        if "PIANO" not in steps or not len(counts) or counts.max() < 0.8 * len(at):
            continue
        labels = re.findall(r"([A-Za-z])(\d+)", label)
        of = np.repeat([name for name, _ in labels], [int(bars) for _, bars in labels])
        bar = (steps["PIANO"] + 0.25 - shifts[counts.argmax()]) // STEPS_PER_BAR
        inside = (bar >= 0) & (bar < len(of))
        [velocity] = [one.notes[inside, 3] for one in score.tracks if one.name == "PIANO"]
        names, loud = of[bar[inside].astype(int)], 40 * np.log10(velocity)
        letters = [*dict.fromkeys(name for name, _ in labels if name.isupper()), "", ""]
        first = names == letters[0]
        for row, name in (("second part", letters[1]), ("introduction", "i"), ("outro", "o")):
            here = names == name
            if here.any() and first.any():
                busier = here.sum() / (of == name).sum() / first.sum() * (of == letters[0]).sum()
                louder = loud[here].mean() - loud[first].mean()
                found.setdefault(row, []).append([louder, busier])
    rows = [(row, len(some), *map(mean, np.array(some).T)) for row, some in found.items()]
    return Report(
        title="parts of POP909 against the first one with a melody",
        columns=("", "songs", "dB louder", "notes, ratio"),
        rows=tuple(rows),
        notes=(about_intervals("songs"),),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print one table."""
    tables: dict[str, Callable[[argparse.Namespace], Report]] = {
        "melodies": melodies, "chords": chords, "moves": moves, "parts": parts,
    }  # fmt: skip
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=tables)
    parser.add_argument("--beats", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=6, help="melodies on each beat in each scale")
    parser.add_argument("--first", type=int, default=0, help="first seed, of beats and melodies")
    parser.add_argument("--pop909", type=Path, help="folder with the zip files of POP909")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    report = tables[options.table](options)
    print(dump_json(report.to_json()) if options.json else report.to_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
