"""Maps as people ask for them: of the packaged phrases, or of files, with one's own on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.drums import STEPS_PER_BAR
from groove_core.errors import InputError, UsageError
from groove_core.learning import about_intervals, place_near, trustworthiness, tsne
from groove_core.values import Cell, Report
from music_vae.alphabets import without_lone_offs
from music_vae.atlas.gathering import BARS, Gathered, roles_of
from music_vae.atlas.phrasemap import LAYOUTS, PhraseMap
from music_vae.atlas.planes import Axes, Plane, axes_of, main_axes, role_plane
from music_vae.coding import codes_of
from music_vae.model import MusicVAE

__all__ = ["draw_map"]

FEWEST = 5
ROLE_AXES: Axes = ("more like a verse", "more like a chorus", "", "more like a bridge")

Floats = npt.NDArray[np.float64]


def draw_map(
    network: MusicVAE,
    card: Mapping[str, Any],
    phrases: Gathered,
    yours: Gathered | None = None,
    *,
    perplexity: float = 30,
    seed: int = 1,
) -> PhraseMap:
    """Draw the map of phrases in the latent space of a model.

    Parameters
    ----------
    network, card : MusicVAE and its card
        Of melodies.
    phrases : Gathered
    yours : Gathered, optional
        Further phrases, which are shown where they lie among the others.
    perplexity : float
        About how many neighbours t-SNE keeps together.

    Raises
    ------
    UsageError
        If the model is not one of melodies.
    InputError
        If there are too few phrases.
    """
    if network.voices != ("melody",):
        raise UsageError(
            f"A map of phrases needs a model of melodies, not of {' and '.join(network.voices)}.",
            hint="Use --model mel-2bar or mel-16bar.",
        )
    if len(phrases) < FEWEST:
        raise InputError(
            f"{len(phrases)} phrases are too few for a map.", hint=f"Give {FEWEST} or more."
        )
    codes, parts, events = _coded(network, phrases)
    own, _, sounds = _coded(network, yours) if yours else (codes[:0], parts, events[:0])
    planes, axes, rows, notes = _planes(codes, phrases, own, events, perplexity, seed)
    every = [phrases, *([yours] if yours else [])]
    roles = roles_of(phrases)
    sources, source = _numbered(name for one in every for name in one.source)
    keys, key = _numbered(name for one in every for name in one.key)
    report = Report(
        f"map of {len(phrases)} phrases", ("", "trustworthiness", "continuity", "area"), rows,
        notes=notes,
    )  # fmt: skip
    return PhraseMap(
        model=card["name"],
        events=np.concatenate([events, sounds]),
        codes=np.concatenate([codes, own]),
        parts=parts,
        layouts={n: np.concatenate([p.positions, p.yours]) for n, p in planes.items()},
        group=np.array([roles.index(one) for one in phrases.role] + [len(roles)] * len(own)),
        source=source,
        key=key,
        first=np.concatenate([one.first for one in every]),
        bars=np.concatenate([one.bars for one in every]),
        tempo=np.rint(np.concatenate([one.tempo for one in every])),
        groups=roles,
        sources=sources,
        keys=keys,
        axes=axes,
        measures=report,
        yours=tuple(f"{s}:{b}" for s, b in zip(yours.source, yours.first, strict=True))
        if yours
        else (),
        network=network,
    )


def _numbered(names: Any) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return different names in their order, and the number of each."""
    numbers: dict[str, int] = {}
    each = np.array([numbers.setdefault(name, len(numbers)) for name in names])
    return tuple(numbers), each


def _coded(network: MusicVAE, phrases: Gathered) -> tuple[Floats, int, npt.NDArray[np.int64]]:
    """Return the codes of phrases, how many parts each has, and the events that were read."""
    bars = max(BARS, network.bars)
    parts = bars // network.bars
    events = phrases.looped(bars)
    windows = events.reshape(len(phrases) * parts, network.bars * STEPS_PER_BAR)
    read = np.stack([without_lone_offs(one) for one in windows])[:, None]
    codes = codes_of(network, read).numpy().astype(np.float16).astype(np.float64)
    return codes.reshape(len(phrases), -1), parts, events


def _planes(
    codes: Floats,
    phrases: Gathered,
    own: Floats,
    events: npt.NDArray[np.int64],
    perplexity: float,
    seed: int,
) -> tuple[dict[str, Plane], dict[str, Axes], list[tuple[Cell, ...]], tuple[str, ...]]:
    """Lay codes out in up to three ways, and measure each."""
    planes: dict[str, Plane] = {}
    axes: dict[str, Axes] = {}
    notes = []
    note(f"laying out {len(codes)} phrases")
    try:
        layout = tsne(codes, perplexity=perplexity, seed=seed, extra="music-vae[map]")
        planes["likeness"] = Plane(layout, place_near(codes, layout, own))
    except UsageError as error:
        note(f"{error.message} The map is without the layout Likeness: {error.hint}")
    planes["axes"], share = main_axes(codes, own)
    axes["axes"] = axes_of(planes["axes"].positions, events)
    notes.append(f"Main axes: the two principal components, {share:.0%} of the variance of codes.")
    areas: tuple[tuple[str, Any], ...] = ()
    if found := role_plane(codes, phrases.role, phrases.song, own):
        planes["roles"], told = found
        axes["roles"] = ROLE_AXES
        areas = tuple(told.items())
        notes.append(
            "Roles: each song is placed by logistic regressions on codes, fitted to other songs. "
            "area: share of the pairs of which the reading tells which is which; .5 is chance."
        )
    elif len(set(phrases.role)) > 1:
        notes.append(
            "Roles: in songs that were not learnt, codes do not tell choruses from verses."
        )
    rows: list[tuple[Cell, ...]] = []
    for name, plane in planes.items():
        near = _nearness(codes, plane.positions)
        rows.append((LAYOUTS[name], *near, None))
    rows += [(name, None, None, area) for name, area in areas]
    notes.append(
        "trustworthiness: whether the 12 nearest on the plane are near in the space; continuity: "
        "whether the 12 nearest in the space are near on the plane; 1 is perfect, .5 chance."
    )
    if areas:
        notes.append(about_intervals("songs"))
    return planes, axes, rows, tuple(notes)


def _nearness(codes: Floats, positions: Floats) -> tuple[float | None, float | None]:
    try:
        return trustworthiness(codes, positions), trustworthiness(positions, codes)
    except InputError:  # too few phrases to tell
        return None, None
