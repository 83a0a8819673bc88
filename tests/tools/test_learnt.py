"""Lists of what the shipped checkpoints learnt from."""

from __future__ import annotations

import json
import shutil

import learnt
import pytest

pytest.importorskip("torch")

from groove_core.learning import Split
from groove_core.storage import checkpoints


@pytest.mark.slow
def test_the_lists_are_those_of_the_packaged_data(capsys):
    assert learnt.main(["--check"]) == 0
    shown = capsys.readouterr().out
    assert "changed" not in shown
    assert "drum-space/acai: 479 train, 69 validation, 90 test" in shown
    # And every list that is shipped is checked.
    shipped = {
        f"{name}/{path.parent.name}"
        for name, package in learnt.packages(learnt.ROOT).items()
        for path in package.source.glob(f"weights/*/{checkpoints.LEARNT}")
    }
    assert {line.partition(":")[0] for line in shown.splitlines()} == shipped


def test_a_list_that_differs_is_found_and_written(tmp_path):
    shutil.copytree(
        learnt.packages(learnt.ROOT)["drum-space"].source / "weights/vae", tmp_path / "vae"
    )
    folder = tmp_path / "vae"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = Split("song").card(["a", "b"], {"train": [0], "test": [1]})["learnt"]
    assert not learnt.put(folder, other, check=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not learnt.put(folder, other, check=False)
    assert learnt.put(folder, other, check=True)
    card = json.loads((folder / checkpoints.CARD).read_text())
    assert card["data"]["learnt"]["counts"] == {"train": 1, "validation": 0, "test": 1}
    assert card["data"]["train"] == 28634
    card["data"]["learnt"]["counts"]["train"] = 2
    (folder / checkpoints.CARD).write_text(json.dumps(card))
    assert not learnt.put(folder, other, check=True)
