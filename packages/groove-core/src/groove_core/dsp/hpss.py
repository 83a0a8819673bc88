"""Harmonic-percussive separation by median filtering, and an exact, fast running median."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from groove_core.devices import one_thread
from groove_core.dsp.stft import all_finite, at_once
from groove_core.errors import InputError, UsageError

__all__ = ["hpss", "running_median", "softmask"]

PARTS_AT_ONCE = 16
"""Masks are made in larger pieces than medians: they are a dozen steps, and not a thousand."""


def hpss(
    spectrogram: torch.Tensor,
    *,
    kernel: int | Sequence[int] = 31,
    power: float = 2.0,
    margin: float | Sequence[float] = 1.0,
    mask: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Separate a spectrogram into harmonic and percussive parts, as ``librosa.decompose.hpss``.

    FitzGerald, "Harmonic/percussive separation using median filtering", DAFx 2010:
    a median along time keeps what lasts, a median along frequency keeps what is
    sudden, and masks made of the two divide the spectrogram. Margins above 1 leave
    what is neither to a third part, ``spectrogram - harmonic - percussive``
    (Driedger, Müller and Disch, ISMIR 2014).

    Parameters
    ----------
    spectrogram : Tensor [shape=(..., bins, frames), real magnitudes or complex]
    kernel : odd int or (int, int)
        Frames of the harmonic and bins of the percussive median.
    power : float > 0
        Of the masks; ``math.inf`` for hard ones.
    margin : float >= 1 or (float, float)
        By how much the harmonic, the percussive part must exceed the other one.
    mask : bool
        Give the masks instead of the parts.

    Returns
    -------
    harmonic, percussive : Tensor [shape=(..., bins, frames)]

    Raises
    ------
    UsageError
        If a kernel is even, a power not positive, a margin below 1, or it is no spectrogram.
    InputError
        If the spectrogram holds NaN or infinity.
    """
    (frames, bins), margins = check_hpss(kernel, power, margin)
    magnitude = spectrogram.abs() if spectrogram.is_complex() else spectrogram
    if not magnitude.is_floating_point() or magnitude.ndim < 2:
        raise UsageError(
            "A spectrogram to separate has real or complex numbers, of shape (..., bins, frames).",
            hint="See stft.",
        )
    if not all_finite(magnitude):
        raise InputError(
            "The spectrogram holds NaN or infinity: the sound is broken, or too loud.",
            hint="audio.normalized(), or samples in float64",
        )
    with one_thread():
        return _separated(spectrogram, magnitude, (frames, bins), power, margins, mask=mask)


