"""MIDI files mean what they say: against mido, pretty_midi and slow literal readings."""

from __future__ import annotations

import io
import struct
import unicodedata
from dataclasses import replace

import mido
import numpy as np
import pretty_midi
import pytest

from groove_core.drums.extraction import extract_patterns
from groove_core.drums.grid import drum_tracks
from groove_core.drums.pattern import DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.values.midi import files as midi
from groove_core.values.midi.files import MidiFile
from groove_core.values.midi.parts import _pair
from groove_core.values.midi.texts import decode_text
from groove_core.values.scores.score import Score, Track

# A writer of MIDI files of its own: byte by byte, in the order given.


def number(n):
    out = [n & 127]
    while n := n >> 7:
        out.insert(0, n & 127 | 128)
    return bytes(out)


def meta(kind, data=b""):
    return bytes([255, kind]) + number(len(data)) + data


def tempo(us):
    return meta(0x51, us.to_bytes(3, "big"))


def track(*events, end=0, mark=True):
    """Write a track of (tick, bytes) in the order of ticks."""
    out, last = b"", 0
    for tick, data in sorted(events, key=lambda e: e[0]):
        out += number(tick - last) + data
        last = tick
    if mark:
        out += number(max(0, end - last)) + meta(0x2F)
    return b"MTrk" + struct.pack(">I", len(out)) + out


def smf(*tracks, division=480, kind=1, header=b""):
    head = struct.pack(">IHHH", 6 + len(header), kind, len(tracks), division)
    return b"MThd" + head + header + b"".join(tracks)


def on(pitch, velocity=100, channel=0):
    return bytes([0x90 | channel, pitch, velocity])


def off(pitch, velocity=64, channel=0):
    return bytes([0x80 | channel, pitch, velocity])


def cc(control, value, channel=0):
    return bytes([0xB0 | channel, control, value])


def program(value, channel=0):
    return bytes([0xC0 | channel, value])


def drums(*hits, velocity=100):
    return [(t, on(p, velocity, 9)) for t, p in hits] + [(t + 60, off(p, 64, 9)) for t, p in hits]


def told(content):
    """List what each channel is told, in order, as mido reads it; meta events under None."""
    found = []
    for index, one in enumerate(mido.MidiFile(file=io.BytesIO(content), charset="latin-1").tracks):
        at = 0
        for message in one:
            at += message.time
            if message.type != "end_of_track":
                found.append((at, index, message.copy(time=0)))
    channels = {}
    for at, _, message in sorted(found, key=lambda e: e[0]):
        channels.setdefault(getattr(message, "channel", None), []).append((at, message))
    return channels


def seconds(content):
    return mido.MidiFile(file=io.BytesIO(content), charset="latin-1").length


EVERYTHING = smf(
    track(
        (0, tempo(500_000)), (0, tempo(344_828)), (0, meta(0x58, bytes([7, 3, 24, 8]))),
        (0, meta(0x58, bytes([6, 3, 36, 8]))), (0, meta(0x59, bytes([0xFD, 1]))),
        (0, meta(2, b"(c) me")), (0, meta(1, b"hello")), (9, meta(6, b"verse")),
        (9, meta(7, b"cue")), (9, meta(0x7F, b"\0\1maker")), (9, meta(0x54, bytes(5))),
        (20, b"\xf0" + number(5) + b"\x7e\x7f\x09\x01\xf7"),
        # System exclusive in two packets, and an escape.
        (20, b"\xf0" + number(3) + b"\x43\x12\x00"), (30, b"\xf7" + number(2) + b"\x00\xf7"),
        (40, b"\xf7" + number(1) + b"\x50"),
        end=9_000,
    ),
    track(
        (0, meta(3, "Baß".encode("latin-1"))), (0, cc(0, 8)), (0, cc(32, 3)), (0, program(80)),
        (0, cc(7, 127)), (0, cc(7, 30)), (0, cc(101, 0)), (0, cc(100, 0)), (0, cc(6, 12)),
        (0, cc(101, 127)), (0, cc(100, 127)), (0, bytes([0xE0, 127, 127])), (0, on(60)),
        (0, cc(7, 31)), (100, bytes([0xA0, 60, 90])), (200, bytes([0xD0, 77])), (480, off(60, 3)),
        (480, on(60, 1)), (480, on(64)), (500, on(60, 0)), (600, off(64, 0)),
        (700, program(81)), (700, on(72, 5, 3)), (700, program(3, 3)), (701, off(72, 5, 3)),
        (800, on(50)), (900, off(50)), (910, cc(64, 127)), (5_000, cc(64, 0)),
    ),
    track((0, meta(3, "ドラム".encode("shift-jis"))), *drums((0, 36), (480, 38), (480, 42))),
)  # fmt: skip


