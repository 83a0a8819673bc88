"""music-vae on the command line, with networks that have learnt nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from groove_core.drums import DrumPattern
from groove_core.values import Codes, Melody, Score
from music_vae import sample, vary

TUNE = Melody.from_text("M:4/4 L:1/16 Q:96 " + "C4 - E4 - G4 - . . " * 4)
OTHER = Melody.from_text("M:4/4 L:1/16 " + "A4 - . . F4 - D4 - " * 4)


@pytest.fixture
def run(groove, tiny):
    def run(action: str, *arguments: str, kind: str = "mel-2bar"):
        return groove(action, *arguments, "--checkpoint", str(tiny[kind]))

    return run


@pytest.fixture
def files(tmp_path):
    TUNE.save(tmp_path / "a.mid")
    OTHER.save(tmp_path / "b.mid")
    return "a.mid", "b.mid"


@pytest.mark.parametrize("kind", ["mel-2bar", "drums-2bar", "mel-16bar", "trio-16bar"])
def test_sample_with_every_network(run, tmp_path, kind):
    result = run("sample", "--count", "2", "--seed", "1", "--temperature", "1", "--format", "mid",
                 "--out", "o", kind=kind)  # fmt: skip
    assert result.returncode == 0, result.stderr
    bars = 16 if "16" in kind else 2
    for number in (1, 2):
        score = Score.read(tmp_path / f"o/sample-00{number}.mid")
        if kind == "drums-2bar":
            assert DrumPattern.from_score(score).bars == bars
        else:
            assert Melody.from_score(score, steps_per_quarter=4).bars == bars
        if kind == "trio-16bar":
            assert {"bass", "drums"} <= {track.name for track in score.tracks}


@pytest.mark.parametrize("prior", ["fitted", "normal"])
def test_a_seed_gives_the_same_pieces(tiny, prior):
    def drawn(seed, **more):
        some = sample(count=3, seed=seed, prior=prior, temperature=1.0,
                      checkpoint=str(tiny["mel-2bar"]), **more)  # fmt: skip
        return [score.to_json() for score in some]

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)
    assert drawn(5) != drawn(5, spread=3.0)


def test_interpolate_begins_and_ends_with_what_is_remembered(run, files):
    result = run("interpolate", *files, "--steps", "2", "--json", "--seed", "1")
    assert result.returncode == 0, result.stderr
    pieces = json.loads(result.stdout)["result"]
    assert len(pieces) == 4
    for number, name in ((0, files[0]), (3, files[1])):
        alone = run("vary", name, "--amount", "0", "--count", "1", "--json", "--seed", "1")
        notes = json.loads(alone.stdout)["result"][0]["tracks"][0]["notes"]
        assert pieces[number]["tracks"][0]["notes"] == notes
    assert Score.from_json(pieces[0]).tempo_at(0) == pytest.approx(96)


def test_codes_go_out_and_come_in(run, files, tmp_path):
    result = run("encode", *files, "--out", "o", "--format", "json")
    assert result.returncode == 0, result.stderr
    [path] = (tmp_path / "o").glob("encode*.json")
    codes = Codes.read(path)
    assert codes.points.shape == (2, 6)
    assert [label.rpartition("/")[2] for label in codes.labels] == ["a.mid:1", "b.mid:1"]
    decoded = run("decode", path, "--json", "--seed", "1")
    assert decoded.returncode == 0, decoded.stderr
    [first, _] = json.loads(decoded.stdout)["result"]
    varied = run("vary", "a.mid", "--amount", "0", "--count", "1", "--json", "--seed", "1")
    [same] = json.loads(varied.stdout)["result"]
    assert first["tracks"] == same["tracks"]


def test_a_larger_amount_goes_farther(tiny):
    """The same noise, scaled: more steps differ from what is remembered."""
    first, *others = [
        next(vary(TUNE.to_score(), amount=amount, count=1, seed=1,
                  checkpoint=str(tiny["mel-2bar"]), device="cpu"))
        for amount in (0.0, 0.0, 2.0)
    ]  # fmt: skip
    assert others[0] == first
    assert others[1] != first


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (Codes(np.zeros((2, 4))), "4 dimensions, the model has 6"),
        (Codes(np.zeros((2, 6)), model="drums-2bar"), "of the model 'drums-2bar', not 'mel-2bar'"),
    ],
)
def test_codes_of_another_model_are_refused(run, tmp_path, codes, message):
    codes.save(tmp_path / "codes.json")
    result = run("decode", "codes.json")
    assert result.returncode == 4
    assert message in " ".join(result.stderr.split())


def test_a_waltz_is_refused(run, tmp_path):
    Melody.from_text("M:3/4 L:1/16 " + "C4 - E4 - " * 6).save(tmp_path / "waltz.mid")
    result = run("vary", "waltz.mid")
    assert result.returncode == 4
    assert "not in 4/4 and sixteenths" in " ".join(result.stderr.split())


def test_weights_that_are_not_there_are_named(groove):
    result = groove("sample", "--count", "1", "--checkpoint", "nowhere")
    assert result.returncode == 5
    assert "nowhere" in result.stderr
