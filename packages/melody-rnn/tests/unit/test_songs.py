"""A line of a song is written on, and all else of the song stays, as mido reads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from groove_core.values import Melody, Score, Track, from_json
from melody_rnn import extend, fill, vary

TUNE = [60, 62, 64, 65, 67, 65, 64, 62] * 4


def midi_song(path: Path, *, played: bool = False, kind: int = 1) -> Path:
    """Write a song of eight bars with mido: a tune, a piano, drums, and all that may be in a file.

    Parameters
    ----------
    played : bool
        Whether notes begin and end beside the grid, by a few ticks each.
    kind : int
        1, or 0 for all in one track.
    """
    tune: list[tuple[int, mido.Message]] = []
    message = mido.Message
    tune += [(0, message("program_change", channel=2, program=73)),
             (5, message("control_change", channel=2, control=7, value=90)),
             (2000, message("pitchwheel", channel=2, pitch=700)),
             (2100, message("pitchwheel", channel=2, pitch=0))]  # fmt: skip
    for number, pitch in enumerate(TUNE):
        beside = (number * 7 % 41 - 20) if played else 0
        start, end = number * 480 + max(beside, -number * 480), number * 480 + 400 + 2 * beside
        tune.append((start, message("note_on", channel=2, note=pitch, velocity=60 + number)))
        tune.append((end, message("note_off", channel=2, note=pitch, velocity=30)))
    piano = [(0, message("control_change", channel=0, control=64, value=127)),
             (0, message("sysex", data=[1, 2, 3])),
             (700, message("aftertouch", channel=0, value=20)),
             (710, message("polytouch", channel=0, note=48, value=9))]  # fmt: skip
    for bar in range(8):
        for pitch in (48, 52, 55):
            piano.append((bar * 1920 + pitch % 3, message("note_on", note=pitch, velocity=50)))
            piano.append((bar * 1920 + 1900, message("note_on", note=pitch, velocity=0)))
    drums = [
        (beat * 480, message("note_on", channel=9, note=36, velocity=99)) for beat in range(32)
    ]
    drums += [(beat * 480 + 60, message("note_off", channel=9, note=36)) for beat in range(32)]
    meta = mido.MetaMessage
    conductor = [(0, meta("time_signature", numerator=4, denominator=4)),
                 (0, meta("key_signature", key="C")),
                 (0, meta("set_tempo", tempo=500_000)), (7680, meta("set_tempo", tempo=600_000)),
                 (9, meta("marker", text="A")), (10, meta("text", text="by me"))]  # fmt: skip
    parts = {"": conductor, "Piano": piano, "Flute": tune, "Drums": drums}
    if kind == 0:
        parts = {"": [one for part in parts.values() for one in part]}
    song = mido.MidiFile(type=kind, ticks_per_beat=480)
    for name, events in parts.items():
        track = mido.MidiTrack([meta("track_name", name=name)] if name else [])
        before = 0
        for tick, event in sorted(events, key=lambda one: one[0]):
            track.append(event.copy(time=tick - before))
            before = tick
        track.append(meta("end_of_track", time=100))
        song.tracks.append(track)
    song.save(path)
    return path


def events_of(path: Path) -> list[list[tuple[int, str]]]:
    """Return the events of each track as mido reads them, with their ticks."""
    tracks = []
    for track in mido.MidiFile(path).tracks:
        tick, events = 0, []
        for message in track:
            tick += message.time
            events.append((tick, str(message.copy(time=0))))
        tracks.append(events)
    return tracks


def is_note(event: str) -> bool:
    return event.startswith(("note_on", "note_off"))


def notes_of(path, number):
    return [one for one in events_of(path)[number] if is_note(one[1])]


@pytest.fixture(params=[False, True], ids=["typed", "played"])
def song(request, tmp_path):
    return midi_song(tmp_path / "song.mid", played=request.param)


def test_a_track_goes_on_and_the_others_stay(song, tiny, tmp_path):
    [take] = extend(song, track="Flute", bars=2, count=1, seed=3, checkpoint=tiny["transformer"])
    before, after = events_of(song), events_of(take.save(tmp_path / "longer.mid"))
    assert [after[n] for n in (0, 1, 3)] == [before[n] for n in (0, 1, 3)]
    assert len(take.notes) > len(TUNE)
    mine = [one for one in before[2] if one[1] != before[2][-1][1]]  # but the end of the track
    assert [one for one in after[2] if one in mine] == mine
    new = [tick for tick, event in after[2] if event.startswith("note_on") and tick >= 8 * 1920]
    written = take.notes[take.notes[:, 0] >= 8 * 16, 0]
    assert new == (written * 120).tolist()
    assert take.given == ((0, 128),)


def test_bars_are_written_anew_and_all_else_stays(song, tiny, tmp_path):
    [take] = fill(song, track="2", bars="3-4", count=1, seed=3, checkpoint=tiny["transformer"])
    before, after = events_of(song), events_of(take.save(tmp_path / "filled.mid"))
    assert [after[n] for n in (0, 1, 3)] == [before[n] for n in (0, 1, 3)]
    gap = range(2 * 1920 - 60, 4 * 1920 - 60)  # what is played a little early belongs to its step
    outside = [one for one in before[2] if not is_note(one[1]) or one[0] not in gap]
    ends = [one for one in outside if one[1].startswith("note_off") and one[0] in range(3800, 3900)]
    kept = [one for one in outside if one not in ends]
    assert [one for one in after[2] if one in kept] == kept
    inside = [tick for tick, event in after[2] if event.startswith("note_on") and tick in gap]
    written = take.notes[(take.notes[:, 0] >= 32) & (take.notes[:, 0] < 64), 0]
    assert inside == (written * 120).tolist()
    assert take.given == ((0, 32), (64, 128))


@pytest.mark.parametrize("keep", ["rhythm", "pitch", "nothing"])
def test_beats_are_varied_and_all_else_stays(song, tiny, tmp_path, keep):
    [take] = vary(song, track="Flute", keep=keep, count=1, seed=3, checkpoint=tiny["transformer"])
    before, after = events_of(song), events_of(take.save(tmp_path / "varied.mid"))
    assert [after[n] for n in (0, 1, 3)] == [before[n] for n in (0, 1, 3)]
    others = [[e for e in tracks[2] if not is_note(e[1])] for tracks in (before, after)]
    assert others[0] == others[1]
    assert notes_of(song, 2) != notes_of(tmp_path / "varied.mid", 2)


def test_one_channel_of_a_file_with_one_track(tiny, tmp_path):
    song = midi_song(tmp_path / "song.mid", kind=0)
    [take] = extend(song, track="2", bars=1, count=1, seed=3, checkpoint=tiny["transformer"])
    [before], [after] = events_of(song), events_of(take.save(tmp_path / "longer.mid"))

    def others(events):
        mine = ("note_on channel=2", "note_off channel=2")
        return [one for one in events if not one[1].startswith(mine)]

    assert others(after)[:-1] == others(before)[:-1]
    assert after[-1][0] >= before[-1][0]
    assert mido.MidiFile(tmp_path / "longer.mid").type == 0


def test_the_notes_below_the_line_stay(tiny, tmp_path):
    line = [[480 * n, 480, 72 + n % 5, 80] for n in range(16)]
    below = [[1920 * n, 1900, pitch, 60] for n in range(4) for pitch in (48, 55)]
    tempos = [[0, 500_000]]
    Score((Track(line + below, name="Piano"),), tempos=tempos).save(tmp_path / "piano.mid")
    [take] = fill(tmp_path / "piano.mid", bars="2", count=1, seed=4, checkpoint=tiny["transformer"])
    notes = take.to_score().tracks[0].notes.tolist()
    assert [one for one in notes if one[2] < 60][: len(below)] == sorted(below)
    assert [one for one in notes if one in line] == [one for one in line if one[0] // 1920 != 1]


def test_in_a_song_only_what_was_written_is_played_anew_and_in_time(song, tiny):
    [take] = fill(song, track="Flute", bars="3-4", count=1, seed=3, checkpoint=tiny["transformer"])
    typed, played = take.to_score().tracks[1].notes, take.performed().tracks[1].notes
    np.testing.assert_array_equal(typed[:, [0, 2]], played[:, [0, 2]])
    changed = (typed[:, [1, 3]] != played[:, [1, 3]]).any(axis=1)
    assert changed.any()
    assert typed[changed, 0].min() >= 3840
    assert typed[changed, 0].max() < 7680
    flat = replace(take, flat=True)
    assert flat.performed() == take.to_score()


def test_a_take_in_a_song_is_the_same_from_json(song, tiny):
    [take] = extend(song, track="Flute", bars=1, count=1, seed=3, checkpoint=tiny["transformer"])
    again = from_json(take.to_json())
    assert again == take
    assert again.to_score() == take.to_score()
    assert "place" not in take.to_document()
    assert take.alone().to_score() != take.to_score()


def test_a_take_goes_on_in_its_song(song, tiny):
    [one] = extend(song, track="Flute", bars=1, count=1, seed=3, checkpoint=tiny["transformer"])
    [two] = extend(one, bars=1, count=1, seed=3, checkpoint=tiny["transformer"])
    first, second = one.to_score(), two.to_score()
    assert len(second.tracks) == len(first.tracks) == 3
    count = len(first.tracks[1].notes)
    np.testing.assert_array_equal(first.tracks[1].notes, second.tracks[1].notes[:count])
    assert two.length == 10 * 16


def test_what_moves_a_take_takes_it_out_of_its_song(song, tiny):
    [take] = extend(song, track="Flute", bars=1, count=1, seed=3, checkpoint=tiny["transformer"])
    assert take.transpose(2).place is None
    part = take.slice_bars(7, 2)
    assert (part.place, part.given) == (None, ((0, 16),))
    assert type(take).join([take, take]).given == ()


def test_the_melody_alone(song, tiny):
    [take] = extend(
        song, track="Flute", alone=True, bars=1, count=1, seed=3, checkpoint=tiny["transformer"]
    )
    assert take.place is None
    assert Melody.from_score(take.to_score()).notes.tolist() == take.notes.tolist()


METRES = [[0, 4, 4], [4 * 1920, 3, 4]]


def two_metres() -> Score:
    notes = [[480 * n, 480, 60 + n % 7, 80] for n in range(16 + 12)]
    return Score((Track(notes, name="tune"),), time_signatures=METRES)


def test_each_metre_is_written_on_in_its_place(tiny):
    song = two_metres()
    [longer] = extend(song, bars=2, count=1, seed=5, checkpoint=tiny["transformer"])
    assert longer.metre == (3, 4)
    notes = longer.to_score().tracks[0].notes
    np.testing.assert_array_equal(notes[:28], song.tracks[0].notes)
    assert notes[28:, 0].min() >= 28 * 480
    [filled] = fill(song, bars="6-7", count=1, seed=5, checkpoint=tiny["transformer"])
    before = song.tracks[0].notes.tolist()
    kept = [one for one in before if not 19 * 480 <= one[0] < 25 * 480]
    assert [one for one in filled.to_score().tracks[0].notes.tolist() if one in kept] == kept
