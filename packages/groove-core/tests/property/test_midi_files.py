"""Any MIDI file is read, saved and read again as the same, event by event, and sounds the same."""

from __future__ import annotations

import io

import mido
import numpy as np
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from midirenderer import render_wave_from

from groove_core.render.soundfont import find_soundfont
from groove_core.values.midi import files as midi
from groove_core.values.scores.score import Score

data = st.integers(0, 127)
channel = st.integers(0, 15)
ticks = st.sampled_from([0, 0, 0, 1, 96, 240])  # many events at one tick
message = st.one_of(
    st.builds(
        lambda t, c, n, v: mido.Message(t, channel=c, note=n, velocity=v),
        st.sampled_from(["note_on", "note_off"]), channel, st.integers(48, 55), data,
    ),
    st.builds(
        lambda c, n, v: mido.Message("control_change", channel=c, control=n, value=v),
        channel, st.sampled_from([0, 6, 7, 10, 32, 64, 100, 101, 120, 123]), data,
    ),
    st.builds(lambda c, p: mido.Message("program_change", channel=c, program=p), channel, data),
    st.builds(
        lambda c, p: mido.Message("pitchwheel", channel=c, pitch=p),
        channel, st.integers(-8192, 8191),
    ),
    st.builds(lambda c, v: mido.Message("aftertouch", channel=c, value=v), channel, data),
    st.builds(
        lambda c, n, v: mido.Message("polytouch", channel=c, note=n, value=v), channel, data, data
    ),
    st.builds(lambda d: mido.Message("sysex", data=d), st.lists(data, max_size=4)),
    st.builds(
        lambda t: mido.MetaMessage("set_tempo", tempo=t), st.integers(100_000, 1_000_000)
    ),
    st.builds(
        lambda n, d: mido.MetaMessage("time_signature", numerator=n, denominator=d),
        st.integers(1, 12), st.sampled_from([2, 4, 8]),
    ),
    st.builds(
        lambda k: mido.MetaMessage("key_signature", key=k), st.sampled_from(["C", "F#m", "Eb"])
    ),
    st.builds(
        lambda t, s: mido.MetaMessage(t, **{"name" if t == "track_name" else "text": s}),
        st.sampled_from(["text", "copyright", "track_name", "lyrics", "marker", "cue_marker"]),
        st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=6),
    ),
)  # fmt: skip
timed = st.builds(lambda m, t: m.copy(time=t), message, ticks)


@st.composite
def files(draw):
    kind = draw(st.sampled_from([0, 1]))
    file = mido.MidiFile(type=kind, ticks_per_beat=draw(st.sampled_from([24, 96, 480, 960])))
    for _ in range(draw(st.integers(1, 3)) if kind else 1):
        file.tracks.append(mido.MidiTrack(draw(st.lists(timed, max_size=25))))
        file.tracks[-1].append(mido.MetaMessage("end_of_track", time=draw(st.integers(0, 500))))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def tracks(content):
    file = mido.MidiFile(file=io.BytesIO(content))
    return file.type, file.ticks_per_beat, [list(track) for track in file.tracks], file.length


@settings(deadline=None)
@given(files())
def test_a_file_that_is_read_and_saved_is_the_same(content):
    score = Score.from_midi(content)
    again = score.to_midi()
    assert tracks(again) == tracks(content)
    assert abs(score.duration_s - tracks(content)[3]) < 1e-3
    copy = Score.from_midi(again)
    assert copy == score
    for one, other in zip(copy.tracks, score.tracks, strict=True):
        assert one.to_json() == other.to_json()
    assert Score.from_json(score.to_json()) == score


@settings(max_examples=8, deadline=None)
@given(files())
def test_it_sounds_the_same(content):
    def sound(midi):
        wav = render_wave_from(find_soundfont().read_bytes(), midi)
        return soundfile.read(io.BytesIO(wav), dtype="float32")[0]

    np.testing.assert_array_equal(sound(Score.from_midi(content).to_midi()), sound(content))


delta = st.one_of(
    st.integers(0, 127), st.sampled_from([128, 8_192, 16_383, 16_384, 2_097_151, 2_097_152])
)
status = st.sampled_from([None, None, 0x80, 0x93, 0xA0, 0xB9, 0xC1, 0xC9, 0xD9, 0xEF])
other = st.sampled_from(
    [b"\xff\x01\x02ab", b"\xff\x7f\x00", b"\xf0\x02\x7e\xf7", b"\xf7\x01\x40", b"\xf8"]
)
step = st.tuples(delta, status, data, data, st.one_of(st.none(), st.none(), st.none(), other))


@settings(deadline=None)
@given(st.lists(step, max_size=40), st.sampled_from([0x90, 0xC0]))
def test_tracks_with_running_status_are_read_as_byte_by_byte(steps, running):
    body = bytearray()
    silent = True  # no status is running: mido also forgets it behind system messages
    for ticks, told, first, second, special in steps:
        body += midi._variable(ticks)
        if special is not None:
            body += special
            silent |= special[0] != 0xFF
            continue
        told = running if told is None and silent else told
        running, silent = told or running, False
        body += bytes([told] if told else []) + bytes([first])
        if not 0xC0 <= running < 0xE0:
            body.append(second)
    content = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk" + (len(body) + 4).to_bytes(4, "big")
    content += body + b"\x05\xff\x2f\x00"
    at = 22
    slow = midi._slow(content, at, len(content))
    fast = midi._fast(content, at, len(content))
    if fast is not None:
        assert fast[0].tolist() == slow[0].tolist()
        assert fast[1:] == slow[1:]
    [track] = mido.MidiFile(file=io.BytesIO(content), charset="latin-1").tracks
    ticks = np.cumsum([message.time for message in track])
    assert slow[0][:, 0].tolist() == ticks[:-1].tolist()
    assert slow[2] == ticks[-1]
