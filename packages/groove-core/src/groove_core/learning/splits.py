"""What is learnt from and what is held out: one split for every package.

A group is what must not stand on two sides: a song, a performance, the notes of an instrument
at one pitch. Where it goes is decided by a hash of its name alone, so it stays there when other
data is added or left out. The name of a group is one that the data states, or `content_name`
of its file, so that it is the same song after the file was moved. Names are compared in one
normal form of Unicode, since systems write an "é" differently; upper and lower case differ.

A checkpoint remembers the hashes of the groups that it learnt from. `parts_for` divides any data
by that memory: what the weights know is never measured on. `parts_to_learn` divides data to go on
training with.

>>> split = Split("song")
>>> {part: len(some) for part, some in split.parts([f"song {n}" for n in range(1000)]).items()}
{'train': 799, 'validation': 103, 'test': 98}
"""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.errors import InputError
from groove_core.storage.files import file_sha256

__all__ = [
    "PARTS",
    "Split",
    "as_learnt",
    "content_name",
    "divide",
    "fingerprint",
    "hashed",
    "or_own",
    "parts_for",
    "parts_to_learn",
    "refuse_learnt",
]

PARTS = ("train", "validation", "test")
SHOWN = 3
"""Groups that a message names."""

Int = npt.NDArray[np.int64]


def content_name(content: bytes | str | os.PathLike[str]) -> str:
    """Name a group after the content of its file.

    Parameters
    ----------
    content : bytes or path

    Examples
    --------
    >>> content_name(b"MThd")
    '70fad3c7454a1f31'
    """
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()[:16]
    return file_sha256(Path(content))[:16]


def hashed(group: str) -> str:
    """Return the 16 hex digits by which a checkpoint remembers a group.

    Examples
    --------
    >>> hashed("song 1")
    '3088b15eb7cc28f4'
    """
    return _digest(_normal(group)).hex()[:16]


def _normal(group: str) -> str:
    return unicodedata.normalize("NFC", group)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _place(group: str, salt: str) -> float:
    """Return where a group falls in [0, 1): uniform, and independent for every salt."""
    return (int.from_bytes(_digest(f"{salt}\n{group}")[:8], "big") >> 11) / 2**53


def divide(
    groups: Sequence[str],
    shares: Sequence[float],
    *,
    salt: str = "",
    labels: Sequence[Any] | None = None,
) -> Int:
    """Divide items into parts by a hash of their groups.

    Shares are those of the groups to be expected; a set of n groups deviates as n throws of a
    die do. A label gets one group in every part if it has groups enough: a part that would
    lack it gets the group nearest in hash from a part that has several. Only such a group moves
    when groups are added.

    Parameters
    ----------
    groups : sequence of str
        Name of the group of each item.
    shares : sequence of float
        Of each part; their sum is 1 after scaling. Equal ones make folds.
    salt : str
        Another salt is another division, independent of this one.
    labels : sequence, optional
        Of each item. A group has the label of most of its items. Default: one for all.

    Returns
    -------
    int array [shape=(len(groups),)]
        Number of the part of each item.

    Examples
    --------
    >>> divide(["a", "b", "c", "a"], [0.5, 0.5])
    array([0, 0, 1, 0])
    """
    ends = np.cumsum(shares) / np.sum(shares)
    groups = [_normal(group) for group in groups]
    votes: dict[str, dict[Any, int]] = defaultdict(lambda: defaultdict(int))
    for item, group in enumerate(groups):
        votes[group][0 if labels is None else labels[item]] += 1
    members: dict[Any, list[str]] = defaultdict(list)
    for group, counts in votes.items():
        members[min(counts, key=lambda label: (-counts[label], label))].append(group)
    place = {group: _place(group, salt) for group in votes}
    part = {g: int(np.searchsorted(ends[:-1], at, side="right")) for g, at in place.items()}
    for some in members.values():
        _fill(some, part, place, shares, ends)
    return np.array([part[group] for group in groups], dtype=np.int64)


def _fill(
    members: Sequence[str],
    part: dict[str, int],
    place: Mapping[str, float],
    shares: Sequence[float],
    ends: npt.NDArray[np.float64],
) -> None:
    """Return each part that has no member the nearest one of a part that has several."""
    counts = np.bincount([part[group] for group in members], minlength=len(shares))
    for empty in sorted(range(len(shares)), key=lambda number: (-shares[number], -number)):
        if counts[empty] or not shares[empty]:
            continue
        start, end = ends[empty] - shares[empty] / np.sum(shares), ends[empty]
        spare = [group for group in members if counts[part[group]] > 1]
        if not spare:
            return
        chosen = min(spare, key=lambda g: (max(start - place[g], place[g] - end), g))
        counts[part[chosen]] -= 1
        counts[empty] += 1
        part[chosen] = empty


