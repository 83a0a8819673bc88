"""The verbs of music-recsys: the command line and the Python API at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from groove_core.actions import (
    Checkpoint,
    Device,
    Devices,
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
    each,
)
from groove_core.errors import UsageError
from groove_core.values import Audio, Report
from music_recsys.results import Curve, Filters, Recommendations

if TYPE_CHECKING:
    from music_recsys.profile import Profile

__all__ = [
    "dataset", "evaluate", "explain", "index", "learn", "probe", "rate", "recommend", "score",
    "train",
]  # fmt: skip

MEDLEY = 10
"""Passages that a list plays, at most."""

Who = Annotated[
    str, Opt("name of a listener, or path of an .sqlite file with ratings", role="place")
]
HowPooled = Annotated[
    Literal["mean", "attention", "length"],
    Opt("pooling of excerpts: all count alike, one beloved excerpt is enough, or as in the paper"),
]


@action
def rate(
    sound: Annotated[Readable[Path], Opt("sound file of eight seconds or more")],
    rating: Annotated[
        float, Opt("rating from 1 (not at all) to 5 (very much); 0 takes it back", min=0, max=5)
    ],
    *,
    profile: Who = "me",
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Report:
    """Say how well a song is liked.

    A later rating of the same sound replaces an earlier one, wherever the file is. Many
    processes may rate at once.

    Raises
    ------
    InputError
        If the sound cannot be read, is shorter than eight seconds, or silent.
    """
    from music_recsys.profile import Profile, check_rating

    mine = Profile(profile)
    if rating == 0:
        mine.forget(sound)
    else:
        from music_recsys.listening import FrontEnd

        stars, front_end = check_rating(rating), FrontEnd.open(checkpoint, device)
        list(each([sound], lambda path, _: mine.rate(path, stars, front_end)))
    return _listed(profile, mine)


def _listed(name: str, profile: Profile) -> Report:
    rated = profile.ratings()
    return Report(
        f"{name}: {len(rated)} rating{'s' if len(rated) != 1 else ''}",
        ("song", "rating"),
        tuple((one.name, one.rating) for one in rated[-20:]),
        notes=("The last 20.",) if len(rated) > 20 else (),
        data={"profile": str(profile.path), "ratings": len(rated)},
    )


@action
def learn(
    *,
    ratings: Annotated[
        Readable[Path] | None,
        Opt(
            "CSV file with columns path,rating, or a folder with liked/ and disliked/ (default: "
            "none)"
        ),
    ] = None,
    profile: Who = "me",
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Report:
    """Learn a taste from ratings, and say how well they predict each other.

    Ratings of a table or of folders are added to the profile first. For each way of pooling, the
    area under the ROC curve in five parts, each predicted from the others, says whether the
    taste is found; below 0.6, rate more.

    Raises
    ------
    InputError
        If there are no ratings, a line of the table is none, or no song can be used; one among
        others is left out.
    """
    from music_recsys.listening import FrontEnd
    from music_recsys.profile import Profile, read_ratings
    from music_recsys.serving import LIKED, Known
    from music_recsys.taste import POOLINGS

    mine, front_end = Profile(profile), FrontEnd.open(checkpoint, device)
    if ratings is not None:
        new = read_ratings(ratings)
        for _ in each(
            new,
            lambda rated, _: mine.rate(*rated, front_end),
            "listening",
            files=[path for path, _ in new],
        ):
            pass
    rows = []
    known = Known.of(mine, front_end)
    for pooling, meaning in POOLINGS.items():
        rows.append((pooling, meaning, known.taste(pooling).evidence, known.held_out(pooling)))
    rated = len(known.rated)
    return Report(
        f"{profile}: {rated} ratings, {len(known.liked())} of them above {LIKED:g}",
        ("pooling", "what counts", "log evidence", "AUC on ratings held out"),
        tuple(rows),
        notes=(
            "- : too few ratings, or all alike: five liked and five others are needed.",
        ),
        data={"profile": str(mine.path), "ratings": rated},
    )  # fmt: skip


@action
def score(
    sounds: Annotated[
        Readable[list[Audio]], Opt("sound files of eight seconds or more, or a folder of them")
    ],
    *,
    profile: Who = "me",
    pooling: HowPooled = "mean",
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[Curve]:
    """Tell how well each second of a song will be liked.

    As a curve (PNG, JSON) and with the best passage as a clip.

    Raises
    ------
    InputError
        If nothing is rated yet, or every sound is unreadable, shorter than eight seconds, or
        silent; one among others is left out.
    """
    from music_recsys.inspection import excerpt
    from music_recsys.listening import FrontEnd
    from music_recsys.profile import Profile
    from music_recsys.recommending import candidate
    from music_recsys.serving import Known
    from music_recsys.windows import WINDOW_S

    front_end = FrontEnd.open(checkpoint, device)
    taste = Known.of(Profile(profile), front_end).taste(pooling)

    def scored(sound: Audio, name: str) -> Curve:
        heard = front_end.net.listen(front_end.net.columns.of(sound)).numpy()
        one = candidate(taste, name, heard)
        probability = round(taste.probability(one.score, one.deviation), 4)
        curve = Curve(name, probability, one.curve, one.spread)
        return replace(curve, sound=excerpt(sound, curve.best_s, WINDOW_S))

    return each(sounds, scored, "listening")


@action
def recommend(
    songs: Annotated[Readable[Path], Opt("folder of songs, or a catalogue that index made")],
    *,
    profile: Who = "me",
    count: Annotated[int, Opt("songs to recommend", min=1, max=1000)] = 10,
    diversity: Annotated[
        float,
        Opt(
            "diversity of the list: 0 takes the best songs, 1 the most different ones", min=0, max=1
        ),
    ] = 0.1,
    explore: Annotated[
        float, Opt("weight of uncertainty, in favour of unfamiliar songs", min=0, max=10)
    ] = 0.0,
    thompson: Annotated[
        bool,
        Opt("Thompson sampling: ranking by a taste drawn from its posterior", aliases=("draw",)),
    ] = False,
    pooling: HowPooled = "mean",
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Recommendations:
    """Rank songs for a listener, and say why each is there.

    Songs that are rated are left out. As a list (JSON, text, a playlist), as a picture of each
    song's curve, and as the best passages one after the other.

    Raises
    ------
    InputError
        If nothing is rated yet, or there is nothing to recommend.
    """
    import numpy as np

    from music_recsys.listening import FrontEnd
    from music_recsys.profile import Profile
    from music_recsys.recommending import choose
    from music_recsys.serving import Known, best_passages, candidates_of

    front_end = FrontEnd.open(checkpoint, device)
    mine = Profile(profile)
    known = Known.of(mine, front_end)
    taste = known.taste(pooling)
    drawn = taste.drawn(np.random.default_rng(draw_seed(seed))) if thompson else None
    rated = {one.sha256 for one in mine.ratings()}
    candidates, looked_at = candidates_of(
        songs, front_end, taste, rated, count=count,
        thorough=thompson or explore > 0 or pooling != "mean",
    )  # fmt: skip
    chosen = choose(
        taste,
        candidates,
        known.liked(),
        count=count,
        diversity=diversity,
        explore=explore,
        drawn=drawn,
    )
    best = [(one.path, one.best_s) for one in chosen if one.best_s >= 0]
    heard = best_passages(best[:MEDLEY])
    return Recommendations(profile, tuple(chosen), len(rated), looked_at, sound=heard)


@action
def index(
    songs: Annotated[Readable[Path], Opt("folder of songs, with its subfolders")],
    *,
    into: Annotated[Readable[Path], Opt("folder for the catalogue", role="place")] = Path(
        "groove-catalogue"
    ),
    restart: Annotated[
        bool, Opt("discard the catalogue in the folder, and start again", aliases=("again",))
    ] = False,
    jobs: Annotated[int, Opt("songs to analyse at a time", min=1, max=64)] = 2,
    timeout_s: Annotated[
        float | None,
        Opt("time limit of each song (default: none)", unit="s", min=1, aliases=("timeout",)),
    ] = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Report:
    """Hear all songs of a folder once, to recommend from them in a moment.

    Killed and started again it goes on: no finished song is lost, none is heard twice. Songs
    that have changed are heard again, new ones are added, those that are gone are left out.

    Raises
    ------
    InputError
        If there are no songs, or none can be read.
    """
    from music_recsys.catalogue import build

    return build(
        songs, into, checkpoint=checkpoint, device=device, jobs=jobs, timeout_s=timeout_s,
        restart=restart,
    )  # fmt: skip


@action
def explain(
    sounds: Annotated[
        Readable[list[Audio]], Opt("sound files of eight seconds or more, or a folder of them")
    ],
    *,
    count: Annotated[int, Opt("filters to show", min=1, max=64)] = 12,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Filters:
    """Show what the filters of the last convolution listen for, and let it be heard.

    Raises
    ------
    InputError
        If every sound is unreadable, shorter than eight seconds, or silent; one among others is
        left out.
    """
    from music_recsys.inspection import find_filters
    from music_recsys.listening import FrontEnd

    front_end = FrontEnd.open(checkpoint, device)
    return find_filters(front_end.net, sounds, count=count, name=str(front_end.card["name"]))


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
        Literal["tastes", "change"],
        Opt("subject: finding liked songs, or the liked part of songs", aliases=("task",)),
    ] = "tastes",
    beside: Annotated[
        list[str] | None, Opt("names or folders of further front ends to measure (default: none)")
    ] = None,
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
    from music_recsys.evaluation import measure_change, measure_tastes
    from music_recsys.listening import FrontEnd
    from music_recsys.songs import as_learnt, open_songs

    ends = [FrontEnd.open(name, device) for name in (checkpoint, *(beside or ()))]
    if len({end.net.kind for end in ends}) > 1:
        raise UsageError(
            "These front ends see different columns.", hint="Train them with the same --kind."
        )
    nets = {str(end.card["name"]): end.net for end in ends}
    if len(nets) < len(ends):
        raise UsageError("Two front ends have one name.", hint="Train one with another --name.")
    sets = [open_songs(folder) for folder in data]
    for end in ends:
        sets = as_learnt(sets, end.card)
    seed = draw_seed(seed)
    if about == "change":
        return measure_change(sets, nets, seed=seed, cache=Cache())
    return measure_tastes(sets, nets, pooling=pooling, seed=seed, cache=Cache())


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
    jobs: Annotated[int, Opt("clips to render at a time", min=1, max=64)] = 2,
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

    return build(into, drums=drums, songs=songs, count=count, seed=draw_seed(seed), jobs=jobs)


@action
def train(
    data: Annotated[Readable[list[Path]], Opt("folders of songs; labels are not used")],
    *,
    reader: Annotated[
        Literal["lstm", "pool"], Opt("summary of an excerpt: by an LSTM, or by mean and maximum")
    ] = "lstm",
    kind: Annotated[Literal["mfcc", "log-mel"], Opt("features that the network sees")] = "mfcc",
    share: Annotated[
        float, Opt("share of the pieces to train on; evaluate needs the rest", min=0.01, max=1)
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
    """Train a front end on songs without labels, by telling which passages are of one song.

    Ctrl-C keeps what was learnt so far; --resume goes on.

    Raises
    ------
    InputError
        If there are too few songs, or none can be read.
    """
    from groove_core import learning
    from music_recsys.listening import PACKAGE
    from music_recsys.making import heard
    from music_recsys.songs import open_songs
    from music_recsys.training import ContrastTraining, Settings

    run = learning.Run.of(
        PACKAGE, "my-front-end", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license, source={"name": data_name, "license": data_license},
    )  # fmt: skip
    settings = Settings(
        kind=kind, reader=reader, epochs=epochs, batch_size=batch_size,
        learning_rate=learning_rate, precision=precision,
    )  # fmt: skip
    songs = heard([open_songs(one) for one in data], kind, share)
    return learning.train(ContrastTraining, settings, songs, run)