@pytest.mark.parametrize("kind", [0, 1])
def test_what_is_not_changed_is_written_as_it_was(kind, tmp_path):
    content = EVERYTHING
    if kind == 0:
        merged = mido.merge_tracks(
            mido.MidiFile(file=io.BytesIO(EVERYTHING), charset="latin-1").tracks
        )
        file = mido.MidiFile(type=0, ticks_per_beat=480, charset="latin-1")
        file.tracks.append(merged)
        buffer = io.BytesIO()
        file.save(file=buffer)
        content = buffer.getvalue()
    score = Score.from_midi(content)
    again = score.to_midi()
    assert told(again) == told(content)
    assert again[8:14] == content[8:14]  # format, tracks, resolution
    assert score.duration_s == pytest.approx(seconds(content), abs=1e-3)
    assert score.end_tick == 9_000
    assert Score.from_midi(again) == score
    copy = Score.from_json(score.to_json())
    assert copy == score
    assert [t.name for t in copy.tracks] == [t.name for t in score.tracks]
    score.save(tmp_path / "a.json")
    assert Score.read(tmp_path / "a.json") == score


def test_moved_notes_leave_everything_else_where_it_was():
    score = Score.from_midi(EVERYTHING)
    kit = next(t for t in score.tracks if t.is_drum)
    later = replace(kit, notes=kit.notes + np.array([7, 0, 0, -1]))
    moved = replace(score, tracks=[later if t is kit else t for t in score.tracks])
    before, after = told(EVERYTHING), told(moved.to_midi())
    assert {k: v for k, v in after.items() if k != 9} == {k: v for k, v in before.items() if k != 9}
    assert [(t, m.note, m.velocity) for t, m in after[9] if m.type == "note_on"] == [
        (t + 7, m.note, m.velocity - 1) for t, m in before[9] if m.type == "note_on"
    ]
    assert [(t, m.note, m.velocity) for t, m in after[9] if m.type == "note_off"] == [
        (t + 7, m.note, m.velocity) for t, m in before[9] if m.type == "note_off"
    ]


def test_an_edited_document_counts():
    score = Score.from_midi(EVERYTHING)
    document = score.to_json()
    document["tracks"][0]["notes"][0][3] = 17
    changed = Score.from_json(document)
    assert changed.tracks[0].notes[0, 3] == 17
    assert told(changed.to_midi())[None] == told(EVERYTHING)[None]


def test_notes_that_are_added_or_taken_leave_the_other_channels():
    score = Score.from_midi(EVERYTHING)
    number_ = next(i for i, t in enumerate(score.tracks) if t.is_drum)
    tracks = list(score.tracks)
    kit = tracks[number_]
    tracks[number_] = replace(kit, notes=[*kit.notes.tolist(), [960, 60, 49, 99]])
    more = told(replace(score, tracks=tracks).to_midi())
    assert [(t, m.note) for t, m in more[9] if m.type == "note_on"] == [
        (0, 36), (480, 38), (480, 42), (960, 49),
    ]  # fmt: skip
    assert more[0] == told(EVERYTHING)[0]
    del tracks[number_]
    fewer = told(replace(score, tracks=tracks).to_midi())
    assert 9 not in fewer
    assert fewer[0] == told(EVERYTHING)[0]


def test_another_instrument_gets_a_channel_of_its_own():
    score = Score.from_midi(EVERYTHING)
    tracks = [replace(t, program=40) if t.channel == 3 else t for t in score.tracks]
    again = Score.from_midi(replace(score, tracks=tracks).to_midi())
    assert [(t.program, t.notes.tolist()) for t in again.tracks if t.program == 40] == [
        (40, [[700, 1, 72, 5]])
    ]
    assert told(again.to_midi())[0] == told(EVERYTHING)[0]


def edited(score, number=0, **changes):
    """Change one track of a score, save it, and read it again."""
    tracks = list(score.tracks)
    tracks[number] = replace(tracks[number], **changes)
    return Score.from_midi(replace(score, tracks=tracks).to_midi())


