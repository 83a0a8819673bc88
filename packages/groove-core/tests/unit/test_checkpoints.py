"""Checkpoints: folders with a hash, read without torch, loaded strictly."""

from __future__ import annotations

import json
import shutil

import pytest

from groove_core.errors import CheckpointError, UsageError
from groove_core.storage import checkpoints

torch = pytest.importorskip("torch")


class Net(torch.nn.Module):
    """A network as packages have them: built from its config."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.config = {"width": width}
        self.layer = torch.nn.Linear(2, width)


class OtherNet(Net):
    """Another class of the same shape."""


CARD = {
    "name": "net", "version": "1", "package": "tests", "data": {}, "metrics": {}, "seed": 1,
    "made_with": {}, "license": "MIT", "intended_use": "tests", "limits": "", "paper": "",
}  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    return checkpoints.save(tmp_path / "net", Net(3), CARD)


def test_there_and_back(saved):
    model, card = checkpoints.load("tests", saved, Net)
    again = checkpoints.save(saved.parent / "again", model, CARD)
    assert checkpoints.read_card(again) == card
    assert (again / "model.safetensors").read_bytes() == (saved / "model.safetensors").read_bytes()
    assert checkpoints.read_header(saved)["layer.weight"]["shape"] == [3, 2]
    assert sorted(p.name for p in saved.parent.iterdir()) == ["again", "net"]


def test_half_precision_comes_back_as_float(saved):
    half = checkpoints.save(saved.parent / "half", Net(3), CARD, half=True)
    assert checkpoints.read_header(half)["layer.weight"]["dtype"] == "F16"
    model, _ = checkpoints.load("tests", half, Net)
    assert model.layer.weight.dtype == torch.float32


def test_an_incomplete_card_is_never_written(tmp_path):
    with pytest.raises(CheckpointError, match="lacks limits"):
        checkpoints.save(tmp_path / "x", Net(3), {k: v for k, v in CARD.items() if k != "limits"})
    assert list(tmp_path.iterdir()) == []


def _edit(folder, **changes):
    path = folder / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "0" * 64}, "has sha256"),
        ({"package": "genre-map"}, "for the package genre-map, not tests"),
        ({"model": "os:system"}, "for the model os:system"),
        ({"config": {"width": 4}}, "does not fit"),
        ({"config": {"depth": 4}}, "does not fit"),
        ({"schema": "groove.checkpoint/9"}, "groove.checkpoint/9"),
    ],
)
def test_what_does_not_fit_is_refused(saved, changes, message):
    _edit(saved, **changes)
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoints.load("tests", saved, Net)
    assert caught.value.hint


def test_another_class_is_refused(saved):
    with pytest.raises(CheckpointError, match="for the model"):
        checkpoints.load("tests", saved, OtherNet)


def test_damaged_files(saved, tmp_path):
    weights = saved / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="sha256"):
        checkpoints.verify(saved)
    weights.write_bytes(content[:5])
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoints.verify(saved)
    weights.write_bytes(b"\xff" * 100)
    with pytest.raises(CheckpointError, match="header claims"):
        checkpoints.verify(saved)
    (saved / "card.json").write_text("{")
    with pytest.raises(CheckpointError, match="is broken"):
        checkpoints.read_card(saved)
    with pytest.raises(CheckpointError, match="no card.json"):
        checkpoints.find("tests", tmp_path)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoints.find("tests", "nowhere")


def test_search_order(saved, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("GROOVE_HOME", str(tmp_path / "home"))
    checkpoints.save(tmp_path / "home/models/tests/net", Net(5), CARD)
    assert checkpoints.load("tests", "net", Net)[1]["config"] == {"width": 5}
    checkpoints.save(tmp_path / "work/groove-models/tests/net", Net(7), CARD)
    assert checkpoints.load("tests", "net", Net)[1]["config"] == {"width": 7}
    assert checkpoints.load("tests", saved, Net)[1]["config"] == {"width": 3}
    assert [s.origin for s in checkpoints.available("tests")] == ["project", "home"]
    assert checkpoints.fitting("tests") == ["net"]
    assert checkpoints.fitting("tests", ["tests.other:Net"]) == []
    (tmp_path / "work/below/it").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work/below/it")
    assert checkpoints.config_of("tests", "NET") == {"width": 7}  # of a folder above


def test_a_checkpoint_in_another_folder_is_named(tmp_path, monkeypatch, saved):
    monkeypatch.setenv("GROOVE_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for folder in (tmp_path / "gone/net", saved, saved):
        checkpoints.remember(folder)
    with pytest.raises(CheckpointError) as raised:
        checkpoints.find("tests", "net")
    assert raised.value.hint == f"One of this name is in {saved}: pass that folder."
    with pytest.raises(CheckpointError) as raised:
        checkpoints.find("others", "net")
    assert raised.value.hint == "Train one, or pass its folder."


def test_what_a_killed_save_left_has_no_name(tmp_path, monkeypatch, saved):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GROOVE_HOME", str(tmp_path / "home"))
    for name in ("net", ".net-0123abcd"):
        shutil.copytree(saved, tmp_path / "groove-models/tests" / name)
    assert [one.name for one in checkpoints.available("tests")] == ["net"]


def test_a_full_disk_is_said_and_leaves_the_earlier_one(saved):
    resource = pytest.importorskip("resource")
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(UsageError) as caught:
            checkpoints.save(saved, Net(10_000), CARD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.message == f"Cannot write to {saved}: File too large."
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_folder_that_cannot_be_written_is_said_before_the_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Cannot write"):
        checkpoints.place("tests", "net", tmp_path / "file/net", "net")
    assert checkpoints.place("tests", None, tmp_path / "a/net", "x") == ("net", tmp_path / "a/net")
    assert not (tmp_path / "a").exists()


def test_models_commands_read_without_torch(groove, saved):
    shown = groove("models", "show", str(saved))
    assert shown.returncode == 0
    assert "layer.weight  F32 [3, 2]" in shown.stdout
    assert groove("models", "verify", str(saved)).returncode == 0
    _edit(saved, sha256="0" * 64)
    failed = groove("models", "verify", str(saved))
    assert failed.returncode == 5
    assert "failed" in failed.stdout
    assert groove("models", "show", "nothing").returncode == 5


class Tied(Net):
    """Two layers with one weight, and a buffer that is a part of another."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.again = torch.nn.Linear(2, width, bias=False)
        self.again.weight = self.layer.weight
        self.register_buffer("whole", torch.arange(4.0))
        self.register_buffer("part", self.whole[:2])


