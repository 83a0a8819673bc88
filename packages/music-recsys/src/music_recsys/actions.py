"""The verbs for listeners: the command line and the Python API at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from groove_core.actions import (
    Checkpoint,
    Device,
    Engine,
    Jobs,
    Opt,
    Readable,
    Seed,
    action,
    draw_seed,
    each,
    names,
)
from groove_core.errors import UsageError
from groove_core.values import Audio, Message, Report
from music_recsys.results import Curve, Filters, Recommendations

if TYPE_CHECKING:
    from music_recsys.profile import Profile

__all__ = ["explain", "index", "learn", "rate", "recommend", "score"]

MEDLEY = 10
"""Passages that a list plays, at most."""

Who = Annotated[
    str, Opt("name of a listener, or path of an .sqlite file with ratings", role="place")
]
Embedded = Annotated[
    Readable[Path] | None,
    Opt(
        "embeddings of your own in place of the front end: a folder with an .npy file for each "
        "song, an .npy file with a .txt file of names, or the .json file of an encode action "
        "(default: none)"
    ),
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
    embeddings: Embedded = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Message:
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
        from music_recsys.embeddings import open_encoder

        stars, encoder = check_rating(rating), open_encoder(checkpoint, embeddings, device)
        list(each([sound], lambda path, _: mine.rate(path, stars, encoder)))
    return _listed(profile, mine)


def _listed(name: str, profile: Profile) -> Message:
    rated = profile.ratings()
    where = f"Ratings are kept in {profile.path}."
    return Message(
        f"{name}: {len(rated)} rating{'s' if len(rated) != 1 else ''}",
        ("song", "rating"),
        tuple((one.name, one.rating) for one in rated[-20:]),
        notes=("The last 20.", where) if len(rated) > 20 else (where,),
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
    plays: Annotated[
        Readable[Path] | None,
        Opt(
            "listening history, as Last.fm, Spotify, ListenBrainz, Apple Music or iTunes export it "
            "(.csv, .tsv, .json, .jsonl) or a folder of them (default: none)"
        ),
    ] = None,
    songs: Annotated[
        Readable[Path] | None,
        Opt("folder with the songs that were played, for --plays (default: none)"),
    ] = None,
    service: Annotated[
        str, Opt("name of the history; another one under this name replaces it")
    ] = "history",
    profile: Who = "me",
    embeddings: Embedded = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Report:
    """Learn a taste from ratings and plays, and say how well the ratings predict each other.

    Ratings of a table or of folders are added to the profile first. For each way of pooling, the
    area under the ROC curve in five parts, each predicted from the others, says whether the
    taste is found; below 0.6, rate more.

    A listening history gives weak ratings: songs are found by artist and title, in tags or file
    names; many plays speak for a song, plays of less than 30 seconds against it. A weak rating
    counts a quarter of a given one, and gives way to it.

    Raises
    ------
    InputError
        If there are no ratings, a line of the table holds none, a history lacks a column or names
        no song of the folder, or no song can be used; one among others is left out.
    UsageError
        If a history is given without a folder of songs.
    """
    from music_recsys.embeddings import open_encoder
    from music_recsys.profile import Profile, read_ratings
    from music_recsys.serving import LIKED, Known, add_plays
    from music_recsys.taste import POOLINGS

    if (plays is None) != (songs is None):
        raise UsageError(
            "A listening history and a folder of songs go together.",
            hint="Pass --plays FILE and --songs FOLDER.",
        )
    mine, encoder = Profile(profile), open_encoder(checkpoint, embeddings, device)
    if ratings is not None:
        new = read_ratings(ratings)
        for _ in each(
            new,
            lambda rated, _: mine.rate(*rated, encoder),
            "listening",
            files=[path for path, _ in new],
        ):
            pass
    history = None
    if plays is not None and songs is not None:
        history = add_plays(mine, encoder, plays, songs, service)
    rows = []
    known = Known.of(mine, encoder)
    for pooling, meaning in POOLINGS.items():
        rows.append((pooling, meaning, known.taste(pooling).evidence, known.held_out(pooling)))
    rated, weak = int(known.given.sum()), int((~known.given).sum())
    played = f", and {weak} songs that were played" if weak else ""
    return Report(
        f"{profile}: {rated} ratings, {len(known.liked())} of them above {LIKED:g}{played}",
        ("pooling", "what counts", "log evidence", "AUC on ratings held out"),
        tuple(rows),
        notes=(
            *(history.notes() if history else ()),
            "- : too few ratings, or all alike: five liked and five others are needed.",
        ),
        data={
            "profile": str(mine.path),
            "ratings": rated,
            **({"plays": history.counts()} if history else {}),
        },
    )


@action
def score(
    sounds: Annotated[
        Readable[list[Audio]], Opt("sound files of eight seconds or more, or a folder of them")
    ],
    *,
    profile: Who = "me",
    pooling: HowPooled = "mean",
    embeddings: Embedded = None,
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
    from music_recsys.embeddings import open_encoder
    from music_recsys.inspection import excerpt
    from music_recsys.profile import Profile
    from music_recsys.recommending import candidate
    from music_recsys.serving import Known
    from music_recsys.windows import WINDOW_S

    encoder = open_encoder(checkpoint, embeddings, device)
    taste = Known.of(Profile(profile), encoder).taste(pooling)
    files = names(sounds)

    def scored(number: int, name: str) -> Curve:
        sound = sounds[number]
        one = candidate(taste, name, encoder.of(sound, files[number]))
        probability = round(taste.probability(one.score, one.deviation), 4)
        curve = Curve(name, probability, one.curve, one.spread)
        return replace(curve, sound=excerpt(sound, curve.best_s, WINDOW_S))

    return each(range(len(sounds)), scored, "listening", files=files)


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
    embeddings: Embedded = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Recommendations:
    """Rank songs for a listener, and say why each is there.

    Songs that are rated, and those of a listening history, are left out. As a list (JSON, text,
    a playlist), as a picture of each song's curve, and as the best excerpts one after the other.

    Raises
    ------
    InputError
        If nothing is rated yet, or there is nothing to recommend.
    """
    import numpy as np

    from music_recsys.embeddings import open_encoder
    from music_recsys.profile import Profile
    from music_recsys.recommending import choose
    from music_recsys.serving import Known, best_passages, candidates_of

    encoder = open_encoder(checkpoint, embeddings, device)
    mine = Profile(profile)
    known = Known.of(mine, encoder)
    taste = known.taste(pooling)
    drawn = taste.drawn(np.random.default_rng(draw_seed(seed))) if thompson else None
    rated = {one.sha256 for one in (*mine.ratings(), *mine.weak_ratings())}
    candidates, looked_at = candidates_of(
        songs, encoder, taste, rated, count=count,
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
    songs: Annotated[
        Readable[Path] | None, Opt("folder of songs, with its subfolders (default: none, to merge)")
    ] = None,
    *,
    into: Annotated[Readable[Path], Opt("folder for the catalogue", role="place")] = Path(
        "groove-catalogue"
    ),
    shard: Annotated[
        str | None,
        Opt("part of the songs to hear, such as 3/20 for the third of twenty (default: all)"),
    ] = None,
    merge: Annotated[
        bool, Opt("join what all shards have heard, whose files are in the folder")
    ] = False,
    restart: Annotated[
        bool, Opt("discard the catalogue in the folder, and start again", aliases=("again",))
    ] = False,
    jobs: Jobs = None,
    engine: Engine = "local",
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

    Machines share the work with a shard each, into one folder or into some that are then copied
    into one; merge makes the catalogue that a single machine would have made.

    Raises
    ------
    InputError
        If there are no songs, or none can be read.
    UsageError
        If shards are missing, not finished, or do not fit.
    """
    from groove_core.batch import Shard
    from music_recsys.catalogue import build, join

    if (songs is None) != merge:
        raise UsageError(
            "Merging takes what shards have heard, and no songs." if merge else "songs is missing.",
            hint=f"--merge --into {into}" if merge else "Give a folder of songs.",
        )
    if songs is None:
        return join(into)
    return build(
        songs, into, checkpoint=checkpoint, device=device, jobs=jobs, engine=engine,
        shard=None if shard is None else Shard.parse(shard), timeout_s=timeout_s, restart=restart,
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
