"""The map of phrases: what is gathered, where it lies, and what is kept."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from groove_core.errors import InputError, UsageError
from groove_core.tunes import Tune, TuneSet
from groove_core.values import LeadSheet, Melody, Score
from music_vae.alphabets import melody_classes
from music_vae.atlas.gathering import Gathered, from_scores, from_set
from music_vae.atlas.making import draw_map
from music_vae.atlas.phrasemap import PhraseMap
from music_vae.atlas.planes import axes_of, main_axes, role_plane
from music_vae.phrases import PhraseSet

RNG = np.random.default_rng(5)
CARD = {"name": "mel-2bar"}
SCALE = np.array([60, 62, 64, 65, 67, 69, 71, 72])


def line(bars: int, seed: int, *, up: int = 0, start: int = 0) -> np.ndarray:
    """Make notes of a walk in eighths [shape=(n, 4)], a semitone scale of C moved up."""
    rng = np.random.default_rng(seed)
    steps = np.abs(np.cumsum(rng.integers(-2, 3, 8 * bars))) % len(SCALE)
    at = start + 2 * np.arange(8 * bars)
    return np.stack([at, np.full(len(at), 2), SCALE[steps] + up, np.full(len(at), 90)], axis=1)


def sheet(labels: list[tuple[str, int]], key: str = "D", up: int = 2, seed: int = 0) -> LeadSheet:
    """Make a song whose phrases with capital letters are sung; equal letters are equal."""
    rows, bar = [], 0
    for letter, bars in labels:
        if letter.isupper():
            rows.append(line(bars, ord(letter) + 100 * seed, up=up, start=16 * bar))
        bar += bars
    return LeadSheet(
        np.concatenate(rows), length=16 * bar, tempo_bpm=80, key=key, chords=((0, "C"),)
    )


SONG = [("i", 2), ("A", 4), ("B", 8), ("A", 4), ("B", 8), ("C", 12), ("X", 1), ("D", 5)]
TEXT = "".join(f"{letter}{bars}" for letter, bars in SONG)


@pytest.fixture(scope="module")
def phrases() -> PhraseSet:
    tunes = [
        Tune(f"{i:03d}", "pop909", f"pop909/{i:03d}", "train", (sheet(SONG, seed=i),))
        for i in range(12)
    ]
    return PhraseSet(TuneSet.of(tunes, {}), [TEXT] * len(tunes))


@pytest.fixture(scope="module")
def gathered(phrases) -> Gathered:
    return from_set(phrases)


# What is gathered


def test_each_letter_of_a_song_is_a_phrase_in_c(gathered):
    assert len(gathered) == 12 * 4  # A, B, C and D; a bar of X is no phrase
    assert gathered.role[:4] == ("verse", "chorus", "bridge", "bridge")
    assert gathered.bars[:4].tolist() == [4, 8, 8, 6]  # 12 bars are cut, 5 filled up
    assert gathered.first[:4].tolist() == [3, 7, 27, 40]
    assert gathered.source[0] == "POP909 000"
    assert set(gathered.key) == {"D"}
    for k, (letter, bars) in enumerate([("A", 4), ("B", 8), ("C", 12), ("D", 5)]):
        alone = Melody(line(bars, ord(letter)), length=16 * bars)
        want = melody_classes(alone.events)[:128]
        row = gathered.rows[k]
        assert row[: len(want)].tolist() == want.tolist()
        # What sounded at the end of the fifth bar ends with it.
        assert row[len(want) :].tolist() == ([1] + [0] * 15 if letter == "D" else [])


def test_a_short_phrase_is_played_again(gathered):
    whole = gathered.looped(8)
    assert whole.shape == (48, 128)
    assert (whole[0, :64] == whole[0, 64:]).all()
    assert (whole[1] == gathered.rows[1]).all()
    assert whole[3, 96:].tolist() == gathered.rows[3][:32].tolist()
    assert (gathered.looped(16)[1, 128:] == gathered.rows[1]).all()


def test_a_note_at_the_end_does_not_sound_into_the_repetition():
    late = Melody([[8, 16, 60, 90], [24, 8, 62, 90]], length=32).to_score()
    whole = from_scores([late]).looped(8)[0]
    assert whole[[8, 24, 32, 40, 56]].tolist() == [41, 43, 1, 41, 43]
    assert np.count_nonzero(whole) == 4 * 2 + 3


def _tune(bars: int, seed: int, *, up: int = 0) -> Score:
    return Melody(line(bars, seed, up=up), length=16 * bars).to_score()


def test_markers_name_sections():
    score = _tune(20, 1, up=4)
    bar = 4 * score.ticks_per_quarter
    marks = ((0, "Intro"), (2 * bar, "Verse 1"), (10 * bar, "Pre-Chorus"), (12 * bar, "CHORUS"))
    found = from_scores([replace(score, markers=(*score.markers, *marks))])
    assert found.role == ("phrase", "verse", "phrase", "chorus")
    assert found.first.tolist() == [1, 3, 11, 13]
    assert found.bars.tolist() == [2, 8, 2, 8]
    assert len(set(found.key)) == 1  # that of the whole piece
    whole = melody_classes(Melody.from_score(score, steps_per_quarter=4).events)
    shift = found.rows[1][0] - whole[32]
    assert (
        np.where(whole[32:160] >= 2, whole[32:160] + shift, whole[32:160]) == found.rows[1]
    ).all()


def test_without_markers_eight_bars_are_a_phrase():
    found = from_scores([_tune(18, 2)])
    assert found.role == ("phrase",) * 3
    assert found.first.tolist() == [1, 9, 17]
    assert found.bars.tolist() == [8, 8, 2]


def test_every_key_is_brought_to_c():
    for up in range(-6, 6):
        rows = np.concatenate([line(8, 3, up=up), np.array([[0, 1, 0, 0]])[:0]])
        full = [[2 * i, 2, p + up, 90] for i, p in enumerate([60, 62, 64, 65, 67, 69, 71, 72])]
        rows[:8] = full  # so that the scale is whole
        found = from_scores([Melody(rows, length=128).to_score()])
        [row] = found.rows
        notes = row[row >= 2] - 2 + 21
        assert set((notes % 12).tolist()) == {0, 2, 4, 5, 7, 9, 11}
        assert abs(int(notes[0]) - 60 - up) <= 6


def test_too_many_phrases_are_thinned_and_it_is_said(monkeypatch, capsys):
    monkeypatch.setattr("music_vae.atlas.gathering.MOST", 3)
    found = from_scores([_tune(8, seed) for seed in range(7)])
    assert len(found) == 3
    assert "7 phrases are too many for a map; 3 of them" in capsys.readouterr().err


def test_files_without_a_melody_are_refused():
    silent = Melody(np.zeros((0, 4), int), length=32).to_score()
    with pytest.raises(InputError):
        from_scores([silent])


# Planes


def test_main_axes_are_those_of_the_covariance():
    codes = RNG.normal(size=(60, 5)) * [5, 3, 1, 1, 1]
    plane, share = main_axes(codes, np.array([[1e3, 0, 0, 0, 0]]))
    values, ways = np.linalg.eigh(np.cov(codes.T))
    assert share == pytest.approx(values[-2:].sum() / values.sum())
    placed = (codes - codes.mean(axis=0)) @ ways[:, ::-1][:, :2]
    scaled = np.tanh(placed / placed.std(axis=0) / 2)
    for axis in range(2):
        r = np.corrcoef(plane.positions[:, axis], placed[:, axis])[0, 1]
        np.testing.assert_allclose(plane.positions[:, axis], np.sign(r) * scaled[:, axis])
    assert np.abs(plane.yours[0]).max() == pytest.approx(1)  # far away: at the edge


def test_an_axis_is_named_after_what_it_goes_with():
    events = np.zeros((40, 128), int)
    for k, row in enumerate(events):
        row[:: 16 - (k % 8)] = 30 + k  # the higher, the farther to the right
    positions = np.stack([np.arange(40) / 40, RNG.normal(size=40)], axis=1)
    left, right, bottom, top = axes_of(positions, events)
    assert (left, right) == ("lower", "higher")
    assert (bottom, top) == ("", "")
    assert axes_of(-positions, events)[:2] == ("higher", "lower")
    # An attribute that goes with both axes names the one that it goes with more.
    positions[:, 1] = positions[:, 0] + RNG.normal(0, 0.1, 40)
    assert axes_of(positions, events) == ("lower", "higher", "", "")


def roles_at_random(songs: int, *, told: float, seed: int = 0):
    """Draw codes of songs with a chorus, a verse and a bridge each; one direction tells them."""
    rng = np.random.default_rng(seed)
    role = np.array(["chorus", "verse", "bridge"] * songs)
    codes = rng.normal(size=(3 * songs, 20))
    codes[:, 0] += told * np.select([role == "chorus", role == "verse"], [1, -1], 0)
    codes[:, 1] += told * (role == "bridge")
    return codes, tuple(role), tuple(f"s{k // 3}" for k in range(3 * songs))


def test_roles_that_codes_tell_are_shown():
    codes, role, song = roles_at_random(60, told=2.0)
    plane, areas = role_plane(codes, role, song, codes[:2])
    assert areas["chorus against verse"].value > 0.9
    assert areas["bridge against both"].value > 0.8
    x = plane.positions[:, 0]
    assert x[0::3].mean() > x[2::3].mean() > x[1::3].mean()
    assert np.abs(plane.positions).max() < 1


def test_roles_that_codes_do_not_tell_are_not_shown():
    """Forty songs of twenty dimensions can be told by heart; other songs cannot."""
    shown = 0
    for seed in range(6):
        codes, role, song = roles_at_random(40, told=0.0, seed=seed)
        shown += role_plane(codes, role, song, codes[:0]) is not None
    assert shown <= 1
    assert role_plane(codes, ("phrase",) * 120, song, codes[:0]) is None
    assert role_plane(codes[:9], role[:9], song[:9], codes[:0]) is None


def test_a_song_is_placed_without_its_own_labels():
    codes, role, song = roles_at_random(40, told=2.0)
    swapped = ("verse", "chorus", *role[2:])
    before, after = (role_plane(codes, some, song, codes[:0])[0] for some in (role, swapped))
    np.testing.assert_array_equal(before.positions[:3], after.positions[:3])
    assert not np.allclose(before.positions[3:6], after.positions[3:6])


# The map


@pytest.fixture(scope="module")
def drawn(networks, gathered) -> PhraseMap:
    pytest.importorskip("openTSNE")
    yours = from_scores([replace(_tune(10, 77, up=3), name="mine.mid")])
    return draw_map(networks["mel-2bar"], CARD, gathered, yours, perplexity=5)


def test_a_map_of_two_bar_codes(drawn, networks, gathered):
    assert len(drawn) == 50
    assert drawn.parts == 4
    assert drawn.counts() == {"chorus": 12, "verse": 12, "bridge": 24}
    assert drawn.group[-2:].tolist() == [3, 3]
    assert drawn.yours == ("mine.mid:1", "mine.mid:9")
    assert list(drawn.layouts)[:2] == ["likeness", "axes"]
    assert all(np.abs(one).max() <= 1 for one in drawn.layouts.values())
    # Each two bars have their code, and a phrase of four bars has them twice.
    window = gathered.looped(8)[1, 32:64][None, None]
    [code] = networks["mel-2bar"].encode(torch.from_numpy(window))[0].detach().numpy()
    np.testing.assert_allclose(drawn.codes[1, 6:12], code, rtol=1e-3, atol=1e-6)
    assert (drawn.codes[0, :12] == drawn.codes[0, 12:]).all()
    # One's own lie where the most alike of the others do.
    far = np.linalg.norm(drawn.codes[:48] - drawn.codes[48], axis=1)
    np.testing.assert_allclose(
        drawn.layouts["likeness"][48], drawn.layouts["likeness"][far.argmin()]
    )


def test_a_map_of_sixteen_bar_codes(networks, gathered):
    drawn = draw_map(networks["mel-16bar"], {"name": "mel-16bar"}, gathered, perplexity=5)
    assert drawn.parts == 1
    assert drawn.events.shape == (48, 256)
    assert drawn.codes.shape == (48, 6)
    [code] = networks["mel-16bar"].encode(torch.from_numpy(gathered.looped(16)[:1, None]))[0]
    np.testing.assert_allclose(drawn.codes[0], code.detach().numpy(), rtol=1e-3, atol=1e-6)


def test_a_place_has_the_mean_code_of_its_neighbours(drawn):
    x, y = drawn.layouts["axes"][5]
    np.testing.assert_allclose(drawn.code_at(x, y, "axes"), drawn.codes[5], rtol=1e-4, atol=1e-6)
    found = drawn.code_at(0.31, -0.2, "likeness").reshape(4, 6)
    squared = ((drawn.layouts["likeness"] - (0.31, -0.2)) ** 2).sum(axis=1)
    near = np.argsort(squared)[:8]
    weight = 1 / squared[near] / (1 / squared[near]).sum()
    for part in range(4):
        codes = drawn.codes[near, 6 * part : 6 * part + 6]
        mean = weight @ codes
        length = weight @ np.linalg.norm(codes, axis=1)
        np.testing.assert_allclose(found[part], mean / np.linalg.norm(mean) * length, rtol=1e-4)


def test_what_was_saved_is_read_again(drawn, tmp_path):
    drawn.save(tmp_path / "map.json")
    again = PhraseMap.read(tmp_path / "map.json")
    assert again.to_json() == drawn.to_json()
    for name, positions in drawn.layouts.items():
        np.testing.assert_array_equal(again.layouts[name], positions)
    assert (again.codes == drawn.codes).all()
    assert (again.events == drawn.events).all()
    with pytest.raises(UsageError, match="has no network"):
        again.save(tmp_path / "map.html")
    drawn.save(tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"


def test_a_page_does_not_guess_what_a_decoder_does(drawn, tmp_path):
    network = copy.deepcopy(drawn.network)
    network.decoder.extra = torch.nn.Linear(2, 2)
    with pytest.raises(UsageError, match=r"decoder with decoder\.extra\.bias"):
        replace(drawn, network=network).save(tmp_path / "map.html")


def test_the_map_in_words(drawn):
    text = drawn.to_text()
    assert "48 phrases of 12 songs" in text
    assert "chorus 12, verse 12, bridge 24" in text
    assert "yours: mine.mid:1, mine.mid:9" in text
    assert "principal components" in text
    document = drawn.to_document()
    assert document["songs"] == 12
    assert document["measures"]["rows"][0][0] == "Likeness"


def test_without_open_tsne_the_main_axes_are_drawn(networks, gathered, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    drawn = draw_map(networks["mel-2bar"], CARD, gathered)
    assert next(iter(drawn.layouts)) == "axes"
    said = " ".join(capsys.readouterr().err.split())
    assert 'without the layout Likeness: pip install "music-vae[map]"' in said


def test_what_is_no_map_of_melodies_is_refused(networks, gathered):
    with pytest.raises(UsageError, match="a model of melodies, not of drums"):
        draw_map(networks["drums-2bar"], CARD, gathered)
    with pytest.raises(InputError, match="1 phrases are too few"):
        draw_map(networks["mel-2bar"], CARD, from_scores([_tune(8, 1)]))
