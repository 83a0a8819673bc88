"""The melody network: its likelihood, what it may write, songs and their form."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
import torch

from drum_space.melodies.accents import agreement
from drum_space.melodies.crops import crops_of
from drum_space.melodies.evaluation import copied_share, measure, report_of
from drum_space.melodies.forms import levels, parse_form, self_similarity
from drum_space.melodies.harmony import bass_of, bass_on, chord_of, harmonize, struck_again
from drum_space.melodies.lines import HOLD, INSTRUMENTS, NO_BASS, REST, Piece, Songbook
from drum_space.melodies.model import FREE, Conditions, DrumMelody, encode_line
from drum_space.melodies.songs import compose, write_line
from drum_space.melodies.training import Lesson, MelodyTraining, Settings
from drum_space.melodies.voices import SCALES, voice_of
from drum_space.model import DrumAutoencoder
from drum_space.playing.performing import Feel
from groove_core.drums import DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.learning import Run, trained
from groove_core.storage import checkpoints
from groove_core.testing.training import check_resume
from groove_core.values.scores.symbols import chord_symbols

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
    """At temperature 0 it writes whichever of a note, a rest and a hold is likeliest."""
    model, on = network(), conditions(1, 48)
    line = model.write(on, temperature=0, generator=torch.Generator())
    with torch.no_grad():
        for step in (0, 17, 47):
            other = line.repeat(86, 1)
            other[:, step] = torch.tensor([*range(24, 108), REST, HOLD])
            every = Conditions(*(field.expand(86, *field.shape[1:]) for field in on))
            chances = (-model(other, every)[:, step]).exp()
            notes, rest, hold = chances[:84], chances[84], chances[85]
            if int(line[0, step]) >= 0:
                assert notes.sum() >= max(rest, hold * bool(step)) - 1e-4
                assert notes[line[0, step] - 24] >= notes.max() - 1e-5
            else:
                assert notes.sum() <= max(rest, hold) + 1e-4


def test_guidance_goes_from_no_drums_to_more_than_was_learnt():
    model, on = network(), conditions(4, 32)
    with torch.no_grad():
        model.to_tone.weight.mul_(10)

    def written(guidance: float, on: Conditions) -> torch.Tensor:
        seeded = torch.Generator().manual_seed(0)
        return model.write(on, guidance=guidance, generator=seeded)

    deaf = on._replace(heard=torch.zeros(4))
    starts = written(0.0, on) >= 0
    assert (starts[:, 0] == (written(1.0, deaf) >= 0)[:, 0]).all()
    assert (written(1.0, deaf) == written(3.0, deaf)).all()
    assert (written(1.0, on) != written(3.0, on)).any()


@pytest.mark.parametrize("scale", ["minor-pentatonic", "harmonic-minor"])
def test_only_what_is_allowed_is_written(scale):
    voice = voice_of("lead", "Eb", scale, low=60, high=75, temperature=2.0)
    model, on = network(), conditions(8, 64)
    line = model.write(
        on, prior=voice.prior(64), temperature=2.0, generator=torch.Generator().manual_seed(0)
    ).numpy()
    heard = voice.sounding(line)[line >= 0]
    assert len(heard) > 20
    assert heard.min() >= 60
    assert heard.max() <= 75
    assert set(((heard - 3) % 12).tolist()) == set(SCALES[scale])
    # there is something to hold wherever a note is held
    for one in line.tolist():
        assert one[0] != HOLD
        assert all(a != REST for a, b in pairwise(one) if b == HOLD)


@pytest.mark.parametrize("scale", ["phrygian", "pentatonic", "blues", "chromatic"])
def test_a_network_that_wants_one_note_still_writes_a_tune(space, scale):
    model = network(seed=1)
    with torch.no_grad():
        model.to_tone.bias[2] += 6
    voice = voice_of("winds", "D", scale)
    line = write_line(
        model, space, voice, np.tile(ROCK.hits, (2, 1)), torch.Generator().manual_seed(0), takes=8
    )
    heard = (voice.sounding(line)[line >= 0] - 2) % 12
    counts = np.bincount(heard, minlength=12)
    assert counts.sum() > 30
    assert counts.max() <= counts.sum() / 2
    assert np.mean(np.diff(line[line >= 0]) == 0) < 0.4
    assert set(np.flatnonzero(counts)) == set(SCALES[scale])


def test_given_steps_stay_and_the_rest_is_drawn():
    model, on = network(), conditions(1, 32)
    given = torch.full((1, 32), FREE)
    given[0, :8] = torch.tensor([60, HOLD, HOLD, HOLD, 67, HOLD, REST, REST])
    line = model.write(on, given=given, generator=torch.Generator().manual_seed(0))
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
    steps = np.array([60, 63, 68, REST, HOLD])
    assert voice_of("bass", "f#", "minor").sounding(steps).tolist() == [66, 69, 74, REST, HOLD]
    assert voice_of("bass", "G", "dorian").sounding(steps).tolist() == [55, 58, 64, REST, HOLD]
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
    voices = voice_of("lead", "D", "dorian"), voice_of("bass", "D", "dorian")
    generator = torch.Generator().manual_seed(1)
    three = DrumPattern.join([ROCK, ROCK.slice_bars(0, 1)])  # bars: as played, around and around
    hits = three.hits ^ (np.arange(48)[:, None] == 47) & (np.arange(14) == 1)
    beat = Feel("rock", seed=1).play(hits, 96.0)
    score = compose(
        model, space, beat, form, 8, *voices,
        chords=True, tempo_bpm=120.0, generator=generator, playing=Feel(),
    )  # fmt: skip
    parts = [text for _, text in score.markers if text.startswith("part")]
    assert parts == ["part A", "part A'", "part B", "part A", "part C"]
    symbols = chord_symbols(score.markers)
    assert (symbols[0][0], str(symbols[-1][1])) == (0, "Dm")
    assert {tone for _, chord in symbols for tone in chord.pitch_classes} <= {0, 2, 4, 5, 7, 9, 11}
    assert score.duration_s == pytest.approx(5 * 16, abs=0.1)
    assert [t.name for t in score.tracks] == ["lead", "chords", "bass", "drums"]
    assert (score.tracks[0].notes[:, 2] % 12)[-1] == 2
    bars = self_similarity(score).reshape(5, 8, 5, 8)
    parts = np.array([[np.diagonal(bars[i, :, j]).mean() for j in range(5)] for i in range(5)])
    assert parts[0, 3] == pytest.approx(1)
    assert parts[0, 2] < parts[0, 1] < 0.999
    assert max(parts[0, 2], parts[0, 4], parts[2, 4]) < parts[0, 1] - 0.1
    # the first half of a variation is that of its part
    for track in score.tracks[:3]:
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
    loud = line[line[:, 3] >= 104, 0]
    assert len(loud)
    assert np.isin(loud, struck).all()


def test_loudness_follows_the_form(space):
    voice, form = voice_of("keys", "C", "major"), parse_form("IABO")
    shape = levels(form, 2).reshape(4, 2, 16)
    assert shape[:, 0, 0].tolist() == [-0.6, 0, 1.2, -0.6]
    assert (np.diff(shape[:3, 1]) > 0).all()
    assert (shape[3] == -0.6).all()
    beat = Feel("funk", seed=1).play(ROCK.hits, 96.0)
    score = compose(
        network(), space, beat, form, 2, voice,
        chords=True, tempo_bpm=96.0, generator=torch.Generator().manual_seed(0), playing=Feel(),
    )  # fmt: skip
    drums = DrumPattern.from_score(score)
    given = beat.slice_bars(0, 1)
    for part, gain in ((0, -0.6), (1, 0.0), (3, -0.6)):
        mine = drums.slice_bars(2 * part, 1)
        assert (mine.hits == given.hits).all()
        wanted = given.velocity[mine.hits] * 10 ** (gain / 40)
        assert np.abs(mine.velocity[mine.hits] - wanted).max() <= 0.5
    line = score.tracks[0].notes
    assert line[0, 0] >= 2 * 16 * 120 - 60  # no melody before A
    assert line[-1, 0] < 6 * 16 * 120
    flat = compose(
        network(), space, ROCK, form, 2, voice,
        tempo_bpm=96.0, generator=torch.Generator().manual_seed(0), playing=Feel(flat=True),
    )  # fmt: skip
    assert {int(v) for t in flat.tracks if t.is_drum for v in t.notes[:, 3]} == {100}
    assert set(flat.tracks[0].notes[:, 3].tolist()) <= {84, 104}


def test_chords_are_the_cheapest_of_all_that_the_rules_allow():
    voice = voice_of("lead", "C", "mixolydian")
    line = np.full(32, HOLD)
    line[[0, 4, 6, 8, 14, 20, 24]] = (
        64,
        65,
        67,
        69,
        62,
        70 + 1,
        60,
    )  # 71: the seventh, before B flat
    roots, own = np.array([0, 2, 4, 5, 7, 9, 10]), 10
    heard, last = {}, None
    for step, pitch in enumerate(line.tolist()):
        last = pitch if pitch >= 0 else last
        weight = {0: 1.0, 4: 0.6, 8: 0.6, 12: 0.6}.get(step % 16, 0.2) if pitch >= 0 else 0.5
        if pitch >= 0 or step % 8 == 0:
            heard.setdefault(step // 8, []).append((weight, 10 if last == 71 else last % 12))

    def notes(chord: int) -> set[int]:
        return {int(roots[(chord + third) % 7]) for third in range(0, 8 if chord > 6 else 6, 2)}

    def alone(half: int, chord: int) -> float:
        cost = sum(weight for weight, tone in heard.get(half, []) if tone not in notes(chord))
        cost += 0.35 * (chord > 6) + 1.0 * (chord % 7 == 2)  # E G B flat is diminished
        ends = chord % 7 in (3, 4) or own in notes(chord)
        cost += 0.7 * (half == 0 and chord % 7 != 0)
        cost += (0.7 + 1.0) * (half == 1 and not ends)  # half of the part, and before its end
        return cost + 5.0 * (half > 1 and chord != 0)

    def step(half: int, before: int, chord: int) -> float:
        up = {0: 0.0, 1: 0.2, 2: 0.5, 3: 0.0, 4: 0.2, 5: 0.2, 6: 0.5}[(chord - before) % 7]
        return up + (0.4 * (half % 2 == 0) if up == 0 and chord % 7 == before % 7 else
                     0.5 * (half % 2 == 1))  # fmt: skip

    single = [[alone(half, chord) for chord in range(14)] for half in range(4)]
    moving = [[[step(h, a, b) for b in range(14)] for a in range(14)] for h in range(2)]

    def cost(path: tuple[int, ...]) -> float:
        return sum(single[h][c] for h, c in enumerate(path)) + sum(
            moving[h % 2][a][b] for h, (a, b) in enumerate(pairwise(path), 1)
        )

    found = tuple(harmonize(line, voice).tolist())
    assert cost(found) == pytest.approx(min(map(cost, product(range(14), repeat=4))))
    assert str(chord_of(found[-1], voice)) == "C"
    assert harmonize(line, voice, given=[5, 2]).tolist()[:2] == [5, 2]


def test_a_bass_plays_roots_where_chords_begin(space):
    voice = bass_of(voice_of("bass", "A", "minor-pentatonic"))
    chords, model = np.array([0, 3, 6, 4, 0, 5, 4, 0]), network(seed=1)
    with torch.no_grad():
        model.to_tone.bias[:12] += 4
    line = write_line(
        model, space, voice, np.tile(ROCK.hits, (2, 1)), torch.Generator().manual_seed(0),
        prior=bass_on(chords, voice),
    )  # fmt: skip
    line = struck_again(line, chords, voice)
    heard = voice.sounding(line)
    for half, chord in enumerate(chords.tolist()):
        inside = heard[8 * half : 8 * half + 8]
        assert inside[0] != HOLD
        known = chord_of(chord, voice).pitch_classes
        assert np.mean(np.isin(inside[inside >= 0] % 12, known)) > 0.6
    first = heard[::8]
    roots = np.array([chord_of(int(chord), voice).root_pitch_class for chord in chords])
    assert (first % 12 == roots)[first >= 0].mean() > 0.7
