"""What pip installs: wheels with everything in them, that work outside the repository."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("wheels")
    for package in sorted((ROOT / "packages").iterdir()):
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index",
             "--no-build-isolation", "-w", str(out), str(package)],
            check=True,
        )  # fmt: skip
    return {path.name.split("-")[0]: path for path in out.glob("*.whl")}


CARRIED = {
    "groove_core": ["py.typed"],
    "drum_space": ["py.typed", "patterns/patterns.npz", "patterns/LICENSES.md"]
    + [f"weights/{m}/{f}" for m in ("acai", "vae", "ae", "acai16")
       for f in ("card.json", "model.safetensors")],
    "groove_vae": ["py.typed", "data/performances.npz", "data/LICENSE.md",
                   "weights/symbolic/card.json", "weights/symbolic/model.safetensors",
                   "weights/audio/card.json", "weights/audio/model.safetensors"],
    "genre_map": ["py.typed", "page.html", "gtzan/faults.txt", "gtzan/SOURCES.md"]
    + [f"gtzan/{part}_filtered.txt" for part in ("train", "valid", "test")]
    + [f"weights/{m}/{f}" for m in ("classifier", "generator")
       for f in ("card.json", "model.safetensors")],
    "gansynth_lite": ["py.typed"]
    + [f"weights/{m}/{f}" for m in ("notes", "classifier")
       for f in ("card.json", "model.safetensors")],
    "music_recsys": ["py.typed"]
    + [f"weights/{m}/{f}" for m in ("front-end", "pooled-front-end")
       for f in ("card.json", "model.safetensors")],
}  # fmt: skip
SIZES = {
    "gansynth_lite": 8_000_000,
    "genre_map": 5_000_000,
    "groove_core": 250_000,
    "drum_space": 8_000_000,
    "groove_vae": 3_000_000,
    "music_recsys": 1_000_000,
}


def test_wheels_carry_data_weights_types_and_licences(wheels):
    assert wheels.keys() == CARRIED.keys()
    for package, files in CARRIED.items():
        names = set(zipfile.ZipFile(wheels[package]).namelist())
        assert {f"{package}/{file}" for file in files} <= names
        assert any("licenses/" in name for name in names)
        assert not any(name.endswith("state.safetensors") for name in names)


def test_wheels_are_small(wheels):
    assert {p for p, wheel in wheels.items() if wheel.stat().st_size > SIZES[p]} == set()


def test_a_beat_from_the_wheels_outside_the_repository(wheels, tmp_path):
    """Installed into a folder of their own, in front of everything else."""
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target",
         str(site), *map(str, wheels.values())],
        check=True,
    )  # fmt: skip
    code = "import drum_space, sys; assert drum_space.__file__.startswith(sys.argv[1]); \
from groove_core.cli.app import run_cli; sys.exit(run_cli(['run', 'drum-space', 'sample']))"
    import os

    result = subprocess.run(
        [sys.executable, "-c", code, str(site)],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert len(list(tmp_path.glob("groove-out/*/*.wav"))) == 8


def test_versions_are_written_once():
    for package in (ROOT / "packages").iterdir():
        text = (package / "pyproject.toml").read_text()
        assert 'dynamic = ["version"]' in text
        assert not any(line.startswith("version =") for line in text.splitlines())
