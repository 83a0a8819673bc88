"""A signature is the command line, the Python API, the schema and the documentation."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import jsonschema
import numpy as np
import pytest

from groove_core.actions.binding import action, bind
from groove_core.actions.params import (
    RESERVED,
    Checkpoint,
    Device,
    DrumTrack,
    Opt,
    Readable,
    Seed,
    describe,
    json_schema,
    markdown_table,
    plain,
    result_kind,
)
from groove_core.drums.pattern import DrumPattern
from groove_core.errors import InputError, UsageError
from groove_core.values import LeadSheet, Melody
from groove_core.values.scores.score import Score, Track
from groove_core.values.sound.audio import Audio

ROCK = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)


@action
def play(
    beat: Annotated[DrumPattern, Opt("beat to play")],
    *,
    times: Annotated[int, Opt("repeats", unit="times", min=1, max=8)] = 2,
    speed: Annotated[float, Opt("speed", min=0)] = 1.0,
    style: Annotated[Literal["straight", "swung"], Opt("feel")] = "straight",
    loud: Annotated[bool, Opt("louder")] = False,
    others: Annotated[list[DrumPattern] | None, Opt("more")] = None,
    folder: Annotated[Path | None, Opt("where")] = None,
    seed: Seed = None,
    device: Device = "auto",
    checkpoint: Checkpoint = None,
) -> dict[str, object]:
    """Play a beat."""
    return dict(locals())


def test_describe():
    params = {p.name: p for p in describe(play)}
    assert params["beat"].required
    assert params["beat"].is_value
    assert params["times"].range == "1 to 8 times"
    assert params["speed"].range == "at least 0"
    assert params["style"].choices == ("straight", "swung")
    assert params["others"].many
    assert params["others"].optional
    assert params["seed"].opt.role == "seed"
    assert params["device"].flag == "--device"


def test_values_may_be_objects_or_paths(tmp_path):
    path = ROCK.save(tmp_path / "rock.mid")
    assert play(ROCK)["beat"] is ROCK
    assert play(path)["beat"] == ROCK
    assert play(str(path))["beat"] == ROCK
    assert list(play(beat=ROCK, others=[path, ROCK])["others"]) == [ROCK, ROCK]
    assert list(play(ROCK, others=tmp_path)["others"]) == [ROCK]
    assert play(ROCK, folder="x")["folder"] == Path("x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": 0}, "at least 1"),
        ({"times": 9}, "at most 8"),
        ({"times": 1.5}, "cannot be 1.5"),
        ({"times": True}, "cannot be True"),
        ({"times": "many"}, "cannot be 'many'"),
        ({"speed": float("nan")}, "cannot be nan"),
        ({"speed": float("inf")}, "cannot be inf"),
        ({"style": "swong"}, "straight, swung"),
        ({"loud": "yes"}, "cannot be 'yes'"),
        ({"tmes": 2}, "no option 'tmes'"),
        ({"beat": 3}, "cannot be 3"),
        ({"beat": None}, "cannot be None"),
        ({"seed": -1}, "at least 0"),
    ],
)
def test_mistakes_are_usage_errors_with_a_hint(options, message):
    with pytest.raises(UsageError, match=message) as caught:
        play(**{"beat": ROCK, **options})
    assert caught.value.hint


def test_a_missing_argument_and_file():
    with pytest.raises(UsageError, match="beat is missing"):
        play()
    with pytest.raises(InputError, match="does not exist"):
        play("nowhere.mid")


def test_schema_accepts_what_bind_accepts():
    schema = json_schema(play)
    jsonschema.Draft202012Validator.check_schema(schema)
    good = {"beat": "x.mid", "times": 2, "style": "swung", "others": ["a.mid"], "seed": 3}
    jsonschema.validate(good, schema)
    for bad in ({}, {**good, "times": 9}, {**good, "style": "x"}, {**good, "more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)
    assert schema["properties"]["times"]["default"] == 2


def test_table_has_every_option():
    table = markdown_table(play)
    assert "| `--times` | repeats | 1 to 8 times | 2 |" in table
    assert "| `BEAT` | beat to play |  | required |" in table
    assert table.count("\n") == 11


def test_a_parameter_may_take_several_kinds_of_value(tmp_path):
    def compare(played: Audio | DrumPattern, other: Audio | DrumPattern | None = None) -> None:
        """Take sound or a beat."""

    played, other = params = describe(compare)
    assert (played.required, other.optional) == (True, True)
    # before the *, so that it is an argument, which may be left out
    assert (played.is_argument, other.is_argument, other.required) == (True, True, False)
    assert other.flag == "OTHER"
    assert bind(params, {"played": ROCK}) == {"played": ROCK}
    sound = Audio(np.zeros(9), 8000)
    for value, names in ((sound, ("a.wav", "a.json")), (ROCK, ("b.mid", "b.json"))):
        assert bind(params, {"played": value})["played"] is value
        assert bind(params, {"played": value.to_json()})["played"] == value
        for name in names:
            value.save(tmp_path / name)
            assert bind(params, {"played": str(tmp_path / name)})["played"] == value
    with pytest.raises(UsageError, match="cannot be 3") as caught:
        bind(params, {"played": 3})
    assert "audio or drum-pattern" in caught.value.hint
    assert json_schema(compare)["properties"]["played"]["format"] == "audio or drum-pattern"

    def mixed(x: Audio | int) -> None:
        """Take what cannot be told apart."""

    with pytest.raises(TypeError, match="only values"):
        describe(mixed)


def test_options_become_plain():
    assert plain([Path("a"), ROCK, None]) == ["a", ROCK.to_json(), None]


def test_impossible_signatures_are_refused():
    def takes_a_set(x: set[int]) -> None:
        """Take a set."""

    def streams() -> Iterator[int]:
        """Have no parameter."""

    def hides_the_core(*, out: str = "") -> None:
        """Have a parameter called like an option of the core."""

    with pytest.raises(TypeError, match="cannot have a parameter of type"):
        describe(takes_a_set)
    with pytest.raises(TypeError, match="option of the core"):
        describe(hides_the_core)
    assert describe(streams) == []
    assert bind([], {}) == {}


@action
def hear(
    beats: Annotated[list[DrumPattern], Opt("beats")],
    score: Annotated[Score | None, Opt("score")] = None,
    *,
    drum_track: DrumTrack = None,
) -> tuple[list[DrumPattern], Score | None]:
    """Hear beats."""
    return list(beats), score


def test_the_drum_track_is_chosen_for_files_and_objects(tmp_path):
    lead = Track([[i * 240, 100, 60, 90] for i in range(16)], name="Lead")
    clicks = Track([[i * 480, 100, 36 + 2 * (i % 2), 90] for i in range(8)], name="Clicks")
    score = Score((lead, clicks))
    path = score.save(tmp_path / "a.mid")
    with pytest.raises(InputError, match="has no drums") as error:
        hear([path])
    assert error.value.hint == "Export the drums on MIDI channel 10, or pass --drum-track NAME."
    for word in ("clicks", "2"):
        beats, told = hear([path, score], path, drum_track=word)
        assert [beat.masks[::4].tolist() for beat in beats] == [[1, 2] * 4] * 2
        assert told.drum_track == word
    with pytest.raises(UsageError, match="has no track 'bass'"):
        hear([path], drum_track="bass")


def test_a_score_is_taken_for_a_drum_pattern():
    beats, _ = hear([ROCK.to_score(), ROCK])
    assert beats == [ROCK, ROCK]


@action
def convert(
    beat: Annotated[DrumPattern | None, Opt("beat")] = None,
    *,
    bits: Annotated[Literal[16, 24, 32], Opt("bits of a sample")] = 16,
    name: Annotated[str, Opt("name")] = "x",
) -> dict[str, object]:
    """Convert a beat."""
    return dict(locals())


def test_keyword_only_parameters_take_no_positions():
    assert convert(ROCK)["beat"] == ROCK
    for call in (
        lambda: convert(ROCK, 24),
        lambda: convert(ROCK, 24, unknown=1),  # two mistakes at once
        lambda: convert(ROCK, beat=ROCK, unknown=1),
    ):
        with pytest.raises(UsageError, match="positional|multiple|too many"):
            call()
    with pytest.raises(UsageError, match="no option 'unknown'"):
        convert(ROCK, unknown=1)


def test_a_literal_of_numbers():
    [_, bits, _] = describe(convert)
    assert (bits.type, bits.choices) == (int, (16, 24, 32))
    for given in (24, "24", np.int64(24), 24.0):
        assert convert(bits=given)["bits"] == 24
    for wrong in (20, "20", "x", True, None, 24.5):
        with pytest.raises(UsageError, match="16, 24, 32|cannot be"):
            convert(bits=wrong)
    schema = json_schema(convert)["properties"]["bits"]
    assert (schema["type"], schema["enum"], schema["default"]) == ("integer", [16, 24, 32], 16)
    jsonschema.validate({"bits": 24}, json_schema(convert))
    assert "| 16, 24, 32 | 16 |" in markdown_table(convert)


def test_none_is_no_text():
    for wrong in (None, True, ["x"], {"a": 1}, b"x"):
        with pytest.raises(UsageError, match="name cannot be"):
            convert(name=wrong)
    assert convert(name="None")["name"] == "None"
    assert convert(name=Path("a"))["name"] == "a"
    assert convert(name=60)["name"] == "60"


def test_every_option_of_the_core_is_a_reserved_name():
    from groove_core.cli.run import CORE_OPTIONS

    assert {*CORE_OPTIONS, "debug", "help"} == set(RESERVED)
    for name in RESERVED:

        def function(**options: int) -> int:
            return 0

        parameter = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=int)
        function.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]
        function.__annotations__ = {name: int}
        with pytest.raises(TypeError, match="option of the core"):
            describe(function)


def test_choices_of_two_types_are_refused():
    def mixed(*, bits: Annotated[Literal[16, "all"], Opt("bits")] = 16) -> int:
        return 0

    with pytest.raises(TypeError, match="all texts or all integers"):
        describe(mixed)


def test_the_kind_that_an_action_gives():
    def one() -> DrumPattern: ...  # type: ignore[empty-body]
    def many() -> Iterator[Audio]: ...  # type: ignore[empty-body]
    def listed() -> list[Audio]: ...  # type: ignore[empty-body]
    def hidden() -> NotImported: ...  # type: ignore[name-defined]  # noqa: F821
    def untold(): ...

    kinds = [result_kind(one) for one in (one, many, listed, hidden, untold, convert)]
    assert kinds == [DrumPattern, Audio, Audio, None, None, None]


def test_whatever_is_read_may_be_given_as_a_path(tmp_path):
    @action
    def bars(
        beat: Annotated[Readable[DrumPattern], Opt("beat")],
        more: Annotated[Readable[list[DrumPattern]] | None, Opt("beats")] = None,
        *,
        into: Annotated[Readable[Path] | None, Opt("folder")] = None,
    ) -> list[int]:
        assert into is None or isinstance(into, Path)
        return [beat.bars, *(one.bars for one in more or [])]

    beat, more, into = describe(bars)
    assert (beat.type, beat.optional, beat.many) == (DrumPattern, False, False)
    assert (more.type, more.optional, more.many) == (DrumPattern, True, True)
    assert (into.type, into.optional, into.others) == (Path, True, ())
    path = DrumPattern.from_masks([1, 0, 4, 0] * 8).save(tmp_path / "beat.mid")
    assert bars(path) == bars(str(path), into=str(tmp_path)) == [2]
    assert bars(path, tmp_path) == bars(path, [path]) == [2, 2]


@action
def hum(
    melodies: Annotated[Readable[list[LeadSheet]], Opt("melodies")],
    *,
    over: Annotated[Readable[Score | Melody | None], Opt("song or line")] = None,
):
    return list(melodies), over


def test_a_phrase_may_stand_where_a_file_could(tmp_path, monkeypatch):
    phrase = 'M:2/4 L:1/8 K:F "F/A" C4 E4 G4 - |'
    (found,), over = hum(phrase, over="A4 -")
    assert found == LeadSheet.from_text(phrase)
    assert over == Melody.from_text("A4 -")
    (found,), _ = hum("C4 - E4 . " * 500)  # longer than the name of a file can be
    assert found.length == 2000
    monkeypatch.chdir(tmp_path)
    Melody.from_text("D4 -").save("C4 E4.mid")
    (found,), _ = hum("C4 E4.mid")
    assert found.notes[0, 2] == 62


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("C4 E4 G9x -", r"the phrase: word 3 of line 1 \(character 7\), 'G9x', is no note"),
        ('C4 "Cmaq" D4', r"word 2 of line 1 \(character 4\), .*: .*'maq'"),
        ("songs/C4 E4.mid", "C4 E4.mid does not exist"),
        ("my song", "my song does not exist"),
    ],
)
def test_what_is_neither_a_phrase_nor_a_file(text, says):
    with pytest.raises(InputError, match=says):
        hum(text)
    with pytest.raises(InputError):
        hum(over=text, melodies="C4")


def test_a_value_of_one_of_the_kinds_is_not_turned_into_another():
    line = Melody.from_text("C4 E4 G4 -")
    assert hum("C4", over=line)[1] is line
    score = line.to_score()
    assert hum("C4", over=score)[1] is score