def heard(score):
    return sorted((t.program, t.name, t.notes.tolist()) for t in score.tracks)


def test_a_bank_that_is_selected_behind_the_first_tick_is_played():
    setup = [(0, cc(0, 8)), (2, cc(32, 1)), (3, program(5)), (100, on(60)), (200, off(60))]
    again = edited(Score.from_midi(smf(track(*setup))), program=6)
    order = [m.type for _, m in told(again.to_midi())[0]]
    assert order[2:5] == ["control_change", "program_change", "note_on"]
    assert again.tracks[0].controls.tolist() == [[0, 0, 8], [2, 32, 1]]


def test_a_note_that_is_moved_past_a_program_change_keeps_its_instrument():
    for channel in (0, 9):
        content = smf(
            track((0, program(1, channel)), (470, on(60, 90, channel)), (475, program(5, channel)),
                  (480, off(60, 64, channel)), (480, on(62, 80, channel)),
                  (500, off(62, 64, channel)))
        )  # fmt: skip
        again = edited(Score.from_midi(content), notes=[[480, 10, 60, 90]])
        assert heard(again) == [(1, "", [[480, 10, 60, 90]]), (5, "", [[480, 20, 62, 80]])]


def test_a_pedal_pressed_before_a_key_is_released_still_holds_it():
    events = [(0, on(60)), (480, cc(64, 127)), (480, off(60)), (960, on(62)), (990, off(62))]
    score = Score.from_midi(smf(track(*events, (1400, cc(64, 0)))))
    softer = edited(score, notes=[[0, 480, 60, 100], [960, 30, 62, 50]])
    before, after = told(score.to_midi())[0], told(softer.to_midi())[0]
    assert [m.type for _, m in after] == [m.type for _, m in before]
    assert after[3][1].velocity == 50
    # A note more leaves those that are there in their places, too.
    more = edited(score, notes=[*score.tracks[0].notes.tolist(), [1000, 9, 65, 70]])
    assert told(more.to_midi())[0][:5] == before[:5]


def test_one_part_of_a_track_of_the_file_can_be_renamed():
    events = [(0, meta(3, b"all")), (0, program(1)), (0, program(2, 1))]
    events += [(0, on(60)), (0, on(64, 100, 1)), (90, off(60)), (90, off(64, 64, 1))]
    score = Score.from_midi(smf(track(*events), kind=0))
    again = edited(score, 1, name="lead")
    assert heard(again) == [(1, "all", [[0, 90, 60, 100]]), (2, "lead", [[0, 90, 64, 100]])]


def test_a_score_that_is_cut_ends_where_it_is_cut():
    events = [(0, on(60)), (100, off(60)), (5_000, meta(1, b"the end")), (5_000, b"\xd0\x11")]
    score = Score.from_midi(smf(track(*events)))
    assert Score.from_midi(replace(score, end_tick=200).to_midi()).end_tick == 200


def test_a_file_without_tracks_can_be_filled():
    empty = Score.from_midi(smf())
    longer = replace(empty, end_tick=960)
    assert longer.duration_s == seconds(longer.to_midi()) == 1
    assert Score.from_midi(replace(empty, markers=[(3, "a")]).to_midi()).markers == ((3, "a"),)


def test_instruments_that_share_a_channel_tell_it_once():
    kits = [Track([[0, 9, p, 90]], is_drum=True, controls=[[0, 7, 90]]) for p in (36, 38)]
    again = Score.from_midi(Score(kits).to_midi())
    assert [t.controls.tolist() for t in again.tracks] == [[[0, 7, 90]]] * 2


