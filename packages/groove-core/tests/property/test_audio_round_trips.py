"""Blocks, excerpts and files of sound fit together, whatever the rates and cuts."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from groove_core.values.sound.audio import Audio

settings.register_profile("groove", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("groove")

RATES = (1_000, 8_000, 11_025, 22_050, 44_100, 44_101, 48_000, 192_000)
EDGE = 150  # samples of the lower rate that soxr's filter reaches, as documented


def noise(frames: int, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(frames)
    return rng.uniform(-0.9, 0.9, (channels, frames)).astype(np.float32)


def join(blocks) -> Audio:
    blocks = list(blocks)
    assert all(block.samples.shape[1] for block in blocks)
    return Audio(np.concatenate([b.samples for b in blocks], axis=1), blocks[0].sample_rate)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audio")


@given(
    st.integers(1, 150_000), st.integers(1, 3), st.sampled_from(RATES),
    st.sampled_from([None, *RATES]), st.booleans(), st.floats(0.003, 3), st.floats(0, 0.999),
)  # fmt: skip
def test_blocks_joined_are_the_whole(folder, frames, channels, rate, to, mono, block_s, start):
    path = folder / "a.wav"
    soundfile.write(path, noise(frames, channels).T, rate, subtype="FLOAT")
    options = {"sample_rate": to, "mono": mono, "start_s": start * frames / rate}
    whole = Audio.read(path, **options)
    assert join(Audio.blocks(path, block_s=max(block_s, frames / rate / 50), **options)) == whole
    assert whole.samples.shape[1] >= 1
    assert len(whole.samples) == (1 if mono else channels)


@given(
    st.integers(1, 50_000), st.integers(1, 3), st.sampled_from(RATES), st.sampled_from(RATES),
)  # fmt: skip
def test_reading_is_mixing_then_resampling(folder, frames, channels, rate, to):
    path = folder / "b.wav"
    soundfile.write(path, noise(frames, channels).T, rate, subtype="FLOAT")
    whole = Audio.read(path)
    assert whole == Audio(noise(frames, channels), rate)
    assert Audio.read(path, sample_rate=to) == whole.resampled(to)
    assert Audio.read(path, sample_rate=to, mono=True) == whole.to_mono().resampled(to)
    assert whole.resampled(to).samples.shape[1] == -(-frames * to // rate)


@given(
    st.sampled_from(RATES), st.sampled_from(RATES), st.integers(0, 400), st.integers(1, 300),
)  # fmt: skip
def test_an_excerpt_is_a_piece_of_the_resampled_whole(folder, rate, to, start_ms, duration_ms):
    path = folder / "c.wav"
    soundfile.write(path, noise(rate // 2).T, rate, subtype="FLOAT")
    start_s, duration_s = start_ms / 1000, duration_ms / 1000
    plain = Audio.read(path, start_s=start_s, duration_s=duration_s)
    assert plain == Audio.read(path).excerpt(start_s, duration_s)
    start = int(start_s * rate + 1e-6) * to // rate
    cut = Audio.read(path, sample_rate=to, start_s=start_s, duration_s=duration_s).samples[0]
    same = Audio.read(path, sample_rate=to).samples[0, start:][: len(cut)]
    edge = int(EDGE * max(1, to / rate))
    np.testing.assert_allclose(cut[edge:-edge], same[edge:-edge], atol=2e-6)  # float32 rounding


@given(st.floats(0, 0.5), st.integers(1, 9))
def test_excerpts_of_one_length_are_of_one_length(start_s, hundredths):
    audio = Audio(noise(48_000), 44_100)
    assert audio.excerpt(start_s, hundredths / 100).samples.shape[1] == 441 * hundredths


@given(
    st.integers(1, 20_000), st.integers(1, 8), st.sampled_from(RATES[:-1]),
    st.sampled_from(["wav", "flac"]),
)  # fmt: skip
def test_sound_survives_files_to_16_bits(folder, frames, channels, rate, suffix):
    audio = Audio(noise(frames, channels), rate)
    again = Audio.read(audio.save(folder / f"d.{suffix}"))
    assert again.sample_rate == rate
    np.testing.assert_allclose(again.samples, audio.samples, atol=1 / 32_768)


@given(st.floats(1e-30, 10), st.floats(-120, 0), st.floats(0, 1))
def test_normalized_sound_has_exactly_the_peak_wanted(scale, peak_dbfs, offset):
    audio = Audio((noise(999) + offset) * np.float32(scale), 8_000)
    assert audio.normalized(peak_dbfs).peak == np.float32(10 ** (peak_dbfs / 20))
