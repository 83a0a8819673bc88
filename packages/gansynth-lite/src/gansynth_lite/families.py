"""Families of instruments, as NSynth names them, and which programs of General MIDI they hold."""

from __future__ import annotations

__all__ = ["FAMILIES", "family_of_program"]

FAMILIES = (
    "bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string",
    "synth_lead", "vocal",
)  # fmt: skip
"""In NSynth's order, so that its numbers are indices (Engel et al. 2017, arXiv 1704.01279)."""
_PROGRAMS = (
    # last program + 1, family; what has no family or no pitch of its own: None
    (8, "keyboard"),
    (16, "mallet"),  # celesta, glockenspiel ... to the dulcimer, which is struck, too
    (21, "organ"),
    (24, "reed"),  # accordion, harmonica, bandoneon: free reeds
    (32, "guitar"),
    (40, "bass"),
    (47, "string"),  # with pizzicato and harp
    (48, None),  # timpani
    (52, "string"),  # ensembles
    (55, "vocal"),  # choirs
    (56, None),  # orchestra hit
    (64, "brass"),
    (72, "reed"),
    (80, "flute"),
    (86, "synth_lead"),
    (87, None),  # fifths: two notes at a time
    (96, "synth_lead"),  # leads, and pads as the nearest
    (104, None),  # effects: rain, goblins, echoes ...
    (107, "guitar"),  # sitar, banjo, shamisen: plucked, with a neck
    (108, "string"),  # koto
    (109, "mallet"),  # kalimba
    (110, "reed"),  # bagpipe
    (111, "string"),  # fiddle
    (112, "reed"),  # shanai
    (114, None),  # tinkle bell, agogo
    (115, "mallet"),  # steel drums
    (128, None),  # drums and noises
)


def family_of_program(program: int) -> str | None:
    """Give the family of a General MIDI program.

    Parameters
    ----------
    program : int
        0 to 127.

    Returns
    -------
    str or None
        One of `FAMILIES`; None for effects, drums and noises.

    Examples
    --------
    >>> family_of_program(0), family_of_program(73), family_of_program(127)
    ('keyboard', 'flute', None)
    """
    return next(family for end, family in _PROGRAMS if program < end)
