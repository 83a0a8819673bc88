"""From codes to pieces: what the verbs have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groove_core.actions import each
from groove_core.console import note
from groove_core.errors import UsageError
from groove_core.values import LeadSheet, Score, key_sharps
from music_vae.attributes import attributes_of, measure
from music_vae.coding import BATCH, codes_of
from music_vae.excerpts import Excerpt, excerpts
from music_vae.matching import key_of, moved, way_to
from music_vae.model import MusicVAE
from music_vae.results import Piece
from music_vae.shifting import along

__all__ = [
    "check_key", "check_known", "code_of", "codes_of_files", "drawn", "measured", "shifted",
    "varied", "written",
]  # fmt: skip

ROUNDS = 8
"""How many pieces are drawn at most for each that is wanted in a key."""

Ints = npt.NDArray[np.int64]


def check_key(key: str | None, voices: Sequence[str]) -> None:
    """Refuse a key that is none, or that drums are to have.

    Raises
    ------
    UsageError
    """
    if key is not None:
        key_sharps(key)
        if tuple(voices) == ("drums",):
            raise UsageError("Drums have no key.", hint="Leave --key out.")


def written(
    network: MusicVAE, codes: Tensor, temperature: float, generator: torch.Generator
) -> Iterator[Ints]:
    """Write the events of pieces [each shape=(voices, steps)], as they are asked for."""
    for chunk in codes.split(BATCH):
        made = network.decode(chunk, temperature=temperature, generator=generator)
        yield from made.cpu().numpy()


def code_of(network: MusicVAE, events: Ints) -> Tensor:
    """Return the code of a piece [shape=(latent,)], on the CPU."""
    return codes_of(network, events[None])[0]


def codes_of_files(
    network: MusicVAE, pieces: Sequence[Score | LeadSheet], track: str | None = None
) -> tuple[Tensor, list[str]]:
    """Return the codes of the excerpts of many files, and what each is called: name and bar.

    Raises
    ------
    InputError
        If no file can be used.
    """
    quiet = len(pieces) > 1

    def read(piece: Score | LeadSheet, name: str) -> tuple[str, list[Excerpt]]:
        return name, excerpts(piece, network.voices, network.bars, track=track, quiet=quiet)

    found = [(f"{name}:{one.bar}", one.events) for name, some in each(pieces, read) for one in some]
    codes = codes_of(network, np.stack([events for _, events in found]))
    return codes, [label for label, _ in found]


def drawn(
    network: MusicVAE,
    draw: Callable[[int], Tensor],
    count: int,
    temperature: float,
    generator: torch.Generator,
    key: str | None,
) -> Iterator[Ints]:
    """Write pieces from codes that are drawn, moved to a key if one is wanted.

    Parameters
    ----------
    draw : callable
        Returns so many codes.
    key : str or None
        Pieces that sound in the other mode are not taken, if there are enough in this one.
    """
    if key is None:
        yield from written(network, draw(count), temperature, generator)
        return
    sharps, minor = key_sharps(key)
    others: list[Ints] = []
    left = count
    for _ in range(ROUNDS):
        for events in written(network, draw(count), temperature, generator):
            found = key_of(events, network.voices)
            if found is None or not left:
                continue
            by = moved(events, network.voices, way_to(sharps, found[0]))
            if found[1] == minor:
                left -= 1
                yield by
            else:
                others.append(by)
        if not left:
            return
    name = "minor" if minor else "major"
    note(f"{count - left} of {count} pieces sound in {name}; the others have its signature only")
    yield from others[:left]


def varied(
    network: MusicVAE, excerpt: Excerpt, codes: Tensor, temperature: float,
    generator: torch.Generator, *, flat: bool, alone: bool,
) -> Iterator[Piece]:  # fmt: skip
    """Write pieces in the place of an excerpt."""
    for events in written(network, codes, temperature, generator):
        piece = Piece.of(excerpt, events, network.voices, flat=flat)
        yield piece.alone() if alone else piece


def shifted(
    network: MusicVAE, code: Tensor, attribute: str, amounts: Tensor, generator: torch.Generator
) -> Tensor:
    """Return a code that is moved along an attribute [shape=(n, latent)].

    Parameters
    ----------
    amounts : Tensor [shape=(n,)]
        From 0 away, in one direction.

    Raises
    ------
    UsageError
        If the model has no such attribute.
    """
    if attribute not in network.attributes:
        raise UsageError(
            f"{' and '.join(network.voices).capitalize()} have no {attribute}.",
            hint=f"Use {' or '.join(network.attributes)}.",
        )
    number, normal = network.attributes.index(attribute), network.flow.normal(code[None])[0]
    return network.flow.codes(along(network, normal, number, amounts.tolist(), generator)).cpu()


def check_known(network: MusicVAE, attribute: str, value: float, amount: float) -> None:
    """Say so if an attribute is beyond the music that was learnt."""
    low, high = network.attribute_ranges[network.attributes.index(attribute)].tolist()
    if not low <= value <= high:
        note(f"an amount of {amount:g} leads beyond the music that the model knows, a {attribute} "
             f"of {low:.3g} to {high:.3g}; what it writes there may be no music")  # fmt: skip


def measured(piece: Piece, before: Ints) -> dict[str, float]:
    """Measure the attributes of a piece, and those of the excerpt in whose place it stands."""
    names = list(attributes_of(piece.voices))
    bars = before[:, : piece.events.shape[1]]
    now, then = measure(np.stack([piece.events, bars]), piece.voices)
    found = dict(zip(names, now.tolist(), strict=True))
    found |= {f"{name} before": x for name, x in zip(names, then.tolist(), strict=True)}
    return {name: x for name, x in found.items() if np.isfinite(x)}