def test_more_than_midi_can_hold_is_refused():
    kits = [
        Track([[0, 9, 36, 90]], is_drum=True, program=p % 128, controls=[[0, 7, p // 128]])
        for p in range(300)
    ]
    with pytest.raises(UsageError, match="more different instruments"):
        Score(kits).to_midi()
    # One for tempo and metre, and one for each of these.
    with pytest.raises(UsageError, match="has 65,536 tracks; MIDI has 65,535 at most"):
        Score([Track([])] * 65_535).to_midi()
    with pytest.raises(UsageError, match="no power of two"):
        Score((), time_signatures=[[0, 4, 3]])


@pytest.mark.parametrize("seed", range(40))
def test_edited_scores_are_read_as_they_were_saved(seed):
    rng = np.random.default_rng(seed)

    def pick(*values):
        return int(rng.choice(values))

    def some():
        for _ in range(12):
            tick, channel, pitch = pick(0, 10, 20, 30, 40), pick(0, 1, 9), pick(40, 41)
            kind = pick(0, 0, 1, 2, 3)
            what = [on(pitch, pick(5, 99), channel), program(pick(0, 1), channel),
                    cc(pick(0, 7, 32, 64), pick(0, 127), channel), meta(3, b"a")]  # fmt: skip
            yield tick, what[kind]
            if not kind:
                yield tick + pick(0, 5, 10, 15), off(pitch, 64, channel)

    def kept(score):
        found = {}
        for one in score.tracks:
            key = one.is_drum, one.program, one.name, str(one.controls)
            found.setdefault(key, []).extend(one.notes[:, [0, 2, 3]].tolist())
        return {key: sorted(notes) for key, notes in found.items() if notes}

    score = Score.from_midi(smf(*(track(*some()) for _ in range(pick(1, 2, 3)))))
    tracks = list(score.tracks)
    for number in range(len(tracks)):
        notes = tracks[number].notes.copy()
        notes[:, 0] = np.round(notes[:, 0] / 20) * 20
        changes = [
            {}, {"notes": notes}, {"notes": notes[1:]}, {"program": 1}, {"name": "b"},
            {"notes": np.insert(notes, 0, [pick(0, 20), 5, 45, 9], axis=0)},
        ]  # fmt: skip
        tracks[number] = replace(tracks[number], **changes[pick(*range(6))])
    changed = replace(score, tracks=tracks)
    assert kept(Score.from_midi(changed.to_midi())) == kept(changed)


def test_the_last_of_several_tempos_at_a_tick_counts():
    content = smf(track((0, tempo(500_000)), (0, tempo(344_828))), track(*drums((1920, 36))))
    score = Score.from_midi(content)
    assert score.tempo_at(0) == pytest.approx(60e6 / 344_828)
    assert score.duration_s == pytest.approx(seconds(content), abs=1e-6)
    assert DrumPattern.from_score(score).tempo_bpm == pytest.approx(174.0)


@pytest.mark.parametrize("us", [17_000, 16_000_000])
def test_an_odd_tempo_is_kept(us):
    score = Score.from_midi(smf(track((0, tempo(us)), *drums((0, 36), (480, 38)))))
    beat = DrumPattern.from_score(score)
    assert beat.tempo_bpm == pytest.approx(60e6 / us, abs=0.01)
    assert extract_patterns(beat.to_score(), bars=1).patterns()[0] == beat


def test_a_drum_that_is_struck_again_before_its_end_counts():
    hits = [(i * 240, on(42, 80, 9)) for i in range(8)]
    content = smf(track(*hits, (1920, off(42, 64, 9))))
    [kit] = Score.from_midi(content).tracks
    [expected] = pretty_midi.PrettyMIDI(io.BytesIO(content)).instruments
    assert kit.notes[:, 0].tolist() == [i * 240 for i in range(8)]
    ends = [round(note.end * 960) for note in expected.notes]
    assert (kit.notes[:, 0] + kit.notes[:, 1]).tolist() == ends


@pytest.mark.parametrize(
    ("events", "notes"),
    [
        # An end behind a beginning at its tick is that of the note before ...
        (((0, on(60)), (480, on(60)), (480, off(60)), (960, off(60))), [[0, 480], [480, 480]]),
        # ... and its own if nothing else sounds.
        (((0, on(60)), (0, off(60)), (480, on(60)), (490, off(60))), [[0, 0], [480, 10]]),
        # No end at all: until it is struck again, or the end of the track.
        (((0, on(60)), (480, on(60))), [[0, 480], [480, 520]]),
        # ... or until all notes are told to end.
        (((0, on(60)), (300, cc(123, 0)), (480, on(60))), [[0, 300], [480, 520]]),
        (((0, on(60)), (300, cc(120, 0))), [[0, 300]]),
        # An end of nothing; an end as a beginning without velocity.
        (((0, off(60)), (10, on(60)), (20, on(60, 0))), [[10, 10]]),
    ],
)
def test_how_notes_end(events, notes):
    [one] = Score.from_midi(smf(track(*events, end=1_000))).tracks
    assert one.notes[:, :2].tolist() == notes


def test_pairs_are_those_of_a_literal_reading():
    rng = np.random.default_rng(1)
    for _ in range(500):
        n = int(rng.integers(0, 30))
        tick = np.sort(rng.integers(0, rng.integers(1, 20), n))
        voice = rng.integers(0, rng.integers(1, 4), n)
        begins = rng.random(n) < 0.5
        ends, sounding = {}, {0: [], 1: [], 2: []}
        for event in range(n):
            mine = sounding[voice[event]]
            if begins[event]:
                mine.append(event)
                continue
            early = [one for one in mine if tick[one] < tick[event]]
            for one in early or list(mine):
                ends[one] = event
                mine.remove(one)
        expected = [ends.get(one, -1) for one in np.flatnonzero(begins)]
        assert _pair(tick, voice, begins).tolist() == expected


def test_drums_without_ends_are_heard():
    content = smf(track(*[(i * 240, on(36, 100, 9)) for i in range(8)], end=1_920))
    assert DrumPattern.from_score(Score.from_midi(content)).masks[::2].tolist() == [1] * 8
    assert told(Score.from_midi(content).to_midi()) == told(content)


def test_state_belongs_to_the_channel():
    # Volume and programs in a track of their own; a pedal on the other staff; a later program.
    content = smf(
        track((0, program(40)), (0, cc(7, 60)), (0, program(56, 1)), (0, cc(7, 20, 1))),
        track((0, on(72)), (400, off(72)), (500, program(41)), (600, on(73)), (700, off(73))),
        track((0, on(48, channel=1)), (0, cc(64, 127, 1)), (200, off(48, channel=1))),
        track((0, on(50, channel=1)), (200, off(50, channel=1))),
    )
    score = Score.from_midi(content)
    assert [(t.program, t.controls.tolist()) for t in score.tracks] == [
        (40, [[0, 7, 60]]),
        (41, [[0, 7, 60]]),
        (56, [[0, 7, 20], [0, 64, 127]]),
        (56, [[0, 7, 20], [0, 64, 127]]),
    ]
    assert told(score.to_midi()) == told(content)


def test_more_instruments_than_channels_keep_theirs():
    tracks = [
        Track([[0, 480, 40 + i, 100]], program=i, controls=[[0, 7, 50 + i]]) for i in range(20)
    ]
    again = Score.from_midi(Score(tracks).to_midi())
    assert [(t.program, t.controls.tolist()) for t in again.tracks] == [
        (i, [[0, 7, 50 + i]]) for i in range(20)
    ]


def test_two_staves_of_many_instruments_stay_on_their_channels():
    staves = [
        track((0, program(8 * c, c)), (0, on(60 + s, channel=c)), (9, off(60 + s, channel=c)))
        for c in [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]
        for s in range(2)
    ]
    assert told(Score.from_midi(smf(*staves)).to_midi()) == told(smf(*staves))


def test_a_pedal_outlasts_the_last_note():
    content = smf(track((0, cc(64, 127)), (0, on(60)), (240, off(60)), (4_800, cc(64, 0))))
    score = Score.from_midi(content)
    assert score.duration_s == pytest.approx(5.0)
    assert score.last_note_tick == 240


def test_times_between_ticks_get_ticks():
    score = Score.from_midi(smf(track((0, tempo(400_000)), *drums((24, 36))), division=24))
    finer = score.at_resolution(480)
    assert finer.ticks_per_quarter == 480
    assert finer.duration_s == pytest.approx(score.duration_s)
    assert finer.tracks[0].notes.tolist() == [[480, 1200, 36, 100]]
    assert score.at_resolution(1, multiple_of=5).ticks_per_quarter == 120
    assert score.at_resolution(24, multiple_of=3) is score
    odd = Score((Track([[7, 5, 60, 60]]),), 100)
    assert odd.at_resolution(480, multiple_of=8).ticks_per_quarter == 600


def test_ticks_and_seconds_are_inverse():
    score = Score((), tempos=[[0, 500_000], [96, 250_000], [96, 1_000_000], [480, 300_000]])
    ticks = np.arange(2_000)
    assert score.tick_at(score.seconds(ticks)).tolist() == ticks.tolist()
    halves = (score.seconds(ticks)[1:] + score.seconds(ticks)[:-1]) / 2
    assert score.tick_at(halves).tolist() == ticks[1:].tolist()


# other containers ----------------------------------------------------------------------

BEAT = track((0, tempo(500_000)), *drums((0, 36), (480, 38)), end=960)


def test_rmid_and_long_headers():
    plain = smf(BEAT)
    rmid = b"RIFF" + struct.pack("<I", len(plain) + 12) + b"RMIDdata"
    rmid += struct.pack("<I", len(plain)) + plain
    for content in (rmid, smf(BEAT, header=b"\0\0"), plain + b"junk behind", plain + bytes(40)):
        assert told(Score.from_midi(content).to_midi()) == told(plain)
    foreign = smf(b"XFIH" + struct.pack(">I", 3) + b"abc" + BEAT)
    assert told(Score.from_midi(foreign).to_midi()) == told(plain)


@pytest.mark.parametrize(
    ("frames", "per_second"), [(24, 24), (25, 25), (29, 30_000 / 1_001), (30, 30)]
)
def test_time_in_frames(frames, per_second):
    content = smf(BEAT, division=(256 - frames) << 8 | 40, kind=0)
    score = Score.from_midi(content)
    assert score.seconds(score.tracks[0].notes[:, 0])[1] == pytest.approx(
        480 / (per_second * 40), rel=1e-5
    )
    assert seconds(score.to_midi()) == pytest.approx(960 / (per_second * 40), rel=1e-5)
    for ticks in (1, 3, 100, 127, 255):  # exact after hours, too
        content = smf(track(end=960_000), division=(256 - frames) << 8 | ticks)
        exact = 960_000 / (per_second * ticks)
        if exact < 4 * 3600:
            assert Score.from_midi(content).duration_s == pytest.approx(exact, rel=1e-12)


def test_patterns_that_do_not_sound_together_are_refused(tmp_path):
    two = smf(BEAT, BEAT, kind=2)
    with pytest.raises(InputError, match="2 patterns that do not sound together") as error:
        Score.from_midi(two, name="a.mid")
    assert error.value.hint.startswith("Save each")
    assert told(Score.from_midi(smf(BEAT, kind=2)).to_midi()) == told(smf(BEAT, kind=0))


def test_tracks_that_say_a_wrong_length():
    right = smf(BEAT, BEAT)
    at = right.index(b"MTrk")
    (length,) = struct.unpack(">I", right[at + 4 : at + 8])
    for wrong in (length - 3, 0):
        content = right[: at + 4] + struct.pack(">I", wrong) + right[at + 8 :]
        assert told(Score.from_midi(content).to_midi()) == told(right)
    # Longer: there are bytes behind the end mark.
    content = right[: at + 4] + struct.pack(">I", length + 4) + right[at + 8 : at + 8 + length]
    content += bytes(4) + BEAT
    assert told(Score.from_midi(content).to_midi()) == told(right)
    # Another chunk behind the bytes, or behind a track without an end mark.
    alien = b"XFIH" + struct.pack(">I", 4) + b"\0\x90\x3c\x64"
    content = content[: -len(BEAT)] + alien + BEAT
    assert told(Score.from_midi(content).to_midi()) == told(right)
    open_ended = track((0, on(60)), (9, off(60)), mark=False)
    content = smf(open_ended, BEAT).replace(BEAT, alien + BEAT)
    assert Score.from_midi(content).tracks[0].notes.tolist() == [[0, 9, 60, 100]]
    # Tracks that the header does not count are no part of the music, for all readers.
    content = right[:10] + b"\0\1" + right[12:]
    assert len(told(content)[9]) == len(told(Score.from_midi(content).to_midi())[9])
    # No end mark.
    bare = smf(track((0, on(60)), (9, off(60)), mark=False))
    assert Score.from_midi(bare).tracks[0].notes.tolist() == [[0, 9, 60, 100]]


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\x90\x3c\x64\x10\x3c\x00\x10\x90\x3c\x64\x10\x3c\x00",  # running status
        b"\x00\xc0\x05\x00\x06\x00\xd0\x01\x10\x02\x00\x90\x3c\x64\x10\x3c\x00",  # of one byte
        b"\x00\x90\x3c\x64\x10\xff\x01\x01a\x10\x3c\x00",  # behind a meta event
        b"\x83\xff\x7f\x90\x3c\x64\xff\x7f\x3c\x00",  # delta times with bytes of 255
        b"\x00\x90\x3c\x64\x10\xf8\x00\x80\x3c\x00",  # a real-time message
        b"",
    ],
)
def test_both_readers_of_tracks_agree(body, monkeypatch):
    content = smf(b"MTrk" + struct.pack(">I", len(body) + 4) + body + b"\x05\xff\x2f\x00")
    [fast] = MidiFile.parse(content).chunks
    monkeypatch.setattr(midi, "_fast", lambda *_: None)
    [slow] = MidiFile.parse(content).chunks
    assert fast.rows.tolist() == slow.rows.tolist()
    assert (fast.payloads, fast.end_tick) == (slow.payloads, slow.end_tick)
    expected = mido.MidiFile(file=io.BytesIO(content))
    assert fast.end_tick == sum(message.time for message in expected.tracks[0])
    assert told(Score.from_midi(content).to_midi()) == told(content)


def test_more_ticks_than_can_be_counted_are_refused():
    late = b"".join(number(2**28 - 1) + off(60) for _ in range(9))
    content = smf(track((0, on(60) + late), mark=False))
    with pytest.raises(InputError, match="longer than 2,147,483,647 ticks"):
        Score.from_midi(content)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (smf(BEAT)[:-9], "breaks off"),
        (smf(BEAT, BEAT)[: -len(BEAT)], "the header says 2 tracks, 1 are there"),
        (b"MThd\0\0\0\6\0", "header is cut short"),
        (smf(BEAT, division=0), "no ticks"),
        (smf(BEAT, division=(256 - 26) << 8 | 4), "time code is unknown"),
        (smf(BEAT, kind=7), "not one of a MIDI file"),
        (b"RIFF\0\0\0\0RMIDdata", "no MIDI header"),
        (smf(track((0, b"\x3c\x40"))), "there is no event at byte"),
        (smf(track((0, b"\x90\x3c\xf4"))), "out of range"),
        (smf(track((0, b"\xf4"))), "is no event"),
        (smf(b"MTrk\0\0\0\x09\xff\xff\xff\xff\xff\x7f\x90\x3c\x40"), "is no number"),
    ],
)
def test_damage_is_told(content, problem):
    with pytest.raises(InputError, match=problem) as error:
        Score.from_midi(content, name="a.mid")
    assert str(error.value).startswith("a.mid is damaged or cut short: ")


