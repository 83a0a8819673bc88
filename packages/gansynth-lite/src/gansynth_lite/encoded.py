"""Instruments of recorded sounds: what `encode` finds, and what is played, morphed and exported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.errors import UsageError
from groove_core.values import Codes, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FORMAT", "Instruments", "tiny", "to_codes"]

FORMAT = 1
"""Of the JSON document; another grid of envelopes is another number."""


@dataclass(frozen=True, eq=False, repr=False)
class Instruments(Value):
    """Instruments of recorded sounds: a code each, and how the sound differs from its drawn note.

    Parameters
    ----------
    points : float array [shape=(n, code)]
        Codes of a model.
    envelopes : float array [shape=(n, SIZE), dB]
        See `gansynth_lite.envelope`.
    labels : sequence of str
        The sounds that they are of.
    model : str
    about : sequence of str
        How near each comes to its sound, in words.

    Raises
    ------
    UsageError
        If shapes do not fit, or a number is not finite.
    """

    kind: ClassVar[str] = "instruments"

    points: npt.NDArray[np.float64]
    envelopes: npt.NDArray[np.float64]
    labels: tuple[str, ...] = ()
    model: str = ""
    about: tuple[str, ...] = ()

    if TYPE_CHECKING:  # whatever can be made into an array

        def __init__(
            self,
            points: npt.ArrayLike,
            envelopes: npt.ArrayLike,
            labels: Iterable[str] = (),
            model: str = "",
            about: Iterable[str] = (),
        ) -> None: ...

    def __post_init__(self) -> None:
        from gansynth_lite.envelope import SIZE

        codes = Codes(self.points, self.labels, self.model)
        envelopes = np.round(np.atleast_2d(np.array(self.envelopes, np.float64)), 2)
        if envelopes.shape != (len(codes.points), SIZE) or not np.isfinite(envelopes).all():
            raise UsageError(
                f"Envelopes are {SIZE} finite numbers for each of {len(codes.points)} instruments.",
                hint="Write the instruments again with `groove run gansynth-lite encode`.",
            )
        for name, value in {
            "points": codes.points, "envelopes": envelopes, "labels": codes.labels,
            "about": tuple(self.about) or ("",) * len(codes.points),
        }.items():  # fmt: skip
            object.__setattr__(self, name, value)

    def to_json(self) -> dict[str, Any]:
        from gansynth_lite.envelope import ATTACK_S, HARMONICS, TIMES_S

        return {
            "kind": self.kind,
            "format": FORMAT,
            "model": self.model,
            "labels": list(self.labels),
            "about": list(self.about),
            "points": self.points.tolist(),
            "harmonics": list(HARMONICS),
            "times_s": list(TIMES_S),
            "attack_s": list(ATTACK_S),
            "envelopes_db": self.envelopes.tolist(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        if document["format"] != FORMAT:
            raise UsageError(
                f"This version of gansynth-lite reads instruments of format {FORMAT}, not "
                f"{document['format']}.",
                hint="Encode the sound again.",
            )
        return cls(
            document["points"], document["envelopes_db"], tuple(document["labels"]),
            document["model"], tuple(document["about"]),
        )  # fmt: skip

    def to_text(self) -> str:
        return "\n".join(
            f"{label}: {about}" for label, about in zip(self.labels, self.about, strict=True)
        )

    def __repr__(self) -> str:
        return f"Instruments({', '.join(self.labels)})"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw by how much the harmonics of the first instrument are corrected, over time."""
        from gansynth_lite.envelope import BODY, HARMONICS, MOST_DB, TIMES_S
        from groove_core.values import new_axes

        ax = ax or new_axes(6, 3.5)
        body = self.envelopes[0, :BODY].reshape(len(HARMONICS), len(TIMES_S))
        drawn = ax.pcolormesh(
            TIMES_S, range(len(HARMONICS)), body, cmap="RdBu_r", vmin=-MOST_DB, vmax=MOST_DB,
            shading="gouraud",
        )  # fmt: skip
        ax.set(xlabel="seconds", ylabel="harmonic", title=self.labels[0])
        ax.set_yticks(range(0, len(HARMONICS), 3), [str(one) for one in HARMONICS[::3]])
        ax.figure.colorbar(drawn, ax=ax, label="louder than drawn [dB]")
        return ax


def to_codes(instruments: Instruments) -> Codes:
    """Return the codes alone, as other packages read them."""
    return Codes(instruments.points, instruments.labels, instruments.model)


def tiny() -> Instruments:
    """Make one of a code of two numbers, for checks."""
    from gansynth_lite.envelope import SIZE

    return Instruments([[0.6, -0.8]], np.zeros((1, SIZE)), ("tiny",), "checks", ("C4, near",))
