"""What filters listen for: the excerpts that move them most, and their shape in time.

The source looked at the weights of filters and found envelopes in them. A filter three columns
wide shows little by itself; here each is shown by the gradient of its response (Simonyan,
Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2014), by the excerpts that move
it most, and by how closely its response follows the envelope of the sound.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.actions import each, names
from groove_core.values import Audio
from music_recsys.features import PER_SECOND
from music_recsys.model import FIELDS, LAYERS, STRIDES, PassageNet
from music_recsys.results import Filters, Unit

__all__ = ["excerpt", "find_filters", "following", "medley"]

Floats = npt.NDArray[np.float64]
EXCERPT_S = 1.2
PAUSE_S = 0.3


def shape_of(net: PassageNet, columns: Tensor, layer: int, channel: int, step: int) -> Tensor:
    """Give how a step of a filter depends on the columns it hears [shape=(rows, field)].

    In units of the rows' deviations; over all rows of its map together.
    """
    start = step * STRIDES[layer - 1]
    heard = columns[:, start : start + FIELDS[layer - 1]].float().clone().requires_grad_()
    response = net.maps(heard[None], layer)[0, channel].sum()
    (gradient,) = torch.autograd.grad(response, heard)
    return (gradient * net.deviation[:, None]).cpu()


def find_filters(net: PassageNet, sounds: Sequence[Audio], *, count: int, name: str) -> Filters:
    """Find what moves filters most: those whose responses differ most from second to second.

    Parameters
    ----------
    sounds : sequence of Audio
        One that cannot be used is left out. Only those that are shown are read again.
    count : int
        Filters to show.
    name : str
        Of the model.
    """
    found = each(
        range(len(sounds)),
        lambda number, song: (number, song, net.columns.of(sounds[number]).to(net.mean)),
        "listening",
        files=names(sounds),
    )
    numbers, songs, columns = zip(*found, strict=True)
    with torch.no_grad():
        responses = [
            net.maps(one[None])[0].mean(dim=1).cpu() for one in columns
        ]  # (channels, steps)
    spread = torch.cat(responses, dim=1).std(dim=1)
    units, heard = [], []
    for channel in spread.argsort(descending=True, stable=True)[:count].tolist():
        peaks = [float(one[channel].max()) for one in responses]
        song = int(np.argmax(peaks))
        step = int(responses[song][channel].argmax())
        middle_s = (step * STRIDES[-1] + FIELDS[-1] / 2) / PER_SECOND
        shape = shape_of(net, columns[song], LAYERS, channel, step)
        units.append(
            Unit(
                channel,
                shape.double().numpy().round(5).tolist(),
                songs[song],
                round(middle_s, 2),
            )
        )
        heard.append(excerpt(sounds[numbers[song]], middle_s - EXCERPT_S / 2, EXCERPT_S))
    rows = "cepstral coefficients" if net.kind == "mfcc" else "mel bands"
    return Filters(name, rows, tuple(units), sound=medley(heard, PAUSE_S))


def excerpt(sound: Audio, start_s: float, duration_s: float) -> Audio:
    """Cut out a passage of a sound in mono, with soft ends, however near to an end it is."""
    length = min(duration_s, sound.duration_s)
    start_s = min(max(0.0, start_s), sound.duration_s - length)
    cut = sound.to_mono().excerpt(start_s, length)
    samples = cut.samples[0].copy()
    fade = min(len(samples) // 2, int(0.02 * cut.sample_rate))
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    samples[:fade] *= ramp
    samples[len(samples) - fade :] *= ramp[::-1]
    return Audio(samples, cut.sample_rate)


def medley(sounds: Sequence[Audio], pause_s: float, sample_rate: int = 44_100) -> Audio | None:
    """Play sounds one after the other, all equally loud at their peaks; None of none."""
    if not sounds:
        return None
    level = [sound.resampled(sample_rate).normalized(-3.0) for sound in sounds]
    return Audio.join(level, pause_s=pause_s)


def following(net: PassageNet, sound: Audio, layer: int) -> Floats:
    """Tell how closely filters follow the envelope of a sound.

    Returns
    -------
    float array [shape=(channels,)]
        Absolute correlation, over time, of each filter's mean response with the level (root mean
        square) of the sound in the columns that it hears.
    """
    columns = net.columns.of(sound)
    with torch.no_grad():
        response = net.maps(columns[None], layer)[0].mean(dim=1).double().numpy()
    samples = sound.to_mono().resampled(net.columns.feature.sample_rate).samples[0].astype(float)
    hop = net.columns.feature.hop_samples
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    power = np.square(frames).mean(axis=1)
    stride, width = STRIDES[layer - 1], FIELDS[layer - 1]
    starts = np.arange(response.shape[1]) * stride
    starts = starts[starts + width <= len(power)]
    envelope = np.sqrt([power[s : s + width].mean() for s in starts])
    kept = response[:, : len(starts)]
    moved = kept.std(axis=1) > 1e-9
    correlation = np.zeros(len(kept))
    for channel in np.flatnonzero(moved):
        correlation[channel] = abs(np.corrcoef(kept[channel], envelope)[0, 1])
    return correlation