# texts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("ドラム", "shift-jis"), ("歌詞", "cp932"), ("Schlägzeug", "latin-1"), ("Ça va", "cp1252"),
        ("“Hé”", "cp1252"), ("Drums", "utf-16"), ("ギター", "utf-16-le"), ("Bass 1", "utf-16-le"),
        ("Bass 1", "utf-16-be"), ("Ünï ドラム", "utf-8"), ("plain", "ascii"), ("", "ascii"),
    ],
)  # fmt: skip
def test_names_are_decoded_for_people_and_kept_for_files(text, encoding):
    payload = text.encode(encoding)
    if encoding == "utf-16-le" and text == "ギター":
        payload = b"\xff\xfe" + payload
    assert decode_text(payload) == text
    content = smf(track((0, meta(3, payload)), (0, meta(5, payload)), (0, on(60)), (9, off(60))))
    score = Score.from_midi(content)
    assert (score.tracks[0].name, score.lyrics) == (text, ((0, text),))
    assert told(score.to_midi()) == told(content)


def test_a_declared_encoding_counts():
    content = smf(
        track((0, meta(5, b"{@JP}")), (0, meta(3, "Bé".encode("cp932", "replace") + b"\x83\x41")),
              (0, on(60)), (9, off(60)))
    )  # fmt: skip
    assert Score.from_midi(content).tracks[0].name.endswith("ア")


