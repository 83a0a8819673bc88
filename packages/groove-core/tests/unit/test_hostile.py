"""Files of strangers cost an error of two lines, little memory and little time."""

from __future__ import annotations

import json
import os
import struct
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
import soundfile

from groove_core.drums.extraction import extract_patterns
from groove_core.drums.pattern import DrumPattern
from groove_core.errors import CheckpointError, GrooveError, InputError
from groove_core.render.soundfont import render
from groove_core.storage import archives, checkpoints, files, tables
from groove_core.values.midi import files as midi
from groove_core.values.results import Codes
from groove_core.values.scores.score import Score
from groove_core.values.sound.audio import Audio

SECONDS, BYTES = 2, 200 * 2**20


@pytest.fixture(autouse=True)
def cheap():
    """Fail if a test takes more time or memory than a hostile file may."""
    tracemalloc.start()
    try:
        begin = time.process_time()
        yield
        assert time.process_time() - begin < SECONDS
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()


def _refused(read, *arguments, kind=InputError, says=None):
    with pytest.raises(GrooveError, match=says) as caught:
        read(*arguments)
    assert type(caught.value) is kind
    assert "\n" not in caught.value.message
    assert caught.value.hint


def _variable(number):
    parts = [number & 127]
    while number := number >> 7:
        parts.append(number & 127 | 128)
    return bytes(reversed(parts))


def _long_midi():
    """Make a billion quarter notes of a microsecond each."""
    track = b"\0\xff\x51\x03\0\0\1" + _variable(2**28 - 1) + b"\x99\x24\x64\1\x89\x24\0"
    track += b"\0\xff\x2f\0"
    header = b"MThd" + struct.pack(">IHHH", 6, 1, 1, 1)
    return header + b"MTrk" + struct.pack(">I", len(track)) + track


@pytest.mark.parametrize("read", [DrumPattern.from_score, extract_patterns])
def test_a_score_of_a_billion_quarters(read):
    _refused(read, Score.from_midi(_long_midi(), name="long.mid"), says="sixteenths")


@pytest.mark.parametrize(
    "event",
    [b"\0\x40\x40", b"\0\xff\1\0", b"\0\xc0\1", b"\0\x90\x40\x40\0\xf8"],
    ids=["running", "texts", "programs", "mixed"],
)
def test_more_events_than_the_limit(event, monkeypatch):
    monkeypatch.setattr(midi, "MAX_EVENTS", 10_000)  # tracing memory makes half a million slow
    track = b"\0\x90\x40\x40" + event * 20_000 + b"\0\xff\x2f\0"
    content = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480)
    content += b"MTrk" + struct.pack(">I", len(track)) + track
    _refused(Score.from_midi, content, says="more than 10,000 events")


def test_a_score_of_a_million_hours_is_not_rendered():
    _refused(render, Score((), end_tick=2**34), says="hours")


def test_samples_are_counted_after_resampling(tmp_path):
    soundfile.write(tmp_path / "slow.wav", np.full(24_000, 0.5), 1)
    _refused(lambda: Audio.read(tmp_path / "slow.wav", sample_rate=44_100), says="memory")


