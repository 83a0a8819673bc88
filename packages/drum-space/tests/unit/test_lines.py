"""Music with drums and lines: key, monophonic lines, what is left out, storing."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from drum_space.melodies.lines import (
    HOLD,
    INSTRUMENTS,
    NO_BASS,
    REST,
    Piece,
    Songbook,
    build,
    open_songbook,
    pieces_of,
)
from drum_space.melodies.loading import load_melody
from groove_core.drums import DrumPattern
from groove_core.errors import InputError
from groove_core.values import Score, Track

STEP = 120
ROCK = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)


def score_of(*tracks: Track, bars: int = 2, **more) -> Score:
    """Give tracks over a rock beat."""
    drums = DrumPattern.join([ROCK] * (bars // 2)).to_score().tracks
    return Score((*tracks, *drums), 480, **more)


def track_of(pitches: list[int], program: int = 80, step: int = STEP, length: int = STEP) -> Track:
    rows = [(i * step, length, pitch, 90) for i, pitch in enumerate(pitches)]
    return Track(np.array(rows), program=program)


def lines_of(piece: Piece) -> dict[str, np.ndarray]:
    names = [INSTRUMENTS[i].name for i in piece.instruments]
    return dict(zip(names, piece.lines, strict=True))


def cut(score: Score) -> tuple[list, Counter]:
    dropped: Counter = Counter()
    return pieces_of(score, name="x", group="y", dropped=dropped), dropped


def test_piece_is_moved_to_c_and_split_into_lines():
    # E minor, twice as long as its notes: a rest after each.
    lead = track_of([64, 67, 71, 76] * 4, step=2 * STEP)
    bass = track_of([40] * 16, program=33, step=2 * STEP, length=2 * STEP)
    [piece], dropped = cut(score_of(lead, bass))
    assert (piece.name, piece.group, piece.tonic, piece.mode) == ("x", "y", 4, 1)
    assert piece.drums.shape == (32, 14)
    assert (piece.drums == ROCK.hits).all()
    by_name = {
        INSTRUMENTS[i].name: line for i, line in zip(piece.instruments, piece.lines, strict=True)
    }
    assert by_name["lead"][:8].tolist() == [60, REST, 63, REST, 67, REST, 72, REST]
    assert by_name["bass"][:4].tolist() == [36, HOLD, 36, HOLD]
    assert (piece.bass == 0).all()
    assert not +dropped


def test_chords_give_their_top_and_a_bass_its_lowest_note():
    chord = [(i * 2 * STEP, STEP, pitch, 90) for i in range(16) for pitch in (60, 64, 67)]
    both = (Track(np.array(chord), program=0), Track(np.array(chord), program=33))
    [piece], _ = cut(score_of(*both))
    tops = {
        INSTRUMENTS[i].name: set(line[line >= 0].tolist())
        for i, line in zip(piece.instruments, piece.lines, strict=True)
    }
    assert tops == {"keys": {67}, "bass": {60}}


def test_a_new_note_ends_the_one_that_sounds_and_it_does_not_come_back():
    rows = [(0, 8 * STEP, 60, 90), (2 * STEP, STEP, 72, 90)]
    rows += [(i * STEP, STEP, 60, 90) for i in range(16, 32)]
    [piece], _ = cut(score_of(Track(np.array(rows), program=80)))
    shift = piece.lines[0][0] - 60
    assert piece.lines[0][:6].tolist() == [60 + shift, HOLD, 72 + shift, REST, REST, REST]


def test_pitches_beyond_the_range_are_moved_by_octaves():
    [piece], _ = cut(score_of(track_of([12, 24, 120, 108] * 8)))
    line = piece.lines[0]
    assert line[line >= 0].min() >= 24
    assert line.max() <= 107
    assert len(set((line[line >= 0] % 12).tolist())) == 1


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (Score((track_of([60] * 32),)), "files without drums"),
        (ROCK.to_score(), "files of nothing but drums"),
        (score_of(track_of([60] * 32), time_signatures=[[0, 3, 4]]), "stretches in 3/4"),
        (score_of(track_of([60] * 400, step=53)), "files that are not on a grid of sixteenths"),
    ],
)
def test_what_does_not_fit_is_counted(score, reason):
    pieces, dropped = cut(score)
    assert pieces == []
    assert dropped == {reason: 1}


def test_doubled_lines_are_taken_once():
    [piece], dropped = cut(score_of(track_of([60, 62] * 16), track_of([60, 62] * 16, program=30)))
    assert len(piece.lines) == 1
    assert dropped["lines that double another"] == 1


def test_shipped_lines_are_what_the_card_says():
    book = open_songbook()
    assert len({piece.name for piece in book.pieces}) == 47
    assert sum(len(piece.lines) for piece in book.pieces) == 316
    assert {piece.fold for piece in book.pieces} == set(range(5))
    for piece in book.pieces:
        assert piece.lines.shape[1] == len(piece.drums) == len(piece.bass)
        assert piece.lines.min() >= HOLD
        assert piece.lines.max() <= 107
        assert set(np.unique(piece.bass)) <= set(range(NO_BASS + 1))
    # A piece is learnt or kept, never both.
    folds: dict[str, set[int]] = {}
    for piece in book.pieces:
        folds.setdefault(piece.name, set()).add(piece.fold)
    assert all(len(found) == 1 for found in folds.values())


def test_storing_and_reading_gives_the_same(tmp_path):
    for name, pitches in (("a.mid", [60, 62, 64, 65] * 8), ("b.mid", [57, 60, 64, 67] * 8)):
        score_of(track_of(pitches)).save(tmp_path / "midi" / name)
    (tmp_path / "midi" / "broken.mid").write_bytes(b"MThd nothing")
    book = build([tmp_path / "midi"])
    assert book.dropped == {"files that cannot be read": 1}
    again = open_songbook(book.save(tmp_path / "lines.npz"))
    assert again.dropped == book.dropped
    for one, other in zip(book.pieces, again.pieces, strict=True):
        assert (one.name, one.fold, one.tonic, one.mode) == (
            other.name,
            other.fold,
            other.tonic,
            other.mode,
        )
        for name in ("drums", "bass", "instruments", "lines"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert "2 pieces" in again.to_text()


def test_pieces_are_divided_by_what_a_network_learnt(tmp_path, capsys):
    for number in range(12):
        pitches = [60 + number, 62, 64, 65] * 8
        score_of(track_of(pitches)).save(tmp_path / f"midi/{number}.mid")
    book = build([tmp_path / "midi"])
    assert {piece.fold for piece in book.pieces} == set(range(5))
    card = {"name": "mine", "data": book.split_card()}
    held_out = book.part([0])
    assert card["data"]["test"] == len(held_out)
    assert card["data"]["learnt"]["counts"]["train"] == 12 - len(held_out)
    assert "published" not in card["data"]["learnt"]
    again = book.as_learnt(card)
    assert [p.name for p in again.part([0])] == [p.name for p in held_out]
    with pytest.raises(InputError, match="mine was trained on this data: midi/"):
        Songbook(tuple(book.part(range(1, 5)))).as_learnt(card)
    strangers = Songbook(tuple(held_out))
    assert [p.fold for p in strangers.as_learnt(card).pieces] == [0] * len(held_out)
    assert "warning: mine learnt from none of this data" in capsys.readouterr().err


def test_the_shipped_network_is_measured_on_the_first_fold():
    book = open_songbook()
    again = book.as_learnt(load_melody(None, "cpu")[2])
    assert [not p.fold for p in again.pieces] == [not p.fold for p in book.pieces]
    assert len({p.name for p in again.part([0])}) == 9


def test_folders_without_music_are_errors(tmp_path):
    ROCK.save(tmp_path / "beat.mid")
    with pytest.raises(InputError, match="1 files of nothing but drums"):
        build([tmp_path])
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match="not prepared lines"):
        Songbook.read(tmp_path / "x.npz")
