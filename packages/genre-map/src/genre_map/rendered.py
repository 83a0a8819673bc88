"""The rendered corpus: songs in ten genres that anyone can build, as MMA's grooves have them.

Only the groove knows the genre. Chords, key, tempo, instruments and soundfont are drawn
alike for all, so that what can be learnt is how a style is played.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genre_map.genres import GENRES
from genre_map.libraries import Groove, find_grooves
from groove_core.batch.engines import LOCAL
from groove_core.errors import InputError, UsageError
from groove_core.render import DRUM_KITS, Clip, find_soundfonts, render_clips
from groove_core.storage import check_file, check_writable, dump_json, read_json, write_text
from groove_core.values import Report, Score, Track

__all__ = ["Plan", "build", "plan_songs"]

DURATION_S = 30.0
TEMPOS_BPM = (70.0, 180.0)
GROOVES = 60
"""Grooves a genre at most: with 240 songs, four of each."""
PLAN = "corpus.json"
NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
MAJOR = ((0, "M"), (2, "m"), (4, "m"), (5, "M"), (7, "M"), (9, "m"))
MINOR = ((0, "m"), (3, "M"), (5, "m"), (7, "m"), (8, "M"), (10, "M"))
TWELVE_BARS = (0, 5, 0, 0, 5, 5, 0, 0, 7, 5, 0, 7)
PLAIN_CHORDS = ("1 1 70", "1 2 70; 3 2 65", "1 4 70; 2 4 60; 3 4 65; 4 4 60")
PLAIN_BASS = ("1 1 1 90", "1 2 1 90; 3 2 5 80", "1 4 1 90; 2 4 1 70; 3 4 5 80; 4 4 1 70")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a song of the corpus is made of."""

    path: str
    genre: str
    library: str
    groove: str
    soundfont: str
    tempo_bpm: float
    chords: str
    accompaniment: str
    """``own``, or ``plain`` where the groove has drums only."""
    seed: int


