"""The verbs for those who train and measure: the command line and the Python API at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from groove_core.actions import (
    Checkpoint,
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
)
from groove_core.errors import UsageError
from groove_core.values import Report
from music_recsys.actions import HowPooled

__all__ = ["dataset", "evaluate", "probe", "train"]


@action
def probe(
    *,
    experiment: Annotated[
        Literal["order", "filters", "ladder"],
        Opt("experiment: order (A then B, with shorter gaps), filters or ladder (all data sets)"),
    ] = "order",
    seeds: Annotated[int, Opt("networks trained of each kind", min=1, max=20)] = 1,
    kind: Annotated[Literal["mfcc", "log-mel"], Opt("features that the networks see")] = "mfcc",
) -> Report:
    """Repeat the source's experiments, on sounds made by code and by instruments.

    Small networks are trained on the spot: a few minutes for each seed.
    """
    from music_recsys import probing

    experiments = {
        "order": probing.order_experiment,
        "filters": probing.filter_experiment,
        "ladder": probing.climb,
    }
    return experiments[experiment](seeds=seeds, kind=kind)


@action
def evaluate(
    data: Annotated[
        Readable[list[Path]],
        Opt("folders of songs: with a manifest.csv, or with a folder for each taste"),
    ],
    *,
    about: Annotated[
        Literal["tastes", "labels", "parts", "size", "interval", "change"],
        Opt(
            "subject: finding liked songs, the same for labels learnt and others apart, the same "
            "by the parts of the front end, by the number of songs it learnt from, the interval "
            "with more listeners, or finding the liked part of songs",
            aliases=("task",),
        ),
    ] = "tastes",
    beside: Annotated[
        list[str] | None, Opt("names or folders of further front ends to measure (default: none)")
    ] = None,
    part: Annotated[
        Literal["test", "validation"], Opt("part of the pieces that are held out")
    ] = "test",
    pooling: HowPooled = "mean",
    seed: Seed = 1,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Report:
    """Measure how well few ratings find a known taste, in songs that the front end never heard.

    Beside it: the same learning on mean MFCC, an untrained network, and chance.

    Raises
    ------
    InputError
        If there are not songs enough of any taste, or a front end learnt from all of them.
    """
    from groove_core.storage import Cache
    from music_recsys.changing import measure_change
    from music_recsys.evaluation import measure_labels, measure_parts, measure_tastes
    from music_recsys.listening import FrontEnd
    from music_recsys.sizes import measure_intervals, measure_sizes
    from music_recsys.songs import as_learnt, open_songs

    ends = [FrontEnd.open(name, device) for name in (checkpoint, *(beside or ()))]
    nets = {str(end.card["name"]): end.net for end in ends}
    if len(nets) < len(ends):
        raise UsageError("Two front ends have one name.", hint="Train one with another --name.")
    sets = [open_songs(folder) for folder in data]
    for end in ends:
        sets = as_learnt(sets, end.card, part)
    seed, cache = draw_seed(seed), Cache()
    if about == "change":
        return measure_change(sets, nets, seed=seed, cache=cache)
    if about == "tastes":
        return measure_tastes(sets, nets, pooling=pooling, seed=seed, cache=cache)
    if about == "size":
        learnt = {str(end.card["name"]): int(end.card["data"].get("train", 0)) for end in ends}
        return measure_sizes(sets, nets, learnt, pooling=pooling, seed=seed, cache=cache)
    if beside:
        raise UsageError(
            "Only --about tastes, size and change compare front ends.", hint="Leave --beside out."
        )
    [(name, net)] = nets.items()
    if about == "parts":
        return measure_parts(sets, net, name, pooling=pooling, seed=seed, cache=cache)
    if about == "interval":
        return measure_intervals(sets, net, name, pooling=pooling, seed=seed, cache=cache)
    taught = ends[0].card["data"].get("labels", {})
    return measure_labels(sets, net, name, taught, pooling=pooling, seed=seed, cache=cache)


@action
def dataset(
    *,
    into: Annotated[Readable[Path], Opt("folder for the clips", role="place")] = Path(
        "groove-material"
    ),
    drums: Annotated[
        Readable[Path] | None, Opt("folder of the Groove MIDI Dataset (default: none)")
    ] = None,
    songs: Annotated[Readable[Path] | None, Opt("zip file of POP909 (default: none)")] = None,
    count: Annotated[int, Opt("songs of the zip file", min=1, max=10_000)] = 600,
    seed: Seed = 1,
    jobs: Jobs = None,
    engine: Engine = "local",
) -> Report:
    """Render clips with known tastes: drummers, styles, instruments that play the melody.

    Run again after an interruption, it goes on.

    Raises
    ------
    InputError
        If a source is not there.
    UsageError
        If none is given.
    """
    from music_recsys.rendered import build

    return build(
        into, drums=drums, songs=songs, count=count, seed=draw_seed(seed), jobs=jobs, engine=engine
    )


@action
def train(
    data: Annotated[Readable[list[Path]], Opt("folders of songs, with a manifest.csv for labels")],
    *,
    reader: Annotated[
        Literal["lstm", "pool"], Opt("summary of an excerpt: by an LSTM, or by mean and maximum")
    ] = "lstm",
    kind: Annotated[Literal["mfcc", "log-mel"], Opt("features that the network sees")] = "mfcc",
    span: Annotated[
        Literal["row", "spectrum"],
        Opt("reach of a filter: one row, as in the paper, or the whole spectrum"),
    ] = "row",
    space: Annotated[
        Literal["components", "pieces"],
        Opt("directions of the outputs: principal components, or what tells pieces apart"),
    ] = "components",
    summary: Annotated[
        bool, Opt("mean and deviation of the features, beside what the network heard in them")
    ] = True,
    augment: Annotated[
        float,
        Opt(
            "random change of the level of each row, in deviations from song to song", min=0, max=2
        ),
    ] = 0.5,
    labels: Annotated[
        str,
        Opt(
            "kinds of labels to teach, with commas between: genre, library, drummer, style, "
            "instrument, composer, artist, tempo, groove (default: none)"
        ),
    ] = "",
    hold_out: Annotated[
        str,
        Opt(
            "kinds of which a part of the labels and their songs is not learnt, with commas "
            "between (default: none)"
        ),
    ] = "",
    share: Annotated[
        float, Opt("share of the pieces to train on; evaluate needs the rest", min=0.01, max=1)
    ] = 1.0,
    fraction: Annotated[
        float,
        Opt(
            "fraction of that share to learn from, by a hash of the grooves; what is held out "
            "stays the same",
            min=0.001,
            max=1,
        ),
    ] = 1.0,
    data_name: Annotated[
        str, Opt("name of the data, for the card", aliases=("about",))
    ] = "own songs",
    data_license: Annotated[
        str, Opt("licence of the data, for the card")
    ] = "unknown: your own data",
    name: Annotated[str | None, Opt("name of the checkpoint (default: my-front-end)")] = None,
    into: Into = None,
    epochs: Annotated[int, Opt("passes over the songs", min=1, max=10_000)] = 60,
    batch_size: Annotated[
        int, Opt("songs in a batch, told apart from each other", min=2, max=4096)
    ] = 128,
    learning_rate: Annotated[
        float, Opt("learning rate of AdamW, before its decay", min=1e-6, max=0.1)
    ] = 1e-3,
    precision: Annotated[
        Literal["32", "bf16"],
        Opt("precision of the computation; bf16 is faster on processors that support it"),
    ] = "32",
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Train a front end on songs, by telling which excerpts are of one song, and on labels.

    With labels, the network is taught to tell them, and what it says of them is thrown away. The
    label groove makes all songs of one groove belong together. What is held out is divided as the
    pieces are: `evaluate` reports those tastes apart.

    Ctrl-C keeps what was learnt so far; --resume goes on.

    Raises
    ------
    InputError
        If there are too few songs, or none can be read.
    """
    from groove_core import learning
    from music_recsys.listening import PACKAGE
    from music_recsys.making import heard
    from music_recsys.songs import LABELS, TASTES, check_kinds, open_songs
    from music_recsys.training import ContrastTraining, Settings

    run = learning.Run.of(
        PACKAGE, "my-front-end", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license, source={"name": data_name, "license": data_license},
    )  # fmt: skip
    settings = Settings(
        kind=kind, reader=reader, span=span, space=space, summary=summary, epochs=epochs,
        batch_size=batch_size, learning_rate=learning_rate, precision=precision, augment=augment,
    )  # fmt: skip
    songs = heard(
        [open_songs(one) for one in data],
        kind,
        share,
        labels=check_kinds(labels, LABELS),
        held_out=check_kinds(hold_out, TASTES),
        fraction=fraction,
    )
    return learning.train(ContrastTraining, settings, songs, run)
