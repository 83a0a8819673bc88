"""Renamed actions, options and choices, as a plugin declares them."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest

from groove_core.actions import Opt, action, bind, describe
from groove_core.errors import UsageError
from groove_core.hookspecs import Action
from groove_core.values import Report, Score


@action
def evaluate(
    *,
    place: Annotated[list[Score] | None, Opt("songs", aliases=("SONGS",))] = None,
    about: Annotated[
        Literal["ours", "paper"], Opt("subject", aliases=("model",), former={"source": "paper"})
    ] = "ours",
    networks: Annotated[list[str] | None, Opt("networks", former={"dong": "dong2018"})] = None,
) -> Report:
    """Return what came in."""
    return Report("", (about, *(networks or ()), str(len(place or ()))), ())


@pytest.mark.parametrize(
    ("given", "columns", "told"),
    [
        ({"model": "paper"}, ("paper", "0"), "--model is now --about"),
        ({"about": "source"}, ("paper", "0"), "--about source is now --about paper"),
        ({"model": "source"}, ("paper", "0"), "--about source is now --about paper"),
        ({"networks": ["ours", "dong"]}, ("ours", "ours", "dong2018", "0"), "dong is now"),
        ({"songs": Score((), 480)}, ("ours", "1"), "SONGS is now --place"),
    ],
)
def test_former_options_and_choices_still_work(given, columns, told, capsys):
    assert evaluate(**given).columns == columns
    assert told in capsys.readouterr().err


def test_a_former_argument_needs_no_name(capsys):
    assert evaluate(Score((), 480)).columns == ("ours", "1")
    assert "SONGS is now --place" in capsys.readouterr().err
    with pytest.raises(UsageError):
        evaluate(Score((), 480), Score((), 480))


def test_nothing_is_said_of_what_keeps_its_name(capsys):
    assert evaluate(about="paper", networks=["ours"]).columns == ("paper", "ours", "0")
    assert capsys.readouterr().err == ""
    with pytest.raises(UsageError, match="no option 'modal'"):
        bind(describe(evaluate), {"modal": "paper"})


def test_actions_with_former_names_can_be_compared_and_hashed():
    first, second = (Action("sample", "a:b", "Draw.", aliases={old: {}}) for old in ("make", "new"))
    assert first != second
    assert len({first, second}) == 2
