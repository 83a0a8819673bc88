"""Fingerprints: copies are found, and only copies."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
import soxr

from groove_core.data.fingerprint import (
    HOP_S,
    MAX_BIT_ERRORS,
    SAMPLE_RATE,
    duplicates,
    fingerprint,
    matches,
)

RATE = 22050


def music(seed: int, seconds: float = 6.0, semitones: float = 0.0) -> np.ndarray:
    """Play random notes with overtones, of two voices."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(int((seconds + 2) * RATE))
    for start_s in np.arange(0, seconds, 0.2):
        for low in (48, 64):
            if rng.random() < 0.7:
                time_s = np.arange(int(rng.uniform(0.3, 1.0) * RATE)) / RATE
                pitch_hz = 440 * 2 ** ((low + rng.integers(24) - 69 + semitones) / 12)
                note = sum(
                    rng.uniform(0.2, 1) / n * np.sin(2 * np.pi * n * pitch_hz * time_s)
                    for n in range(1, 8)
                )
                at = int(start_s * RATE)
                sound[at : at + len(time_s)] += 0.1 * note * np.exp(-3 * time_s)
    return sound[: int(seconds * RATE)].astype(np.float32)


def drums(rhythm: list[int], seconds: float = 8.0) -> np.ndarray:
    """Play a rhythm on one kit; bits of a step are kick, snare and hat."""
    rng = np.random.default_rng(0)
    t = np.arange(RATE // 2) / RATE
    kit = (
        np.sin(2 * np.pi * (60 * t - 6 * np.exp(-20 * t))) * np.exp(-12 * t),
        0.5 * rng.standard_normal(len(t)) * np.exp(-18 * t),
        0.2 * np.diff(rng.standard_normal(len(t) + 1)) * np.exp(-40 * t),
    )
    step = RATE // 8
    sound = np.zeros(int((seconds + 1) * RATE))
    for n in range(int(seconds * 8)):
        for bit, hit in enumerate(kit):
            if rhythm[n % len(rhythm)] >> bit & 1:
                sound[n * step : n * step + len(hit)] += 0.4 * hit
    return sound[: int(seconds * RATE)].astype(np.float32)


def words(sound: np.ndarray, rate: int = RATE) -> np.ndarray:
    mono = sound if sound.ndim == 1 else sound.mean(axis=1)
    return fingerprint(soxr.resample(mono, rate, SAMPLE_RATE))


def coded(sound: np.ndarray, rate: int, **options) -> tuple[np.ndarray, int]:
    file = io.BytesIO()
    soundfile.write(file, sound, rate, **options)
    file.seek(0)
    return soundfile.read(file, dtype="float32")


SONG = music(1)
COPIES = {
    "softer": (0.05 * SONG, RATE),
    "another rate": (soxr.resample(SONG, RATE, 48000), 48000),
    "telephone rate": (soxr.resample(SONG, RATE, 8000), 8000),
    "two channels": (np.stack([SONG, 0.4 * SONG], axis=1), RATE),
    "mp3": coded(SONG, RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.9),
    "ogg": coded(SONG, RATE, format="OGG", subtype="VORBIS", compression_level=0.9),
    "8 bits": coded(SONG, RATE, format="WAV", subtype="PCM_U8"),
    "1.3 s cut off": (SONG[int(1.3 * RATE) :], RATE),
    "cut, slower, softer, mp3": coded(
        0.2 * soxr.resample(SONG[int(1.3 * RATE) : -RATE], RATE, 16000), 16000,
        format="MP3", subtype="MPEG_LAYER_III", compression_level=0.9,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found_where_it_lies(name):
    (match,) = matches([words(SONG), words(*COPIES[name])])
    assert match.bit_errors < 0.15 < MAX_BIT_ERRORS
    expected_s = -1.3 if "cut" in name else 0.0
    assert match.offset * HOP_S == pytest.approx(expected_s, abs=1.5 * HOP_S)


def test_every_copy_names_one_original():
    prints = [words(music(2)), words(SONG), *(words(*copy) for copy in COPIES.values())]
    assert duplicates(prints) == dict.fromkeys(range(2, len(prints)), 1)
    backwards = range(len(prints) - 1, -1, -1)
    last = len(prints) - 1
    assert duplicates(prints, backwards) == dict.fromkeys(range(1, last), last)


def test_other_music_is_no_copy():
    others = [SONG, *(music(seed) for seed in range(10, 30))]
    others += [music(1, semitones=s) for s in (-1, 1, 2)]
    assert matches([words(sound) for sound in others]) == []


def test_other_rhythms_on_one_kit_in_one_tempo_are_no_copies():
    rhythms = [
        [5, 0, 4, 0, 6, 0, 4, 0],
        [5, 4, 0, 4, 2, 4, 0, 1],
        [1, 0, 0, 1, 2, 0, 1, 0],
        [1, 0, 2, 0, 1, 1, 2, 0],
        [5, 4, 5, 4, 6, 4, 5, 4],
        [1, 0, 0, 0, 6, 0, 5, 0, 0, 1, 1, 0, 2, 0, 0, 4],
        [3, 0, 1, 2, 0, 1, 2, 0, 1, 1, 0, 2, 6, 4, 2, 2],
        [4, 4, 5, 4, 4, 4, 1, 4, 4, 5, 4, 4, 6, 4, 4, 4],
    ]
    assert matches([words(drums(rhythm)) for rhythm in rhythms]) == []
    again = coded(drums(rhythms[0]), RATE, format="MP3", subtype="MPEG_LAYER_III")
    assert len(matches([words(drums(rhythms[0])), words(*again)])) == 1


def test_what_stands_still_is_like_nothing():
    t = np.arange(8 * RATE) / RATE
    still = [
        np.zeros(8 * RATE),
        np.full(8 * RATE, 0.3),
        0.5 * np.sin(2 * np.pi * 440 * t),
        0.4 * np.sin(2 * np.pi * 440 * t),
        1e-9 * np.random.default_rng(0).standard_normal(len(t)).round(),
        np.zeros(100),
    ]
    prints = [words(sound.astype(np.float32)) for sound in still]
    assert matches(prints) == []
    assert not prints[0].any()
    # A long silence in front takes nothing from a song, and adds nothing to another.
    silence = np.zeros(8 * RATE, np.float32)
    late = [words(np.concatenate([silence, music(seed)])) for seed in (1, 2)]
    assert duplicates([*late, words(SONG)]) == {2: 0}


def test_pieces_of_one_recording_are_no_copies_of_each_other():
    song = music(5, 24.0)
    whole, first, second = song, song[: 9 * RATE], song[12 * RATE : 21 * RATE]
    assert duplicates([words(first), words(second)]) == {}
    # Both are copies of the whole, but if one of them is the original, the other stays.
    assert duplicates([words(whole), words(first), words(second)]) == {1: 0, 2: 0}
    assert duplicates([words(first), words(whole), words(second)]) == {1: 0}


def test_nothing_and_too_little():
    assert matches([]) == []
    assert duplicates([]) == {}
    assert fingerprint(np.zeros(0, np.float32)).shape == (0,)
    short = words(SONG[: RATE // 2])
    assert matches([short, short]) == []  # half a second is no evidence


def test_copies_are_found_among_thousands():
    rng = np.random.default_rng(0)
    prints = [rng.integers(1, 2**32, 2560, dtype=np.uint32) for _ in range(2000)]
    for n in range(200):  # copies with 10 % of the bits wrong
        wrong = rng.random((2500, 32)) < 0.1
        flips = np.bitwise_or.reduce(wrong << np.arange(32, dtype=np.uint64), axis=1)
        prints[-1 - n] = prints[n][60:] ^ flips.astype(np.uint32)
    found = duplicates(prints)
    assert found == {1999 - n: n for n in range(200)}
