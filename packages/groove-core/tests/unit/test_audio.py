"""Sound files of all kinds, good and bad; what Audio promises."""

from __future__ import annotations

import io
import math
import os

import numpy as np
import pytest
import soundfile

from groove_core.errors import GrooveError, InputError, UsageError
from groove_core.values.sound.audio import Audio

RATE = 44_100


def sine(seconds=2.0, rate=RATE, channels=1, level=0.5):
    t = np.arange(round(seconds * rate)) / rate
    return np.stack([level * np.sin(2 * np.pi * 440 * (1 + c) * t) for c in range(channels)])


def write(path, samples, rate=RATE, **options):
    """Write with soundfile in pieces, as its ogg encoder wants it."""
    samples = np.atleast_2d(samples).T
    channels = samples.shape[1]
    with soundfile.SoundFile(path, "w", samplerate=rate, channels=channels, **options) as file:
        for start in range(0, len(samples), 2**16):
            file.write(samples[start : start + 2**16])
    return path


def join(blocks):
    return np.concatenate([block.samples for block in blocks], axis=1)


@pytest.fixture
def opened(monkeypatch):
    """Remember every sound file that is opened, and how many frames were read from it."""
    files = []

    class Watched(soundfile.SoundFile):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.frames_read = 0
            files.append(self)

        def read(self, *args, **kwargs):
            samples = super().read(*args, **kwargs)
            self.frames_read += len(samples)
            return samples

    monkeypatch.setattr(soundfile, "SoundFile", Watched)
    return files


@pytest.mark.parametrize(
    ("suffix", "format", "subtype", "tolerance"),
    [
        ("wav", "WAV", "PCM_U8", 1 / 127),
        ("wav", "WAV", "PCM_16", 1 / 32_767),
        ("wav", "WAV", "PCM_24", 1e-6),
        ("wav", "WAV", "PCM_32", 1e-7),
        ("wav", "WAV", "FLOAT", 0),
        ("wav", "WAV", "DOUBLE", 0),
        ("wav", "WAVEX", "PCM_24", 1e-6),
        ("rf64", "RF64", "PCM_16", 1 / 32_767),
        ("w64", "W64", "PCM_16", 1 / 32_767),
        ("caf", "CAF", "PCM_16", 1 / 32_767),
        ("aiff", "AIFF", "PCM_S8", 1 / 127),
        ("aif", "AIFF", "PCM_24", 1e-6),
        ("au", "AU", "FLOAT", 0),
        ("flac", "FLAC", "PCM_24", 1e-6),
        ("ogg", "OGG", "VORBIS", 0.05),  # lossy
        ("mp3", "MP3", "MPEG_LAYER_III", 0.05),
    ],
)
def test_formats(tmp_path, suffix, format, subtype, tolerance):
    samples = sine(channels=2).astype(np.float32)
    path = write(tmp_path / f"a.{suffix}", samples, format=format, subtype=subtype)
    assert suffix in Audio.suffixes
    audio = Audio.read(path)
    assert (audio.sample_rate, audio.samples.shape) == (RATE, samples.shape)
    middle = slice(4000, -4000)  # encoders ring at the ends
    np.testing.assert_allclose(audio.samples[:, middle], samples[:, middle], atol=tolerance)
    info = Audio.info(path)
    assert (info.sample_rate, info.channels, info.frames) == (RATE, 2, samples.shape[1])
    assert (info.format, info.subtype, info.duration_s) == (format, subtype, 2.0)


def test_opus(tmp_path):
    samples = sine(rate=48_000)
    path = write(tmp_path / "a.opus", samples, 48_000, format="OGG", subtype="OPUS")
    audio = Audio.read(path)
    assert Audio.info(path).subtype == "OPUS"
    np.testing.assert_allclose(audio.samples[:, 4000:-4000], samples[:, 4000:-4000], atol=0.1)


@pytest.mark.parametrize(("format", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"),
                                                 ("OGG", "VORBIS"), ("MP3", None)])  # fmt: skip