@pytest.mark.parametrize("half", [False, True])
def test_tied_weights_can_be_stored(tmp_path, half):
    made = Tied(3)
    path = checkpoints.save(tmp_path / "net", made, CARD, half=half)
    model, _ = checkpoints.load("tests", path, Tied)
    assert model.again.weight is model.layer.weight
    torch.testing.assert_close(model.layer.weight, made.layer.weight, atol=1e-3, rtol=1e-3)
    assert model.part.tolist() == [0, 1]


class Deep(torch.nn.Module):
    """A network whose config says how many parts it has."""

    def __init__(self, layers: int, width: int, filters: int = 2) -> None:
        super().__init__()
        self.config = {"layers": layers, "width": width, "filters": filters}
        self.layers = torch.nn.ModuleList(torch.nn.Linear(width, width) for _ in range(layers))
        self.register_buffer("scale", torch.ones(filters), persistent=False)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"layers": 2, "width": 10**6}, "by its card"),
        ({"layers": 10**9, "width": 2}, "more than 4 tensors"),
        ({"layers": 3, "width": 2}, "missing in its file"),
        ({"layers": 1, "width": 2}, "missing by its card"),
        ({"layers": 2, "width": 2, "filters": 10**10}, "in no file"),
        ({"layers": "2", "width": 2}, "does not fit"),
        ({"layers": 2, "width": -1}, "does not fit"),
        ({"layers": 2, "width": 10**30}, "does not fit"),
    ],
)
def test_a_card_is_compared_before_a_network_is_built(tmp_path, config, says):
    folder = checkpoints.save(tmp_path / "deep", Deep(2, 2), CARD)
    assert checkpoints.load("tests", folder, Deep)[0].scale.tolist() == [1, 1]
    _edit(folder, config=config)
    with pytest.raises(CheckpointError, match=says):
        checkpoints.load("tests", folder, Deep)
