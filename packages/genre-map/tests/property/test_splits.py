"""No song on two sides, whatever the collection."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from genre_map.songs import Song, SongSet
from genre_map.splits import PROTOCOLS, folds_of, stratified
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
            songs.append(Song(Path(f"{genre}/{index}.wav"), genre, groups))
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


@given(st.lists(st.integers(0, 3), min_size=8, max_size=80), st.integers(2, 5), st.integers(0, 9))
def test_parts_have_their_share_of_every_genre(labels, parts, seed):
    part = stratified(labels, parts, seed)
    for genre in set(labels):
        sizes = [
            sum(p == k and g == genre for p, g in zip(part, labels, strict=True))
            for k in range(parts)
        ]
        assert max(sizes) - min(sizes) <= 1


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
