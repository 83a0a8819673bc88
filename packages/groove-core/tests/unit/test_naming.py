"""What can be named, in any case, and what the files of a run are called."""

from __future__ import annotations

import io
import sys
from typing import Annotated, Literal

import pytest

from groove_core.actions import Inputs, Opt, Tally, describe
from groove_core.actions.binding import action
from groove_core.actions.naming import named
from groove_core.actions.outputs import Names, table_of
from groove_core.cli.stdin import received
from groove_core.drums import DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.values import Audio

BEAT = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)


def moods(checkpoint: str | None = None) -> list[str]:
    return ["calm", "Wild"] if checkpoint is None else ["other"]


@action
def play(
    beat: Annotated[DrumPattern, Opt("beat")],
    other: Annotated[list[DrumPattern] | None, Opt("more")] = None,
    *,
    mood: Annotated[str | None, Opt("mood", names=f"{__name__}:moods")] = None,
    style: Annotated[Literal["rock", "funk"], Opt("style")] = "rock",
    grid: Annotated[Literal[8, 16], Opt("grid")] = 8,
    checkpoint: Annotated[str | None, Opt("weights", role="checkpoint")] = None,
) -> tuple[str | None, str]:
    return mood, style


def test_names_are_found_in_any_case():
    assert play(BEAT, mood="WILD", style="Funk") == ("Wild", "funk")
    assert play(BEAT, mood="wild,CALM, new")[0] == "Wild,calm,new"
    assert play(BEAT, mood="Calm", checkpoint="x")[0] == "Calm"  # it knows other moods
    with pytest.raises(UsageError, match="must be one of rock, funk, not 'polka'"):
        play(BEAT, style="polka")


def test_all_that_can_be_named_is_listed():
    by_flag = {param.flag: named(param, "drum-space") for param in describe(play)}
    assert by_flag["--mood"] == ["calm", "Wild"]
    assert by_flag["--grid"] == ["8", "16"]
    assert by_flag["BEAT"] == []


def test_files_are_named_after_what_a_run_was_given(tmp_path):
    params = describe(play)
    for name in ("a/one.mid", "b/one.mid", "b/two.mid", "b/.hidden.mid"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        BEAT.save(tmp_path / name)

    def name(**given: object) -> str:
        return Names.of("vary", params, given, Tally()).one()

    assert name(beat=tmp_path / "a/one.mid") == "one.vary"
    assert name(beat=str(tmp_path / "b")) == "b.vary"
    assert name(beat=tmp_path / "b/.hidden.mid") == "hidden.vary"
    assert name(beat=str(tmp_path / "a/one.mid"), other=[tmp_path / "b"]) == "one-b.vary"
    assert name(beat="C4 - " * 200) == name(beat=BEAT) == "vary"
    assert name(beat=[tmp_path / "a/one.mid", tmp_path / "b/two.mid"]) == "vary"
    assert name(beat=Inputs([tmp_path / "b"], DrumPattern.read)) == "b.vary"
    assert Names.of("vary", params, {"beat": tmp_path / "b/two.mid"}, Tally()).next(3) == (
        "two.vary-004"
    )
    tally = Tally({"a/one.mid", "b/one.mid", "b/two.mid", "b/two.wav"})
    names = Names.of("play", params, {}, tally)
    found = []
    for tally.current in ("a/one.mid", "b/one.mid", "b/two.mid", "b/two.wav"):
        found.append(names.next(len(found)))
    assert found == ["a-one.play", "b-one.play", "b-two.play", "b-two.play-002"]


def test_a_table_has_the_numbers_of_each_value():
    one = {"kind": "x", "name": "a", "n": 1, "list": [1, 2], "p": {"jazz": 0.5}}
    assert table_of([("a.wav", one), ("b.wav", {"kind": "x", "late": True})]).split() == [
        "file,n,p.jazz,late", "a.wav,1,0.5,", "b.wav,,,True",
    ]  # fmt: skip


@pytest.mark.parametrize("ending", ["mid", "json"])
def test_a_dash_reads_standard_input(monkeypatch, tmp_path, ending):
    content = BEAT.save(tmp_path / f"x.{ending}").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    given = received(describe(play), {"beat": "-", "mood": "-"})
    assert given["mood"] == "-"
    assert DrumPattern.read(given["beat"]).hits.tolist() == BEAT.hits.tolist()
    with pytest.raises(InputError, match="is empty"):
        received(describe(play), {"beat": "-"})
    with pytest.raises(UsageError, match="Only one input"):
        received(describe(play), {"beat": "-", "other": ["-"]})


def test_sound_comes_through_a_pipe(monkeypatch, tmp_path):
    def hear(sounds: Annotated[list[Audio], Opt("sounds")]) -> None: ...

    for ending in ("wav", "flac", "ogg"):
        path = Audio([[0.0, 0.5] * 4000], 16_000).save(tmp_path / f"x.{ending}")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
        given = received(describe(hear), {"sounds": ["a.wav", "-"]})["sounds"]
        assert given[0] == "a.wav"
        assert given[1].endswith(f".{ending}")