def test_a_new_name_is_written_as_utf8():
    score = Score.from_midi(smf(track((0, meta(3, b"Ba\xdf")), (0, on(60)), (9, off(60)))))
    named = replace(score, tracks=[replace(score.tracks[0], name="ドラム")])
    assert Score.from_midi(named.to_midi()).tracks[0].name == "ドラム"
    assert meta(3, "ドラム".encode()) in named.to_midi()


@pytest.mark.parametrize("name", ["né", "ドラム", "plain", "—"])
@pytest.mark.parametrize("declaration", [b"{@LATIN}", b"{@JP}"])
def test_a_new_name_is_read_as_the_file_declares(name, declaration):
    content = smf(track((0, meta(1, declaration)), (0, on(60)), (9, off(60))))
    again = edited(replace(Score.from_midi(content), markers=[(0, name)]), name=name)
    assert (again.tracks[0].name, again.markers) == (name, ((0, name),))


# drums ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "is_drums"),
    [
        ("Drums", True), ("drum kit", True), ("DRUMS_1", True), ("Drums2", True), ("Perc.", True),
        ("Batería", True), ("Schlagzeug", True), ("Batterie", True), ("ドラム", True),
        ("Snare", True), ("Hi Hat", True), ("Perkussion", True), ("ﾄﾞﾗﾑ", True),
        ("ＤＲＵＭＳ", True),
        (unicodedata.normalize("NFD", "Percussão"), True), ("Bass-Drum", True), ("Snares", True),
        ("Ударная установка", True), ("打击乐", True), ("Synth Drums", True),
        ("Steel Drums", False), ("Off-beat", False), ("Tom's voice", False), ("Melodic Tom", False),
        ("Hi-Hat", True), ("Ударные", True), ("鼓组", True), ("Bass Drum", True),
        ("Percussive Organ", False), ("Offbeat Guitar", False), ("Kitchen Synth", False),
        ("Steel Drum Pad Synth", False), ("Heartbeats Lead", False), ("Beat Bass", False),
        ("Tomás", False), ("", False),
    ],
)  # fmt: skip
def test_names_of_drums_are_whole_words(name, is_drums):
    score = Score((Track([[0, 60, 38, 100]], name=name),))
    assert bool(drum_tracks(score)) is is_drums


