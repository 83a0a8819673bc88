"""The melody network: its likelihood, what it may write, songs and their form."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from drum_space.melodies.accents import agreement
from drum_space.melodies.crops import crops_of
from drum_space.melodies.evaluation import copied_share, measure, report_of
from drum_space.melodies.lines import HOLD, INSTRUMENTS, NO_BASS, REST, Piece, Songbook
from drum_space.melodies.model import FREE, Conditions, DrumMelody, encode_line
from drum_space.melodies.songs import (
    SCALES,
    compose,
    parse_form,
    self_similarity,
    voice_of,
    write_line,
)
from drum_space.melodies.training import Lesson, MelodyTraining, Settings
from drum_space.model import DrumAutoencoder
from drum_space.playing.performing import Feel
from groove_core.drums import DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.learning import Run, trained
from groove_core.storage import checkpoints
from groove_core.testing.training import check_resume

ROCK = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)


@pytest.fixture(scope="module")
def space() -> DrumAutoencoder:
    return checkpoints.load("drum-space", "acai", DrumAutoencoder)[0]


def network(seed: int = 0, **config) -> DrumMelody:
    torch.manual_seed(seed)
    return DrumMelody(hidden=24, columns=8, **config).eval()


def conditions(n: int = 2, steps: int = 32, seed: int = 0) -> Conditions:
    generator = torch.Generator().manual_seed(seed)
    return Conditions(
        (torch.rand(n, steps, 14, generator=generator) < 0.2).float(),
        torch.randn(n, steps, 4, generator=generator),
        torch.randint(13, (n, steps), generator=generator),
        torch.arange(n) % len(INSTRUMENTS),
        torch.arange(n) % 2,
        torch.ones(n),
    )


def pieces(count: int = 10, bars: int = 16, seed: int = 0) -> list[Piece]:
    """Give pieces whose line starts a note wherever the kick is struck, on one of two pitches."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        drums = np.zeros((bars * 16, 14), dtype=bool)
        drums[:, 0] = rng.random(bars * 16) < 0.3
        drums[:, 2] = True
        line = np.where(drums[:, 0], 60 + 7 * rng.integers(2, size=bars * 16), HOLD)
        line[: int(np.argmax(drums[:, 0]))] = REST
        found.append(
            Piece(
                f"p{number}", number % 5, 0, 0, drums,
                np.full(bars * 16, NO_BASS, np.int8), np.array([6]), line[None].astype(np.int8),
            )
        )  # fmt: skip
    return found


def test_lines_are_split_into_tones_and_octaves():
    tones, octaves = encode_line(torch.tensor([60, HOLD, REST, 24, 107]))
    assert tones.tolist() == [0, 13, 12, 0, 11]
    assert octaves.tolist() == [3, 0, 0, 0, 6]


def test_likelihoods_of_all_first_steps_sum_to_one():
    model, on = network(), conditions(1, 1)
    line = torch.tensor([*range(24, 108), REST, HOLD])[:, None]
    every = Conditions(*(field.expand(len(line), *field.shape[1:]) for field in on))
    with torch.no_grad():
        assert float((-model(line, every)).exp().sum()) == pytest.approx(1, abs=1e-5)


def test_steps_do_not_see_the_future_of_their_line():
    model, on = network(), conditions()
    line = torch.randint(48, 72, (2, 32), generator=torch.Generator().manual_seed(1))
    other = line.clone()
    other[:, 20:] = REST
    with torch.no_grad():
        before, after = model(line, on), model(other, on)
    torch.testing.assert_close(before[:, :20], after[:, :20])
    assert not torch.allclose(before[:, 20:], after[:, 20:])


