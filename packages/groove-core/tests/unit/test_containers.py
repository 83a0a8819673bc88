"""Sound files that do not say how long they are, hold several streams, or need ffmpeg."""

from __future__ import annotations

import os

import numpy as np
import pytest
import soundfile

from groove_core.errors import InputError
from groove_core.values.sound import decoding
from groove_core.values.sound.audio import Audio

RATE = 44_100


def noise(seconds, *, quiet=slice(0), rate=RATE, channels=1, seed=0):
    sound = np.random.default_rng(seed).uniform(-0.4, 0.4, (round(seconds * rate), channels))
    sound[quiet] *= 0.01
    return sound


def write(path, sound, rate=RATE, **options):
    with soundfile.SoundFile(path, "w", rate, sound.shape[1], **options) as file:
        for start in range(0, len(sound), 2**16):
            file.write(sound[start : start + 2**16])
    return path


def mp3(path, sound, rate=RATE, level=0.5):
    options = {"bitrate_mode": "VARIABLE", "compression_level": level}
    return write(path, sound, rate, format="MP3", **options)


def without_xing(content):
    """Cut off the first frame, which says how long an MP3 is; give the rest and the frames."""
    tag = max(content.find(b"Xing", 0, 400), content.find(b"Info", 0, 400))
    assert int.from_bytes(content[tag + 4 : tag + 8], "big") & 1
    second = content.find(content[:2], tag)
    return content[second:], int.from_bytes(content[tag + 8 : tag + 12], "big")


def decoded(path, channels=1):
    """Decode with one soundfile, in order and without a seek."""
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def consistent(path, frames, *, rate=RATE, atol=0.0):
    """Check that info, read, blocks and excerpts say the same; give the samples."""
    info, whole = Audio.info(path), Audio.read(path)
    assert (info.frames, whole.samples.shape[1], info.sample_rate) == (frames, frames, rate)
    blocks = [block.samples for block in Audio.blocks(path, block_s=0.37)]
    assert np.array_equal(np.concatenate(blocks, axis=1), whole.samples)
    for start in np.random.default_rng(1).integers(0, frames - 2000, 20):
        excerpt = Audio.read(path, start_s=(start + 0.5) / rate, duration_s=1000 / rate)
        wanted = whole.samples[:, start : start + 1000]
        np.testing.assert_allclose(excerpt.samples, wanted, rtol=0, atol=atol)
    with pytest.raises(InputError):
        Audio.read(path, start_s=frames / rate + 0.01)
    return whole.samples


@pytest.mark.parametrize("quiet", [slice(RATE), slice(RATE, None)], ids=["start", "end"])
def test_an_mp3_of_variable_rate_that_does_not_say_its_length(tmp_path, quiet):
    stated = mp3(tmp_path / "stated.mp3", noise(6, quiet=quiet, channels=2))
    content, frames = without_xing(stated.read_bytes())
    path = tmp_path / "a.mp3"
    path.write_bytes(b"ID3\4\0\0\0\0\0\5hello" + content + b"TAG" + bytes(125))
    samples = consistent(path, 1152 * frames, atol=1e-6)
    whole = decoded(stated)
    # Without the tag no decoder knows of the delay of encoder and decoder: 576 + 529 samples.
    np.testing.assert_allclose(samples[:, 1105:][:, : whole.shape[1]], whole, atol=1e-6)


@pytest.mark.parametrize("rate", [RATE, 22_050, 8_000])
def test_an_excerpt_of_an_mp3_is_that_of_the_whole(tmp_path, rate):
    quiet = np.arange(6 * rate) % (2 * rate) > rate // 2
    path = mp3(tmp_path / "a.mp3", noise(6, quiet=quiet, rate=rate), rate, level=0.9)
    consistent(path, 6 * rate, rate=rate, atol=1e-6)  # the last bit may differ


@pytest.mark.parametrize(
    ("name", "options", "rate"),
    [
        ("a.mp3", {"format": "MP3"}, RATE),
        ("a.ogg", {"format": "OGG", "subtype": "VORBIS"}, RATE),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}, 48_000),
        ("a.flac", {"format": "FLAC"}, RATE),
    ],
)
def test_files_that_were_joined_are_read_to_their_end(tmp_path, name, options, rate):
    first = write(tmp_path / f"1{name}", noise(3, rate=rate), rate, **options)
    second = write(tmp_path / f"2{name}", noise(2, rate=rate, seed=1), rate, **options)
    for parts in ([first, second], [first, first, second]):
        joined = tmp_path / name
        joined.write_bytes(b"".join(part.read_bytes() for part in parts))
        wanted = np.concatenate([decoded(part) for part in parts], axis=1)
        samples = consistent(joined, wanted.shape[1], rate=rate, atol=1e-6)
        np.testing.assert_allclose(samples, wanted, atol=1e-6)
        resampled = Audio.read(joined, sample_rate=16_000)
        assert resampled.duration_s == pytest.approx(wanted.shape[1] / rate, abs=1e-4)


