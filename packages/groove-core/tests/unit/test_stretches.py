"""Stretches that stand in other melodies, against a search that looks at every place."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.tunes.finding import Finder, Match
from groove_core.tunes.sets import Tune, TuneSet
from groove_core.tunes.stretches import Stream, copied_share
from groove_core.tunes.tracing import Trace, Tracer
from groove_core.values import Chord, LeadSheet

NOTHING, END = -2, -1
CHANCES = [0.4, 0.3, 0.1, 0.1, 0.1]


def melody(rng: np.random.Generator, steps: int) -> np.ndarray:
    """Draw a melody with a note on about every second step."""
    events = rng.choice(
        [NOTHING, NOTHING, END, *range(60, 72)], steps, p=[0.2, 0.2, 0.1, *[0.5 / 12] * 12]
    )
    events[0] = 60
    return events


def key(events: np.ndarray) -> tuple[int, ...] | None:
    """Return what a stretch is equal by: its rhythm, and the intervals to its first note."""
    notes = events[events >= 0]
    if len(notes) < 3 or 4 * len(notes) < len(events):
        return None
    return tuple(int(e) if e < 0 else 1000 + int(e - notes[0]) for e in events)


def stretches_of(melodies: list[np.ndarray], size: int) -> list[list[tuple[int, ...] | None]]:
    return [[key(m[at : at + size]) for at in range(len(m) - size + 1)] for m in melodies]


@pytest.fixture
def book() -> list[np.ndarray]:
    rng = np.random.default_rng(6)
    return [melody(rng, int(rng.integers(40, 120))) for _ in range(40)]


@pytest.mark.parametrize("size", [8, 16, 32])
def test_shares_are_those_of_a_search(size):
    """Melodies of few pitches and rhythms, so that many stretches stand in others by chance."""
    rng = np.random.default_rng(size)

    def simple(steps: int) -> np.ndarray:
        bars = [[60, -2, 62, -2, 64, -1, 62, 60], [67, -2, 65, -2, 67, -2, 65, 64], [-2] * 8,
                [60, -1, 60, -2, -2, -2, -1, -2]]  # fmt: skip
        found = np.concatenate([bars[i] for i in rng.choice(4, steps // 8, p=[0.4, 0.4, 0.1, 0.1])])
        return np.where(found >= 0, found + rng.integers(-5, 6), found)

    learnt = [simple(int(rng.integers(2, 9)) * 8) for _ in range(12)]
    other = [simple(int(rng.integers(2, 9)) * 8) for _ in range(12)]
    known = {k for keys in stretches_of(learnt, size) for k in keys if k is not None}
    found = copied_share(Stream.of(learnt), Stream.of(other), size)
    wanted = []
    for keys in stretches_of(other, size):
        counting = [k in known for k in keys if k is not None]
        wanted.append(np.mean(counting) if counting else np.nan)
    np.testing.assert_allclose(found, wanted)
    assert 0 < np.nanmean(found) < 1


def test_no_stretch_lies_in_two_melodies():
    one = np.array([60, 62, 64, 65, 67, 69, 71, 72])
    assert copied_share(Stream.of([one[:4], one[4:]]), Stream.of([one]), 8).tolist() == [0]
    assert copied_share(Stream.of([one]), Stream.of([one[:4], one, one[4:]]), 8).tolist()[1] == 1


def test_melodies_without_a_stretch_have_no_share():
    rest = np.full(32, NOTHING)
    short = np.array([60, 62, 64])
    learnt = Stream.of([melody(np.random.default_rng(1), 64)])
    assert np.isnan(copied_share(learnt, Stream.of([rest, short]), 16)).all()
    empty = Stream.of([])
    assert copied_share(empty, learnt, 16).tolist() == [0]


@pytest.mark.parametrize("steps", [0, 1, 5, 15])
def test_a_melody_shorter_than_a_stretch_quotes_nothing(book, steps):
    assert Finder(Stream.of(book)).longest(book[0][:steps]) == []
    assert Finder(Stream.of([book[0][:steps]])).longest(book[0]) == []


def test_the_same_notes_in_another_rhythm_are_no_copy():
    one = np.array([60, -2, 62, -2, 64, -2, 65, -2] * 2)
    other = np.array([60, -2, 62, -2, 64, -1, 65, -2] * 2)
    assert copied_share(Stream.of([one]), Stream.of([other]), 16).tolist() == [0]


def test_planted_quotations_are_found(book):
    """Sixteen steps of some melody, moved by some semitones, in the middle of another line."""
    rng = np.random.default_rng(9)
    finder = Finder(Stream.of(book))
    found = 0
    for _ in range(100):
        number = at = -1
        while at < 0 or key(book[number][at : at + 16]) is None:
            number = int(rng.integers(len(book)))
            at = int(rng.integers(len(book[number]) - 15))
        higher = int(rng.integers(-11, 12))
        quoted = book[number][at : at + 16]
        line = melody(rng, 80)
        start = int(rng.integers(1, 64))
        line[start : start + 16] = np.where(quoted >= 0, quoted + higher, quoted)
        found += any(
            one.melody == number
            and one.semitones == higher
            and one.at - one.start == at - start
            and one.start <= start
            and one.start + one.steps >= start + 16
            for one in finder.longest(line)
        )
    assert found >= 99


def test_lines_of_others_quote_nothing(book):
    rng = np.random.default_rng(10)
    finder = Finder(Stream.of(book))
    assert [finder.longest(melody(rng, 80)) for _ in range(20)] == [[]] * 20


def test_a_quotation_is_as_long_as_it_can_be(book):
    """Both ends, where both melodies still agree; and a melody quotes itself as a whole."""
    finder = Finder(Stream.of(book))
    line = np.full(60, 90)
    line[10:40] = np.where(book[3][5:35] >= 0, book[3][5:35] + 2, book[3][5:35])
    line[9], line[40] = END, END
    assert book[3][4] != END
    assert book[3][35] != END
    assert finder.longest(line) == [Match(10, 30, 3, 5, 2)]
    assert finder.longest(book[7]) == [Match(0, len(book[7]), 7, 0, 0)]


@pytest.mark.parametrize("size", [8, 16, 20])
def test_all_stretches_are_those_of_a_search(size):
    """Few pitches and rhythms, long rests, ends beside notes: step by step, at every place."""
    rng = np.random.default_rng(size)

    def simple(steps: int) -> np.ndarray:
        bars = [[60, -2, 62, -2, 64, -1, 62, 60], [67, -2, 65, -2, 67, -2, 65, 64], [-2] * 8,
                [-1, -2, 60, -1, 60, -2, -1, -2], [62, -2, 60, -2, 60, -2, 60, -2]]  # fmt: skip
        found = np.concatenate([bars[i] for i in rng.choice(5, steps // 8, p=CHANCES)])
        return np.where(found >= 0, found + rng.integers(-5, 6), found)[rng.integers(0, 4) :]

    learnt, mine = [simple(8 * int(rng.integers(4, 9))) for _ in range(20)], simple(64)
    stream = Stream.of(learnt)
    pairs = Finder(stream).pairs(mine, size)
    found = set(zip(pairs.start.tolist(), pairs.end.tolist(), pairs.at.tolist(), strict=True))
    wanted = set()
    for number, other in enumerate(learnt):
        for apart in range(-len(other), len(mine)):
            for first in range(max(apart, 0), min(len(mine), len(other) + apart)):
                end = first
                higher = None
                while end < min(len(mine), len(other) + apart):
                    one, two = int(mine[end]), int(other[end - apart])
                    if (one < 0 or two < 0) and one != two:
                        break
                    if one >= 0 and higher not in (None, one - two):
                        break
                    higher = one - two if one >= 0 else higher
                    end += 1
                counts = [key(mine[at : at + size]) for at in range(first, end - size + 1)]
                at = int(stream.starts[number]) + first - apart
                if any(counts):
                    wanted.add((first, end, at))
    # Of those that end at one step of both, the longest.
    longest = {one for one in wanted if (one[0] - 1, one[1], one[2] - 1) not in wanted}
    assert found == longest
    assert found


def test_of_stretches_within_each_other_the_longest_counts():
    rng = np.random.default_rng(11)
    long = melody(rng, 48)
    short = np.concatenate([melody(rng, 16), long[8:30], melody(rng, 16)])
    found = Finder(Stream.of([short, long])).longest(long)
    assert found == [Match(0, 48, 1, 0, 0)]


# --- tracing ---------------------------------------------------------------------------------

SONG = (
    "M:3/4 L:1/8 K:G D4 | G4 B4 D5 - C5 B4 | A4 - F#4 G4 A4 - | B4 A4 G4 F#4 E4 D4 | G4 - - - . ."
)


def song(text: str = SONG) -> LeadSheet:
    """Return a song in sixteenths, of which each word of the text is two."""
    made = LeadSheet.from_text(text)
    notes = made.notes * np.array([2, 2, 1, 1])
    return LeadSheet(notes, 4, made.metre, 2 * made.length, 2 * made.pickup, key=made.key,
                     name="the song", chords=((0, Chord.parse("G")),))  # fmt: skip


def tune_of(name: str, *melodies: LeadSheet, part: str = "train") -> Tune:
    return Tune(name, "book", name, part, melodies)


def tracer_of(*tunes: Tune) -> Tracer:
    tunes_set = TuneSet.of(tunes)
    return Tracer(tunes_set, tunes_set.of_part("train").tolist(), "a book")


def scale(start: int, metre: tuple[int, int] = (4, 4)) -> LeadSheet:
    notes = [[4 * i, 4, start + (0, 2, 4, 5, 7, 9, 11, 12)[i % 8], 90] for i in range(32)]
    return LeadSheet(np.array(notes), metre=metre, name="scales")


def test_a_trace_names_song_and_bars():
    """Bars 2 and 3 of the song, four semitones higher, behind a bar of 4/4 of something else."""
    mine = song().slice_bars(1, 2).transpose(4)
    notes = np.concatenate([[[0, 15, 50, 90]], mine.notes + np.array([16, 0, 0, 0])])
    query = LeadSheet(notes, length=64, name="mine")
    trace = tracer_of(tune_of("other", scale(40)), tune_of("one", scale(30), song())).trace(query)
    [found] = trace.quotations
    assert (found.start, found.steps, found.bar) == (16, 24, 2)
    assert (found.corpus, found.song, found.song_bar, found.semitones) == ("book", "one", 2, 4)
    assert trace.share == 24 / 64


def test_the_nearest_tune_of_each_phrase_is_named():
    """Eight steps of the song in the first phrase, nothing in the second, all of it then."""
    part = song().notes[1:4] - np.array([song().pickup, 0, 0, 0])
    begin = np.concatenate([part, [[part[-1, 0] + part[-1, 1], 8, 90, 90]]])
    other = np.array([[32 + 5 * i, 5, 50 + 7 * (i % 2) + i, 90] for i in range(6)])
    bars = song().slice_bars(1, 2).notes + np.array([70, 0, -3, 0])
    query = LeadSheet(np.concatenate([begin, other, bars]), length=112, name="mine")
    trace = tracer_of(tune_of("other", scale(40)), tune_of("one", song())).trace(query)
    first, second, third = trace.phrases
    assert (first.start, first.bar) == (0, 1)
    assert (first.nearest.song, first.nearest.song_bar, first.nearest.semitones) == ("one", 1, 0)
    assert first.nearest.steps == 8
    assert (second.start, second.nearest) == (32, None)
    assert (third.nearest.steps, third.nearest.semitones) == (24, -3)
    text = trace.to_text().splitlines()
    assert text[-3].startswith("  bars 1-2: 8 of 32 steps as in book/one, bar 1")
    assert text[-2] == "  bars 3-5: no 8 steps in common with any tune"
    assert Trace.from_json(trace.to_json()).phrases == trace.phrases


def test_slow_phrases_have_a_nearest_tune_too():
    """Eight steps of quarter notes hold two of them, which are too few to tell tunes apart."""
    trace = tracer_of(tune_of("scales", scale(40))).trace(scale(45))
    assert trace.share == 1
    assert {one.nearest.song for one in trace.phrases if one.nearest} == {"scales"}
    assert all(one.nearest.steps == one.steps for one in trace.phrases)


def test_only_what_was_written_counts_as_copied():
    notes = song().notes
    query = LeadSheet(notes, 4, (3, 4), song().length, song().pickup, name="mine")
    tracer = tracer_of(tune_of("one", song()))
    [whole] = tracer.copied(query)
    assert (whole.start, whole.steps) == (0, query.length)
    given = ((0, 14),)
    [part] = tracer.copied(query, given)
    assert (part.start, part.steps, part.bar) == (14, query.length - 14, 2)
    assert tracer.copied(query, ((15, query.length),)) == ()
    assert tracer.copied(query, ((0, 20), (30, query.length))) == ()


def test_a_pickup_is_bar_0():
    trace = tracer_of(tune_of("one", song())).trace(song())
    assert [(one.bar, one.song_bar, one.steps) for one in trace.quotations] == [
        (0, 0, song().length)
    ]
    assert trace.share == 1


def test_grids_are_not_compared_with_each_other():
    triplets = LeadSheet(song().notes, 3, (4, 4), song().length)
    assert tracer_of(tune_of("one", song())).trace(triplets).quotations == ()
    assert len(tracer_of(tune_of("one", triplets)).trace(triplets).quotations) == 1


def test_a_grid_that_was_not_learnt_has_no_quotations():
    fine = LeadSheet(song().notes, 12, (4, 4), song().length)
    assert tracer_of(tune_of("one", song())).trace(fine).quotations == ()


def test_only_the_parts_that_were_learnt_count():
    assert tracer_of(tune_of("x", scale(40)), tune_of("one", song(), part="test")).trace(
        song()
    ).quotations == ()  # fmt: skip


def test_a_trace_is_saved_and_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    trace = tracer_of(tune_of("one", song())).trace(song())
    trace.save(tmp_path / "trace.json")
    back = Trace.read(tmp_path / "trace.json")
    assert back.to_json() == trace.to_json()
    assert back.quotations == trace.quotations
    text = trace.to_text().splitlines()
    assert text[0] == "the song: 100% of the steps stand in a book"
    ax = trace.plot()
    assert [t.get_text() for t in ax.texts if "one" in t.get_text()] == [" one"]