def test_hidden_drums_have_no_influence():
    model, one, two = network(), conditions(seed=1), conditions(seed=2)
    two = two._replace(bass=one.bass)
    line = torch.randint(48, 72, (2, 32), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert not torch.allclose(model(line, one), model(line, two))
        deaf = [model(line, on._replace(heard=torch.zeros(2))) for on in (one, two)]
    torch.testing.assert_close(*deaf)


def test_writing_step_by_step_follows_the_likelihood():
    """What temperature 0 writes is at each step the likeliest that the network names."""
    model, on = network(), conditions(1, 48)
    every = torch.ones(12, 7, dtype=torch.bool)
    line = model.write(on, allowed=every, temperature=0, generator=torch.Generator())
    with torch.no_grad():
        chosen = model(line, on)
        for step in (0, 17, 47):
            for tone in range(12):
                changed = line.clone()
                changed[0, step] = 60 + tone
                assert float(model(changed, on)[0, step]) >= float(chosen[0, step]) - 1e-4 or (
                    int(line[0, step]) >= 0  # the octave is drawn after the tone
                )


def test_only_what_is_allowed_is_written():
    voice = voice_of("lead", "Eb", "minor-pentatonic", low=60, high=75, temperature=2.0)
    model, on = network(), conditions(8, 64)
    line = model.write(
        on, allowed=voice.allowed(), temperature=2.0, generator=torch.Generator().manual_seed(0)
    )
    heard = line[line >= 0] + voice.shift
    assert len(heard) > 20
    assert heard.min() >= 60
    assert heard.max() <= 75
    assert set(((heard - 3) % 12).tolist()) <= set(SCALES["minor-pentatonic"])
    # there is something to hold wherever a note is held
    for one in line.tolist():
        assert one[0] != HOLD
        assert all(a != REST for a, b in pairwise(one) if b == HOLD)


def test_given_steps_stay_and_the_rest_is_drawn():
    model, on = network(), conditions(1, 32)
    given = torch.full((1, 32), FREE)
    given[0, :8] = torch.tensor([60, HOLD, HOLD, HOLD, 67, HOLD, REST, REST])
    line = model.write(
        on,
        allowed=torch.ones(12, 7, dtype=torch.bool),
        given=given,
        generator=torch.Generator().manual_seed(0),
    )
    assert (line[0, :8] == given[0, :8]).all()
    assert (line != FREE).all()


@pytest.mark.slow
def test_a_small_network_learns_to_follow_the_kick(space, tmp_path):
    book = pieces()
    settings = Settings(
        hidden=32, columns=16, epochs=25, batch_size=8, dropout=0.0, learning_rate=5e-3
    )
    lesson = Lesson(Songbook(tuple(book)), space, {})
    training = trained(MelodyTraining, settings, lesson, Run(0, folder=tmp_path))
    model, history = training.model, training.history
    assert history[-1]["nll"] < 0.45 * history[0]["nll"]
    found = measure(
        model, space, [p for p in book if not p.fold], [p for p in book if p.fold], seed=0
    )
    report = report_of([found], title="x")

    def value(row: str, column: str) -> float:
        return report.cell(row, column).value

    assert value("network, other drums", "worse than with its own") > 0.5
    assert value("network, no drums", "worse than with its own") > 0.1
    assert value("network, its own drums", "agreement above other") > 0.5
    assert abs(value("network, no drums", "agreement above other")) < 0.2
    assert value("training copied", "copies, 16 steps") == 1
    assert value("random notes", "copies, 16 steps") == 0


def test_resumed_training_equals_an_unbroken_one(space, tmp_path):
    lesson = Lesson(Songbook(tuple(pieces(4))), space, {})
    settings = Settings(hidden=16, columns=4, epochs=3, batch_size=8)
    check_resume(MelodyTraining, settings, lesson, tmp_path)


def test_lines_too_short_to_learn_from_are_an_error(space):
    with pytest.raises(InputError, match="eight bars"):
        crops_of(pieces(2, bars=4), space)


def test_agreement_of_lines_with_accents():
    drums = torch.zeros(3, 32, 14, dtype=torch.bool)
    drums[:, ::4, 0] = True
    line = torch.full((3, 32), REST)
    line[0, ::4] = 60
    line[1, 2::4] = 60
    with np.errstate(invalid="ignore"):
        found = agreement(line, drums)
    assert found[0] == pytest.approx(1)
    assert found[1] == pytest.approx(-1 / 3)
    assert np.isnan(found[2])


def test_copies_are_found_where_they_begin_on_a_beat():
    rng = np.random.default_rng(0)
    learnt = torch.from_numpy(rng.integers(40, 90, (2, 64)))
    line = torch.from_numpy(rng.integers(40, 90, (2, 32)))
    line[0, 8:24] = learnt[1, 12:28]
    assert copied_share(line, learnt[None].unbind(), 8).tolist() == [3 / 7, 0]
    assert copied_share(line, learnt[None].unbind(), 32).tolist() == [0, 0]
    assert np.isnan(copied_share(torch.full((1, 32), HOLD), learnt[None].unbind(), 8)).all()


@pytest.mark.parametrize(
    ("text", "parts"),
    [("AABA", ["A", "A", "B", "A"]), ("a a' b a", ["A", "A'", "B", "A"]), ("A-B’", ["A", "B'"])],
)
def test_forms(text, parts):
    assert [str(part) for part in parse_form(text)] == parts


@pytest.mark.parametrize("text", ["", "A1", "''", "A" * 65])
def test_wrong_forms(text):
    with pytest.raises(UsageError, match="form"):
        parse_form(text)


def test_voices():
    assert voice_of("bass", "f#", "minor").shift == 6
    assert voice_of("bass", "G", "minor").shift == -5
    assert voice_of("lead", "C", "blues").mode == 1
    assert voice_of("lead", "C", "mixolydian").mode == 0
    one = voice_of("lead", "C", "major", low=90)
    assert (one.low, one.high) == (90, 102)
    with pytest.raises(UsageError, match="no key 'H'"):
        voice_of("lead", "H", "major")
    with pytest.raises(UsageError, match="between 61 and 61"):
        voice_of("lead", "C", "major", low=61, high=61)


def test_a_song_has_its_form(space):
    form = parse_form("AA'BAC")
    model = network(seed=3)
    voices = [voice_of("lead", "D", "dorian"), voice_of("bass", "D", "dorian")]
    generator = torch.Generator().manual_seed(1)
    three = DrumPattern.join([ROCK, ROCK.slice_bars(0, 1)])  # bars: as played, around and around
    hits = three.hits ^ (np.arange(48)[:, None] == 47) & (np.arange(14) == 1)
    beat = Feel("rock", seed=1).play(hits, 96.0)
    score = compose(
        model, space, beat, form, 8, voices, tempo_bpm=120.0, generator=generator, playing=Feel()
    )
    assert [text for _, text in score.markers if not text.startswith("groove")] == [
        "A",
        "A'",
        "B",
        "A",
        "C",
    ]
    assert score.duration_s == pytest.approx(5 * 16, abs=0.1)
    assert [t.name for t in score.tracks] == ["lead", "bass", "drums"]
    bars = self_similarity(score).reshape(5, 8, 5, 8)
    parts = np.array([[np.diagonal(bars[i, :, j]).mean() for j in range(5)] for i in range(5)])
    assert parts[0, 3] == pytest.approx(1)
    assert parts[0, 2] < parts[0, 1] < 0.999
    assert max(parts[0, 2], parts[0, 4], parts[2, 4]) < parts[0, 1] - 0.1
    # the first half of a variation is that of its part
    for track in score.tracks[:2]:
        step, half = np.round(track.notes[:, [0, 2]] / [120, 1]), 4 * 16  # they sound with drums
        first = step[step[:, 0] < half]
        varied = step[(step[:, 0] >= 2 * half) & (step[:, 0] < 3 * half)] - [2 * half, 0]
        # what sounds over the middle may end elsewhere
        np.testing.assert_array_equal(first[:-1], varied[:-1])
    drums = DrumPattern.from_score(score)
    assert drums.bars == 40
    for bar, given in enumerate([0, 1, 2, 0, 1, 2, 0]):  # up to the fill
        mine, theirs = drums.slice_bars(bar, 1), beat.slice_bars(given, 1)
        assert (mine.hits == theirs.hits).all()
        assert (mine.velocity == theirs.velocity).all()
        first = int(bar == 0)  # a piece does not begin before its first beat
        assert (mine.offset_ticks[first:] == theirs.offset_ticks[first:]).all()
    assert (drums.slice_bars(0, 8).hits == drums.slice_bars(24, 8).hits).all()
    assert (drums.slice_bars(7, 1).hits != beat.slice_bars(1, 1).hits).any()
    # Notes that meet an accent sound with it.
    struck = np.concatenate([t.notes[:, 0] for t in score.tracks if t.is_drum])
    line = score.tracks[0].notes
    loud = line[line[:, 3] > 100, 0]
    assert len(loud)
    assert np.isin(loud, struck).all()


def test_lines_on_a_bass_depend_on_it(space):
    voice = voice_of("lead", "C", "major")
    model = network(seed=1)
    with torch.no_grad():
        model.bass.weight *= 20  # untrained, it would hardly matter
    lines = [
        write_line(model, space, voice, ROCK.hits, torch.Generator().manual_seed(0), bass=bass)
        for bass in (None, np.full(32, 36), np.full(32, 43))
    ]
    assert not (lines[1] == lines[2]).all()
    assert not (lines[0] == lines[1]).all()