def test_the_drum_track_can_be_told():
    lead, clicks = Track([[0, 9, 60, 90]], name="Lead"), Track([[0, 9, 38, 90]], name="Clicks")
    kit = Track([[0, 9, 36, 90]], is_drum=True)
    score = Score((lead, clicks, kit))
    assert list(drum_tracks(score)) == [kit]
    for word in ("clicks", "2"):
        assert list(drum_tracks(Score((lead, clicks, kit), drum_track=word))) == [clicks]
    with pytest.raises(UsageError, match="no track 'bongos'") as error:
        drum_tracks(Score((lead, clicks), drum_track="bongos"))
    assert "1 Lead, 2 Clicks" in error.value.hint


# values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [[[0.5, 1, 60, 60]], [[0, 1, 60]], [["a", 1, 60, 60]]])
def test_a_track_refuses_what_are_no_ticks(rows):
    with pytest.raises(UsageError, match="rows of 4 whole numbers"):
        Track(rows)
    assert Track(np.array([[0.0, 1.0, 60.0, 60.0]])).notes.tolist() == [[0, 1, 60, 60]]


def test_overlapping_notes_of_a_pitch_end_where_the_next_begins():
    score = Score((Track([[0, 100, 60, 90], [50, 100, 60, 80]]),))
    again = Score.from_midi(score.to_midi())
    assert again.tracks[0].notes.tolist() == [[0, 50, 60, 90], [50, 100, 60, 80]]
    assert again == score


