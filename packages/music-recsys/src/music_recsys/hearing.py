"""What is compared in a measurement: ways to hear a song, all from the same mel bands.

Beside the front ends there are two controls: the same network untrained, with its last layer
found as theirs was, and the mean and deviation of MFCC.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.storage import Cache
from music_recsys.features import Columns, windows_of
from music_recsys.model import PassageNet
from music_recsys.songs import SongSet, read_columns
from music_recsys.training import COMPONENTS, directions, front_end, whitened

__all__ = ["BASELINE", "RANDOM", "UNTRAINED", "Hear", "Material", "compared", "parts"]

Floats = npt.NDArray[np.float64]
Hear = Callable[[Tensor], Floats]
"""Mel bands of a song [shape=(bands, frames)] to its excerpts [shape=(excerpts, d)]."""
BASELINE, RANDOM, UNTRAINED = "mean MFCC + logistic regression", "random", "untrained network"
SOME = 300
"""Songs by which an untrained network is scaled."""
MFCC, BANDS = Columns("mfcc"), Columns("log-mel")


class Material:
    """Songs as mel bands, from which every way of hearing has what it needs.

    Parameters
    ----------
    songs : SongSet
    cache : Cache, optional
    """

    def __init__(self, songs: SongSet, cache: Cache | None) -> None:
        self.songs, self.bands = read_columns(songs.songs, BANDS, cache)
        # Controls are scaled by songs on which nothing is measured, if there are any.
        new = [n for n, song in enumerate(self.songs) if not song.learnt]
        learnt = [n for n, song in enumerate(self.songs) if song.learnt] or new
        self.known = [self.bands[n] for n in learnt]
        families = {one: n for n, one in enumerate(sorted({s.family for s in self.songs}))}
        self.owner = [families[self.songs[n].family] for n in learnt]

    def untrained(self, net: PassageNet) -> PassageNet:
        """Make a network of random weights, and find the rest of it as that of `net` was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            twin = front_end(net.kind, net.reader, net.span, net.space, summary=net.summary).eval()
        columns = [net.columns.of_bands(x.float()) for x in self.known]
        some = columns[:: len(columns) // SOME + 1]
        twin.standardise(torch.cat(some, dim=1))
        twin.settle(windows_of(x) for x in some)
        whitened(twin, columns, self.owner)
        return twin.to(net.mean.device)

    def statistics(self, *, whole: bool) -> Hear:
        """Hear mean and deviation of MFCC, of whole songs or of each excerpt, standardised."""
        known = [MFCC.of_bands(x.float()) for x in self.known]
        heard = torch.stack([_summary(x if whole else windows_of(x)[0]) for x in known])
        mean, deviation = heard.mean(dim=0), heard.std(dim=0) + 1e-9

        def hear(bands: Tensor) -> Floats:
            columns = MFCC.of_bands(bands.float())
            some = [columns] if whole else list(windows_of(columns))
            scaled: Floats = ((torch.stack([*map(_summary, some)]) - mean) / deviation).numpy()
            return scaled

        return hear


def _for(net: PassageNet, bands: Tensor) -> Tensor:
    return net.columns.of_bands(bands.float())


def _summary(columns: Tensor) -> Tensor:
    """Return mean and deviation of each row [shape=(2 rows,)]."""
    return torch.cat([columns.mean(dim=1), columns.std(dim=1)]).double()


def by(net: PassageNet) -> Hear:
    """Hear as a front end does."""
    return lambda bands: net.listen(_for(net, bands)).double().numpy()


def compared(
    material: Material, nets: Mapping[str, PassageNet], *, whole: bool = True
) -> dict[str, Hear]:
    """Return front ends by name, and their controls.

    Parameters
    ----------
    material : Material
    nets : dict of PassageNet
        The untrained network is the twin of the first one.
    whole : bool
        Whether the statistics are those of songs, not of excerpts.
    """
    twin = material.untrained(next(iter(nets.values())))
    found = {name: by(net) for name, net in {**nets, UNTRAINED: twin}.items()}
    return {**found, BASELINE: material.statistics(whole=whole)}


def parts(material: Material, net: PassageNet) -> dict[str, Hear]:
    """Return what a front end is made of, alone and together, trained and not, in every space."""
    statistics = _once(material.statistics(whole=False))
    found: dict[str, Hear] = {"MFCC statistics of songs": material.statistics(whole=True)}
    found |= _spaces("MFCC statistics of excerpts", statistics, material)
    for name, one in (("untrained", material.untrained(net)), ("trained", net)):
        title, read = f"{net.reader}, {name}", _read(one)
        spaces = _spaces(title, read, material)
        both = _together(spaces[f"{title}, components"], statistics)
        found |= {**spaces, f"{title}, components, and MFCC statistics": both}
        if net.summary:
            found[f"{title}, {net.space}, and statistics of its input"] = by(one)
    return found


def _read(net: PassageNet) -> Hear:
    """Hear what the reader of a network gives, without its last layer."""
    return _once(lambda bands: net.seen(_for(net, bands))[:, : net.features].double().cpu().numpy())


def _spaces(title: str, hear: Hear, material: Material) -> dict[str, Hear]:
    """Return a way of hearing as it is, and turned to the directions of each space.

    As it is, it is centred and divided by one number: the scale of a prior is not a whitening.
    """
    each = [torch.from_numpy(hear(x)[::4]) for x in material.known]
    owner = torch.tensor(material.owner).repeat_interleave(torch.tensor([*map(len, each)]))
    x = torch.cat(each)
    mean = x.mean(dim=0)
    x = x - mean
    count = min(COMPONENTS, x.shape[1])
    turns = {
        title: torch.eye(x.shape[1], dtype=x.dtype) / x.square().mean().sqrt(),
        f"{title}, components": directions("components", x, owner, count),
        f"{title}, pieces": directions("pieces", x, owner, count),
    }

    def turned(turn: Floats, bands: Tensor) -> Floats:
        found: Floats = (hear(bands) - mean.numpy()) @ turn
        return found

    return {name: functools.partial(turned, turn.numpy()) for name, turn in turns.items()}


def _together(first: Hear, second: Hear) -> Hear:
    return lambda bands: np.concatenate([first(bands), second(bands)], axis=1)


def _once(hear: Hear) -> Hear:
    """Remember what was heard last: several ways of hearing a song begin with it."""
    return functools.lru_cache(maxsize=1)(hear)
