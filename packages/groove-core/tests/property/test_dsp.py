"""What must hold for every signal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from groove_core import dsp  # noqa: E402

SMALL = {"sample_rate": 8000, "n_fft": 256, "hop_samples": 64}
BANDS = {**SMALL, "n_mels": 24}
FEATURES = [
    dsp.Mel(**BANDS),
    dsp.LogMel(**BANDS),
    dsp.MFCC(n_mfcc=12, deltas=2, **BANDS),
    dsp.PCEN(**BANDS),
    dsp.HarmonicPercussive(kernel_frames=9, kernel_bins=9, **BANDS),
    dsp.InstantaneousFrequency(**SMALL),
]
every_feature = pytest.mark.parametrize("feature", FEATURES, ids=lambda f: type(f).__name__)
seeds = st.integers(0, 2**31)
quick = settings(max_examples=25, deadline=None)


def noise(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@quick
@given(seeds, st.sampled_from([16, 64, 250]), st.integers(2, 5), st.integers(1, 900))
def test_istft_inverts_stft(seed: int, n_fft: int, overlap: int, length: int) -> None:
    x = noise(seed, 2, length)
    hop = n_fft // overlap
    spectrogram = dsp.stft(x, n_fft=n_fft, hop_samples=hop)
    assert spectrogram.shape == (2, n_fft // 2 + 1, 1 + length // hop)
    back = dsp.istft(spectrogram, hop_samples=hop, length=length)
    torch.testing.assert_close(back, x, rtol=1e-9, atol=1e-9)


@quick
@given(seeds, st.floats(-10, 10), st.floats(-10, 10))
def test_stft_is_linear(seed: int, a: float, b: float) -> None:
    x, y = noise(seed, 2, 3000)
    torch.testing.assert_close(
        dsp.stft(a * x + b * y, n_fft=256), a * dsp.stft(x, n_fft=256) + b * dsp.stft(y, n_fft=256)
    )


@quick
@given(seeds, st.integers(1, 20))
def test_a_shift_by_hops_shifts_frames(seed: int, hops: int) -> None:
    x = noise(seed, 4000)
    x[:512] = 0  # so that nothing is cut off at the ends
    x[-(512 + 64 * hops) :] = 0
    for feature in (
        dsp.Mel(**BANDS),
        dsp.LogMel(top_db=None, **BANDS),
        dsp.MFCC(n_mfcc=12, top_db=None, **BANDS),
    ):
        whole, moved = feature(x), feature(x.roll(64 * hops))
        torch.testing.assert_close(moved[:, hops:], whole[:, :-hops])


@every_feature
@quick
@given(seeds)
def test_a_batch_is_its_items(feature: dsp.Feature, seed: int) -> None:
    x = noise(seed, 3, 2, 2000)
    x[1] *= 100
    together = feature(x)
    assert together.shape[:2] == (3, 2)
    for i in range(3):
        for j in range(2):
            torch.testing.assert_close(together[i, j], feature(x[i, j]))


@every_feature
@quick
@given(seeds, st.lists(st.integers(1, 700), min_size=1, max_size=9))
def test_blocks_give_what_the_whole_gives(
    feature: dsp.Feature, seed: int, sizes: list[int]
) -> None:
    x = noise(seed, 2, sum(sizes) + 700)  # enough for slopes over nine frames
    blocks = x.split([*sizes, 700], dim=-1)
    torch.testing.assert_close(feature.stream(iter(blocks)), feature(x))


@every_feature
@quick
@given(
    seeds,
    st.integers(0, 2000),
    st.integers(256, 3000),
    st.floats(0.033, 0.3),
    st.integers(30, 256),
)
def test_windows_are_sounds_of_their_own(
    feature: dsp.Feature, seed: int, more: int, size: int, step_s: float, hop: int
) -> None:
    if isinstance(feature, dsp.MFCC):  # slopes over nine frames need as many
        size += 9 * hop
    feature = dataclasses.replace(feature, hop_samples=hop)
    windows = dsp.WindowedFeatures(feature, size / 8000, step_s)
    assert windows.window_samples == size
    x = noise(seed, 2, size + more)
    x[:, : size // 2] *= 0.01  # levels below the maximum differ from window to window
    starts = windows.starts(size + more).tolist()
    assert len(starts) == int(more / (step_s * 8000) + 1e-9) + 1
    assert all(abs(s - k * step_s * 8000) <= hop for k, s in enumerate(starts))
    alone = torch.stack([feature(x[:, s : s + size]) for s in starts], dim=1)
    torch.testing.assert_close(windows(x), alone)


@every_feature
@quick
@given(seeds)
def test_single_precision_is_near_double(feature: dsp.Feature, seed: int) -> None:
    double = noise(seed, 3000)
    a, b = feature(double), feature(double.float()).double()
    if isinstance(feature, dsp.InstantaneousFrequency):  # a half turn forth is one back
        a[128:] = b[128:] + torch.remainder(a[128:] - b[128:] + 1, 2) - 1
        # and where next to nothing sounds, phase is rounding
        a, b = (torch.where(torch.cat([a[:128]] * 2) > -4, x, 0) for x in (a, b))
        assert (a - b).abs().max() < 1e-3
    else:
        assert (a - b).abs().max() < 1e-4 * a.abs().max()


@quick
@given(seeds, st.integers(1, 40), st.integers(1, 20))
def test_instantaneous_frequency_inverts(seed: int, bins: int, frames: int) -> None:
    spectrogram = torch.complex(noise(seed, 2, bins, frames), noise(seed + 1, 2, bins, frames))
    log_magnitude, frequency = dsp.to_instantaneous_frequency(spectrogram)
    assert frequency.abs().max() <= 1 + 1e-12
    back = dsp.from_instantaneous_frequency(log_magnitude, frequency)
    torch.testing.assert_close(back, spectrogram, rtol=1e-9, atol=1e-9)


@quick
@given(seeds, st.integers(0, 40), st.integers(1, 60), st.integers(0, 2))
def test_running_median_is_the_median(seed: int, half: int, length: int, dim: int) -> None:
    shape = [2, 3, 4]
    shape[dim] = length
    x = noise(seed, *shape).mul(4).round()  # many equal values
    found = dsp.running_median(x, 2 * half + 1, dim=dim)
    mirror = torch.cat([x, x.flip(dim)], dim)
    for t in range(length):
        seen = [(t + o) % (2 * length) for o in range(-half, half + 1)]
        window = mirror.index_select(dim, torch.tensor(seen))
        assert torch.equal(found.select(dim, t), window.median(dim=dim).values)


@quick
@given(seeds, st.floats(0.5, 4))
def test_parts_sum_to_the_whole(seed: int, power: float) -> None:
    magnitude = noise(seed, 2, 40, 50).abs()
    harmonic, percussive = dsp.hpss(magnitude, kernel=9, power=power)
    torch.testing.assert_close(harmonic + percussive, magnitude)
    harmonic, percussive = dsp.hpss(magnitude, kernel=9, power=power, margin=3.0)
    assert (harmonic + percussive <= magnitude + 1e-12).all()


@quick
@given(seeds)
def test_mel_to_power_finds_a_spectrum_with_these_bands(seed: int) -> None:
    filters = dsp.mel_filters(sample_rate=8000, n_fft=256, n_mels=24)
    mel = filters @ noise(seed, 2, 129, 5).square()
    found = dsp.mel_to_power(mel, filters, iterations=400)
    assert (found >= 0).all()
    assert (filters @ found - mel).norm() < 1e-3 * mel.norm()


X = noise(1, 600)
SPECTROGRAM = torch.complex(noise(2, 33, 9), noise(3, 33, 9))
FILTERS = dsp.mel_filters(sample_rate=8000, n_fft=64, n_mels=8)
TINY = {"sample_rate": 8000, "n_fft": 64, "hop_samples": 32, "n_mels": 8}


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (lambda x: torch.view_as_real(dsp.stft(x, n_fft=64, hop_samples=32)), X),
        (lambda s: dsp.istft(s, hop_samples=16), SPECTROGRAM),
        (dsp.Mel(**TINY), X),
        (dsp.LogMel(**TINY), X),
        (dsp.MFCC(n_mfcc=5, deltas=2, **TINY), X),
        (dsp.PCEN(**TINY), X),
        (dsp.HarmonicPercussive(kernel_frames=5, kernel_bins=7, **TINY), X),
        (lambda s: dsp.from_instantaneous_frequency(*s).real, noise(4, 2, 5, 6)),
        (lambda s: dsp.running_median(s, 9), noise(5, 3, 20)),
        (dsp.to_instantaneous_frequency, SPECTROGRAM),
        (dsp.HarmonicPercussive(margin=2.0, mask_power=0.5, kernel_bins=7, **TINY), X),
        (lambda m: dsp.mel_to_power(m, FILTERS, iterations=5), noise(6, 8, 5).abs()),
        (lambda m: dsp.griffin_lim(m, hop_samples=16, iterations=2), noise(7, 33, 6).abs()),
    ],
    ids=["stft", "istft", "Mel", "LogMel", "MFCC", "PCEN", "HPSS", "from_if", "median", "to_if",
         "margin", "mel_to_power", "griffin_lim"],
)  # fmt: skip
def test_gradients_against_finite_differences(
    function: Callable[[torch.Tensor], torch.Tensor], at: torch.Tensor
) -> None:
    assert torch.autograd.gradcheck(function, at.clone().requires_grad_(), fast_mode=True)


def test_settings_say_everything() -> None:
    names = {str(feature.settings) for feature in FEATURES}
    assert len(names) == len(FEATURES)
    for feature in FEATURES:
        settings = feature.settings
        assert settings.pop("numbers") >= 1
        assert getattr(dsp, settings.pop("feature"))(**settings) == feature
        assert dataclasses.replace(feature, hop_samples=32).settings != feature.settings
