"""No song on two sides, whatever the collection."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from genre_map.songs import Song, SongSet, name_of
from genre_map.splits import PROTOCOLS, Divided, fold_as_learnt, fold_of, folds_of
from groove_core.errors import InputError

settings.register_profile(
    "groove",
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much],
)
settings.load_profile("groove")


@st.composite
def collections(draw):
    """Songs in a few genres, each of a groove of a library, on one of two soundfonts."""
    songs = []
    for genre in ("blues", "jazz", "rock")[: draw(st.integers(2, 3))]:
        for index in range(draw(st.integers(12, 40))):
            library = draw(st.integers(0, 5))
            groove = draw(st.integers(0, 2))
            groups = {
                "library": f"{genre}{library}", "groove": f"{genre}{library}:{groove}",
                "soundfont": f"{index % 2}.sf2", "artist": f"{genre} {index // 3}",
            }  # fmt: skip
            name = f"{genre} {index}"
            songs.append(Song(Path(f"{name}.wav"), genre, groups, name=name))
    return SongSet("corpus", tuple(songs))


KEYS = {"songs": None, "grooves": "groove", "libraries": "library", "artists": "artist"}


@given(collections(), st.sampled_from(sorted(KEYS)), st.integers(2, 4), st.integers(0, 9))
def test_folds_never_share_a_song_or_a_group(songs, protocol, folds, seed):
    try:
        made = folds_of(songs, protocol, folds=folds, seed=seed)
    except InputError:  # too few songs of a genre
        assume(False)
    tested = [i for fold in made for i in fold.test]
    assert len(tested) == len(set(tested))
    key = KEYS[protocol]
    for fold in made:
        sides = [set(fold.train), set(fold.validation), set(fold.test)]
        assert len(set.union(*sides)) == sum(map(len, sides))
        if key:
            groups = [{songs.songs[i].groups[key] for i in side} for side in sides]
            assert not (groups[0] | groups[1]) & groups[2]
        if protocol == "libraries":
            fonts = [{songs.songs[i].groups["soundfont"] for i in side} for side in sides]
            assert not (fonts[0] | fonts[1]) & fonts[2]
        if protocol == "grooves":
            libraries = [{songs.songs[i].groups["library"] for i in side} for side in sides]
            assert libraries[2] <= libraries[0] | libraries[1]
    if protocol in ("songs", "artists"):
        assert set(tested) == set(range(len(songs)))


def test_songs_stay_where_they_are_when_others_come_and_go():
    """Of a collection and of half of it, a song is on the same side, for training and folds."""
    names = [f"song {n}" for n in range(400)]
    songs = SongSet("folder", tuple(
        Song(Path(name), ("jazz", "rock")[n % 2], name=name) for n, name in enumerate(names)
    ))  # fmt: skip
    half = songs.only(range(100, 300))
    for divide in (fold_of, lambda some: folds_of(some, "songs", folds=4, seed=1)[2]):
        whole, part = divide(songs), divide(half)
        for side in ("train", "validation", "test"):
            before = {songs.groups[i] for i in getattr(whole, side)} & set(half.groups)
            assert before == {half.groups[i] for i in getattr(part, side)}


def test_what_a_card_remembers_divides_again_and_is_refused():
    songs = SongSet("folder", tuple(
        Song(Path(f"{n}.wav"), ("jazz", "rock")[n % 2], name=f"song {n}") for n in range(60)
    ))  # fmt: skip
    fold = fold_of(songs)
    card = {"name": "mine", "data": Divided(songs, [], fold).split()}
    assert fold_as_learnt(songs, card) == fold
    with pytest.raises(InputError, match=f"mine was trained on this data: {fold.train[0]}.wav"):
        fold_as_learnt(songs.only(fold.train), card)
    more = SongSet("folder", (*songs.songs, *(
        Song(Path(f"{n}.wav"), ("jazz", "rock")[n % 2], name=f"song {n}") for n in range(60, 120)
    )))  # fmt: skip
    after = fold_of(more, card)
    assert set(fold.train) < set(after.train)  # what came later is learnt, too
    assert set(fold.test) < set(after.test)


def test_the_shipped_weights_know_their_songs():
    """The corpus of the card has 240 songs a genre, about 24 of which are measured on."""
    from genre_map.gan import GenreGAN
    from genre_map.genres import GENRES
    from genre_map.libraries import Groove
    from genre_map.model import GenreClassifier
    from genre_map.rendered import plan_songs
    from groove_core.storage import checkpoints

    grooves = [Groove(genre, "any", "any", False) for genre in GENRES]
    plans = plan_songs(grooves, ["any.sf2"], songs=240, seed=1)
    songs = SongSet("corpus", tuple(
        Song(Path(plan.path), plan.genre, name=name_of(plan.path, str(plan.seed)))
        for plan in plans
    ))  # fmt: skip
    for name, kind in (("classifier", GenreClassifier), ("generator", GenreGAN)):
        _, card = checkpoints.load("genre-map", name, kind)
        fold = fold_as_learnt(songs, card)
        sizes = [len(side) for side in (fold.train, fold.validation, fold.test)]
        assert sizes == [card["data"][side] for side in ("train", "validation", "test")]
        assert all(15 < songs.only(fold.test).counts()[genre] < 35 for genre in GENRES)


def test_every_protocol_has_a_name():
    assert set(KEYS) < set(PROTOCOLS)


def test_what_is_not_known_cannot_be_kept_apart(folder):
    from genre_map.songs import open_songs

    songs = open_songs(folder)
    for protocol, message in (
        ("artists", "do not tell their artist"),
        ("published", "no published"),
    ):
        with pytest.raises(InputError, match=message):
            folds_of(songs, protocol, folds=3, seed=1)
