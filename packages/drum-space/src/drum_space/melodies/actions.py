"""The verbs of drum-space for melodies on beats: the command line and the Python API at once."""

from __future__ import annotations

from typing import Annotated, Literal

from drum_space.playing.options import FeelName, Flat, Swing
from drum_space.playing.performing import Feel
from drum_space.space import (
    NETWORKS,
    PACKAGE,
    heard_bars,
    load,
    near_fills,
    two_bars,
    warn_outside,
)
from groove_core.actions import (
    DataPath,
    Device,
    Devices,
    DrumTrack,
    Into,
    License,
    Minutes,
    Opt,
    Readable,
    Restart,
    Resume,
    Seed,
    Strategy,
    action,
    draw_seed,
)
from groove_core.console import note
from groove_core.drums import DrumPattern
from groove_core.errors import UsageError
from groove_core.values import Report, Score

__all__ = ["compose", "train_melody"]

Beat = Annotated[Readable[DrumPattern], Opt("MIDI file of the beat")]
Key = Annotated[str, Opt("tonic: C, C#, Db, D ... B")]
Scale = Annotated[
    Literal[
        "major", "minor", "harmonic-minor", "dorian", "phrygian", "lydian", "mixolydian",
        "pentatonic", "minor-pentatonic", "blues", "chromatic",
    ],
    Opt("scale of the notes"),
]  # fmt: skip
Player = Annotated[
    Literal["keys", "mallets", "guitar", "bass", "strings", "winds", "lead", "pad"],
    Opt("instrument of the melody"),
]
Low = Annotated[
    int | None, Opt("lowest note (default: the instrument's)", unit="MIDI", min=24, max=107)
]
High = Annotated[
    int | None, Opt("highest note (default: the instrument's)", unit="MIDI", min=24, max=107)
]
Heat = Annotated[
    float, Opt("sampling temperature: 0 plays the likeliest notes, above 1 is daring", min=0, max=3)
]
PartBars = Annotated[
    int | None,
    Opt("length of each part, an even number (default: 8, or the beat's if longer)", unit="bars",
        min=2, max=32),
]  # fmt: skip
Form = Annotated[
    str,
    Opt("one letter for each part, with ' for a variation; I and O are an introduction and an "
        "outro, without melody"),
]  # fmt: skip
Takes = Annotated[
    int, Opt("lines drawn, of which the one that fits the beat best is kept", min=1, max=256)
]
BeatTempo = Annotated[float | None, Opt("tempo (default: the beat's)", unit="bpm", min=10, max=600)]
MelodyCheckpoint = Annotated[
    str | None,
    Opt("trained melody network: folder or name (default: the packaged one)",
        role="checkpoint", fits=("drum_space.melodies.model:DrumMelody",)),
]  # fmt: skip
USUAL_BARS, MAX_BARS = 8, 32


@action
def compose(
    beat: Beat,
    *,
    key: Key = "A",
    scale: Scale = "minor",
    instrument: Player = "lead",
    low: Low = None,
    high: High = None,
    bars: PartBars = None,
    bass: Annotated[bool, Opt("bass line below the melody")] = True,
    chords: Annotated[bool, Opt("chords below the melody")] = True,
    form: Form = "AA'BA",
    temperature: Heat = 1.0,
    takes: Takes = 8,
    tempo_bpm: BeatTempo = None,
    feel: FeelName = None,
    swing: Swing = None,
    flat: Flat = False,
    drum_track: DrumTrack = None,
    seed: Seed = None,
    checkpoint: MelodyCheckpoint = None,
    device: Device = "auto",
) -> Score:
    """Write a melody on a beat: with chords, a bass and drums in a form, a whole piece.

    The second half of a part begins as its first does. Letters of the form that come back bring
    back beat and lines; other letters play a beat from elsewhere in the space, louder, with more
    chords. ``A'`` keeps the first half of A's lines and varies the rest. Each part ends on the
    tonic. The beat keeps its bars, and how it was played; what it does not say is played as
    `sample` plays. Four parts of eight bars at 120 bpm last a minute; ``--no-bass --no-chords
    --form A`` writes one melody.

    Chords are triads and sevenths of the scale, one for each half bar, chosen so that notes on the
    beat belong to them, roots move up fourths where they can, and the tonic at the end follows a
    chord on the fourth or fifth degree; see `drum_space.melodies.harmony`.

    Returns
    -------
    Score
        The melody, the chords, the bass, and the drums they are written on.

    Raises
    ------
    UsageError
        If key, form or length are invalid, or no note of the scale is in the range.
    InputError
        If the beat is silent.
    """
    import torch

    from drum_space.melodies.forms import parse_form
    from drum_space.melodies.loading import load_melody
    from drum_space.melodies.songs import compose as written
    from drum_space.melodies.voices import voice_of

    lead = voice_of(instrument, key, scale, low=low, high=high, temperature=temperature)
    below = voice_of("bass", key, scale, temperature=temperature) if bass else None
    parts = parse_form(form)
    beat = heard_bars(beat)
    if bars is None:
        bars = min(max(USUAL_BARS, beat.bars + beat.bars % 2), MAX_BARS)
    if bars % 2:
        raise UsageError(
            f"bars must be even, not {bars}: beats have two.", hint=f"--bars {bars + 1}"
        )
    seed = draw_seed(seed)
    playing = Feel.of(feel, swing=swing, flat=flat, seed=seed)
    if beat.bars > bars:
        note(f"the beat has {beat.bars} bars: each part plays the first {bars}")
    network, space, card = load_melody(checkpoint, device)
    warn_outside(space, two_bars(beat.slice_bars(0, min(2, beat.bars))))
    generator = torch.Generator().manual_seed(seed)
    _, about = load("", card["space"]["name"], device)
    return written(
        network, space, beat, parts, bars, lead, below,
        chords=chords,
        takes=takes,
        tempo_bpm=tempo_bpm or beat.tempo_bpm,
        generator=generator,
        playing=playing,
        fills=near_fills(space, about, generator),
    )  # fmt: skip


@action
def train_melody(
    *,
    data: DataPath = None,
    name: Annotated[str | None, Opt("name of the checkpoint (default: my-melody)")] = None,
    into: Into = None,
    space: Annotated[
        str, Opt("checkpoint of the latent space whose codes it reads", fits=NETWORKS)
    ] = "acai",
    epochs: Annotated[int, Opt("passes over the data", min=1, max=10_000)] = 5,
    batch_size: Annotated[int, Opt("lines of eight bars per step", min=1, max=4096)] = 64,
    learning_rate: Annotated[
        float, Opt("learning rate of AdamW, before its cosine decay", min=1e-6, max=0.1)
    ] = 2e-3,
    folds: Annotated[
        int, Opt("number of the five folds to hold out in turn and measure on", min=1, max=5)
    ] = 1,
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Train a melody network on the shipped lines, or on your own folder of MIDI files.

    Files need drums and other instruments, in 4/4. One piece in five is never learnt. Ctrl-C
    keeps what was learnt so far; --resume goes on.
    """
    from drum_space.melodies.lines import open_songbook
    from drum_space.melodies.training import SHIPPED, Lesson, MelodyTraining, Settings
    from groove_core import learning

    run = learning.Run.of(
        PACKAGE, "my-melody", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license, source=learning.source(data, *SHIPPED),
    )  # fmt: skip
    book = open_songbook(data)
    if data is not None:
        note(book.to_text())
    settings = Settings(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    network, card = load("", space, "cpu")
    lesson = Lesson(book, network, {"name": space, "sha256": card["sha256"]}, folds=folds)
    return learning.train(MelodyTraining, settings, lesson, run)