def _separated(
    spectrogram: torch.Tensor,
    magnitude: torch.Tensor,
    kernel: tuple[int, int],
    power: float,
    margins: tuple[float, float],
    *,
    mask: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    lasting = running_median(magnitude, kernel[0], dim=-1)
    sudden = running_median(magnitude, kernel[1], dim=-2)

    def parts(
        whole: torch.Tensor, lasting: torch.Tensor, sudden: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        tied = margins == (1, 1)  # without margins nothing is left over: silence is divided evenly
        harmonic = softmask(lasting, sudden * margins[0], power=power, split_zeros=tied)
        if tied and math.isfinite(power):
            one, another = (harmonic, 1) if mask else (whole * harmonic, whole)
            return one, another - one
        percussive = softmask(sudden, lasting * margins[1], power=power)
        return (harmonic, percussive) if mask else (whole * harmonic, whole * percussive)

    # A piece at a time, along the dimension that is outermost in memory: a dozen tensors of
    # the whole size would cost more than all the medians.
    outer = max(range(magnitude.ndim), key=magnitude.stride)
    values = PARTS_AT_ONCE * at_once(magnitude)
    piece = max(1, values * magnitude.shape[outer] // max(1, magnitude.numel()))
    pieces = [
        parts(*p)
        for p in zip(*(x.split(piece, outer) for x in (spectrogram, lasting, sudden)), strict=True)
    ]
    if len(pieces) == 1:
        return pieces[0]
    harmonic, percussive = (torch.cat(p, dim=outer) for p in zip(*pieces, strict=True))
    return harmonic, percussive


def check_hpss(
    kernel: int | Sequence[int], power: float, margin: float | Sequence[float]
) -> tuple[tuple[int, int], tuple[float, float]]:
    """Check the settings of `hpss` and give kernels and margins as pairs.

    Raises
    ------
    UsageError
        If one is out of range.
    """
    frames, bins = (kernel, kernel) if isinstance(kernel, int) else kernel
    first, second = (margin, margin) if isinstance(margin, (int, float)) else margin
    if (
        not power > 0
        or not min(first, second) >= 1
        or min(frames, bins) < 1
        or not frames & bins & 1
    ):
        raise UsageError(
            f"HPSS cannot have kernel {kernel}, power {power:g} and margin {margin}.",
            hint="Odd kernels, a power above 0 and margins of at least 1.",
        )
    return (frames, bins), (first, second)


def softmask(
    wanted: torch.Tensor, other: torch.Tensor, *, power: float = 2.0, split_zeros: bool = False
) -> torch.Tensor:
    """Return ``wanted^p / (wanted^p + other^p)``, as ``librosa.util.softmask`` does.

    Where both are zero it is 0, or a half with `split_zeros`; for infinite `power`
    it is 1 where `wanted` is the larger one and 0 elsewhere.
    """
    if math.isinf(power):
        return (wanted > other).to(wanted)
    larger = torch.maximum(wanted, other)
    silent = larger < torch.finfo(wanted.dtype).tiny
    if not silent.any():
        # One of the two powers is 1: none overflows.
        a, b = (_power(x / larger, power) for x in (wanted, other))
        return a / (a + b)
    larger = larger.masked_fill(silent, 1)
    a, b = (_power(x / larger, power) for x in (wanted, other))
    mask = a / (a + b).masked_fill(silent, 1)
    return mask.masked_fill(silent, 0.5 if split_zeros else 0.0)


def _power(x: torch.Tensor, power: float) -> torch.Tensor:
    """Return ``x ** power``, with a gradient of zero at zero, also for powers up to 1."""
    if power > 1:
        return x**power
    return torch.where(x > 0, x.clamp_min(torch.finfo(x.dtype).tiny) ** power, 0)


def running_median(x: torch.Tensor, size: int, *, dim: int = -1) -> torch.Tensor:
    """Return the median of the `size` values around each, along one dimension.

    Exactly the values that ``scipy.ndimage.median_filter(mode="reflect")`` selects, many
    times faster, on any device, and differentiable.

    Sixteen windows of 31 in a row have sixteen values in common. These are sorted
    once; then the row is halved, each half adds the eight values that its own eight
    windows have in common, and all that can no longer be the median is dropped;
    and so on, down to single windows. Sorting and merging are comparator networks
    (Batcher 1968), whose steps are minima and maxima of whole tensors: 34 of them
    for each window of 31 (Adams, "Fast median filters using separable sorting
    networks", SIGGRAPH 2021, in one dimension).

    Parameters
    ----------
    x : Tensor [real, finite]
    size : odd int
    dim : int

    Returns
    -------
    Tensor [the shape of `x`]
        Beyond the ends the values are mirrored: ``c b a | a b c d | d c b``.

    Raises
    ------
    UsageError
        If `size` is not odd and positive.

    Examples
    --------
    >>> running_median(torch.tensor([1.0, 9.0, 2.0, 3.0, 8.0]), 3)
    tensor([1., 2., 3., 3., 8.])
    """
    if size < 1 or size % 2 == 0:
        raise UsageError(f"A median cannot be over {size} values.", hint="Give an odd number.")
    if size == 1 or not x.numel():
        return x.clone()
    network = _network(size)
    n = x.shape[dim]
    rows = -(-n // network.windows)
    position = torch.arange(-(size // 2), rows * network.windows + size // 2) % (2 * n)
    mirrored = torch.minimum(position, 2 * n - 1 - position).to(x.device)
    lines = x.movedim(dim, 0)
    flat = lines.reshape(n, -1)
    made = flat.new_empty(rows, network.windows, flat.shape[1])
    # On a CPU, as many values a step as stay in its cache.
    size = max(1, at_once(x) // rows)
    for start in range(0, flat.shape[1], size):
        some = slice(start, start + size)
        _run(flat[:, some].index_select(0, mirrored), network, made[..., some])
    found = made.flatten(0, 1)[:n].reshape(lines.shape).movedim(0, dim)
    # Laid out in memory as x is: what is computed with both runs through both in one order.
    return found if found.stride() == x.stride() else torch.empty_like(x).copy_(found)


class _Step(NamedTuple):
    """One side of a comparison: the smaller or the larger value of two registers."""

    register: int
    smaller: bool
    a: int
    b: int


class _Network(NamedTuple):
    """The comparator network for one row of windows.

    Registers 0 to ``inputs - 1`` hold the values that the row sees, each step makes one more.
    """

    windows: int
    inputs: int
    steps: list[_Step]
    medians: list[int]
    last_use: dict[int, int]
    """After which step a register is no longer needed."""


@functools.lru_cache(maxsize=32)
def _network(size: int) -> _Network:
    """Write the network for windows of `size` values."""
    windows = 1 << ((size + 1) // 2).bit_length() - 1
    inputs = size + windows - 1
    made: list[tuple[bool, int, int]] = []
    medians: list[int] = []

    def compare(a: int, b: int) -> list[int]:
        made.extend([(True, a, b), (False, a, b)])
        return [inputs + len(made) - 2, inputs + len(made) - 1]

    def merge(a: list[int], b: list[int]) -> list[int]:
        """Merge two sorted lists (Knuth, TAOCP 3, 5.3.4: odd-even merging)."""
        if not a or not b:
            return a or b
        if len(a) == len(b) == 1:
            return compare(a[0], b[0])
        even, odd = merge(a[::2], b[::2]), merge(a[1::2], b[1::2])
        merged = even[:1]
        for x, y in zip(odd, even[1:], strict=False):
            merged += compare(x, y)
        done = len(merged) // 2
        return merged + odd[done:] + even[1 + done :]

    def sort(values: list[int]) -> list[int]:
        if len(values) < 2:
            return values
        half = len(values) // 2
        return merge(sort(values[:half]), sort(values[half:]))

    def split(candidates: list[int], start: int, stop: int, width: int) -> None:
        """Find the medians of `width` windows that all see the values start to stop."""
        if width == 1:
            medians.extend(candidates)
            return
        half = width // 2
        for begin, end, new in ((start - half, stop, start - half), (start, stop + half, stop)):
            merged = merge(candidates, sort(list(range(new, new + half))))
            # Each value still unseen can move the median by half a place.
            useless = (len(merged) - (size - (end - begin)) - 1) // 2
            split(merged[useless : len(merged) - useless], begin, end, half)

    split(sort(list(range(windows - 1, size))), windows - 1, size, windows)

    # Only what leads to a median is kept: of many a comparison one side only.
    needed = set(medians)
    steps: list[_Step] = []
    for register in reversed(range(inputs, inputs + len(made))):
        if register in needed:
            steps.insert(0, _Step(register, *made[register - inputs]))
            needed.update(made[register - inputs][1:])
    last_use = {r: i for i, step in enumerate(steps) for r in (step.a, step.b)}
    for register in medians:
        last_use.pop(register, None)
    return _Network(windows, inputs, steps, medians, last_use)


def _run(x: torch.Tensor, network: _Network, medians: torch.Tensor) -> None:
    """Run the network on all rows of all lines at once.

    Parameters
    ----------
    x : Tensor [shape=(mirrored values, lines)]
    network : _Network
    medians : Tensor [shape=(rows, windows, lines)]
        Where they are written.
    """
    rows = (len(x) - network.inputs) // network.windows + 1
    stop = (rows - 1) * network.windows + 1
    registers = {i: x[i : i + stop : network.windows] for i in range(network.inputs)}
    for index, step in enumerate(network.steps):
        choose = torch.minimum if step.smaller else torch.maximum
        registers[step.register] = choose(registers[step.a], registers[step.b])
        for used in {step.a, step.b}:
            if network.last_use.get(used) == index:
                del registers[used]  # its memory is taken by the next step, still in the cache
    for window, register in enumerate(network.medians):
        medians[:, window] = registers[register]
