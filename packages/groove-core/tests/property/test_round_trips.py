"""What is saved and loaded is equal to what there was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from groove_core.drums.extraction import extract_patterns
from groove_core.drums.pattern import DRUMS, TICKS_PER_STEP, DrumPattern
from groove_core.values.base import from_json
from groove_core.values.results import Codes, Estimate, Report
from groove_core.values.scores.score import Score, Track
from groove_core.values.sound.audio import Audio

settings.register_profile("groove", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("groove")


@st.composite
def patterns(draw):
    bars = draw(st.integers(1, 3))
    shape = (16 * bars, len(DRUMS))
    hits = draw(hnp.arrays(bool, shape, elements=st.booleans(), fill=st.just(False)))
    velocity = offset = None
    if draw(st.booleans()):
        velocity = draw(hnp.arrays(np.uint8, shape, elements=st.integers(1, 127)))
    if draw(st.booleans()):
        half = TICKS_PER_STEP // 2
        offset = draw(hnp.arrays(np.int8, shape, elements=st.integers(-half, half - 1)))
    tempo = draw(st.floats(10, 600))
    return DrumPattern(hits, velocity, offset, tempo)


@given(patterns())
def test_drum_pattern_survives_midi_and_json(beat):
    assert DrumPattern.from_score(Score.from_midi(beat.to_score().to_midi())) == beat
    assert DrumPattern.from_json(beat.to_json()) == beat
    assert from_json(beat.to_json()) == beat
    plain = DrumPattern(beat.hits, tempo_bpm=beat.tempo_bpm)
    assert DrumPattern.from_masks(beat.masks, tempo_bpm=beat.tempo_bpm) == plain


@given(patterns(), st.sampled_from([24, 96, 480, 960]))
def test_quantising_twice_is_quantising_once(beat, resolution):
    """A pattern on the grid stays what it is at any resolution that has the grid."""
    flat = DrumPattern(beat.hits, beat.velocity, tempo_bpm=beat.tempo_bpm)
    score = flat.to_score()
    scale = resolution / score.ticks_per_quarter
    notes = score.tracks[0].notes.copy()
    notes[:, 0] = np.round(notes[:, 0] * scale)
    notes[:, 1] = 1
    track = Track(notes, name="drums", is_drum=True)
    again = Score((track,), resolution, score.tempos, score.time_signatures, markers=score.markers)
    assert DrumPattern.from_score(again) == flat


@given(patterns(), st.floats(20, 300))
def test_windows_do_not_depend_on_the_tempo(beat, tempo):
    if beat.bars < 2 or not beat.hits.any():
        return
    slow = extract_patterns(beat.to_score())
    fast = extract_patterns(
        DrumPattern(beat.hits, beat.velocity, beat.offset_ticks, tempo).to_score()
    )
    np.testing.assert_array_equal(slow.hits, fast.hits)
    assert slow.dropped == fast.dropped


ticks = st.integers(0, 20_000)


@st.composite
def scores(draw):
    # MIDI cannot tell overlapping notes of one pitch apart: each pitch gets a grid of its own.
    def notes():
        cells = draw(
            st.lists(st.tuples(st.integers(0, 40), st.integers(0, 127)), max_size=20, unique=True)
        )
        rows = []
        for at, pitch in cells:
            length = draw(st.integers(1, 400))
            rows.append((at * 480, length, pitch, draw(st.integers(1, 127))))
        return rows

    def events(*columns):
        rows = draw(st.lists(st.tuples(ticks, *columns), max_size=5, unique_by=lambda r: r[0]))
        return np.array(rows).reshape(-1, len(columns) + 1)

    text = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12)
    tracks = []
    for program in draw(st.lists(st.integers(0, 127), min_size=1, max_size=3, unique=True)):
        content = notes()
        if content:
            tracks.append(
                Track(
                    np.array(content),
                    name=draw(text),
                    program=program,
                    controls=events(st.just(64), st.integers(0, 127)),
                    pitch_bends=events(st.integers(-8192, 8191)),
                )
            )
    return Score(
        tuple(tracks),
        draw(st.sampled_from([96, 220, 480, 960])),
        events(st.integers(200_000, 2_000_000)),
        events(st.integers(1, 12), st.sampled_from([2, 4, 8])),
        events(st.integers(-7, 7), st.integers(0, 1)),
        *(
            tuple((t, draw(text)) for t in draw(st.lists(ticks, max_size=2, unique=True)))
            for _ in "ab"
        ),
    )


@given(scores())
def test_score_survives_midi_and_json(score):
    assert Score.from_json(score.to_json()) == score
    again = Score.from_midi(score.to_midi())
    assert again == score


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40),
                  elements=st.floats(-1, 1, width=32)), st.integers(1, 192_000))  # fmt: skip
def test_audio_survives_json(samples, rate):
    audio = Audio(samples, rate)
    assert Audio.from_json(audio.to_json()) == audio


cells = st.one_of(
    st.none(), st.integers(-5, 5), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5), st.builds(Estimate, *[st.floats(-9, 9)] * 3),
)  # fmt: skip


@given(st.lists(st.tuples(st.text(max_size=5), cells, cells), max_size=4))
@example([("\n", "|", "a\rb")])
def test_report_survives_json(rows):
    report = Report("title", ("", "a", "b"), tuple(rows), ("note",), {"x": [1]})
    assert Report.from_json(report.to_json()) == report
    assert report.to_text()
    assert report.to_markdown().count("\n") == len(rows) + 1


@given(hnp.arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 5)),
                  elements=st.floats(-1e6, 1e6)))  # fmt: skip
def test_codes_survive_json_and_csv(tmp_path_factory, points):
    codes = Codes(points, model="acai")
    assert Codes.from_json(codes.to_json()) == codes
    path = codes.save(tmp_path_factory.mktemp("codes") / "codes.csv")
    assert Codes.read(path) == codes


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_audio_survives_files_to_16_bits(tmp_path, suffix):
    rng = np.random.default_rng(0)
    audio = Audio(rng.uniform(-1, 1, (2, 999)), 22_050)
    again = Audio.read(audio.save(tmp_path / f"a.{suffix}"))
    assert again.sample_rate == 22_050
    np.testing.assert_allclose(again.samples, audio.samples, atol=1 / 32_768)
