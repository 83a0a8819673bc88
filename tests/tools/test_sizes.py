"""What an installation brings, from what is installed here."""

from __future__ import annotations

import json

import pytest
import sizes
from monorepo import ROOT, Stop, closure

pytest.importorskip("torch")


def test_requirements_are_followed_with_extras_and_markers():
    needs = {
        "a": ["b[x]>=1", "c ; extra == 'y'", "d ; python_version < '3'"],
        "b": ["e", "f ; extra == 'x'", "a"],
    }

    def requires(name: str) -> list[str]:
        return needs.get(name, [])

    assert closure(["A"], requires) == {"a": set(), "b": {"x"}, "e": set(), "f": set()}
    assert closure(["a[y]"], requires).keys() == {"a", "b", "c", "e", "f"}
    with pytest.raises(Stop, match="nothing-like-it is needed and not installed"):
        sizes.measure(ROOT, "nothing-like-it")


def test_the_core_is_light_and_sizes_add_up():
    core = sizes.measure(ROOT, "groove-core")
    with_torch = sizes.measure(ROOT, "groove-core[torch]")
    drums = sizes.measure(ROOT, "drum-space")
    assert not {"torch", "matplotlib", "scipy", "scikit-learn"} & core.keys()
    assert core.items() <= with_torch.items()
    assert with_torch.keys() <= drums.keys()
    assert {"torch", "scikit-learn", "drum-space"} <= drums.keys()
    assert sum(core.values()) < 200e6
    assert with_torch["torch"] > 1e8
    assert 6e6 < drums["drum-space"] < 15e6


def test_the_document(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sizes, "size_of", lambda name: len(name) * 1_000_000)
    out = tmp_path / "measured/sizes.json"
    assert sizes.main(["--out", str(out)]) == 0
    document = json.loads(out.read_text())
    rows = {row["install"]: row for row in document["packages"]}
    assert {"groove-core", "groove-core[torch]", "drum-space"} <= rows.keys()
    assert rows["groove-core[torch]"]["torch_megabytes"] == 5.0
    assert "drum-space" in capsys.readouterr().out
