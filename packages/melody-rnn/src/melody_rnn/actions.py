"""The verbs of melody-rnn: the command line and the Python API at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from groove_core.actions import (
    Checkpoint,
    DataPath,
    Device,
    Devices,
    Engine,
    Into,
    Jobs,
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
    each,
)
from groove_core.values import LeadSheet, Report, Score
from melody_rnn.options import (
    Alone,
    Bars,
    Count,
    Density,
    Flat,
    High,
    Low,
    Model,
    Primer,
    Scale,
    Temperature,
    TopP,
    Track,
    TransformerCheckpoint,
)  # fmt: skip

if TYPE_CHECKING:
    from groove_core.tunes import Take, Trace, TuneSet

__all__ = [
    "adapt", "dataset", "evaluate", "extend", "fill", "sample", "trace", "train", "vary",
]  # fmt: skip

PACKAGE = "melody-rnn"


@action
def sample(
    *,
    count: Count = 4,
    bars: Bars = 8,
    key: Annotated[str, Opt("key, such as Bb or F#m")] = "C",
    metre: Annotated[str, Opt("metre, such as 3/4 or 6/8")] = "4/4",
    steps_per_quarter: Annotated[
        Literal["4", "3"], Opt("grid: 4 for sixteenths, 3 for eighth triplets")
    ] = "4",
    chords: Annotated[str, Opt("chords, one each bar or 'Am F | C G' (default: open)")] = "",
    scale: Scale = None,
    low: Annotated[
        int | None, Opt("lowest note that is written", unit="MIDI", min=0, max=127)
    ] = 55,
    high: Annotated[
        int | None, Opt("highest note that is written", unit="MIDI", min=0, max=127)
    ] = 81,
    density: Density = None,
    temperature: Temperature = 1.0,
    top_p: TopP = 0.98,
    tempo_bpm: Annotated[float, Opt("tempo", unit="bpm", min=10, max=600)] = 100.0,
    flat: Flat = False,
    model: Model = "transformer",
    checkpoint: Checkpoint = None,
    seed: Seed = None,
    device: Device = "auto",
) -> list[Take]:
    """Write new melodies.

    The Transformer can be told key, metre, chords and density; the original networks know 4/4 in
    sixteenths, and neither chords nor density. A network writes three octaves, anywhere between
    --low and --high. Stretches of 16 steps that stand in a tune of the training set are marked.

    Returns
    -------
    list of Take

    Raises
    ------
    UsageError
        If key, metre or chords cannot be read, or no note of the scale is in the range.
    """
    from groove_core.tunes import Passage
    from melody_rnn import composing
    from melody_rnn.tunes import learnt

    network, _ = _load(model, checkpoint, device)
    blank = composing.blank(
        network, bars, key=key, metre=metre, grid=int(steps_per_quarter), chords=chords,
        tempo_bpm=tempo_bpm,
    )  # fmt: skip
    wish = composing.Wish(low, high, composing.scale_of(scale, key), density, temperature, top_p)
    takes = composing.sample(network, blank, wish, count, draw_seed(seed), flat=flat)
    return Passage(blank).finished(takes, learnt())


@action
def extend(
    primer: Primer,
    *,
    bars: Bars = 8,
    count: Count = 4,
    track: Track = None,
    alone: Alone = False,
    scale: Scale = None,
    low: Low = None,
    high: High = None,
    density: Density = None,
    temperature: Temperature = 1.0,
    top_p: TopP = 0.98,
    flat: Flat = False,
    model: Model = "transformer",
    checkpoint: Checkpoint = None,
    seed: Seed = None,
    device: Device = "auto",
) -> list[Take]:
    """Continue a melody.

    What is written begins behind the last bar of the primer, and its chords, if there are any,
    hold on. In a song, one track goes on and all others stay as they are. A network writes three
    octaves, around the primer or between --low and --high; notes of the primer that lie elsewhere
    stay where they are. It sees 512 steps at once: 32 bars of 4/4 in sixteenths.

    Returns
    -------
    list of Take
        The primer with its continuation; the primer is marked as given.

    Raises
    ------
    InputError
        If the primer has no notes, or is in a metre that the network has not learnt.
    """
    from groove_core.tunes import Passage
    from melody_rnn import composing
    from melody_rnn.tunes import learnt

    passage = Passage.of(primer, track, alone=alone)[-1]
    network, _ = _load(model, checkpoint, device)
    wish = composing.Wish(
        low, high, composing.scale_of(scale, passage.melody.key), density, temperature, top_p
    )
    seed = draw_seed(seed)
    takes = composing.extend(network, passage.melody, bars, wish, count, seed, flat=flat)
    return passage.finished(takes, learnt())


@action
def fill(
    melody: Primer,
    *,
    bars: Annotated[
        str | None,
        Opt("bars that are written anew: 5 or 5-8 (default: the first silent ones, or the middle)"),
    ] = None,
    count: Count = 4,
    track: Track = None,
    alone: Alone = False,
    scale: Scale = None,
    low: Low = None,
    high: High = None,
    density: Density = None,
    temperature: Temperature = 1.0,
    top_p: TopP = 0.98,
    flat: Flat = False,
    checkpoint: TransformerCheckpoint = None,
    seed: Seed = None,
    device: Device = "auto",
) -> list[Take]:
    """Write some bars of a melody anew, so that they lead from what is before to what is behind.

    In a song, the bars of one track are written anew and all else stays as it is.

    Returns
    -------
    list of Take
        The melody; all but the bars is as it was, and marked as given.

    Raises
    ------
    UsageError
        If the bars are not in the melody.
    InputError
        If it is in a metre that the network has not learnt.
    """
    from groove_core.tunes import Passage, first_gap, with_bars
    from melody_rnn import composing
    from melody_rnn.tunes import learnt

    found = Passage.of(melody, track, alone=alone)
    wanted = first_gap(found) if bars is None else composing.bars_of(bars)
    passage, gap = with_bars(found, wanted)
    network, _ = _load("transformer", checkpoint, device)
    wish = composing.Wish(
        low, high, composing.scale_of(scale, passage.melody.key), density, temperature, top_p
    )
    seed = draw_seed(seed)
    takes = composing.fill(network, passage.melody, gap, wish, count, seed, flat=flat)
    return passage.finished(takes, learnt())


@action
def vary(
    melody: Primer,
    *,
    keep: Annotated[
        Literal["rhythm", "pitch", "contour", "nothing"],
        Opt("kept part: all onsets, all pitches in their order, or ups and downs with the onsets"),
    ] = "rhythm",
    amount: Annotated[float, Opt("share of the melody that is written anew", min=0, max=1)] = 0.5,
    count: Count = 4,
    track: Track = None,
    alone: Alone = False,
    scale: Scale = None,
    low: Low = None,
    high: High = None,
    temperature: Temperature = 1.0,
    top_p: TopP = 0.98,
    flat: Flat = False,
    checkpoint: TransformerCheckpoint = None,
    seed: Seed = None,
    device: Device = "auto",
) -> list[Take]:
    """Make variations of a melody.

    Beats are chosen at random and written anew; all others stay. In a song, those are beats of one
    track, and all else stays as it is.

    Returns
    -------
    list of Take

    Raises
    ------
    InputError
        If the melody has no notes, or is in a metre that the network has not learnt.
    """
    from groove_core.tunes import Passage
    from melody_rnn import composing
    from melody_rnn.tunes import learnt

    found = Passage.of(melody, track, alone=alone)
    passage = max(found, key=lambda one: len(one.melody.notes))
    network, _ = _load("transformer", checkpoint, device)
    wish = composing.Wish(
        low, high, composing.scale_of(scale, passage.melody.key), None, temperature, top_p
    )
    seed = draw_seed(seed)
    takes = composing.vary(network, passage.melody, keep, amount, wish, count, seed, flat=flat)
    return passage.finished(takes, learnt())


@action
def trace(
    melodies: Annotated[
        Readable[list[Score | LeadSheet]],
        Opt("files or folders of melodies and songs, or phrases such as 'C4 E4 G4 -'"),
    ],
    *,
    track: Track = None,
    data: DataPath = None,
) -> Iterator[Trace]:
    """Find the tunes that a melody quotes, transposed or not.

    Stretches of 16 steps or more are quotations. For each phrase, the tune with the longest
    stretch in common is named, from 8 steps on.

    Yields
    ------
    Trace
        What stands in the tunes that the networks learnt from, or in the songs of a folder of
        yours.
    """
    from groove_core.tunes import Passage, Tracer
    from melody_rnn.tunes import learnt

    tracer = learnt() if data is None else Tracer.of_folder(data)

    def trace(melody: Score | LeadSheet, _: str) -> Trace:
        found = Passage.of(melody, track, quiet=len(melodies) > 1)
        return tracer.trace(max((one.melody for one in found), key=lambda one: len(one.notes)))

    yield from each(melodies, trace, "tracing")


@action
def dataset(
    folders: Annotated[
        Readable[list[Path]], Opt("folders (or zip files) of MIDI, MusicXML or ABC files")
    ],
    *,
    splits: Annotated[
        Readable[Path | None],
        Opt("folder with a table for each corpus: id, split, group (default: by hash)"),
    ] = None,
    track: Annotated[
        str | None, Opt("name or number of the track with the melody (default: found)")
    ] = None,
    jobs: Jobs = None,
    engine: Engine = "local",
) -> TuneSet:
    """Build a set of tunes from songs, with an account of what was left out.

    Copies of a tune, transposed or not, are in one part of the split.
    """
    from groove_core.tunes import TuneSet, read_tunes

    tunes, left_out = read_tunes(
        folders, splits=splits, line=_track(track), jobs=jobs, engine=engine
    )
    return TuneSet.of(tunes, dict(left_out.most_common()))


@action
def train(
    *,
    model: Model = "transformer",
    data: DataPath = None,
    name: Annotated[str | None, Opt("name of the checkpoint (default: my- and the model)")] = None,
    into: Into = None,
    size: Annotated[
        int | None, Opt("numbers of a step inside (default: 128)", min=32, max=1024)
    ] = None,
    layers: Annotated[
        int | None, Opt("layers of the Transformer (default: 4)", min=1, max=24)
    ] = None,
    epochs: Annotated[
        int | None, Opt("passes over the data (default: 12, originals 14)", min=1, max=10_000)
    ] = None,
    batch_size: Annotated[
        int | None, Opt("long windows per step (default: 16, originals 32)", min=1, max=4096)
    ] = None,
    learning_rate: Annotated[
        float | None, Opt("peak rate of Adam (default: 0.002, originals 0.007)", min=1e-6, max=0.1)
    ] = None,
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Train a network on the shipped tunes or on your own folder.

    Ctrl-C keeps what was learnt so far; --resume goes on and ends with the same weights as an
    unbroken run. The checkpoint can then be named with --checkpoint.
    """
    from groove_core import learning
    from melody_rnn.lessons import Lesson
    from melody_rnn.training import SHIPPED, Settings, training_of
    from melody_rnn.tunes import open_tunes

    run = learning.Run.of(
        PACKAGE, f"my-{model}", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license, source=learning.source(data, *SHIPPED),
    )  # fmt: skip
    settings = Settings.of(
        model, size=size, layers=layers, epochs=epochs, batch_size=batch_size,
        learning_rate=learning_rate,
    )  # fmt: skip
    training, lesson = training_of(model), Lesson(open_tunes(data), model)
    lesson.check_size(training.steps, settings.batch_size)
    return learning.train(training, settings, lesson, run)


