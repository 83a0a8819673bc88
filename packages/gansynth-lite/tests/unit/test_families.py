"""Families and General MIDI."""

from __future__ import annotations

import pytest

from gansynth_lite.families import FAMILIES, family_of_program


def test_families_are_nsynth_s_in_its_order():
    assert len(FAMILIES) == 11
    assert list(FAMILIES) == sorted(FAMILIES)
    assert FAMILIES.index("keyboard") == 4  # instrument_family of a keyboard in examples.json


@pytest.mark.parametrize(
    ("program", "family"),
    [
        (0, "keyboard"), (7, "keyboard"), (12, "mallet"), (16, "organ"), (21, "reed"),
        (22, "reed"), (24, "guitar"), (33, "bass"), (39, "bass"), (40, "string"), (45, "string"),
        (46, "string"), (47, None), (48, "string"), (52, "vocal"), (55, None), (56, "brass"),
        (64, "reed"), (73, "flute"), (80, "synth_lead"), (86, None), (87, "synth_lead"),
        (95, "synth_lead"), (96, None),
        (105, "guitar"), (110, "string"), (114, "mallet"), (115, None), (127, None),
    ],
)  # fmt: skip
def test_programs_have_the_family_of_their_instrument(program, family):
    assert family_of_program(program) == family


def test_every_family_has_a_program_and_every_program_an_answer():
    found = {family_of_program(program) for program in range(128)}
    assert found == {*FAMILIES, None}