def test_joined_files_of_different_rates_are_refused(tmp_path):
    for number, rate in enumerate((RATE, 48_000)):
        write(tmp_path / f"{number}.ogg", noise(1, rate=rate), rate, format="OGG")
    path = tmp_path / "a.ogg"
    path.write_bytes((tmp_path / "0.ogg").read_bytes() + (tmp_path / "1.ogg").read_bytes())
    for read in (Audio.read, Audio.info, Audio.blocks):
        with pytest.raises(InputError, match="different sample rates"):
            read(path)


def crc(page):
    """Give the checksum of a page of Ogg, bit by bit."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value


def test_opus_that_was_cut_out_of_a_stream(tmp_path):
    """Its pages count on from the beginning of the stream, here 100 s before."""
    path = write(tmp_path / "a.opus", noise(3, rate=48_000), 48_000, format="OGG", subtype="OPUS")
    whole = decoded(path)
    content, at, moved = path.read_bytes(), 0, b""
    while at < len(content):
        size = 27 + content[at + 26] + sum(content[at + 27 :][: content[at + 26]])
        page = bytearray(content[at : at + size])
        granule = int.from_bytes(page[6:14], "little")
        page[6:14] = (granule + 4_800_000 if granule else 0).to_bytes(8, "little")
        page[22:26] = bytes(4)
        page[22:26] = crc(page).to_bytes(4, "little")
        moved += page
        at += size
    path.write_bytes(moved)
    consistent(path, whole.shape[1], rate=48_000)


@pytest.mark.parametrize("size", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"])
def test_a_wav_whose_sizes_were_never_written(tmp_path, size):
    path = write(tmp_path / "a.wav", noise(3, channels=2), format="WAV")
    whole, content = decoded(path), bytearray(path.read_bytes())
    at = content.find(b"data")
    content[at + 4 : at + 8] = content[4:8] = size
    path.write_bytes(content)
    assert np.array_equal(consistent(path, 3 * RATE), whole)


def test_a_wav_without_sound_has_none(tmp_path):
    """What follows its empty data is another chunk, not sound."""
    path = write(tmp_path / "a.wav", noise(0), format="WAV")
    content = bytearray(path.read_bytes()) + b"LIST" + (400).to_bytes(4, "little") + bytes(400)
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(InputError, match="holds no sound"):
        Audio.read(path)


def test_two_flac_files_of_one_length_joined(tmp_path):
    parts = [write(tmp_path / f"{n}.flac", noise(1, seed=n), format="FLAC") for n in (0, 1)]
    both = tmp_path / "both.flac"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    wanted = np.concatenate([decoded(part) for part in parts], axis=1)
    assert np.array_equal(Audio.read(both).samples, wanted)


def test_a_flac_of_a_stream(tmp_path):
    path = write(tmp_path / "a.flac", noise(3, channels=2), format="FLAC")
    whole, content = decoded(path), bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36 bits of the number of samples
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert np.array_equal(consistent(path, 3 * RATE), whole)
    mono = Audio.read(path, sample_rate=16_000, mono=True, start_s=1)
    assert mono.duration_s == pytest.approx(2, abs=1e-3)


def test_a_plain_file_is_decoded_once_and_its_header_is_enough(tmp_path, monkeypatch):
    frames = []

    class Counted(soundfile.SoundFile):
        def read(self, *args, **options):
            samples = super().read(*args, **options)
            frames.append(len(samples))
            return samples

    monkeypatch.setattr(soundfile, "SoundFile", Counted)
    for options in ({"format": "WAV"}, {"format": "FLAC"}, {"format": "OGG"}, {"format": "MP3"}):
        path = write(tmp_path / "a.x", noise(4, channels=2), **options)
        del frames[:]
        assert Audio.info(path).frames == 4 * RATE
        assert not frames
        Audio.read(path, mono=True, sample_rate=16_000)
        assert sum(frames) == 4 * RATE


# Through ffmpeg: a script stands in for it that gives what ffmpeg would.

M4A = b"\0\0\0\x20ftypM4A " + bytes(500)


@pytest.fixture
def ffmpeg(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(script):
        (folder / "ffmpeg").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "ffmpeg").chmod(0o755)

    return put


@pytest.mark.parametrize("name", ["a.m4a", "renamed.mp3", "a.wav"])
def test_what_libsndfile_does_not_know_is_read_through_ffmpeg(tmp_path, ffmpeg, name):
    sound = noise(3, channels=2)
    write(tmp_path / "sound.au", sound, format="AU", subtype="FLOAT", endian="BIG")
    ffmpeg(f'echo "$@" > "{tmp_path}/arguments"; exec cat "{tmp_path}/sound.au"')
    path = tmp_path / name
    path.write_bytes(M4A)
    samples = consistent(path, 3 * RATE)
    assert np.array_equal(samples, sound.T.astype(np.float32))
    assert (Audio.info(path).format, Audio.info(path).subtype) == ("MOV", "FFMPEG")
    half = Audio.read(path, sample_rate=RATE // 2, mono=True)
    assert half.samples.shape == (1, 3 * RATE // 2)
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[arguments.index("-f") + 1] == "mov"  # and nothing else
    assert f"file:{path}" in arguments
    blocks = Audio.blocks(path, block_s=0.1)
    next(blocks)
    blocks.close()  # ends the program, too


def test_what_ffmpeg_says_is_told(tmp_path, ffmpeg):
    write(tmp_path / "sound.au", noise(3), format="AU", subtype="FLOAT", endian="BIG")
    path = tmp_path / "a.m4a"
    path.write_bytes(M4A)
    ffmpeg("echo moov atom not found >&2; exit 1")
    with pytest.raises(InputError, match="not an audio file that can be read"):
        Audio.read(path)
    ffmpeg(f'head -c 100000 "{tmp_path}/sound.au"; echo broken here >&2; exit 1')
    for read in (Audio.read, Audio.info, lambda p: list(Audio.blocks(p))):
        with pytest.raises(InputError, match="damaged: ffmpeg says: broken here"):
            read(path)


def test_what_ffmpeg_goes_on_over_is_said(tmp_path, ffmpeg, capsys):
    path = tmp_path / "a.m4a"
    path.write_bytes(M4A)
    write(tmp_path / "sound.au", noise(1), format="AU", subtype="FLOAT", endian="BIG")
    ffmpeg(f'cat "{tmp_path}/sound.au"; echo partial file >&2')
    assert Audio.read(path).samples.shape[1] == RATE
    assert f"warning: {path}: ffmpeg says: partial file" in capsys.readouterr().err


def test_an_ffmpeg_that_hangs_is_ended(tmp_path, ffmpeg, monkeypatch):
    monkeypatch.setattr(decoding, "STALLED_S", 0.3)
    path = tmp_path / "a.m4a"
    path.write_bytes(M4A)
    write(tmp_path / "sound.au", noise(8), format="AU", subtype="FLOAT", endian="BIG")
    ffmpeg(f'head -c 400000 "{tmp_path}/sound.au"; exec sleep 60')
    with pytest.raises(InputError, match="damaged: ffmpeg said nothing for 0.3 s"):
        Audio.read(path)
    ffmpeg("exec sleep 60")
    with pytest.raises(InputError, match="not an audio file that can be read"):
        Audio.read(path)


def test_without_ffmpeg_one_sentence_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "a.m4a"
    path.write_bytes(M4A)
    for read in (Audio.read, Audio.info, Audio.blocks):
        with pytest.raises(InputError, match=r"MPEG-4 \(m4a\).*ffmpeg is not installed") as caught:
            read(path)
        assert "Install ffmpeg" in caught.value.hint
    assert path in Audio.files(tmp_path)  # and a folder names it


# Channels that cancel.


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_channels_that_cancel_are_named_and_the_loudest_is_taken(tmp_path, capsys, subtype):
    left = noise(4, quiet=slice(RATE))
    left[:RATE] = 0
    path = tmp_path / "opposite.wav"
    write(path, np.hstack([left, -left]), format="WAV", subtype=subtype)
    wanted = decoded(path)[:1]
    mono = Audio.read(path, mono=True)
    assert np.array_equal(mono.samples, wanted)
    assert f"warning: {path}: its channels cancel" in capsys.readouterr().err
    blocks = [block.samples for block in Audio.blocks(path, block_s=0.3, mono=True)]
    assert np.array_equal(np.concatenate(blocks, axis=1), wanted)
    assert Audio.read(path).to_mono() == mono
    capsys.readouterr()
    for sound in (np.hstack([left, left]), np.hstack([left, noise(4, seed=1)]), 0 * left):
        write(path, sound, format="WAV", subtype=subtype)
        Audio.read(path, mono=True)
    assert not capsys.readouterr().err


def test_channels_that_cancel_later_are_named(tmp_path, capsys):
    left, other = noise(8, quiet=slice(2 * RATE)), noise(8, quiet=slice(2 * RATE), seed=1)
    right = np.where(np.arange(len(left))[:, None] < 2 * RATE, other, -left)
    path = write(tmp_path / "a.wav", np.hstack([left, right]), format="WAV", subtype="FLOAT")
    mono = Audio.read(path, mono=True)
    assert "its channels cancel" in capsys.readouterr().err
    np.testing.assert_allclose(mono.samples[0], (left + right)[:, 0] / 2, atol=1e-6)
    assert Audio.read(path).to_mono() == mono
    assert "its channels cancel" in capsys.readouterr().err


def test_a_part_that_cannot_be_decoded_is_damage(tmp_path, monkeypatch):
    from groove_core.values.sound import decoding

    def fail(path, part):
        raise RuntimeError("File contains data in an unimplemented format.")

    Audio(np.zeros((1, 800), np.float32), 8000).save(tmp_path / "a.wav")
    monkeypatch.setattr(decoding, "parts", lambda *about: ["one"])
    monkeypatch.setattr(decoding, "_Viewed", fail)
    with pytest.raises(InputError, match=r"a\.wav is damaged: File contains data in an unimpl"):
        Audio.read(tmp_path / "a.wav")
