"""What a network learns from and is measured on: tunes, as the lines that it can read."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from groove_core.errors import InputError
from groove_core.tunes import TuneSet
from melody_rnn.lines import Line, encode
from melody_rnn.loading import NETWORKS
from melody_rnn.recurrent import Recurrent

__all__ = ["Lesson"]


@dataclass(frozen=True)
class Lesson:
    """Tunes, as the lines that a network can read."""

    tunes: TuneSet
    model: str = "transformer"

    @functools.cached_property
    def lines(self) -> list[Line]:
        """What is learnt from.

        Raises
        ------
        InputError
            If there is nothing.
        """
        lines, _ = self.part("train")
        if not lines:
            raise InputError(
                f"No melody can be learnt by {self.model}.",
                hint="Give more songs; the original networks read 4/4 in sixteenths only.",
            )
        return lines

    def check_size(self, steps: int, needed: int) -> None:
        """Refuse what is too little to learn from.

        Parameters
        ----------
        steps : int
            Of a window.
        needed : int
            Windows, at least.

        Raises
        ------
        InputError
            If there are fewer.
        """
        count = sum(-(-len(line) // (steps // line.bar * line.bar)) for line in self.lines)
        if count < needed:
            raise InputError(
                f"The songs have {count} of the {needed} windows of {steps} steps that are needed "
                "to learn from them.",
                hint=f"Give more songs, or pass --batch-size {count}.",
            )

    def part(self, *parts: str, corpus: str | None = None) -> tuple[list[Line], list[int]]:
        """Return the lines of some parts, and the number of the tune of each."""
        numbers = self.tunes.of_part(*parts, corpus=corpus).tolist()
        lines = [(encode(self.tunes.melody(i)), int(self.tunes.tune_of[i])) for i in numbers]
        original = issubclass(NETWORKS[self.model], Recurrent)
        found = [one for one in lines if one[0].for_originals or not original]
        return [line for line, _ in found], [tune for _, tune in found]
