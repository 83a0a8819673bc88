"""The judge of spaces, with networks that have learnt nothing and songs made in code."""

from __future__ import annotations

import importlib.util
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from groove_core.tunes import Tune, TuneSet  # noqa: E402
from groove_core.values import LeadSheet  # noqa: E402
from melody_rnn.lessons import Lesson  # noqa: E402
from melody_rnn.lines import OPEN, encode  # noqa: E402
from melody_rnn.transformer import Transformer  # noqa: E402
from music_vae.alphabets import melody_classes  # noqa: E402
from music_vae.model import MusicVAE  # noqa: E402
from music_vae.windows import WindowSet, of_melodies  # noqa: E402

PATH = Path(__file__).parents[1] / "benchmarks" / "spaces.py"
CARD = {"name": "tiny", "data": {}}
SCALE = np.array([60, 62, 64, 65, 67, 69, 71, 72])


@pytest.fixture(scope="module")
def spaces():
    spec = importlib.util.spec_from_file_location("spaces", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["spaces"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["spaces"]


def tunes_of(parts, *, seed: int = 0, bars: int = 16, metre=(4, 4)) -> TuneSet:
    rng = np.random.default_rng(seed)
    made = []
    for number, part in enumerate(parts):
        starts = np.arange(0, 16 * bars, 2)
        walk = np.abs(np.cumsum(rng.integers(-2, 3, len(starts)))) % len(SCALE)
        rows = [(at, 2, pitch, 80) for at, pitch in zip(starts, SCALE[walk], strict=True)]
        sheet = LeadSheet(np.array(rows), 4, metre, 16 * bars, 0, 100.0, "C")
        name = f"{seed}-{number}"
        made.append(Tune(name, "made", f"made/{name}", part, (sheet,)))
    return TuneSet.of(made)


@pytest.fixture(scope="module")
def judge() -> Transformer:
    torch.manual_seed(1)
    return Transformer(size=32, heads=2, layers=1, encoder_layers=1).eval()


@pytest.fixture(scope="module")
def model() -> MusicVAE:
    torch.manual_seed(1)
    return MusicVAE(latent=6, encoder=8, decoder=8, flow=4).eval()


@pytest.fixture(scope="module")
def windows() -> WindowSet:
    tunes = tunes_of(["train"] * 3 + ["test"] * 3, bars=4)
    songs = [
        of_melodies(head.group, tunes.tune(number).melodies, head.part)
        for number, head in enumerate(tunes.heads)
    ]
    return WindowSet.of(songs, ["melody"], 2)


def test_the_judge_reads_melodies_in_c_whatever_their_key(spaces, judge):
    """As it reads the same melody whose key is told, but for the mode, which is open."""
    row = np.zeros(32, np.int64)
    row[::4] = melody_classes(SCALE)
    rows = np.stack([np.where(row > 1, row + up, row) for up in range(-6, 6)])
    lines = spaces.lines_to_judge(rows)
    sheet = LeadSheet.from_events([e for p in SCALE for e in (p, -2, -2, -2)], key="C")
    wanted = encode(sheet).events
    for line in lines:
        np.testing.assert_array_equal(line.events % 12, wanted % 12)
        assert line.mode == OPEN
        assert line.metre == 0
    bits, counts = spaces.judged(judge, rows)
    assert counts.tolist() == [[32, 8]] * 12
    assert np.isfinite(bits).all()
    silent, _ = spaces.judged(judge, np.zeros((1, 32), np.int64))
    assert np.isfinite(silent).all()


def test_bits_as_a_multiple_of_others(spaces):
    ones = np.ones(4)
    found = spaces.times(3 * ones, 2 * ones, ones, ones, np.arange(4))
    assert found.value == found.low == found.high == 1.5
    nothing = spaces.times(ones, ones, ones, 0 * ones, np.arange(4))
    assert np.isnan(nothing.value)


def test_ways_have_the_bits_of_their_middles(spaces, judge, model, windows):
    report = spaces.ways(model, windows, judge, "tiny", count=4, seed=1)
    assert report.rows[0][0] == "the ends"
    steps, notes = (
        report.cell("the ends", "bits per step"),
        report.cell("the ends", report.columns[3]),
    )
    for row in report.rows[1:]:
        assert row[2].value == pytest.approx(row[1].value / steps.value)
        assert row[4].value == pytest.approx(row[3].value / notes.value)
    from music_vae.evaluation.interpolation import pairs_of, ways_between

    events, song = windows.part("test")
    made = ways_between(model, events, pairs_of(song, 4, 1), seed=1)["mixed step by step"]
    bits, counts = spaces.judged(judge, made[:, 4, 0])
    wanted = bits.sum() / counts[:, 0].sum()
    assert report.cell("mixed step by step", "bits per step").value == pytest.approx(wanted)


def test_samples_beside_real_ones(spaces, judge, model, windows):
    report = spaces.bits_of_samples(model, windows, judge, "tiny", count=4, seed=1)
    names = [row[0] for row in report.rows]
    assert names[:3] == ["held-out songs", "learnt songs", "chance"]
    events, _ = windows.part("test")
    from music_vae.evaluation.samples import evenly

    bits, counts = spaces.judged(judge, events[evenly(len(events), 4)][:, 0].astype(np.int64))
    wanted = bits.sum() / counts[:, 1].sum()
    assert report.cell("held-out songs", "bits per event").value == pytest.approx(wanted)
    drums = MusicVAE(voices=("drums",), latent=2, encoder=4, decoder=4, flow=4)
    with pytest.raises(SystemExit, match="choose a model that has one"):
        spaces.bits_of_samples(drums, windows, judge, "tiny", count=4, seed=1)


# --- books -----------------------------------------------------------------------------------


def test_a_book_has_what_both_systems_can_learn(spaces):
    some = tunes_of(["train"] * 2)
    cut, short = tunes_of(["train"], seed=1, metre=(2, 2)), tunes_of(["train"], seed=2, bars=8)
    waltz = tunes_of(["train"], seed=3, metre=(3, 4))
    every = TuneSet.of([
        s.tune(i) for s in (some, cut, short, waltz) for i in range(len(s))
    ])  # fmt: skip
    book = spaces.book_of(every, range(len(every)), 16)
    assert [head.name for head in book.heads] == ["0-0", "0-1", "1-0"]
    assert {book.melody(i).metre for i in range(3)} == {(4, 4)}
    assert len(spaces.book_of(every, range(len(every)), 2)) == 4


def test_halves_keep_copies_together(spaces):
    tunes = tunes_of(["train"] * 9)
    every = [replace(tunes.tune(i), group=f"group {i // 2}") for i in range(9)]
    one, other = spaces.halves(TuneSet.of(every))
    assert len(one) + len(other) == 9
    assert len(set(one.groups)) == 3
    assert not set(one.groups) & set(other.groups)


def test_both_systems_are_compared_on_both_halves(spaces, judge, model, windows, monkeypatch):
    before = tunes_of(["train"] * 4 + ["validation"], seed=8, bars=4)
    monkeypatch.setattr(spaces, "shipped", lambda: before)
    monkeypatch.setattr(spaces, "STEPS", 64)
    monkeypatch.setattr("melody_rnn.samples.BARS", 4)
    monkeypatch.setattr("melody_rnn.adapting.FEWEST_WINDOWS", 1)
    books = {"one": tunes_of(["train"] * 10), "two": tunes_of(["train"] * 10, seed=1)}
    options = Namespace(count=4, seed=1, device="cpu", epochs=1, precision="32")
    report = spaces.pasting(books, {"tiny": (model, CARD, windows)}, (judge, CARD), options)
    assert [row[:3] for row in report.rows] == [
        *(row for book in books for row in (
            (book, "the songs", "5 learnt"), (book, "melody-rnn", "before"),
            (book, "melody-rnn", "after"), (book, "tiny", "before"), (book, "tiny", "after"))),
        *(("all books", system, when)
          for system in ("melody-rnn", "tiny") for when in ("before", "after")),
    ]  # fmt: skip
    rows = {row[:3]: dict(zip(report.columns, row, strict=True)) for row in report.rows}
    mine = [rows[book, "tiny", "after"]["bits per event"].value for book in books]
    assert rows["all books", "tiny", "after"]["bits per event"].value == pytest.approx(
        np.mean(mine)
    )  # fmt: skip
    learnt, other = spaces.halves(books["one"])
    lines = Lesson(learnt).part("train")[0]
    assert rows["one", "the songs", "5 learnt"]["melodies"] == len(lines)
    from groove_core.tunes import Stretches

    share = np.nanmean(Stretches(spaces.stream(learnt), 16).share(spaces.stream(other)))
    assert rows["one", "the songs", "5 learnt"]["copied, 16 steps"].value == pytest.approx(share)
    assert rows["one", "melody-rnn", "before"] != rows["one", "melody-rnn", "after"]
