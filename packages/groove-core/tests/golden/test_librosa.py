"""Every transform against librosa, on real music and on made-up signals.

Differences are measured against the largest value of librosa's result: single
precision leaves 1e-7 of it per operation, and 1e-4 is a thousand operations' worth.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
librosa = pytest.importorskip("librosa")

from groove_core import Audio, dsp  # noqa: E402

RATE = 22050
DATA = Path(__file__).parents[1] / "data"
TIME = np.arange(2 * RATE) / RATE
MADE = {
    "click": np.eye(1, 2 * RATE, RATE)[0],
    "sine": 0.5 * np.sin(2 * np.pi * 440 * TIME),
    "chirp": 0.5 * np.sin(2 * np.pi * (50 + 2500 * TIME) * TIME),
    "noise": 0.1 * np.random.default_rng(0).standard_normal(2 * RATE),
}
REAL = ("solo-trumpet", "vibe-ace", "sugar-plum-fairy")


@functools.cache
def signal(name: str) -> np.ndarray:
    if name in MADE:
        return MADE[name].astype(np.float32)
    return Audio.read(DATA / f"{name}.ogg").samples[0].copy()


@pytest.fixture(params=[*MADE, *REAL])
def y(request: pytest.FixtureRequest) -> np.ndarray:
    return signal(request.param)


def near(ours: torch.Tensor, theirs: np.ndarray, tolerance: float = 1e-4) -> None:
    ours = ours.numpy()
    assert ours.shape == theirs.shape
    assert np.isfinite(ours).all()
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


@pytest.mark.parametrize("name", REAL)
def test_reading(name: str) -> None:
    theirs, _ = librosa.load(DATA / f"{name}.ogg", sr=16000)
    ours = Audio.read(DATA / f"{name}.ogg", sample_rate=16000, mono=True)
    near(torch.tensor(ours.samples[0]), theirs, 1e-6)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"n_fft": 512, "hop_samples": 160}, {"n_fft": 512, "hop_length": 160}),
        ({"win_samples": 1000}, {"win_length": 1000, "hop_length": 512}),
        ({"window": "hamming"}, {"window": "hamming"}),
        ({"window": "blackman"}, {"window": "blackman"}),
        ({"pad_mode": "reflect"}, {"pad_mode": "reflect"}),
        ({"center": False}, {"center": False}),
    ],
)  # fmt: skip
def test_stft(y: np.ndarray, ours: dict, theirs: dict) -> None:
    near(dsp.stft(torch.from_numpy(y), **ours), librosa.stft(y, **theirs))


def test_istft(y: np.ndarray) -> None:
    spectrogram = librosa.stft(y)
    ours = torch.from_numpy(spectrogram)
    near(dsp.istft(ours), librosa.istft(spectrogram))
    near(dsp.istft(ours, length=len(y)), librosa.istft(spectrogram, length=len(y)))


@pytest.mark.parametrize("scale", ["slaney", "htk"])
@pytest.mark.parametrize("norm", ["slaney", "none"])
def test_mel_filters(scale: str, norm: str) -> None:
    for rate, n_fft, n_mels, low, high in ((22050, 2048, 128, 0, None), (44100, 1024, 40, 30, 9e3)):
        near(
            dsp.mel_filters(sample_rate=rate, n_fft=n_fft, n_mels=n_mels, fmin_hz=low, fmax_hz=high,
                            scale=scale, norm=norm),
            librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=low, fmax=high,
                                htk=scale == "htk", norm=None if norm == "none" else norm),
        )  # fmt: skip
    hz = np.linspace(0, 11025, 500)
    np.testing.assert_allclose(dsp.hz_to_mel(hz, scale), librosa.hz_to_mel(hz, htk=scale == "htk"))
    mel = np.linspace(0, 60, 500)
    np.testing.assert_allclose(
        dsp.mel_to_hz(mel, scale), librosa.mel_to_hz(mel, htk=scale == "htk")
    )


def test_mel(y: np.ndarray) -> None:
    t = torch.from_numpy(y)
    near(dsp.Mel()(t), librosa.feature.melspectrogram(y=y))
    near(
        dsp.Mel(n_mels=40, fmin_hz=50, fmax_hz=8000, scale="htk", norm="none", power=1)(t),
        librosa.feature.melspectrogram(
            y=y, n_mels=40, fmin=50, fmax=8000, htk=True, norm=None, power=1
        ),
    )  # fmt: skip


def test_log_mel(y: np.ndarray) -> None:
    theirs = librosa.power_to_db(librosa.feature.melspectrogram(y=y))
    near(dsp.LogMel()(torch.from_numpy(y)), theirs)
    # What lies 80 dB lower is single precision's own noise, and its level is anything.
    quiet = librosa.power_to_db(librosa.feature.melspectrogram(y=y.astype(float)), top_db=None)
    near(dsp.LogMel(top_db=None)(torch.from_numpy(y).double()), quiet)


def test_pcen(y: np.ndarray) -> None:
    mel = librosa.feature.melspectrogram(y=y, power=1) * 2**31
    near(dsp.pcen(torch.from_numpy(mel)), librosa.pcen(mel))
    # End to end in double precision: each band is divided by its own level, so that where
    # a band is silent single precision compares the rounding of two Fourier transforms.
    mel = librosa.feature.melspectrogram(y=y.astype(float), power=1) * 2**31
    ours = dsp.PCEN(gain=0.8, bias=10.0, exponent=0.25, time_constant_s=0.06)
    theirs = librosa.pcen(mel, gain=0.8, bias=10.0, power=0.25, time_constant=0.06)
    near(ours(torch.from_numpy(y).double()), theirs)


def test_mfcc(y: np.ndarray) -> None:
    t = torch.from_numpy(y)
    near(dsp.MFCC()(t), librosa.feature.mfcc(y=y))
    near(
        dsp.MFCC(n_mfcc=13, lifter=22, n_mels=40)(t),
        librosa.feature.mfcc(y=y, n_mfcc=13, lifter=22, n_mels=40),
    )
    theirs = librosa.feature.mfcc(y=y)
    parts = dsp.MFCC(deltas=2)(t).split(20)
    near(parts[1], librosa.feature.delta(theirs))
    near(parts[2], librosa.feature.delta(theirs, order=2))


def test_hpss_medians_bit_for_bit(y: np.ndarray) -> None:
    from scipy.ndimage import median_filter

    magnitude = np.abs(librosa.stft(y))
    for size in (3, 9, 17, 31, 45):
        for dim, kernel in ((0, (size, 1)), (1, (1, size))):
            ours = dsp.running_median(torch.from_numpy(magnitude), size, dim=dim)
            assert (ours.numpy() == median_filter(magnitude, size=kernel, mode="reflect")).all()


@pytest.mark.parametrize(
    "settings",
    [{}, {"margin": 2.0}, {"margin": (1.0, 5.0)}, {"power": math.inf}, {"power": 1.0}],
    ids=str,
)
def test_hpss(y: np.ndarray, settings: dict) -> None:
    spectrogram = librosa.stft(y)
    magnitude = np.abs(spectrogram)
    inputs = [magnitude, spectrogram]
    if math.isinf(settings.get("power", 1)):  # a hard mask compares: the same numbers go in
        inputs.pop()
    for one in inputs:
        ours = dsp.hpss(torch.from_numpy(one), **settings)
        for a, b in zip(ours, librosa.decompose.hpss(one, **settings), strict=True):
            near(a, b)
    ours = dsp.hpss(torch.from_numpy(magnitude), kernel=(17, 9), mask=True, **settings)
    theirs = librosa.decompose.hpss(magnitude, kernel_size=(17, 9), mask=True, **settings)
    for a, b in zip(ours, theirs, strict=True):
        near(a, b.astype(np.float32))


def test_griffin_lim(y: np.ndarray) -> None:
    # In double precision: every round divides by magnitudes, and near zero amplifies rounding.
    magnitude = np.abs(librosa.stft(y.astype(float)))[:, :60]
    theirs = librosa.griffinlim(magnitude, n_iter=8, init=None)
    near(dsp.griffin_lim(torch.from_numpy(magnitude), iterations=8, seed=None), theirs)


@pytest.mark.parametrize("name", REAL)
def test_mel_inversion_is_nearer_than_librosas(name: str) -> None:
    y = signal(name)[: 3 * RATE]
    mel = dsp.Mel()(torch.from_numpy(y))
    ours = dsp.Mel().invert(mel, length=len(y))
    theirs = librosa.feature.inverse.mel_to_audio(mel.numpy(), length=len(y))

    def distance_db(sound: torch.Tensor) -> float:
        return float((dsp.LogMel()(sound) - dsp.LogMel()(torch.from_numpy(y))).abs().mean())

    assert distance_db(ours) < 1.2
    assert distance_db(ours) < distance_db(torch.from_numpy(theirs))