def test_samples_louder_than_any_sound(tmp_path):
    loud = np.full(50_000, 3e38, np.float32)
    soundfile.write(tmp_path / "loud.wav", loud, 44_100, subtype="FLOAT")
    _refused(lambda: Audio.read(tmp_path / "loud.wav", sample_rate=22_050), says="full scale")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested"),
        ("[" + "[]," * 3_000_000 + "[]]", "values"),
        ('{"a": ' + "9" * 5000 + "}", "not a JSON file"),
        ("\udcff", "not a JSON file"),
    ],
    ids=["deep", "many", "large", "bytes"],
)
def test_json(tmp_path, content, says):
    (tmp_path / "a.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    _refused(files.read_json, tmp_path / "a.json", says=says)


def test_json_larger_than_the_limit_is_not_read(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(files.MAX_JSON_BYTES + 1)  # of no blocks on the disk
    _refused(files.read_json, tmp_path / "a.json", says="larger")


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "drum-pattern", "hits": 1},
        {"kind": "score", "tracks": [[]], "tempos": "x"},
        {"kind": "audio", "float32": "", "channels": 0, "sample_rate": 1},
        {"kind": "codes", "points": [[1e400]], "labels": [1], "model": None},
        {"kind": "report", "title": 1, "columns": 2, "rows": [3]},
        {"kind": "melody", "metre": 4, "notes": "x"},
        {"kind": "lead-sheet", "metre": [4, 4], "notes": [], "chords": [[0, "H"]]},
    ],
)
def test_documents_of_the_wrong_types(tmp_path, document):
    from groove_core.plugins.kinds import class_of

    (tmp_path / "a.json").write_text(json.dumps(document))
    _refused(class_of(document["kind"]).read, tmp_path / "a.json")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("other\n1\n", "has no column path"),
        ("path\n" + "a\n" * 1001, "more than 1,000 rows"),
        ("path\n" + "x" * 4_000_000, "no CSV file"),
        ('path\n"' + "x\n" * 100_000, "no CSV file"),
    ],
    ids=["column", "rows", "cell", "quote"],
)
def test_tables(tmp_path, content, says, monkeypatch):
    monkeypatch.setattr(tables, "MAX_ROWS", 1000)
    (tmp_path / "a.csv").write_text(content)
    _refused(lambda: [None for _ in tables.read_table(tmp_path / "a.csv", ["path"])], says=says)


def test_what_a_row_lacks_is_empty(tmp_path):
    (tmp_path / "a.csv").write_text("path, Genre\na.wav\nb.wav,jazz,more\n\n")
    assert list(tables.read_table(tmp_path / "a.csv", ["path", "genre"])) == [
        {"path": "a.wav", "genre": ""},
        {"path": "b.wav", "genre": "jazz"},
    ]


def test_tabs_part_the_columns_of_a_tsv_file(tmp_path):
    """Commas are part of a cell there, and tabs are in a CSV file."""
    text = "id\tsplit\nOne, two and three\ttest\n"
    for name in ("a.tsv", "A.TSV"):
        (tmp_path / name).write_text(text)
        assert list(tables.read_table(tmp_path / name, ["id", "split"])) == [
            {"id": "One, two and three", "split": "test"}
        ]
    (tmp_path / "a.csv").write_text(text)
    assert list(tables.read_rows(tmp_path / "a.csv")) == [
        ["id\tsplit"], ["One", " two and three\ttest"]
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["../a.mid", "/dev/zero", "a/../../b.mid", "", "a\0.mid"])
def test_tables_name_files_in_their_own_folder(tmp_path, name):
    _refused(tables.member, tmp_path, name, says="no file in")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize(
    "read",
    [
        files.read_json,
        lambda path: next(tables.read_rows(path)),
        lambda path: archives.read_arrays(path, what="arrays"),
        lambda path: list(archives.zip_members(path, bool)),
        lambda path: list(archives.read_members(path, bool)),
        Codes.read,
    ],
)
def test_a_pipe_is_no_file(tmp_path, read):
    os.mkfifo(tmp_path / "a.csv")
    _refused(read, tmp_path / "a.csv", says="no regular file")


def _zip(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in members:
            archive.writestr(name, bytes(size))
    return path


def test_members_of_a_zip_are_read_one_at_a_time(tmp_path):
    path = _zip(tmp_path / "a.zip", ("b.mid", 30 * 2**20), ("a.mid", 5), ("c.txt", 1))
    (small, first), (bomb, second) = archives.zip_members(path, lambda n: n.endswith(".mid"))
    assert (small, bomb) == ("a.mid", "b.mid")
    assert first() == bytes(5)
    _refused(second, says="100 times")


def test_a_zip_that_lies_about_its_sizes(tmp_path):
    path = _zip(tmp_path / "a.zip", ("a.mid", 2**20))
    content = path.read_bytes().replace(struct.pack("<I", 2**20), struct.pack("<I", 5))
    path.write_bytes(content)
    [(_, read)] = archives.zip_members(path, bool)
    _refused(read, says="cannot be read")


def test_a_zip_with_a_long_list(tmp_path):
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, 2**31, 0, 0)
    (tmp_path / "a.zip").write_bytes(end)
    _refused(lambda: list(archives.zip_members(tmp_path / "a.zip", bool)), says="too many")