def test_excerpts_of_a_file_are_those_of_the_whole(tmp_path, format, subtype):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 12 * RATE))
    path = write(tmp_path / "a.x", noise, format=format, subtype=subtype)
    whole = Audio.read(path)
    # In the middle and in the last page of the ogg, where libsndfile's seek is wrong.
    for start_s in (0.0, 3.7, 9.0, 11.6, 11.8, 11.95, 11.999):
        for options in ({}, {"duration_s": 0.5}):
            wanted = whole.excerpt(start_s, **options).samples
            read = Audio.read(path, start_s=start_s, **options).samples
            np.testing.assert_allclose(read, wanted, atol=1e-6)  # mp3 rounds anew
            assert (join(Audio.blocks(path, block_s=0.3, start_s=start_s, **options)) == read).all()


def test_an_excerpt_reads_nothing_else(tmp_path, opened):
    path = write(tmp_path / "a.wav", sine(60))
    del opened[:]
    Audio.read(path, start_s=30, duration_s=0.5)
    assert opened[0].frames_read == RATE // 2
    Audio.read(path, start_s=30, duration_s=0.5, sample_rate=22_050, mono=True)
    assert opened[1].frames_read == RATE // 2
    assert all(file.closed for file in opened)


@pytest.mark.parametrize("format", ["FLAC", "MP3"])
def test_a_broken_tail_does_not_matter_to_what_is_before(tmp_path, format):
    rng = np.random.default_rng(0)
    path = write(tmp_path / "a.x", rng.uniform(-0.5, 0.5, 20 * RATE), format=format)
    whole = Audio.read(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = rng.bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    before = Audio.read(path, start_s=2, duration_s=5).samples
    np.testing.assert_allclose(before, whole.excerpt(2, 5).samples, atol=1e-6)  # mp3 rounds anew
    for read in (Audio.read, lambda p: list(Audio.blocks(p, block_s=1))):
        with pytest.raises(InputError, match="damaged") as caught:
            read(path)
        assert "before the damage" in caught.value.hint
    blocks = Audio.blocks(path, block_s=1)
    assert next(blocks) == whole.excerpt(0, 1)
    blocks.close()
    # The length that the hint names can be read.
    named_s = float(caught.value.hint.split("duration_s=")[1].rstrip("."))
    assert 5 < named_s < 12
    assert Audio.read(path, duration_s=named_s).duration_s == pytest.approx(named_s)


def test_what_the_header_promises_may_be_missing(tmp_path):
    """Truncated files give what they hold."""
    samples = sine(20)
    for container in ("WAV", "MP3"):
        path = write(tmp_path / "a.x", samples, format=container)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        audio = Audio.read(path)
        assert audio.duration_s == pytest.approx(10, abs=0.2)
        np.testing.assert_allclose(
            audio.samples[0, 4000:400_000], samples[0, 4000:400_000], atol=0.05
        )
        assert (join(Audio.blocks(path, block_s=3)) == audio.samples).all()
        assert Audio.read(path, sample_rate=22_050).duration_s == pytest.approx(
            audio.duration_s, abs=1e-3
        )
        for options in ({}, {"sample_rate": 22_050}, {"sample_rate": 44_101}):
            with pytest.raises(InputError):
                Audio.read(path, start_s=19.5, **options)
            with pytest.raises(InputError):
                list(Audio.blocks(path, start_s=19.5, **options))


def test_blocks(tmp_path, opened):
    path = write(tmp_path / "a.wav", sine(2.5, channels=2))
    blocks = list(Audio.blocks(path, block_s=1))
    assert [b.duration_s for b in blocks] == [1.0, 1.0, 0.5]
    shorter = list(Audio.blocks(path, block_s=1, start_s=0.5, duration_s=2, mono=True))
    assert [b.samples.shape for b in shorter] == [(1, RATE)] * 2
    assert len(list(Audio.blocks(path))) == 1
    assert all(file.closed for file in opened)
    half_read = Audio.blocks(path, block_s=1)
    next(half_read)
    assert not opened[-1].closed
    half_read.close()
    assert opened[-1].closed
    as_json = Audio.read(path).save(tmp_path / "a.json")
    assert list(Audio.blocks(as_json, block_s=1, mono=True)) == list(
        Audio.blocks(path, block_s=1, mono=True)
    )


def test_blocks_take_the_memory_of_a_block(tmp_path):
    """Three hours of stereo, half of which would be 1.4 GiB as float32."""
    import tracemalloc

    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(header(frames=3 * 3600 * 8000, channels=2, rate=8000))
        file.truncate(44 + 2 * 3 * 3600 * 8000)  # a sparse file of 8-bit samples
    tracemalloc.start()
    seconds = sum(b.duration_s for b in Audio.blocks(path, sample_rate=4000, mono=True))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds == 3 * 3600
    assert peak < 8 * 2**20


def header(*, frames, channels, rate):
    """Give the header of a wav file of 8-bit samples."""

    def number(n, size=4):
        return n.to_bytes(size, "little")

    data = frames * channels
    return (
        b"RIFF" + number(36 + data) + b"WAVEfmt " + number(16) + number(1, 2) + number(channels, 2)
        + number(rate) + number(rate * channels) + number(channels, 2) + number(8, 2)
        + b"data" + number(data)
    )  # fmt: skip


def test_files_too_large_for_memory(tmp_path):
    path = tmp_path / "huge.wav"
    with path.open("wb") as file:
        file.write(header(frames=3 * 10**8, channels=4, rate=192_000))
        file.truncate(44 + 12 * 10**8)
    with pytest.raises(InputError, match=r"4\.5 GiB") as caught:
        Audio.read(path)
    assert "duration_s" in caught.value.hint
    assert "Audio.blocks" in caught.value.hint
    with pytest.raises(InputError, match="GiB"):
        Audio.read(path, mono=True, sample_rate=1_000_000)
    with pytest.raises(UsageError, match="GiB") as caught:
        Audio.blocks(path, block_s=1e9)
    assert "block_s" in caught.value.hint
    assert Audio.read(path, start_s=1000, duration_s=1).samples.shape == (4, 192_000)
    assert Audio.info(path).duration_s == 1562.5


def test_a_rate_of_nothing_is_resampled_in_little_memory(tmp_path):
    """A header of 10 Hz makes 4,410 samples of each: 168 MiB."""
    import tracemalloc

    path = write(tmp_path / "slow.wav", np.full(10_000, 0.5), 10)
    tracemalloc.start()
    frames = sum(b.samples.shape[1] for b in Audio.blocks(path, sample_rate=RATE))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert frames == 10_000 * RATE // 10
    assert peak < 64 * 2**20


BAD_FILES = {
    "text.wav": b"This is a text.\n" * 200,
    "text.mp3": b"This is a text.\n" * 200,
    "text.raw": b"This is a text.\n" * 200,
    "empty.wav": b"",
    "header-only.wav": header(frames=0, channels=1, rate=8000),
    "rate-0.wav": header(frames=9, channels=1, rate=0) + b"123456789",
    "cut.wav": header(frames=9, channels=1, rate=8000)[:30],
}


@pytest.mark.parametrize("name", [*BAD_FILES, "missing.wav", "."])
@pytest.mark.parametrize("read", [Audio.read, Audio.info, Audio.blocks])
def test_bad_files(tmp_path, opened, name, read):
    path = tmp_path / name
    if name in BAD_FILES:
        path.write_bytes(BAD_FILES[name])
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.hint
    assert all(file.closed for file in opened)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("options", [{}, {"mono": True}, {"sample_rate": 8000}])
def test_samples_that_are_not_numbers(tmp_path, opened, bad, options):
    samples = sine(1, channels=2)
    samples[1, -1] = bad
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    for read in (Audio.read, lambda *a, **o: list(Audio.blocks(*a, block_s=0.1, **o))):
        with pytest.raises(InputError, match="NaN") as caught:
            read(path, **options)
        assert caught.value.hint
    assert Audio.read(path, duration_s=0.5, **options).peak < 1
    assert all(file.closed for file in opened)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"start_s": 2.0}, InputError),
        ({"start_s": 1e12}, InputError),
        ({"start_s": -0.1}, UsageError),
        ({"start_s": math.nan}, UsageError),
        ({"start_s": math.inf}, UsageError),
        ({"duration_s": 0}, UsageError),
        ({"duration_s": -1}, UsageError),
        ({"duration_s": math.nan}, UsageError),
        ({"sample_rate": 0}, UsageError),
        ({"sample_rate": -8000}, UsageError),
        ({"sample_rate": 10**9}, UsageError),
        ({"sample_rate": 22_050.5}, UsageError),
        ({"sample_rate": math.nan}, UsageError),
        ({"block_s": 0}, UsageError),
        ({"block_s": math.nan}, UsageError),
        ({"block_s": math.inf}, UsageError),
    ],
)
@pytest.mark.parametrize("suffix", ["wav", "json"])
def test_bad_options(tmp_path, opened, options, error, suffix):
    path = Audio(sine(), RATE).save(tmp_path / f"a.{suffix}")
    with pytest.raises(error) as caught:
        Audio.blocks(path, **options)
    assert caught.value.hint
    if "block_s" not in options:
        with pytest.raises(error):
            Audio.read(path, **options)
    assert all(file.closed for file in opened)