@action
def adapt(
    songs: Annotated[Readable[Path], Opt("folder of MIDI, MusicXML or ABC files, ten or more")],
    *,
    track: Annotated[
        str | None, Opt("name or number of the track with the melody (default: found)")
    ] = None,
    name: Annotated[str | None, Opt("name of the checkpoint (default: my-melodies)")] = None,
    into: Into = None,
    epochs: Annotated[int, Opt("passes over the songs, at most", min=1, max=10_000)] = 24,
    batch_size: Annotated[
        int, Opt("long windows per step, or more short ones", min=1, max=4096)
    ] = 8,
    learning_rate: Annotated[
        float, Opt("learning rate of Adam, before its decay", min=1e-6, max=0.1)
    ] = 2e-4,
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Bring the Transformer nearer to a few songs of yours, in minutes on two cores.

    A fifth of the songs is held out: what knows those best is kept, and the training stops when
    it knows them no better. The report has the bits of a note of theirs and of other tunes, and
    how much is copied, before and after.

    Raises
    ------
    InputError
        If fewer than three songs are usable, or they are too short.
    UsageError
        If the checkpoint is not a Transformer.
    """
    from groove_core import learning
    from melody_rnn.adapting import AdaptSettings, AdaptTraining, Own
    from melody_rnn.lessons import Lesson
    from melody_rnn.loading import load_transformer
    from melody_rnn.tunes import open_tunes

    model, card = load_transformer(checkpoint, "cpu")
    run = learning.Run.of(
        PACKAGE, "my-melodies", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license, source=learning.source(songs, "", ""),
    )  # fmt: skip
    own = Own(open_tunes(songs, line=_track(track)), model, card, Lesson(open_tunes()))
    settings = AdaptSettings(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    return learning.train(AdaptTraining, settings, own, run)


@action
def evaluate(
    *,
    about: Annotated[
        Literal["bits", "places", "melodies", "fill", "chords"],
        Opt(
            "bits: what is known of tunes; places: where in them the bits are; "
            "melodies: style and copies of what is written; fill: what both sides of a gap help; "
            "chords: chord tones on strong beats"
        ),
    ] = "bits",
    count: Annotated[int, Opt("melodies that are written", min=2, max=10_000)] = 1000,
    data: DataPath = None,
    checkpoint: Checkpoint = None,
    seed: Seed = 1,
    device: Device = "auto",
) -> Report:
    """Measure the four packaged networks, or one of yours, on tunes that they have not learnt.

    Beside them stand real tunes, copies of learnt ones, n-grams and chance. Only tunes in 4/4
    and sixteenths count, which all networks can read. What a network learnt from, or was chosen
    by, is never measured on.

    Raises
    ------
    InputError
        If the data has nothing to measure on.
    UsageError
        If `fill` or `chords` is asked of a network that is not a Transformer.
    """  # fmt: skip
    from melody_rnn.reports import report
    from melody_rnn.tunes import open_tunes

    return report(
        about, open_tunes(data), checkpoint, count=count, seed=draw_seed(seed), device=device
    )


def _track(told: str | None) -> str | int | None:
    return int(told) if told is not None and told.isdigit() else told


def _load(model: str, checkpoint: str | None, device: str) -> tuple[Any, dict[str, Any]]:
    from melody_rnn.loading import load

    return load(model, checkpoint, device)