@dataclass(frozen=True, slots=True)
class Split:
    """How data is divided to be learnt from, to choose by, and to be measured on.

    Parameters
    ----------
    by : str
        What a group is, for example ``song``.
    seed : int
        Another seed is another split.
    shares : three floats
        Of the groups in train, validation and test.
    published : bool
        Whether the data itself says who belongs where; then nothing is hashed.
    """

    by: str
    seed: int = 0
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    published: bool = False

    def parts(self, groups: Sequence[str], labels: Sequence[Any] | None = None) -> dict[str, Int]:
        """Divide items, see `divide`.

        Returns
        -------
        dict of str to int array
            Numbers of the items of ``train``, ``validation`` and ``test``, ascending.
        """
        found = divide(groups, self.shares, salt=f"{self.seed}", labels=labels)
        return {part: np.flatnonzero(found == number) for number, part in enumerate(PARTS)}

    def or_published(self, groups: Sequence[str], parts: Mapping[str, npt.ArrayLike]) -> Split:
        """Return this split, as a published one where the parts are not those of the hash."""
        by_hash = self.parts(groups)
        same = all(np.array_equal(by_hash[part], np.asarray(parts[part])) for part in PARTS)
        return self if same else replace(self, published=True)

    def card(
        self,
        groups: Sequence[str],
        parts: Mapping[str, npt.ArrayLike],
        start: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return what the ``data`` of a card says of a split.

        A training returns it from `Training.split`, and `checkpoints.save` stores the hashes apart.

        Parameters
        ----------
        groups : sequence of str
            Name of the group of each item.
        parts : dict of str to int array
            Items of ``train``, ``validation`` and ``test``.
        start : dict, optional
            Card of the checkpoint that the training started from: what it learnt is known, too.

        Returns
        -------
        dict
            ``split`` in words, the number of items of each part, and in ``learnt`` the rule, the
            `fingerprint`, and the hashes of the groups that the weights know.
        """
        hashes = {
            part: {hashed(groups[i]) for i in np.asarray(parts.get(part, ()), np.int64).tolist()}
            for part in PARTS
        }
        rule = {"published": True} if self.published else {
            "seed": self.seed, "shares": list(self.shares)
        }  # fmt: skip
        mark = fingerprint(hashes, {"by": self.by, **rule})
        for part, some in (_groups(start) or {}).items():
            hashes[part] |= some
        return {
            "split": f"by {self.by}" + (", the published one" if self.published else ""),
            **{part: len(np.asarray(parts.get(part, ()))) for part in PARTS},
            "learnt": {
                "by": self.by,
                **rule,
                "fingerprint": mark,
                "counts": {part: len(some) for part, some in hashes.items()},
                "groups": {part: sorted(hashes[part]) for part in PARTS[:2]},
            },
        }


def fingerprint(hashes: Mapping[str, set[str]], parameters: Mapping[str, Any]) -> str:
    """Return 16 hex digits that are equal for equal groups in equal parts, in whatever order."""
    parts = {part: sorted(some) for part, some in hashes.items()}
    return _digest(json.dumps([parts, dict(parameters)], sort_keys=True)).hex()[:16]


def _groups(card: Mapping[str, Any] | None) -> dict[str, set[str]] | None:
    """Return the hashes of a card that `checkpoints.load` gave; None where it does not know."""
    about = (card or {"data": {}})["data"].get("learnt")
    found = about.get("groups") if isinstance(about, dict) else None
    return None if found is None else {part: set(found[part]) for part in PARTS[:2]}


def parts_for(
    card: Mapping[str, Any],
    groups: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    otherwise: Mapping[str, npt.ArrayLike],
) -> dict[str, Int]:
    """Divide data by what a checkpoint has learnt: only what it does not know is measured on.

    Parameters
    ----------
    card : dict
        As `groove_core.storage.checkpoints.load` returns it.
    groups : sequence of str
        Name of the group of each item.
    names : sequence of str, optional
        What messages call each item. Default: its group.
    otherwise : dict of str to int array
        Parts for a card that does not say what its weights learnt from, which is told.

    Returns
    -------
    dict of str to int array
        Items that it learnt from (``train``), that chose it (``validation``), and the others.

    Raises
    ------
    InputError
        If it knows all of them.
    """
    known = _groups(card)
    if known is None:
        note(
            f"warning: {card['name']} does not say what it learnt from: "
            "it may have learnt from some of what it is measured on"
        )
        return {part: np.asarray(otherwise[part], np.int64) for part in PARTS}
    hashes = [hashed(group) for group in groups]
    learnt = np.array([one in known["train"] for one in hashes], dtype=bool)
    chose = np.array([one in known["validation"] for one in hashes], dtype=bool) & ~learnt
    if (learnt | chose).all():
        refuse_learnt(card, groups, names=names)
    sides = (learnt, chose, ~learnt & ~chose)
    return {part: np.flatnonzero(side) for part, side in zip(PARTS, sides, strict=True)}


def parts_to_learn(
    card: Mapping[str, Any], groups: Sequence[str], parts: Mapping[str, npt.ArrayLike]
) -> dict[str, Int]:
    """Divide data for a training that begins with a checkpoint.

    What the checkpoint learnt from, or was chosen by, stays on its side. What it does not know is
    divided as for any other training: some of it is learnt.

    Parameters
    ----------
    card : dict
        As `groove_core.storage.checkpoints.load` returns it.
    groups : sequence of str
        Name of the group of each item.
    parts : dict of str to int array
        Of `Split.parts`.

    Returns
    -------
    dict of str to int array
        Items of ``train``, ``validation`` and ``test``, ascending.

    Examples
    --------
    >>> song = Split("song")
    >>> card = {"data": song.card(["a"], {"train": [0]})}
    >>> found = parts_to_learn(card, ["a", "b"], {"train": [1], "validation": [], "test": [0]})
    >>> found["train"].tolist(), found["test"].tolist()
    ([0, 1], [])
    """
    known = _groups(card) or {}
    side = np.zeros(len(groups), np.int64)
    for number, part in enumerate(PARTS):
        side[np.asarray(parts[part], np.int64)] = number
    for number in (1, 0):  # what was learnt from last: it counts more
        some = known.get(PARTS[number], set())
        side[[hashed(group) in some for group in groups]] = number
    return {part: np.flatnonzero(side == number) for number, part in enumerate(PARTS)}


def or_own(
    parts: Mapping[str, Int], own: Mapping[str, npt.ArrayLike], *, name: str
) -> dict[str, Int]:
    """Divide data of which nothing was learnt as it would be for a training of its own.

    For reports that compare with training data, which is then not what the checkpoint has seen:
    a warning says so. What chose the checkpoint is still not measured on.

    Parameters
    ----------
    parts : dict of str to int array
        Of `parts_for`.
    own : dict of str to int array
        Of the data itself.
    name : str
        What the warning calls the checkpoint.

    Examples
    --------
    >>> parts = {"train": np.array([], int), "validation": np.array([3]), "test": np.arange(3)}
    >>> found = or_own(parts, {"train": [0, 1], "validation": [], "test": [2, 3]}, name="net")
    >>> {part: some.tolist() for part, some in found.items()}
    {'train': [0, 1], 'validation': [3], 'test': [2]}
    """
    if len(parts["train"]):
        return dict(parts)
    note(
        f"warning: {name} learnt from none of this data: what is called training data below "
        "is that of the data itself"
    )
    chose = parts["validation"]
    found: dict[str, Int] = {
        part: np.setdiff1d(np.asarray(own[part], np.int64), chose) for part in PARTS
    }
    return found | {"validation": np.union1d(found["validation"], chose)}


def as_learnt(
    cards: Iterable[Mapping[str, Any]],
    groups: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    own: Mapping[str, npt.ArrayLike],
) -> dict[str, Int]:
    """Divide data by what several checkpoints have learnt: what none of them knows is measured on.

    Data of which they learnt nothing keeps its own parts, see `or_own`.

    Parameters
    ----------
    cards : iterable of dict
        As `groove_core.storage.checkpoints.load` returns them.
    groups : sequence of str
        Name of the group of each item.
    names : sequence of str, optional
        What messages call each item. Default: its group.
    own : dict of str to int array
        Of the data itself.

    Raises
    ------
    InputError
        If one of them knows all of it.

    Examples
    --------
    >>> cards = [
    ...     {"name": "one", "data": Split("song").card(["a"], {"train": [0]})},
    ...     {"name": "two", "data": Split("song").card(["b"], {"validation": [0]})},
    ... ]
    >>> found = as_learnt(cards, ["a", "b", "c"], own={"train": [], "validation": [], "test": []})
    >>> {part: some.tolist() for part, some in found.items()}
    {'train': [0], 'validation': [1], 'test': [2]}
    """
    known = list(cards)
    side = np.full(len(groups), PARTS.index("test"))
    for card in known:
        parts = parts_for(card, groups, names=names, otherwise=own)
        for number, part in enumerate(PARTS):
            side[parts[part]] = np.minimum(side[parts[part]], number)
    together = {part: np.flatnonzero(side == number) for number, part in enumerate(PARTS)}
    return or_own(together, own, name=" and ".join(card["name"] for card in known))


def refuse_learnt(
    card: Mapping[str, Any], groups: Sequence[str], *, names: Sequence[str] | None = None
) -> None:
    """Refuse data that a checkpoint was trained on.

    Raises
    ------
    InputError
        If its weights learnt from one of the groups, or were chosen by it; the first are named.
    """
    known = _groups(card)
    if known is None:
        return
    together = known["train"] | known["validation"]
    found: dict[str, str] = {}
    for group, name in zip(groups, names or groups, strict=True):
        if hashed(group) in together:
            found.setdefault(group, name)
    if not found:
        return
    shown = list(found.values())[:SHOWN]
    more = f" and {len(found) - len(shown)} more" if len(found) > len(shown) else ""
    raise InputError(
        f"{card['name']} was trained on this data: {', '.join(shown)}{more}.",
        hint="Give data that it has not learnt from.",
    )
