"""Pieces as values: they come back from files, are heard, and are taken by other packages."""

from __future__ import annotations

import numpy as np
import pytest

from groove_core.errors import UsageError
from groove_core.values import Audio, LeadSheet, Score
from music_vae.excerpts import chosen
from music_vae.results import Piece, tiny_piece

TRIO = ("melody", "bass", "drums")


@pytest.fixture(scope="module")
def pieces(events_of) -> dict[str, Piece]:
    some = {"melody": ["melody"], "drums": ["drums"], "trio": TRIO}
    return {
        name: Piece(events_of(voices, 1, 64).numpy()[0], tuple(voices), 96.0, about={"x": 0.5})
        for name, voices in some.items()
    }


@pytest.mark.parametrize("kind", ["melody", "drums", "trio"])
def test_a_piece_comes_back_from_its_file(pieces, kind, tmp_path):
    piece = pieces[kind]
    piece.save(tmp_path / "piece.json")
    again = Piece.read(tmp_path / "piece.json")
    assert again == piece
    assert (again.events == piece.events).all()
    assert again.about == {"x": 0.5}
    piece.save(tmp_path / "piece.mid")
    assert Score.read(tmp_path / "piece.mid") == piece.to_score()


def test_a_piece_in_a_song_comes_back_with_it(trio_of, tmp_path):
    song = trio_of(20, 1)
    excerpt = chosen(song, TRIO, 16, (3, 18))
    other = chosen(trio_of(16, 2), TRIO, 16).events
    piece = Piece.of(excerpt, other, TRIO, flat=False)
    assert chosen(piece.to_score(), TRIO, 16, (3, 18)).events.tolist() == other.tolist()
    piece.save(tmp_path / "piece.json")
    again = Piece.read(tmp_path / "piece.json")
    assert again == piece
    assert again.to_score() == piece.to_score()
    assert "frame" not in piece.to_document()
    assert piece.alone().to_score().bars == 16
    assert piece.to_score().bars == 20


def test_a_short_excerpt_gives_as_many_bars_back(events_of, trio_of):
    excerpt = chosen(trio_of(20, 1), TRIO, 16, (17, 20))
    [events] = events_of(TRIO, 1, 256).numpy()
    piece = Piece.of(excerpt, events, TRIO, flat=False)
    assert piece.bars == 4
    assert piece.to_score().bars == 20


def test_a_melody_is_a_phrase_that_can_be_typed(pieces, tmp_path):
    piece = pieces["melody"]
    text = piece.to_text()
    assert text.endswith("\n% x: 0.5")
    assert LeadSheet.from_text(text) == piece.line()
    piece.save(tmp_path / "a.musicxml")
    read = LeadSheet.read(tmp_path / "a.musicxml")
    assert read.notes[:, :3].tolist() == piece.line().notes[:, :3].tolist()


def test_texts_of_drums_and_trios(pieces):
    assert "kick" in pieces["drums"].to_text()
    parts = pieces["trio"].to_text().split("% ")
    assert [part.partition("\n")[0] for part in parts[1:4]] == ["melody", "bass", "drums"]


@pytest.mark.parametrize("kind", ["drums", "trio"])
def test_only_a_line_is_written_as_musicxml(pieces, kind, tmp_path):
    with pytest.raises(UsageError, match="cannot be written as MusicXML"):
        pieces[kind].save(tmp_path / "a.musicxml")


@pytest.mark.parametrize("kind", ["melody", "drums", "trio"])
def test_pieces_are_played_and_not_typed(pieces, kind):
    from dataclasses import replace

    piece = pieces[kind]
    typed, played = piece.to_score(), piece.performed()
    assert replace(piece, flat=True).performed() == typed
    for one, other in zip(typed.tracks, played.tracks, strict=True):
        assert len(one.notes) == len(other.notes)
        assert (one.notes[:, 3] != other.notes[:, 3]).any()
        if kind != "melody":  # several voices stay together
            assert (one.notes[:, 0] == other.notes[:, 0]).all()


def test_a_piece_is_heard(pieces, tmp_path):
    Piece(pieces["trio"].events[:, :16], TRIO, 240.0).save(tmp_path / "a.wav")
    audio = Audio.read(tmp_path / "a.wav")
    assert 0.1 < audio.peak <= 1
    assert audio.duration_s >= 0.9


def test_pieces_are_drawn(pieces, tmp_path):
    for name, piece in pieces.items():
        piece.save(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
    low, high = pieces["trio"].plot().get_ylim()
    pitches = np.concatenate([pieces["trio"].line(v).notes[:, 2] for v in ("melody", "bass")])
    assert low < pitches.min() < pitches.max() < high


def test_other_packages_take_it_for_a_score():
    piece = tiny_piece()
    assert Score.accept(piece) == piece.to_score()


def test_pieces_are_moved_and_joined():
    piece = Piece(tiny_piece().events, ("melody",), key="C")
    up = piece.transpose(3)
    assert up.key == "Eb"
    assert (up.line().notes[:, 2] - piece.line().notes[:, 2] == 3).all()
    both = Piece.join([piece, up])
    assert both.bars == 4
    assert both.key == "C"
    assert (both.events[:, 32:] == up.events).all()


@pytest.mark.parametrize(
    ("events", "voices", "message"),
    [
        (np.zeros((1, 32)), (), "no voices"),
        (np.zeros((1, 32)), ("flute",), "no voices flute"),
        (np.zeros((2, 32)), ("drums", "melody"), "no voices drums, melody"),
        (np.zeros((1, 30)), ("melody",), "whole bars"),
        (np.zeros((2, 32)), ("melody",), "whole bars"),
        (np.full((1, 32), 90), ("melody",), "not one of the classes"),
        (np.full((1, 32), -1), ("drums",), "not one of the classes"),
    ],
)
def test_what_is_no_piece_is_refused(events, voices, message):
    with pytest.raises(UsageError, match=message):
        Piece(events, voices)


def test_a_voice_that_is_not_there_is_named(pieces):
    with pytest.raises(UsageError, match="has no bass"):
        pieces["melody"].line("bass")
    with pytest.raises(UsageError, match="has no drums"):
        pieces["melody"].beat()
