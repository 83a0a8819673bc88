"""The short-time Fourier transform and its inverse, equal to librosa's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar, cast

import torch
from torch.nn import functional as F

from groove_core.errors import InputError, UsageError

__all__ = [
    "PadMode",
    "Window",
    "checked",
    "framed",
    "istft",
    "magnitude",
    "power",
    "spectrum",
    "stft",
]

P = ParamSpec("P")
R = TypeVar("R")

Window = Literal["hann", "hamming", "blackman"]
PadMode = Literal["constant", "reflect"]

_WINDOWS: dict[str, Callable[..., torch.Tensor]] = {
    "hann": torch.hann_window,
    "hamming": torch.hamming_window,
    "blackman": torch.blackman_window,
}


def constant(make: Callable[P, R]) -> Callable[P, R]:
    """Keep what a function makes of settings alone, such as a window, for the next call.

    What was first asked for in inference mode serves training, too.
    """

    @functools.lru_cache(maxsize=64)
    @functools.wraps(make)
    def made(*args: Any, **settings: Any) -> R:
        with torch.inference_mode(False):
            return make(*args, **settings)

    return cast(Callable[P, R], made)


def all_finite(x: torch.Tensor) -> bool:
    """Return whether there is neither NaN nor infinity."""
    # The sum is finite only if every value is, and takes one pass without a second tensor;
    # it may overflow, then each is looked at.
    return bool(torch.isfinite(x.detach().sum()) or torch.isfinite(x).all())


def checked(samples: torch.Tensor) -> torch.Tensor:
    """Check a waveform: of float32 or float64, at least one sample, every one of them finite.

    Raises
    ------
    UsageError
        If it is another kind of tensor.
    InputError
        If it is empty or holds NaN or infinity.
    """
    floats = (torch.float32, torch.float64)
    if not isinstance(samples, torch.Tensor) or samples.dtype not in floats or not samples.ndim:
        raise UsageError(
            "Samples must be a tensor of float32 or float64, of shape (..., samples).",
            hint="torch.tensor(audio.samples), or give the Audio itself to a feature.",
        )
    if not samples.numel():
        raise InputError("There is no sound: zero samples.", hint="Give at least one sample.")
    if not all_finite(samples):
        raise InputError(
            "The samples hold NaN or infinity.",
            hint="Export the sound again, or correct the array.",
        )
    return samples


def at_once(x: torch.Tensor) -> int:
    """Return how many values a tensor of one step should hold.

    On a CPU as many as stay in its cache, and as torch leaves to one thread; a GPU wants more.
    """
    return 2**15 if x.device.type == "cpu" else 2**24


@constant
def _window(name: str, size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    # In double precision first: float32's own cosine is off by 1e-7 of full scale.
    return _WINDOWS[name](size, dtype=torch.float64).to(dtype).to(device)


def analysis_window(
    x: torch.Tensor, n_fft: int, win_samples: int | None, window: str
) -> torch.Tensor:
    """Return the periodic window, centred in `n_fft` samples, as `x` needs it.

    Raises
    ------
    UsageError
        If there is no such window or it does not fit.
    """
    win_samples = n_fft if win_samples is None else win_samples
    if window not in _WINDOWS:
        raise UsageError(f"There is no window {window!r}.", hint=f"One of {', '.join(_WINDOWS)}.")
    if not 1 <= win_samples <= n_fft:
        raise UsageError(
            f"win_samples cannot be {win_samples}.", hint=f"Give 1 to n_fft = {n_fft}."
        )
    whole = _window(window, win_samples, x.dtype, x.device)
    left = (n_fft - win_samples) // 2
    return F.pad(whole, (left, n_fft - win_samples - left))


def framed(
    samples: torch.Tensor,
    *,
    n_fft: int = 2048,
    hop_samples: int = 512,
    center: bool = True,
    pad_mode: PadMode = "constant",
) -> torch.Tensor:
    """Cut a waveform into overlapping frames, without copying more than the padding.

    Parameters
    ----------
    samples : Tensor [shape=(..., n)]
    n_fft, hop_samples : int [samples]
    center : bool
        Frame ``t`` is centred at sample ``t * hop_samples``, beyond the ends there
        are zeros (``"constant"``) or the mirrored signal (``"reflect"``); otherwise
        it begins there.

    Returns
    -------
    Tensor [shape=(..., frames, n_fft)]
        A view; ``frames`` is ``1 + n // hop_samples`` when centred.

    Raises
    ------
    UsageError, InputError
        See `checked`; and if the signal is too short or a size makes no sense.
    """
    if n_fft < 2 or n_fft % 2 or hop_samples < 1:
        raise UsageError(
            f"n_fft cannot be {n_fft} with hop_samples {hop_samples}.",
            hint="2048 and 512; n_fft is even.",
        )
    checked(samples)
    if center:
        half = n_fft // 2
        if pad_mode == "constant":
            samples = F.pad(samples, (half, half))
        elif samples.shape[-1] > half:
            flat = samples.reshape(1, -1, samples.shape[-1])
            flat = F.pad(flat, (half, half), mode="reflect")
            samples = flat.reshape(*samples.shape[:-1], -1)
        else:
            raise InputError(
                f"{samples.shape[-1]} samples are too few to mirror {half} at each end.",
                hint='pad_mode="constant", or a smaller n_fft',
            )
    if samples.shape[-1] < n_fft:
        raise InputError(
            f"{samples.shape[-1]} samples are less than one frame of {n_fft}.",
            hint="center=True, or a smaller n_fft",
        )
    return samples.unfold(-1, n_fft, hop_samples)


def spectrum(
    frames: torch.Tensor, *, win_samples: int | None = None, window: Window = "hann"
) -> torch.Tensor:
    """Transform frames [shape=(..., frames, n_fft)] to [shape=(..., frames, bins), complex]."""
    whole: torch.Tensor = torch.fft.rfft(
        frames * analysis_window(frames, frames.shape[-1], win_samples, window)
    )
    return whole


def power(spectrum: torch.Tensor) -> torch.Tensor:
    """Return ``|S|^2`` of a complex tensor, without the root that ``abs`` would take."""
    return spectrum.real.square() + spectrum.imag.square()


def magnitude(spectrum: torch.Tensor) -> torch.Tensor:
    """Return ``|S|`` of a complex tensor, in a third of the time of ``abs`` without a gradient."""
    return spectrum.abs() if spectrum.requires_grad else power(spectrum).sqrt_()


def stft(
    samples: torch.Tensor,
    *,
    n_fft: int = 2048,
    hop_samples: int = 512,
    win_samples: int | None = None,
    window: Window = "hann",
    center: bool = True,
    pad_mode: PadMode = "constant",
) -> torch.Tensor:
    """Transform a waveform to its complex spectrogram, as ``librosa.stft`` does.

    Parameters
    ----------
    samples : Tensor [shape=(..., n)]
    n_fft, hop_samples, win_samples : int [samples]
        By default, `win_samples` is `n_fft`.
    window, center, pad_mode
        See `framed`.

    Returns
    -------
    Tensor [shape=(..., n_fft // 2 + 1, frames), complex]

    Raises
    ------
    UsageError, InputError
        See `framed`.

    Examples
    --------
    >>> stft(torch.zeros(2, 22050)).shape
    torch.Size([2, 1025, 44])
    """
    frames = framed(samples, n_fft=n_fft, hop_samples=hop_samples, center=center, pad_mode=pad_mode)
    return spectrum(frames, win_samples=win_samples, window=window).mT


def istft(
    spectrogram: torch.Tensor,
    *,
    hop_samples: int = 512,
    win_samples: int | None = None,
    window: Window = "hann",
    length: int | None = None,
) -> torch.Tensor:
    """Transform a centred complex spectrogram back to a waveform.

    Overlapping frames are windowed again and divided by the summed squares of the
    windows: the waveform whose spectrogram is nearest (Griffin and Lim 1984, eq. 6).

    Parameters
    ----------
    spectrogram : Tensor [shape=(..., n_fft // 2 + 1, frames), complex]
    length : int, optional [samples]
        Of the result (default: ``(frames - 1) * hop_samples``).

    Returns
    -------
    Tensor [shape=(..., length)]

    Raises
    ------
    UsageError
        If it is no complex spectrogram, or the windows do not overlap enough to be inverted.
    """
    if not spectrogram.is_complex() or spectrogram.ndim < 2 or min(spectrogram.shape[-2:]) < 1:
        raise UsageError(
            "A spectrogram to invert is complex, of shape (..., bins, frames).", hint="See stft."
        )
    bins, frames = spectrogram.shape[-2:]
    n_fft = 2 * (bins - 1)
    length = (frames - 1) * hop_samples if length is None else length
    if n_fft < 2 or hop_samples < 1 or length < 0:
        raise UsageError(
            f"{bins} bins every {hop_samples} samples cannot become {length} samples.",
            hint="At least 2 bins, a hop of at least 1 and a length of at least 0.",
        )
    shape = spectrogram.shape[:-2]
    if length == 0:
        return spectrogram.real.new_zeros(*shape, 0)
    window_values = analysis_window(spectrogram.real, n_fft, win_samples, window)
    pieces = torch.fft.irfft(spectrogram.mT, n=n_fft) * window_values
    envelope = _overlap_add(window_values.square().expand(1, frames, n_fft), hop_samples)
    kept = slice(n_fft // 2, n_fft // 2 + length)
    samples = _overlap_add(pieces.reshape(-1, frames, n_fft), hop_samples)[:, kept]
    envelope = envelope[:, kept]
    heard = envelope.shape[-1]
    # The last half frame beyond the last centre may be asked for, but no zeros inside.
    if hop_samples > n_fft or (envelope[:, : (frames - 1) * hop_samples] < 1e-11).any():
        raise UsageError(
            f"Windows every {hop_samples} samples leave gaps that cannot be inverted.",
            hint=f"hop_samples={n_fft // 4}",
        )
    samples = samples / envelope.clamp_min(torch.finfo(samples.dtype).tiny)
    return F.pad(samples, (0, length - heard)).reshape(*shape, length)


def _overlap_add(pieces: torch.Tensor, hop_samples: int) -> torch.Tensor:
    """Sum frames [shape=(m, frames, n_fft)] into samples [shape=(m, n)].

    All first hops of frames at once, then all second ones: ten times as fast as `F.fold`.
    """
    m, frames, n_fft = pieces.shape
    hops = -(-n_fft // hop_samples)
    if hops * hop_samples > n_fft:
        pieces = F.pad(pieces, (0, hops * hop_samples - n_fft))
    pieces = pieces.view(m, frames, hops, hop_samples)
    whole = pieces.new_zeros(m, frames + hops - 1, hop_samples)
    for hop in range(hops):
        whole[:, hop : hop + frames] += pieces[:, :, hop]
    return whole.flatten(1)[:, : (frames - 1) * hop_samples + n_fft]
