"""Made trios: the drums were played, the bass lies on the chords, and the melody is untouched."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.errors import InputError
from groove_core.tunes import Head, Tune, TuneSet
from groove_core.values import LeadSheet
from music_vae import made
from music_vae.alphabets import LOWEST, NOTE, OFF_CLASS, melody_classes
from music_vae.made import made_trios
from music_vae.phrases import PhraseSet
from music_vae.songs import SongSet

LABELS = "i2A2B4A2o1"
CHORDS = ((0, "C"), (16, "F/A"), (32, "N"), (48, "G7"), (64, "Am"), (128, "F"))


def phrases(name: str = "001", part: str = "train") -> PhraseSet:
    rows = np.array([[8 * i, 6, 60 + i % 7, 80] for i in range(22)])
    song = LeadSheet(rows, 4, (4, 4), 11 * 16, 0, 100.0, chords=CHORDS)
    return PhraseSet(TuneSet.of([Tune(name, "pop909", f"pop909/{name}", part, (song,))]), [LABELS])


def beats(*tempos: int, bars: int = 20) -> SongSet:
    heads = [Head(f"d/{i}_rock_{t}_beat_4-4", "g", f"{i}", "train") for i, t in enumerate(tempos)]
    rows = [np.random.default_rng(i).integers(0, 512, (1, 16 * bars)) for i in range(len(tempos))]
    return SongSet(("drums",), heads, [[one] for one in rows])


@pytest.fixture(params=made.STYLES)
def style(request, monkeypatch):
    monkeypatch.setattr(made, "STYLES", (request.param,))
    return request.param


def test_the_melody_is_that_of_the_song():
    trio = made_trios(phrases(), beats(100))
    assert trio.stretches[0][0][0].tolist() == melody_classes(phrases().song(0).events).tolist()
    assert vars(trio.heads[0]) == {
        "name": "001", "corpus": "made", "group": "pop909/001", "part": "train"
    }  # fmt: skip


def test_drums_are_played_and_return_with_the_letters(monkeypatch):
    monkeypatch.setattr(made, "NEAREST", 1)
    played = beats(60, 104, 180)
    drums = made_trios(phrases(), played).stretches[0][0][2].reshape(11, 16)
    of = played.stretches[1][0].reshape(20, 16)
    # i, A, B and o begin at bars 0, 8, 16 and 4 (24 of 20) of the performance nearest in tempo.
    assert drums.tolist() == of[[0, 1, 8, 9, 16, 17, 18, 19, 8, 9, 4]].tolist()


def test_fills_and_short_performances_are_not_taken():
    short = beats(100, bars=15)
    fill = SongSet(("drums",), [Head("d/1_rock_100_fill_4-4", "g", "1", "train")], [[beats(100)
                   .stretches[0][0]]])  # fmt: skip
    with pytest.raises(InputError, match="No performance of 16 bars is in the train split"):
        made_trios(phrases(), short + fill)


def test_held_out_songs_get_held_out_drums():
    with pytest.raises(InputError, match="test split"):
        made_trios(phrases(part="test"), beats(100))


def test_the_bass_plays_the_chords(style):
    _, bass, drums = made_trios(phrases(), beats(100)).stretches[0][0]
    pitch = np.where(bass >= NOTE, bass + LOWEST - NOTE, 0)
    roots = {0: 0, 16: 9, 48: 7, 64: 9, 128: 5}  # C, the A of F/A, G, A, F
    for at, pitch_class in roots.items():
        if at != 32:
            assert pitch[at] % 12 == pitch_class
    # Where there is no chord, the bass is silent; but a note may lead into the next phrase.
    assert bass[32] == OFF_CLASS
    assert not bass[33:48].any()
    assert pitch[pitch > 0].min() >= 28
    assert pitch.max() <= 51
    steps = set(range(64, 96))
    begins = {step for step in steps if bass[step] >= NOTE}
    assert (
        begins
        == {
            "held": {64},
            "eighths": set(range(64, 96, 2)),
            "kick": {step for step in steps if drums[step] & 1} | {64},
            "fifths": set(range(64, 96, 4)),
        }[style]
    )
    if style == "fifths":
        assert pitch[68] % 12 == 4  # E over A
    leads = pitch[126], pitch[128] - 1  # into the second A, where F begins
    assert (leads[0] == leads[1]) == (style != "held")


def test_the_same_song_is_made_alike_beside_others():
    alone = made_trios(phrases("002"), beats(90, 100, 110))
    both = TuneSet.of([phrases("001").tunes.tune(0), phrases("002").tunes.tune(0)])
    beside = made_trios(PhraseSet(both, [LABELS, LABELS]), beats(90, 100, 110))
    assert alone.stretches[0][0].tolist() == beside.stretches[1][0].tolist()
