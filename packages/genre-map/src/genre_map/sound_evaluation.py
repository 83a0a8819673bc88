"""Whether what is heard is what was seen: spectrograms made audible, and heard again.

The reference is the genre that the classifier gives to a spectrogram. Judges are classifiers of
other networks, seeds and songs, that had no part in any training of the generator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from genre_map.gan import GenreGAN
from genre_map.gan_evaluation import spread_of
from genre_map.inversion import invert
from genre_map.listening import decoded, listen_again, play_points
from genre_map.mapping import plane_of
from genre_map.model import GenreClassifier
from genre_map.pictures import Layout, read_pictures
from genre_map.songs import SongSet
from genre_map.splits import fold_as_learnt
from genre_map.vocoder import packaged
from groove_core.console import track
from groove_core.learning import about_intervals, means
from groove_core.storage import Cache
from groove_core.values import Audio, Cell, Report

__all__ = ["measure_sounds"]

AT_ONCE = 16
SIDE = 16
"""Points of the map along each side, as the page has them."""


def measure_sounds(
    model: GenreGAN,
    card: Mapping[str, Any],
    songs: SongSet,
    judges: Mapping[str, GenreClassifier],
    *,
    count: int,
    seed: int,
    cache: Cache | None,
) -> Report:
    """Measure how often a sound is heard as the genre that its spectrogram is seen as.

    Parameters
    ----------
    judges : dict of GenreClassifier
        By name.
    count : int
        Spectrograms that are drawn.

    Returns
    -------
    Report
        Real windows cut out of their songs are the most that any inversion can reach; sounds of
        other windows are chance.
    """
    generator = torch.Generator().manual_seed(seed)
    layout = model.classifier.layout
    songs, pictures = read_pictures(songs, layout, cache)
    # The vocoder may have learnt from other songs than classifier and generator.
    _, about = packaged("cpu")
    learnt = {*fold_as_learnt(songs, about).train}
    test = [number for number in fold_as_learnt(songs, card).test if number not in learnt]
    windows, cut = _real(songs, pictures, test, layout, generator)
    listeners = {"classifier": model.classifier, **judges}
    rows: list[tuple[Cell, ...]] = []

    def add(name: str, wanted: Tensor, sounds: Sequence[Tensor] | Tensor) -> None:
        found = [listen_again(judge, sounds) for judge in listeners.values()]
        kept = [(one.argmax(dim=1) == wanted).numpy() for one in found]
        genres = [spread_of(one)[0] for one in found]
        rows.append((name, len(sounds), *means(kept, range(len(sounds))), *genres))

    wanted = model.hear(windows)[1].argmax(dim=1)
    add("real windows, cut out of their songs", wanted, cut)
    made = _inverted(layout, windows)
    add("real windows, made audible", wanted, made)
    z = model.draw(count, generator)
    drawn = model.look(z)
    add("drawn spectrograms", drawn.probabilities.argmax(dim=1), _inverted(layout, drawn.pictures))
    axes = (int(model.plane[0]), int(model.plane[1]))
    base = model.base.cpu()
    points = plane_of(model, base, axes, SIDE)
    add(
        "points of the map, not chosen", points.probabilities.argmax(dim=1),
        _inverted(layout, points.pictures),
    )  # fmt: skip
    played, _, files = play_points(model, base, axes, SIDE)
    add(
        "points of the map, as its page plays them",
        torch.from_numpy(played.pictured).argmax(dim=1), [decoded(one) for one in files],
    )  # fmt: skip
    other = torch.randperm(len(made), generator=generator)  # songs of a genre are neighbours
    add("real windows, the sound of another song", wanted, made[other])
    return Report(
        f"{card['name']}: is a sound heard as its spectrogram is seen?",
        (
            "",
            "sounds",
            *(f"{name} agrees" for name in listeners),
            *(f"effective genres, {name}" for name in listeners),
        ),
        tuple(rows),
        notes=(
            "The genre of a spectrogram is the classifier's; each column is who hears the sound.",
            "Judges have had no part in the training of classifier or generator: another network, "
            "another seed, other songs. What they hear in real windows is the most to expect.",
            "effective genres: exp of the entropy of the genres that are heard, of ten.",
            about_intervals("songs, drawn spectrograms or points"),
        ),
    )


def _real(
    songs: SongSet,
    pictures: Sequence[Tensor],
    numbers: Sequence[int],
    layout: Layout,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Cut a window out of the spectrogram and the sound of each song."""
    windows, sounds = [], []
    hop_s = layout.hop_samples / layout.sample_rate
    length = layout.frames * layout.hop_samples
    for number in track(numbers, "reading songs", total=len(numbers)):
        last = pictures[number].shape[-1] - layout.frames
        start = int(torch.randint(last, (1,), generator=generator))
        sound = Audio.read(
            songs.songs[number].path, sample_rate=layout.sample_rate, mono=True,
            start_s=start * hop_s, duration_s=layout.window_s,
        )  # fmt: skip
        samples = layout.feature.samples(sound).reshape(-1)[:length]
        sounds.append(torch.nn.functional.pad(samples, (0, length - len(samples))))
        windows.append(pictures[number][..., start : start + layout.frames].float())
    return torch.stack(windows), torch.stack(sounds)


def _inverted(layout: Layout, windows: Tensor) -> Tensor:
    parts = windows.split(AT_ONCE)
    return torch.cat([
        invert(some, layout) for some in track(parts, "making audible", total=len(parts))
    ])  # fmt: skip
