"""A signature is the command line, the Python API, the schema and the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import jsonschema
import numpy as np
import pytest

from groove_core.errors import InputError, UsageError
from groove_core.params import (
    Checkpoint,
    Device,
    DrumTrack,
    Opt,
    Seed,
    action,
    bind,
    describe,
    json_schema,
    markdown_table,
    plain,
)
from groove_core.values.audio import Audio
from groove_core.values.drums import DrumPattern
from groove_core.values.score import Score, Track

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
    assert play(ROCK, others=tmp_path)["others"] == [ROCK]
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