def plan_songs(
    grooves: Sequence[Groove], soundfonts: Sequence[str], *, songs: int, seed: int
) -> list[Plan]:
    """Draw what the songs are made of.

    Grooves are taken from all libraries of a genre in turn, `GROOVES` of them at most, and
    soundfonts in turn, so that each groove is heard on each.

    Parameters
    ----------
    grooves : sequence of Groove
    soundfonts : sequence of str
    songs : int
        Of each genre.
    seed : int
        A song depends on it, its genre and its number only.

    Returns
    -------
    list of Plan
    """
    plans = []
    for number, genre in enumerate(GENRES):
        chosen = _in_turn([g for g in grooves if g.genre == genre], seed)[:GROOVES]
        for index in range(songs if chosen else 0):
            groove = chosen[index % len(chosen)]
            font = soundfonts[(index + index // len(chosen)) % len(soundfonts)]
            rng = np.random.default_rng((seed, number, index))
            plans.append(
                Plan(
                    path=f"{genre}/{genre}.{index:05d}.flac",
                    genre=genre,
                    library=groove.library,
                    groove=groove.name,
                    soundfont=font,
                    tempo_bpm=round(float(np.exp(rng.uniform(*np.log(TEMPOS_BPM)))), 1),
                    chords=" ".join(_chords(rng)),
                    accompaniment="plain" if groove.drums_only else "own",
                    seed=int(rng.integers(2**31)),
                )
            )
    return plans


def _in_turn(grooves: Sequence[Groove], seed: int) -> list[Groove]:
    """Order grooves so that each library gives one before any gives its next."""
    shelves: dict[str, list[Groove]] = defaultdict(list)
    for groove in grooves:
        shelves[groove.library].append(groove)
    rng = np.random.default_rng((seed, len(grooves)))
    mixed = [[shelf[i] for i in rng.permutation(len(shelf))] for shelf in shelves.values()]
    longest = max((len(shelf) for shelf in mixed), default=0)
    return [shelf[i] for i in range(longest) for shelf in mixed if i < len(shelf)]


def _chords(rng: np.random.Generator) -> list[str]:
    """Draw a progression, one chord a bar, in any key."""
    key = int(rng.integers(12))
    seventh = bool(rng.random() < 0.4)
    if rng.random() < 0.2:
        return [NAMES[(key + degree) % 12] + ("7" if seventh else "") for degree in TWELVE_BARS]
    scale = MAJOR if rng.random() < 0.6 else MINOR
    bars = int(rng.choice([4, 8]))
    degrees = [0, *rng.integers(len(scale), size=bars - 1)]
    names = []
    for degree in degrees:
        above, kind = scale[degree]
        ending = {"M": ("", "7" if above == 7 else "M7"), "m": ("m", "m7")}[kind][seventh]
        names.append(NAMES[(key + above) % 12] + ending)
    return names


def _source(plan: Plan) -> str:
    """Write a song in MMA's language."""
    rng = np.random.default_rng((plan.seed, 1))
    lines = [
        f"RndSeed {plan.seed}",
        f"Tempo {plan.tempo_bpm}",
        f"Groove {plan.library}:{plan.groove}",
    ]
    if plan.accompaniment == "plain":
        bass, chord = (str(rng.choice(rhythms)) for rhythms in (PLAIN_BASS, PLAIN_CHORDS))
        if plan.library.endswith("34"):  # three beats
            bass, chord = (rhythm.partition("; 4 ")[0] for rhythm in (bass, chord))
        lines += [
            f"Begin Bass-Plain\n Voice FingeredBass\n Octave 3\n Sequence {{{bass}}}\nEnd",
            f"Begin Chord-Plain\n Voice Piano1\n Octave 5\n Sequence {{{chord}}}\nEnd",
        ]
    chords = plan.chords.split()
    bars = int(plan.tempo_bpm / 60 * DURATION_S / 2) + 2  # no metre has fewer beats than two
    lines += [f"{bar + 1} {chords[bar % len(chords)]}" for bar in range(bars)]
    return "\n".join(lines) + "\n"


def _play(plan: Plan) -> Score:
    """Let MMA write the song, and choose other instruments and dynamics."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.mma"), Path(folder, "out.mid")
        source.write_text(_source(plan), encoding="utf-8")
        done = subprocess.run(
            ["mma", "-f", target, source], capture_output=True, text=True, check=False
        )
        if done.returncode or not target.is_file():
            said = " ".join((done.stdout + done.stderr).split())[-200:]
            raise InputError(
                f"MMA cannot play {plan.library}:{plan.groove}: {said}.",
                hint="mma -g brings its list of grooves up to date.",
            )
        score = Score.read(target)
    rng = np.random.default_rng((plan.seed, 2))
    end = int(DURATION_S * plan.tempo_bpm / 60 * score.ticks_per_quarter)
    tracks = tuple(_arranged(track, end, rng) for track in score.tracks)
    return replace(score, tracks=tracks, end_tick=end)


def _arranged(track: Track, end_tick: int, rng: np.random.Generator) -> Track:
    """Cut a part off, give it another instrument of its family half of the time, and a level."""
    notes = track.notes[track.notes[:, 0] < end_tick].copy()
    gain, swap = rng.uniform(0.7, 1.2), rng.random() < 0.5
    notes[:, 3] = np.clip(np.round(notes[:, 3] * gain), 1, 127)
    program = track.program
    if swap:
        program = (
            int(rng.choice(DRUM_KITS)) if track.is_drum else program // 8 * 8 + int(rng.integers(8))
        )
    return replace(
        track,
        notes=notes,
        program=program,
        controls=track.controls[track.controls[:, 0] < end_tick],
    )


def build(
    into: Path,
    *,
    songs: int,
    seed: int,
    soundfonts: Sequence[Path] | None = None,
    jobs: int | None = None,
    engine: str = LOCAL,
) -> Report:
    """Build the corpus in a folder; what an interrupted run has finished is kept.

    Raises
    ------
    InputError
        If MMA or a second soundfont is not installed.
    UsageError
        If the folder holds a corpus with other settings.
    """
    grooves = find_grooves()
    if soundfonts:
        fonts = {path.name: check_file(path, what="a soundfont (.sf2)") for path in soundfonts}
    elif len(fonts := find_soundfonts()) < 2:
        raise InputError(
            "There is only one soundfont; a corpus needs two that sound different.",
            hint="sudo apt install fluid-soundfont-gm, or --soundfonts A.sf2 B.sf2",
        )
    settings = {"songs": songs, "seed": seed, "soundfonts": list(fonts)}
    check_writable(into)
    if (into / PLAN).exists():
        before = read_json(into / PLAN)
        if before != settings:
            raise UsageError(
                f"{into} holds a corpus of other settings: {before}.",
                hint="Give another --into, or the same settings to go on with it.",
            )
    write_text(into / PLAN, dump_json(settings))
    plans = plan_songs(grooves, list(fonts), songs=songs, seed=seed)
    clips = [
        Clip(
            plan.path,
            functools.partial(_play, plan),
            fonts[plan.soundfont],
            {name: value for name, value in asdict(plan).items() if name != "path"},
        )
        for plan in plans
    ]
    render_clips(into, clips, duration_s=DURATION_S, jobs=jobs, engine=engine)
    return _report(into, plans)


def _report(into: Path, plans: Sequence[Plan]) -> Report:
    rows: list[tuple[Any, ...]] = []
    for genre in GENRES:
        mine = [plan for plan in plans if plan.genre == genre]
        drums = sum(plan.accompaniment == "plain" for plan in mine)
        libraries, grooves = ({getattr(p, k) for p in mine} for k in ("library", "groove"))
        rows.append((genre, len(libraries), len(grooves), len(mine), drums))
    return Report(
        f"{len(plans)} songs of {DURATION_S:g} s in {into}",
        ("genre", "style libraries", "grooves", "songs", "with plain chords and bass"),
        tuple(rows),
        notes=("Only the groove depends on the genre: chords, key, tempo, instruments and "
               "soundfont are drawn alike for all.",),
        data={"folder": str(into)},
    )  # fmt: skip
