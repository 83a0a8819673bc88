"""Why a genre: which cells of a spectrogram speak for it.

Selvaraju et al., "Grad-CAM" (1610.02391), on logits: a saturated softmax has no gradient.
Petsiuk et al., "RISE" (1806.07421), for deletion and insertion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from genre_map.model import GenreClassifier
from genre_map.pictures import Layout, to_windows
from groove_core.devices import widest
from groove_core.dsp import istft, stft
from groove_core.errors import InputError
from groove_core.learning import bootstrap, interval
from groove_core.values import Audio, Estimate, Report, SoundRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MARKED", "Explanation", "explain_sound", "faithfulness", "grad_cam"]

MARKED = 0.2
"""Share of a picture that is marked: the fifth that speaks most."""
SHOWN_S = 24.0
LONGEST_S = 600.0
SHIFTS = 4
AT_ONCE = 64

Floats = npt.NDArray[np.float64]


def grad_cam(model: GenreClassifier, windows: Tensor, genres: Tensor) -> Tensor:
    """Give how much each cell of the feature map A speaks for a genre.

    alpha_k is the mean over cells of dy/dA_k, y the genre's logit; the map is
    ReLU(sum_k alpha_k A_k).

    Parameters
    ----------
    windows : Tensor [shape=(n, parts, n_mels, frames)]
    genres : Tensor [shape=(n,), int64]

    Returns
    -------
    Tensor [shape=(n, cells along frequency, cells along time)]
    """
    with torch.enable_grad():
        maps = model.trunk(windows).detach().requires_grad_()
        logits = model.head(model.pool(maps))
        (slope,) = torch.autograd.grad(logits.gather(1, genres[:, None]).sum(), maps)
    alpha = slope.mean(dim=(2, 3), keepdim=True)
    heat: Tensor = (alpha * maps).sum(dim=1).relu().detach()
    return heat


def _marked(heat: Tensor) -> Tensor:
    """Mark the hottest fifth of each map [shape=(n, rows, columns)], exactly so many cells."""
    flat = heat.flatten(1)
    count = max(1, round(MARKED * flat.shape[1]))
    mask = torch.zeros_like(flat, dtype=torch.bool)
    return mask.scatter_(1, flat.topk(count, dim=1).indices, True).view_as(heat)


def _without(windows: Tensor, mask: Tensor) -> Tensor:
    """Fill the marked cells of windows with what is usual in their bands: nothing special."""
    size = windows.shape[-2:]
    wide = F.interpolate(mask[:, None].float(), size=size, mode="nearest").bool()
    usual = windows.mean(dim=3, keepdim=True).expand_as(windows)
    return torch.where(wide, usual, windows)


def faithfulness(
    model: GenreClassifier, windows: Tensor, owner: Sequence[int], *, seed: int
) -> Report:
    """Check that a clip's genre hangs on what is marked.

    Of each window the marked fifth is deleted, or all but it, and so are random fifths: cells
    at random, and the marked shape shifted at random, which is as connected. The probability
    is that of the clip: the mean over its windows.

    Parameters
    ----------
    windows : Tensor [shape=(n, parts, n_mels, frames)]
    owner : sequence of int
        The clip of each window: 0, 1 ...
    seed : int
    """
    generator = torch.Generator().manual_seed(seed)
    clip = torch.as_tensor(owner)
    share = F.one_hot(clip).T.to(windows.device, widest(windows.device))
    share = share / share.sum(dim=1, keepdim=True)

    def heard(pictures: Tensor) -> Tensor:
        """Give the probabilities of clips [shape=(clips, genres)]."""
        return share @ model.probabilities(model.listen(pictures)).to(share)

    before = heard(windows)
    genres = before.argmax(dim=1)
    mask = torch.cat([
        _marked(grad_cam(model, some, wanted))
        for some, wanted in zip(windows.split(AT_ONCE), genres[clip].split(AT_ONCE), strict=True)
    ])  # fmt: skip

    def probability(masks: Tensor) -> Tensor:
        return heard(_without(windows, masks)).gather(1, genres[:, None]).squeeze(1)

    def mean_of(masks: list[Tensor], *, keep: bool) -> Tensor:
        return torch.stack([probability(~one if keep else one) for one in masks]).mean(dim=0)

    cells = [_marked(torch.rand(mask.shape, generator=generator)) for _ in range(SHIFTS)]
    shifted = []
    for _ in range(SHIFTS):
        by = [int(torch.randint(size, (), generator=generator)) for size in mask.shape[1:]]
        shifted.append(mask.roll(by, dims=(1, 2)))
    own = before.gather(1, genres[:, None]).squeeze(1)
    rows = []
    for name, keep in (("deleted", False), ("kept alone", True)):
        marked = mean_of([mask], keep=keep)
        for what, masks in (("random cells", cells), ("the same shape elsewhere", shifted)):
            random = mean_of(masks, keep=keep)
            right = (marked > random) if keep else (marked < random)
            rows.append(
                (
                    f"{name}, against {what}", _share(right), float(own.mean()),
                    float(marked.mean()), float(random.mean()),
                )
            )  # fmt: skip
    return Report(
        f"Grad-CAM on {len(own)} clips: the marked fifth against a random fifth",
        ("", "marked one matters more", "probability before", "marked", "random"),
        tuple(rows),
        notes=(
            "Cells are filled with the mean of their band in the window; a clip's probability is "
            "the mean over its windows.",
        ),
    )


def _share(right: Tensor) -> Estimate:
    weights = bootstrap(len(right))
    return interval((weights @ right.double().numpy()) / weights.sum(axis=1))


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(SoundRecord):
    """A spectrogram with what speaks for a genre marked, and that part alone to listen to.

    Parameters
    ----------
    name : str
        Of the sound.
    genre : str
    probability : float
        Of the genre, for the whole sound.
    picture : float array [shape=(parts, n_mels, frames), 0 to 1]
    heat : float array [shape=(rows, columns), 0 to 1]
        How much each cell speaks for the genre, over the whole picture.
    step_s : float
        From one frame of the picture to the next.
    sound : Audio
        The marked part alone.
    """

    kind: ClassVar[str] = "genre-explanation"
    default_formats: ClassVar[tuple[str, ...]] = ("json", "png", "wav")
    keys = "name genre probability step_s seconds heat picture"
    digits: ClassVar = {"picture": 3, "heat": 3}

    name: str
    genre: str
    probability: float
    picture: Floats
    heat: Floats
    step_s: float

    def seconds(self) -> list[dict[str, Any]]:
        """Give the seconds that speak most for the genre, the best first, and their share."""
        column_s = self.step_s * self.picture.shape[2] / self.heat.shape[1]
        per_second = max(1, round(1 / column_s))
        along = self.heat.mean(axis=0)
        starts = range(0, len(along), per_second)
        sums = np.array([along[a : a + per_second].sum() for a in starts])
        share = sums / max(1e-9, float(sums.sum()))
        order = np.argsort(-share, kind="stable")
        return [
            {"start_s": round(i * per_second * column_s, 2), "share": float(share[i])}
            for i in order
        ]

    def to_text(self) -> str:
        best = ", ".join(
            f"{one['start_s']:.0f} s ({one['share']:.0%})" for one in self.seconds()[:5]
        )
        return f"{self.name}: {self.genre} {self.probability:.0%}\nspeaks most at {best}"

    def __repr__(self) -> str:
        return f"Explanation({self.name!r}, {self.genre} {self.probability:.0%})"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw both parts of the spectrogram; what does not speak for the genre is pale."""
        from groove_core.values import PALETTE, panel, sheet

        duration_s = self.picture.shape[2] * self.step_s
        start_s = 0.0
        if duration_s > SHOWN_S:
            along = self.heat.mean(axis=0)
            per = max(1, round(SHOWN_S / duration_s * len(along)))
            best = int(np.convolve(along, np.ones(per), "valid").argmax())
            start_s = best / len(along) * duration_s
        end_s = min(duration_s, start_s + SHOWN_S)
        first, last = (round(t / self.step_s) for t in (start_s, end_s))
        names = ("harmonic", "percussive") if len(self.picture) == 2 else ("mel",)
        title = f"{self.name}: what speaks for {self.genre} ({self.probability:.0%})"
        ax = sheet(ax, 10, 1 + 2.3 * len(names), title, fontsize=10)
        wide = F.interpolate(
            torch.tensor(self.heat)[None, None], size=self.picture.shape[1:],
            mode="bilinear", align_corners=False,
        )[0, 0].numpy()  # fmt: skip
        edge = float(np.quantile(wide, 1 - MARKED))
        extent = (start_s, end_s, 0, self.picture.shape[1])
        for number, name in enumerate(names):
            height = 1 / len(names)
            inner = panel(ax, (0, 1 - (number + 1) * height + 0.06, 1, height - 0.1))
            part, heat = self.picture[number, :, first:last], wide[:, first:last]
            inner.imshow(
                part, origin="lower", aspect="auto", cmap="gray_r", extent=extent, vmin=0, vmax=1
            )
            clear = np.zeros((*heat.shape, 4))
            clear[..., :3] = (0.84, 0.37, 0.0)
            clear[..., 3] = 0.55 * np.clip(heat / max(1e-9, float(wide.max())), 0, 1) ** 0.7
            inner.imshow(clear, origin="lower", aspect="auto", extent=extent)
            inner.contour(
                heat,
                levels=[edge],
                colors=PALETTE[1],
                linewidths=0.8,
                origin="lower",
                extent=extent,
            )
            inner.set_ylabel(f"{name}\nmel band", fontsize=8)
            if number + 1 < len(names):
                inner.set_xticklabels([])
            else:
                inner.set_xlabel("seconds", fontsize=8)
        return ax


