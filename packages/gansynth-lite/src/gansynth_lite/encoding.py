"""From sounds to instruments: by the encoder, and by descent from there.

Zhu et al., "Generative Visual Manipulation on the Natural Image Manifold" (1609.03552), 3.2: a
network guesses the code, an optimiser improves it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gansynth_lite.layout import Layout
from gansynth_lite.model import GANSynth
from gansynth_lite.notes import fitted
from gansynth_lite.pitch import cents, detect_f0
from gansynth_lite.progressive import ProgressiveGAN
from gansynth_lite.recordings import settled
from gansynth_lite.single import end_of, one_note
from groove_core.console import track
from groove_core.errors import InputError
from groove_core.learning import pixel_norm
from groove_core.values import Audio

__all__ = ["Note", "find_instruments", "to_note"]

RATE = 0.05
STARTS = 8
"""Random codes among which to begin where there is no encoder."""


class Note(NamedTuple):
    """A recorded note."""

    samples: Tensor
    """[shape=(samples of the layout,), peak 1]"""
    pitch: float
    end_s: float
    """Until then its key is held."""
    cut: bool
    """Whether there was another note behind it."""


def to_note(
    sound: Audio, layout: Layout, pitch: float | None, name: str, *, named: int | None = None
) -> Note:
    """Cut a sound to the length of a note, and find its pitch unless it is known.

    What a name says is settled with what is heard, see `gansynth_lite.recordings.settled`.

    Parameters
    ----------
    sound : Audio
        A single note, at any sample rate; it begins where it becomes louder than -40 dB of its
        peak.
    layout : Layout
    pitch : float, optional [MIDI]
    name : str
        For messages.
    named : int, optional [MIDI]
        What the name of its file says, see `gansynth_lite.recordings.pitch_of_name`.

    Returns
    -------
    Note

    Raises
    ------
    InputError
        If the sound is silent, no pitch is heard in it, or it is not one note.
    """
    rate = layout.sample_rate
    mono = sound.to_mono().resampled(rate).samples[0]
    peak = float(abs(mono).max(initial=0.0))
    whole, end_s, cut = None, 0.0, False
    if peak:
        begin = int((abs(mono) > 0.01 * peak).argmax())
        mono, cut = one_note(mono[begin:] / peak, rate, name, known=pitch is not None)
        end_s = end_of(mono[: layout.samples], rate)
        whole = fitted(mono, layout.samples, rate)
    if whole is None:
        raise InputError(f"{name} is silent.", hint="Give the sound of one note.")
    samples = torch.from_numpy(whole).float() / 32_767
    if pitch is None:
        f0 = detect_f0(samples[None], rate, high_hz=rate / 4)
        heard = 69 + float(cents(f0, torch.tensor([69.0]))) / 100 if f0.isfinite().all() else None
        (pitch,) = settled([named], [heard])
        if pitch is None:
            raise InputError(
                f"No pitch is heard in {name}.", hint="Say which it is with --pitch, such as C4."
            )
    return Note(samples, pitch, end_s, cut)


def find_instruments(
    model: GANSynth | ProgressiveGAN,
    samples: Tensor,
    pitches: Tensor,
    *,
    steps: int = 0,
    seed: int = 0,
) -> Tensor:
    """Find the instruments whose notes are nearest to given ones.

    Parameters
    ----------
    samples : Tensor [shape=(n, samples), peak 1]
    pitches : Tensor [shape=(n,), MIDI]
    steps : int
        Of descent on the mean difference of log magnitudes.
    seed : int
        Where there is no encoder, of the codes among which the search begins.

    Returns
    -------
    Tensor [shape=(n, code)]
    """
    pictures = model.layout.to_pictures(samples)
    if isinstance(model, GANSynth):
        with torch.inference_mode():
            begin = model.encode(pictures, pitches)
    else:
        begin = _guess(model, pictures, pitches, seed)
    if not steps:
        return begin
    w = begin.clone().requires_grad_()
    optimizer = torch.optim.Adam([w], RATE, (0.9, 0.99))
    best, least = begin, torch.full((len(w),), torch.inf, device=w.device)
    for _ in track(range(steps), "searching", total=steps):
        now = pixel_norm(w)
        away = _away(model, now, pitches, pictures)
        nearer = (away < least).detach()
        least = torch.where(nearer, away.detach(), least)
        best = torch.where(nearer[:, None], now.detach(), best)
        optimizer.zero_grad()
        away.sum().backward()
        optimizer.step()
    return best


def _away(model: GANSynth | ProgressiveGAN, w: Tensor, pitches: Tensor, pictures: Tensor) -> Tensor:
    """Give the mean difference of log magnitudes [shape=(n,)]."""
    away: Tensor = (model(w, pitches)[:, 0] - pictures[:, 0]).abs().mean(dim=(1, 2))
    return away


@torch.inference_mode()
def _guess(model: ProgressiveGAN, pictures: Tensor, pitches: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    tried = pixel_norm(torch.randn(STARTS, model.code, generator=generator)).to(pictures)
    found = []
    for picture, pitch in zip(pictures, pitches, strict=True):
        away = _away(model, tried, pitch.expand(STARTS), picture.expand(STARTS, -1, -1, -1))
        found.append(tried[away.argmin()])
    return torch.stack(found)