@pytest.mark.parametrize(
    "shape", ["(1000000000000,)", "(99999999999, 99999999999)", "(-1,)", "5", "(5, (("]
)
def test_arrays_that_claim_more_than_there_is(tmp_path, shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    content = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + bytes(8)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", content)
    _refused(lambda: archives.read_arrays(tmp_path / "a.npz", what="arrays"), says="not arrays")


def test_arrays_that_unpack_to_too_much(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(20 * 2**20, np.uint8))
    _refused(lambda: archives.read_arrays(tmp_path / "a.npz", what="arrays"), says="100 times")


def test_arrays_of_objects(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{}], object))
    _refused(lambda: archives.read_arrays(tmp_path / "a.npz", what="arrays"), says="not arrays")


def test_arrays_come_back(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(5), b=np.array(["x"]))
    found = archives.read_arrays(tmp_path / "a.npz", what="arrays")
    assert (found["a"].tolist(), found["b"].tolist()) == ([0, 1, 2, 3, 4], ["x"])


CARD = {
    "schema": checkpoints.SCHEMA, "name": "net", "version": "1", "package": "tests",
    "model": "tests:Net", "config": {}, "sha256": "", "data": {}, "metrics": {}, "seed": 1,
    "made_with": {}, "license": "MIT", "intended_use": "tests", "limits": "", "paper": "",
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"config": []}, {"metrics": None}, {"name": 5}, {"model": None}, {"version": []},
        {"sha256": 0}, {"limits": {}}, {"schema": []},
    ],
)  # fmt: skip
def test_cards(tmp_path, changes):
    (tmp_path / "card.json").write_text(json.dumps(CARD | changes))
    _refused(checkpoints.read_card, tmp_path, kind=CheckpointError)


@pytest.mark.parametrize(
    "header",
    [
        {"a": 5}, {"a": {"dtype": "F32"}}, {"a": {"dtype": "F32", "shape": 3, "data_offsets": []}},
        {"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2]}}, [], "x",
    ],
)  # fmt: skip
def test_headers_of_weights(tmp_path, header):
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    _refused(checkpoints.read_header, tmp_path, kind=CheckpointError, says="cannot be read")


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [
        ("F32", struct.pack("<f", float("nan"))), ("F16", struct.pack("<e", float("inf"))),
        ("F64", struct.pack("<d", float("-inf"))), ("BF16", b"\xc0\x7f"),
    ],
)  # fmt: skip
def test_weights_that_are_no_numbers(tmp_path, dtype, bits):
    about = {"dtype": dtype, "shape": [2], "data_offsets": [0, 2 * len(bits)]}
    text = json.dumps({"layer.weight": about}).encode()
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(struct.pack("<Q", len(text)) + text + bytes(len(bits)) + bits)
    card = CARD | {"sha256": files.file_sha256(weights)}
    (tmp_path / "card.json").write_text(json.dumps(card))
    _refused(checkpoints.verify, tmp_path, kind=CheckpointError, says="NaN.*layer.weight")


def test_members_are_read_in_one_opening(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("b.txt", "a.txt", "c.mid"):
            archive.writestr(name, name)
    assert list(archives.read_members(path, lambda n: n.endswith(".txt"))) == [
        ("a.txt", b"a.txt"), ("b.txt", b"b.txt")
    ]  # fmt: skip
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("d.txt", bytes(4 * 2**20))
    _refused(lambda: list(archives.read_members(path, bool)), says="times its size")