def test_bad_options_of_methods():
    audio = Audio(sine(), RATE)
    for call in (
        lambda: audio.resampled(0),
        lambda: audio.excerpt(-1),
        lambda: audio.excerpt(0, math.nan),
        lambda: audio.normalized(0.1),
        lambda: audio.normalized(math.nan),
        lambda: audio.loudness_normalized(math.nan),
        lambda: audio.loudness_normalized(math.inf),
        lambda: audio.loudness_normalized(peak_dbfs=1),
        lambda: Audio(np.zeros(2**20), 1).resampled(10**6),
        lambda: Audio(np.zeros((0, 5)), RATE),
        lambda: Audio(np.zeros(5), 44_100.5),
        lambda: Audio(np.full(5, 1e39), RATE),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.hint
    with pytest.raises(InputError):
        audio.excerpt(2.0)


def test_one_sample(tmp_path):
    path = write(tmp_path / "a.wav", np.array([0.5]), 192_000, subtype="FLOAT")
    assert Audio.read(path).samples.tolist() == [[0.5]]
    assert Audio.read(path, sample_rate=1000).samples.tolist() == [[0.0]]
    assert Audio.read(path, sample_rate=384_000).samples.shape == (1, 2)
    assert [b.duration_s for b in Audio.blocks(path, block_s=1e-9)] == [1 / 192_000]
    assert Audio.read(path, duration_s=1e-9).samples.shape == (1, 1)


@pytest.mark.parametrize("rate", [1_000, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 24])
def test_odd_rates_and_channels(tmp_path, rate, channels):
    samples = np.repeat(sine(1, rate, level=0.3), channels, axis=0)
    audio = Audio(samples, rate)
    for suffix in ("wav", "ogg"):
        again = Audio.read(audio.save(tmp_path / f"a.{suffix}"))
        assert (again.sample_rate, again.samples.shape) == (rate, audio.samples.shape)
        assert np.corrcoef(again.samples[0], samples[0])[0, 1] > 0.99
        assert Audio.read(tmp_path / f"a.{suffix}", sample_rate=RATE).samples.shape == (
            channels, RATE,
        )  # fmt: skip
    assert "<audio" in audio._repr_html_()


@pytest.mark.parametrize(
    ("suffix", "channels", "rate"),
    [
        ("flac", 24, RATE), ("flac", 1, 655_351), ("flac", 1, 200_001), ("ogg", 256, RATE),
        ("ogg", 1, 200_001), ("wav", 1025, RATE), ("wav", 1, 2**31),
    ],
)  # fmt: skip
def test_what_a_format_cannot_hold(tmp_path, suffix, channels, rate):
    with pytest.raises(UsageError, match=f"cannot be written as {suffix}") as caught:
        Audio(np.zeros((channels, 99)), rate).save(tmp_path / f"a.{suffix}")
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_long_ogg(tmp_path):
    """In one write of many minutes, libsndfile's encoder would overflow the stack."""
    audio = Audio(np.tile(sine(10), 60), RATE)
    assert Audio.info(audio.save(tmp_path / "a.ogg")).duration_s == 600


def test_loud_samples_are_clipped_in_files(tmp_path):
    again = Audio.read(Audio(np.array([2.0, -3.0, 0.5]), RATE).save(tmp_path / "a.wav"))
    np.testing.assert_allclose(again.samples[0], [1, -1, 0.5], atol=1e-4)


def test_samples_cannot_be_changed_from_outside(tmp_path):
    given = np.ones((1, 9), np.float32)
    audio = Audio(given, RATE)
    given[:] = 0
    view = np.ones((1, 9), np.float32)
    read_only = view[:]
    read_only.flags.writeable = False
    seen = Audio(read_only, RATE)
    view[:] = 0
    assert audio.peak == seen.peak == 1
    assert Audio(audio.samples, RATE).samples is audio.samples  # nothing to copy
    path = audio.save(tmp_path / "a.wav")
    for value in (audio, Audio.read(path), Audio.read(path, sample_rate=8000), audio.excerpt(),
                  next(Audio.blocks(path)), Audio.from_json(audio.to_json()),
                  Audio(np.ones((2, 9)), RATE).to_mono(), audio.normalized()):  # fmt: skip
        with pytest.raises(ValueError, match="read-only"):
            value.samples[0, 0] = 3


def test_mono_is_the_mean():
    audio = Audio(np.array([[0.2, 0.4], [0.4, -0.4], [0.0, 0.3]]), RATE)
    np.testing.assert_allclose(audio.to_mono().samples, [[0.2, 0.1]], atol=1e-7)
    mono = Audio(sine(), RATE)
    assert mono.to_mono() is mono


def test_resampling_keeps_a_sine():
    audio = Audio(sine(1, 48_000), 48_000).resampled(RATE)
    np.testing.assert_allclose(audio.samples[:, 200:-200], sine(1)[:, 200:-200], atol=1e-4)
    assert audio.resampled(RATE) is audio
    assert Audio(np.zeros((2, 0)), RATE).resampled(8000).samples.shape == (2, 0)


def test_the_smallest_samples_can_be_normalized():
    assert Audio(np.full(9, 1e-45), RATE).normalized(0.0).peak == 1.0


@pytest.mark.slow
def test_notebooks_get_half_a_minute_at_most():
    import base64

    def player(audio):
        html = audio._repr_html_()
        data = html.split("base64,")[1].split('"')[0]
        return html, soundfile.info(io.BytesIO(base64.b64decode(data)))

    html, info = player(Audio(np.zeros(100 * 1000), 1000))
    assert info.duration == 30
    assert "first 30 s of 100 s" in html
    html, info = player(Audio(np.zeros((24, 1000)), 1000))
    assert (info.duration, info.channels) == (1, 1)
    assert "mean of all channels" in html
    html, info = player(Audio(np.zeros((2, 1000)), 1000))
    assert info.channels == 2
    assert html.endswith("</audio>")
    noise = np.random.default_rng(0).normal(size=(2, 60 * 48_000)) / 9
    for rate in (8000, 44_100, 48_000, 96_000):  # the least compressible sound
        html, info = player(Audio(noise, rate))
        assert info.duration == pytest.approx(30, abs=0.3)
        assert len(html) < 200_000


def test_errors_are_of_the_family(tmp_path):
    """A json file that holds something else, and one that is cut."""
    path = tmp_path / "a.json"
    for content in ('{"kind": "score"}', '{"kind": "audio", "float32": "AAAA"', "[]"):
        path.write_text(content)
        for read in (Audio.read, Audio.info, Audio.blocks):
            with pytest.raises(GrooveError) as caught:
                read(path)
            assert caught.value.exit_code == InputError.exit_code


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_names_may_be_any_bytes(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    Audio(np.zeros(9) + 0.5, 8000).save(tmp_path / "a.wav")
    (tmp_path / "a.wav").rename(path)
    assert Audio.read(path).peak == 0.5


def test_a_document_beside_files_holds_short_sounds_and_names_long_ones():
    short = Audio(np.linspace(-1, 1, 1000), 16_000)
    assert short.to_document() == short.to_json()
    long = Audio(np.zeros((2, 200_000)), 44_100)
    document = long.to_document()
    assert (document["frames"], document["channels"]) == (200_000, 2)
    assert len(str(document)) < 300
    assert document != Audio(np.full((2, 200_000), 1e-6), 44_100).to_document()
    assert "float32" in long.to_json()


def test_whole_numbers_are_scaled_as_in_files():
    full = {np.int16: [-32_768, 16_384], np.int32: [-(2**31), 2**30], np.uint8: [0, 192]}
    for kind, values in full.items():
        assert Audio(np.array(values, kind), RATE).samples.tolist() == [[-1, 0.5]]
    assert Audio(np.array([-32_768, 16_384], ">i2"), RATE).samples.tolist() == [[-1, 0.5]]
    for bad in ([1, 2, 3], np.ones(3, np.int64), np.ones(3, np.uint16), np.ones(3, bool)):
        with pytest.raises(UsageError, match="full scale") as caught:
            Audio(bad, RATE)
        assert caught.value.hint


def test_an_array_that_lies_the_other_way_is_refused():
    for shape in ((RATE, 2), (RATE, 1), (100, 24)):
        with pytest.raises(UsageError, match="channels") as caught:
            Audio(np.zeros(shape), RATE)
        assert "samples.T" in caught.value.hint
    assert Audio(np.zeros((2, 1)), RATE).samples.shape == (2, 1)


@pytest.mark.parametrize(
    ("suffix", "bits", "subtype", "step"),
    [
        ("wav", 16, "PCM_16", 2**-15), ("wav", 24, "PCM_24", 2**-23), ("wav", 32, "FLOAT", 0),
        ("flac", 16, "PCM_16", 2**-15), ("flac", 24, "PCM_24", 2**-23),
    ],
)  # fmt: skip
def test_bits_of_saved_samples(tmp_path, suffix, bits, subtype, step):
    audio = Audio(np.random.default_rng(0).uniform(-0.9, 0.9, 999), RATE)
    path = audio.save(tmp_path / f"a.{suffix}", bits=bits)
    assert soundfile.info(path).subtype == subtype
    assert np.abs(Audio.read(path).samples - audio.samples).max() <= step
    loud = Audio(np.array([2.0, -3.0]), RATE).save(path, bits=bits)
    assert Audio.read(loud).peak == pytest.approx(3 if bits == 32 else 1, abs=1e-4)


@pytest.mark.parametrize(("suffix", "bits"), [("wav", 8), ("flac", 32), ("ogg", 24), ("json", 24)])
def test_bits_that_a_format_does_not_have(tmp_path, suffix, bits):
    with pytest.raises(UsageError, match="bits") as caught:
        Audio(sine(), RATE).save(tmp_path / f"a.{suffix}", bits=bits)
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_sounds_are_compared_by_their_samples(monkeypatch):
    monkeypatch.setattr(Audio, "to_json", None)  # the text of an hour would fill the memory
    audio = Audio(sine(), RATE)
    assert audio == Audio(sine(), RATE)
    assert audio != Audio(sine(), 48_000)
    assert audio != Audio(sine(level=0.4), RATE)
    assert audio != Audio(sine(1), RATE)
    assert audio != "a sound"