def explain_sound(
    model: GenreClassifier, sound: Audio, *, name: str, genre: str | None = None
) -> Explanation:
    """Mark what in a sound speaks for a genre: the one it is given, or the most probable one.

    Explanations of overlapping windows are averaged.

    Raises
    ------
    InputError
        If the sound is shorter than a window, too long, or silent.
    """
    layout = model.layout
    if sound.duration_s > LONGEST_S:
        raise InputError(
            f"{sound.duration_s / 60:.0f} minutes are too long to be explained.",
            hint=f"Cut out {LONGEST_S / 60:.0f} minutes or less.",
        )
    mono = sound.to_mono().resampled(layout.sample_rate)
    picture = layout.of(mono)
    windows = to_windows(picture, layout)
    probabilities = model.probabilities(model.listen(windows)).mean(dim=0)
    number = int(probabilities.argmax()) if genre is None else model.genres.index(genre)
    heats = torch.cat(
        [grad_cam(model, some, torch.full((len(some),), number)) for some in windows.split(AT_ONCE)]
    )
    columns = heats.shape[2]
    half = columns // 2
    total = torch.zeros(heats.shape[1], half * (len(windows) + 1))
    times = torch.zeros(total.shape[1])
    for index, heat in enumerate(heats):
        total[:, index * half : index * half + columns] += heat
        times[index * half : index * half + columns] += 1
    heat = total / times.clamp_min(1)
    heat = heat / heat.max().clamp_min(1e-9)
    covered = picture[..., : (len(windows) + 1) * layout.frames // 2]
    return Explanation(
        name=name,
        genre=model.genres[number],
        probability=float(probabilities[number]),
        picture=covered.numpy(),
        heat=heat.numpy(),
        step_s=layout.hop_samples / layout.sample_rate,
        sound=_marked_part(mono, heat, covered.shape[-1], layout),
    )


def _marked_part(mono: Audio, heat: Tensor, frames: int, layout: Layout) -> Audio:
    """Keep only the hottest fifth of a sound's spectrogram."""
    samples = torch.tensor(mono.samples[0])
    heard = stft(samples, n_fft=layout.n_fft, hop_samples=layout.hop_samples)
    mask = (_marked(heat[None]) & (heat > 0))[None].float()
    mask = F.interpolate(mask, size=(layout.n_mels, frames), mode="bilinear", align_corners=False)
    # Bands to bins: each bin belongs to the bands whose filters hear it.
    filters = layout.feature.filters
    weights = filters.float() / filters.float().sum(dim=0, keepdim=True).clamp_min(1e-9)
    bins = torch.einsum("mb,mt->bt", weights, mask[0, 0])
    kept = torch.zeros(heard.shape[-2:])
    kept[:, :frames] = bins[:, : kept.shape[1]]
    sound = istft(heard * kept, hop_samples=layout.hop_samples, length=len(samples))
    return Audio(sound[None].numpy(), layout.sample_rate).normalized()
