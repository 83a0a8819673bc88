"""Sets and trainings from the command line."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from groove_core.storage import checkpoints
from groove_core.tunes import TuneSet
from music_vae import sets
from music_vae.loading import load
from music_vae.pieces import score_of
from music_vae.songs import SongSet
from music_vae.training import PRESETS
from music_vae.windows import WindowSet


@pytest.fixture
def small(monkeypatch):
    """Make the networks of all models tiny."""
    tiny = {"latent": 16, "encoder": 8, "decoder": 8, "flow": 4, "epochs": 1, "batch_size": 8}
    for name, settings in PRESETS.items():
        monkeypatch.setitem(PRESETS, name, replace(
            settings, **tiny, conductor=settings.conductor and 8, listens=settings.listens and 4
        ))  # fmt: skip


def write_songs(folder, count=12, bars=4):
    folder.mkdir()
    for i in range(count):
        rng = np.random.default_rng(i)
        rows = np.where(np.arange(16 * bars) % 2 == 0, rng.integers(40, 52, 16 * bars), 0)
        score_of(rows[None], ("melody",)).save(folder / f"{i}.mid")


def test_a_set_of_melodies_is_built_and_learnt(groove, tmp_path, small):
    write_songs(tmp_path / "songs")
    done = groove("dataset", "songs", "--out", "set")
    assert done.returncode == 0, done.stderr
    found = TuneSet.read(tmp_path / "set/dataset.npz")
    assert len(found) == 12
    done = groove("train", "--data", "set/dataset.npz", "--into", "mine", "--name", "mine")
    assert done.returncode == 0, done.stderr
    card = checkpoints.verify(tmp_path / "mine")
    assert card["training"]["voices"] == ["melody"]
    assert "your own data" in card["data"]["license"]
    done = groove("sample", "--checkpoint", "mine", "--count", "2", "--format", "mid")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("model", [*PRESETS])
def test_every_model_learns_from_its_shipped_set(model, small, groove, tmp_path, monkeypatch):
    def few(songs, voices, bars):
        some = [song for _, song in zip(range(40), songs, strict=False)]
        return WindowSet.of([replace(song, stretches=song.stretches[:1]) for song in some],
                            voices, bars)  # fmt: skip

    monkeypatch.setattr(sets, "WindowSet", type("Few", (), {"of": staticmethod(few)}))
    done = groove("train", "--model", model, "--into", "mine", "--batch-size", "16")
    assert done.returncode == 0, done.stderr
    network, card = load(model, str(tmp_path / "mine"), "cpu")
    assert network.voices == PRESETS[model].voices
    assert card["data"]["license"] == sets.LICENSES[network.voices][1]


def test_too_few_windows_are_counted(groove, tmp_path, small):
    write_songs(tmp_path / "songs", count=2)
    done = groove("train", "--data", "songs", "--batch-size", "500", "--into", "mine")
    assert done.returncode == 4
    assert "windows of 2 bars" in done.stderr
    assert "a batch takes 500" in done.stderr


def test_a_folder_where_no_file_has_16_bars(groove, tmp_path, small):
    write_songs(tmp_path / "songs")
    done = groove("train", "--model", "mel-16bar", "--data", "songs", "--into", "mine")
    assert done.returncode == 4
    assert "the longest has 4" in done.stderr


def test_sets_of_drums_trios_and_phrases(groove, tmp_path, trio_of):
    for name, seed in (("a", 1), ("b", 2)):
        (tmp_path / "songs").mkdir(exist_ok=True)
        trio_of(16, seed).save(tmp_path / f"songs/{name}.mid")
    for of, voices in (("drums", ("drums",)), ("trios", ("melody", "bass", "drums"))):
        done = groove("dataset", "songs", "--of", of, "--out", of)
        assert done.returncode == 0, done.stderr
        found = SongSet.read(tmp_path / of / "dataset.npz")
        assert (len(found), found.voices) == (2, voices)
    with zipfile.ZipFile(tmp_path / "structure.zip", "w") as archive:
        texts = {"human_label1": "A1A1", "finalized_chord": "C:maj [0] 0 8", "melody": "60 32",
                 "analyzed_key": "C:maj", "tempo": "90"}  # fmt: skip
        for name, text in texts.items():
            archive.writestr(f"001/{name}.txt", text)
    done = groove("dataset", "structure.zip", "--of", "phrases", "--out", "phrases", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["phrases"] == {"chorus": 2}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("songs", "--of", "drums", "--made"), "Only trios are made"),
        (("songs", "--of", "phrases"), "no .zip file"),
        (("songs", "--of", "drums"), "no drums"),
        (("nothing",), "nothing"),
    ],
)
def test_errors_of_dataset(groove, tmp_path, arguments, says):
    write_songs(tmp_path / "songs", count=1)
    done = groove("dataset", *arguments, "--out", "set")
    assert done.returncode in (2, 4)
    assert says in done.stderr


def test_made_trios_join_those_of_folders(groove, tmp_path, trio_of, monkeypatch):
    (tmp_path / "songs").mkdir()
    trio_of(16, 1).save(tmp_path / "songs/a.mid")
    monkeypatch.setattr(sets, "made_trios", lambda phrases, beats: sets.trios())
    done = groove("dataset", "songs", "--of", "trios", "--made", "--out", "set")
    assert done.returncode == 0, done.stderr
    assert len(SongSet.read(tmp_path / "set/dataset.npz")) == 1 + len(sets.trios())