def test_any_number_of_instruments_comes_from_pretty_midi():
    midi_object = pretty_midi.PrettyMIDI(initial_tempo=100)
    for index in range(30):
        instrument = pretty_midi.Instrument(index, name=f"number {index}")
        instrument.notes.append(pretty_midi.Note(90, 40 + index, 0.6, 1.2))
        midi_object.instruments.append(instrument)
    midi_object.key_signature_changes.append(pretty_midi.KeySignature(21, 0.0))  # a minor
    midi_object.key_signature_changes.append(pretty_midi.KeySignature(3, 1.0))  # e flat major
    score = Score.from_pretty_midi(midi_object)
    assert score.tempo_at(0) == pytest.approx(100)
    assert [t.program for t in Score.from_midi(score.to_midi()).tracks] == list(range(30))
    assert score.key_signatures[:, 1:].tolist() == [[0, 1], [-3, 0]]
    assert score.tracks[3].notes.tolist() == [[220, 220, 43, 90]]


def test_a_notebook_renders_what_it_plays(monkeypatch):
    import groove_core.render.soundfont

    rendered = []

    def render(score):
        rendered.append(score)
        raise InputError("There is no soundfont.", hint="Install one.")

    monkeypatch.setattr(groove_core.render.soundfont, "render", render)
    notes = [[i * 960, 960, 60, 90] for i in range(300)]  # five minutes
    html = Score((Track(notes, name="<i>"),))._repr_html_()
    assert rendered[0].duration_s == pytest.approx(30, abs=0.01)
    assert html.startswith("<pre>300.0 s, 1 tracks")
    assert "&lt;i&gt;" in html
