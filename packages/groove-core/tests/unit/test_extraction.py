"""Drum patterns out of MIDI files, on files made here."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.drums.extraction import extract_patterns
from groove_core.drums.grid import is_triplet
from groove_core.drums.pattern import DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.values.scores.score import Score, Track

ROCK = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)


def drums(beats, pitch=36, quarter=480, **kwargs):
    """Make a score of drum hits at times in quarter notes."""
    beats = np.atleast_1d(np.asarray(beats, dtype=float))
    notes = np.stack(
        [np.round(beats * quarter), np.ones_like(beats), np.broadcast_to(pitch, beats.shape),
         np.full_like(beats, 90)], axis=1,
    )  # fmt: skip
    return Score((Track(notes, is_drum=True),), quarter, **kwargs)


def test_windows_are_two_bars():
    score = drums(np.arange(16))  # four bars of quarters
    windows = extract_patterns(score)
    assert windows.hits.shape == (2, 32, 14)
    assert (windows.hits[:, ::4, 0]).all()
    assert windows.hits.sum() == 16
    assert windows.bar.tolist() == [0, 2]
    assert extract_patterns(score, stride_bars=0.5).bar.tolist() == [0, 0.5, 1, 1.5, 2]
    assert extract_patterns(score, bars=1).hits.shape == (4, 16, 14)


def test_micro_timing_and_velocity_are_kept():
    score = drums([0, 1.02, 1.98, 3.0, 4.0, 5.0, 6.0, 7.0])
    windows = extract_patterns(score)
    offsets = windows.offset_ticks[0][windows.hits[0]]
    np.testing.assert_array_equal(offsets, [0, 10, -10, 0, 0, 0, 0, 0])
    assert (windows.velocity[windows.hits] == 90).all()
    assert windows.patterns()[0].hits.sum() == 8


def test_metres_other_than_four_four_are_counted_and_left_out():
    # two bars of 4/4, two of 7/8, two of 4/4 that start at quarter 15
    meter = np.array([[0, 4, 4], [8 * 480, 7, 8], [15 * 480, 4, 4]])
    score = drums(np.arange(23), time_signatures=meter)
    windows = extract_patterns(score)
    assert len(windows) == 2
    assert windows.dropped == {"in 7/8": 1}
    assert windows.hits[1][0, 0]
    assert windows.bar.tolist() == [0, 15 / 4]


def test_tempo_changes_do_not_move_the_grid():
    tempos = np.array([[0, 500_000], [3 * 480, 300_000], [8 * 480, 600_000]])
    windows = extract_patterns(drums(np.arange(16), tempos=tempos))
    assert windows.tempo_bpm.tolist() == [120, 100]
    np.testing.assert_array_equal(windows.hits[0], windows.hits[1])


@pytest.mark.parametrize(
    ("beats", "triplets"),
    [
        (np.arange(0, 8, 1), False),
        (np.arange(0, 8, 0.5), False),
        (np.arange(0, 8, 0.25), False),
        (np.arange(0, 8, 1 / 3), True),
        (np.arange(0, 8, 1 / 6), True),
        (np.sort(np.concatenate([np.arange(8), np.arange(8) + 2 / 3])), True),  # a shuffle
        (np.arange(0, 8, 0.75), False),  # dotted eighths
    ],
)
@pytest.mark.parametrize("human_s", [0.0, 0.012])
def test_triplets(beats, triplets, human_s):
    # 12 ms at 120 bpm: as steady as the drummers of the Groove MIDI Dataset
    noise = np.random.default_rng(1).normal(0, human_s * 2, len(beats))
    assert is_triplet(np.clip(beats + noise, 0, None)) is triplets


def test_triplet_windows_are_counted():
    beats = np.concatenate([np.arange(0, 8, 0.5), 8 + np.arange(0, 8, 1 / 3)])
    windows = extract_patterns(drums(beats))
    assert len(windows) == 1
    assert windows.dropped == {"in triplets": 1}


def test_silent_and_short_windows_are_counted():
    windows = extract_patterns(drums([0, 1, 2, 24, 25, 32, 33]))
    assert windows.dropped == {"silent": 2, "cut short": 1}
    assert windows.bar.tolist() == [0, 6]


def test_an_early_hit_belongs_to_the_next_bar():
    meter = np.array([[0, 3, 4], [6 * 480, 4, 4]])
    score = drums([0, 1, 2, 3, 4, 5, 5.97, 7, 8, 9, 10, 11, 12, 13], time_signatures=meter)
    windows = extract_patterns(score)
    assert windows.hits[0][0, 0]
    assert windows.offset_ticks[0][0, 0] == -14
    assert windows.dropped == {"in 3/4": 1}


def test_notes_are_folded_and_strangers_counted():
    score = drums(np.arange(8), pitch=np.array([35, 40, 44, 58, 26, 57, 80, 74]))
    windows = extract_patterns(score)
    played = np.nonzero(windows.hits[0].any(axis=0))[0].tolist()
    assert played == [0, 1, 2, 3, 5, 7, 9]
    assert windows.unknown_notes == 1


def test_drums_on_another_channel_are_found_by_name():
    notes = drums(np.arange(8)).tracks[0].notes
    melody = Track(notes + np.array([0, 0, 30, 0]), name="Lead")
    assert len(extract_patterns(Score((melody, Track(notes, name="Drum Kit"))))) == 1
    with pytest.raises(InputError, match="no drums"):
        extract_patterns(Score((melody,)))


def test_the_louder_of_two_notes_on_one_step_stays():
    notes = np.array([[0, 1, 36, 40], [2, 1, 35, 99], [960, 1, 36, 50], [3800, 1, 36, 50]])
    windows = extract_patterns(Score((Track(notes, is_drum=True),)))
    assert windows.velocity[0][0, 0] == 99
    assert windows.offset_ticks[0][0, 0] == 2


BAD = {
    "missing.mid": (None, "does not exist"),
    "empty.mid": (b"", "is empty"),
    "text.mid": (b"this is not MIDI", "not a MIDI file"),
    "truncated.mid": (ROCK.to_score().to_midi()[:60], "damaged or cut short"),
    "header.mid": (ROCK.to_score().to_midi()[:10], "damaged or cut short"),
    "piano.mid": (Score((Track(np.array([[0, 9, 60, 9]])),)).to_midi(), "no drums"),
    "seven.mid": (drums(np.arange(7), time_signatures=np.array([[0, 7, 8]])).to_midi(), "7/8"),
    "shuffle.mid": (drums(np.arange(0, 8, 1 / 3)).to_midi(), "triplets"),
    "hours.mid": (drums([0, 1, 6 * 3600 * 2]).to_midi(), "lasts 6.0 hours"),
    "strangers.mid": (drums([0, 1], pitch=74).to_midi(), "none of them"),
    "picture.png": (b"\x89PNG", "not a MIDI file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path, name):
    content, message = BAD[name]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        DrumPattern.read(path)
    assert caught.value.hint


def test_every_truncation_is_an_error_or_a_pattern(tmp_path):
    """No cut of a file crashes: it is refused, or it was cut behind its last note."""
    content = ROCK.to_score().to_midi()
    for size in range(1, len(content)):
        try:
            Score.from_midi(content[:size])
        except InputError:
            continue


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        DrumPattern.read(tmp_path)
    near = ROCK.save(tmp_path / "beat.mid")
    with pytest.raises(InputError) as caught:
        DrumPattern.read(tmp_path / "baet.mid")
    assert str(near) in caught.value.hint


def test_files_that_we_wrote_say_where_they_begin_and_end():
    """A silent second bar, and an early first hit that is written a bar later."""
    offset = np.zeros((32, 14))
    offset[0, 0] = -9
    beat = DrumPattern.from_masks([1] + [0] * 31, offset_ticks=offset)
    windows = extract_patterns(beat.to_score())
    assert windows.patterns() == [beat]
    assert not windows.dropped


def test_no_window_crosses_a_change_of_metre():
    meter = np.array([[0, 4, 4], [6 * 480, 3, 4]])  # a bar and a half, then another metre
    windows = extract_patterns(drums(np.arange(12), time_signatures=meter))
    assert len(windows) == 0
    assert windows.dropped == {"cut short": 1, "in 3/4": 1}


@pytest.mark.parametrize("wrong", [{"bars": 0}, {"stride_bars": 0.01}, {"stride_bars": -1}])
def test_windows_of_no_length_are_refused(wrong):
    with pytest.raises(UsageError, match="must be at least"):
        extract_patterns(drums(np.arange(8)), **wrong)


def test_windows_at_tempos_that_no_pattern_has_are_counted():
    windows = extract_patterns(drums(np.arange(16), tempos=[[0, 500_000], [1920, 2]]), bars=1)
    assert len(windows) == 1
    assert windows.dropped == {"at a tempo that no pattern has": 3}
