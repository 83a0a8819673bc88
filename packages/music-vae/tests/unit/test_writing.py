"""From codes to pieces: keys, neighbours, attributes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.errors import InputError, UsageError
from groove_core.values import Melody, key_sharps
from music_vae import encode, interpolate, sample, shift, shifting, vary
from music_vae.alphabets import melody_classes
from music_vae.attributes import measure
from music_vae.excerpts import chosen
from music_vae.matching import key_of
from music_vae.prior import slerp
from music_vae.results import Piece
from music_vae.writing import (
    check_key,
    check_known,
    code_of,
    codes_of_files,
    drawn,
    measured,
    shifted,
)

MELODY = ("melody",)
TUNE = Melody.from_text("M:4/4 L:1/16 Q:96 " + "C4 - E4 - G4 - . . " * 4, name="a").to_score()
OTHER = Melody.from_text("M:4/4 L:1/16 K:D " + "A4 - . . F#4 - D4 - " * 4, name="b").to_score()


class Fake:
    """A network whose codes are melodies: the number of a code says which is written."""

    voices = MELODY

    def __init__(self, *texts: str) -> None:
        lines = [Melody.from_text("M:4/4 L:1/16 " + text) for text in texts]
        self.made = torch.from_numpy(np.stack([melody_classes(m.events) for m in lines])[:, None])

    def decode(self, codes, **_):
        return self.made[codes[:, 0].long() % len(self.made)]


MAJOR = "C4 - D4 - E4 - F4 - G4 - A4 - B4 - C5 - C5 - G4 - E4 - C4 - C4 - - - - - - - "
MINOR = "D4 - E4 - F4 - G4 - A4 - Bb4 - C5 - D5 - D5 - A4 - F4 - D4 - D4 - - - - - - - "
SILENT = ". " * 32


def pieces_in(key: str, count: int, *texts: str) -> list[np.ndarray]:
    network = Fake(*texts)
    return list(drawn(network, lambda n: torch.arange(n)[:, None], count, 0.0, None, key))


def test_pieces_are_drawn_in_the_mode_of_a_key():
    for key in ("Eb", "A", "F#m", "Cm"):
        found = pieces_in(key, 6, MAJOR, MINOR, SILENT)
        assert len(found) == 6
        for events in found:
            sharps, minor = key_of(events, MELODY)
            assert ((sharps - key_sharps(key)[0]) % 12, minor) == (0, key.endswith("m"))


def test_where_no_piece_has_the_mode_the_signature_is_right_and_it_is_said(capsys):
    found = pieces_in("Cm", 3, MAJOR)
    assert [(key_of(events, MELODY)[0] + 3) % 12 for events in found] == [0, 0, 0]
    assert "0 of 3 pieces sound in minor; the others have its signature only" in (
        capsys.readouterr().err
    )


def test_without_a_key_pieces_come_as_they_are():
    network = Fake(MAJOR, MINOR)
    found = list(drawn(network, lambda n: torch.arange(n)[:, None], 2, 0.0, None, None))
    assert (np.stack(found) == network.made.numpy()).all()


def test_keys_that_are_none_are_refused():
    check_key(None, ["drums"])
    check_key("F#m", MELODY)
    with pytest.raises(UsageError, match="no key 'H'"):
        check_key("H", MELODY)
    with pytest.raises(UsageError, match="Drums have no key"):
        check_key("C", ["drums"])


def test_ways_of_many_pairs_are_those_of_each():
    generator = torch.Generator().manual_seed(2)
    a, b = torch.randn(2, 8, 5, generator=generator)
    b[3], b[4], b[5] = 2 * a[3], -a[4], 0
    shares = torch.rand(8, generator=generator)
    each = [slerp(a[i], b[i], shares[i : i + 1])[0] for i in range(8)]
    torch.testing.assert_close(slerp(a, b, shares), torch.stack(each))


def test_a_shift_goes_through_the_flow_and_back(networks, monkeypatch):
    model, code = networks["mel-2bar"], torch.linspace(-1, 1, 6)
    known = shifting.Around(torch.eye(6)[:5], np.zeros(5), np.ones(5))
    monkeypatch.setattr(shifting, "around", lambda *_: known)
    monkeypatch.setattr(shifting, "PLACES", 1)
    codes = shifted(model, code, "register", torch.tensor([0.0, 2.0]), torch.Generator())
    torch.testing.assert_close(codes[0], code, atol=1e-3, rtol=0)
    normal = model.flow.normal(codes) - model.flow.normal(code[None])
    expected = 2 * shifting.STEP * 6**0.5 * torch.eye(6)[2]
    torch.testing.assert_close(normal[1], expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("value", "said"), [(1.0, False), (2.5, True), (-2.5, True)])
def test_what_leads_beyond_the_music_is_said(networks, capsys, value, said):
    model = networks["mel-2bar"]
    check_known(model, "scale", value, 3)
    shown = capsys.readouterr().err
    assert ("an amount of 3 leads beyond the music" in shown) == said
    assert ("a scale of -2 to 2" in shown) == said
    check_known(model, "scale", float("nan"), 3)


def test_attributes_that_are_not_there_are_refused(networks):
    with pytest.raises(UsageError, match="Drums have no register") as error:
        shifted(networks["drums-2bar"], torch.zeros(6), "register", torch.ones(1),
                torch.Generator())  # fmt: skip
    assert error.value.hint == "Use density or syncopation."


def test_attributes_before_and_after_are_those_of_the_pieces(tiny, capsys):
    network_options = {"checkpoint": str(tiny["mel-2bar"]), "device": "cpu", "seed": 1}
    made = list(shift(TUNE, attribute="density", amount=2.0, steps=4, **network_options))
    assert [piece.about["amount"] for piece in made] == [0.5, 1.0, 1.5, 2.0]
    before = measure(chosen(TUNE, MELODY, 2).events[None], MELODY)[0]
    for piece in made:
        now = measure(piece.events[None], MELODY)[0]
        assert piece.about["density"] == now[0]
        assert piece.about["density before"] == before[0]
        assert piece.about["register before"] == before[2]
    lines = [one for one in capsys.readouterr().err.splitlines() if one.startswith("density:")]
    [remembered] = vary(TUNE, amount=0.0, count=1, **network_options)
    density = measure(remembered.events[None], MELODY)[0, 0]
    assert len(lines) == 4
    assert f"6 notes a bar in bars 1-2 of a, {density:.3g} as the model" in lines[0]
    assert lines[3].endswith("with an amount of 2")


def test_what_has_no_number_is_not_in_the_measures():
    silent = Piece(np.zeros((1, 32), np.int64), MELODY)
    found = measured(silent, np.zeros((1, 32), np.int64))
    assert set(found) == {"density", "syncopation", "density before", "syncopation before"}


def test_codes_of_files_are_those_of_their_excerpts(networks):
    network = networks["mel-2bar"]
    long = Melody.from_text("M:4/4 L:1/16 " + "C4 - E4 - G4 - A4 - " * 8, name="long").to_score()
    codes, labels = codes_of_files(network, [TUNE, long])
    assert labels == ["a:1", "long:1", "long:3"]
    torch.testing.assert_close(codes[0], code_of(network, chosen(TUNE, MELODY, 2).events))
    torch.testing.assert_close(codes[2], codes[1])


def test_files_that_are_too_short_are_left_out(networks, capsys):
    short = Melody.from_text("M:4/4 L:1/16 C4 - E4 - ", name="short").to_score()
    codes, _ = codes_of_files(networks["mel-2bar"], [short, TUNE])
    assert len(codes) == 1
    assert "left out: short" in capsys.readouterr().err
    with pytest.raises(InputError, match="None of the 2 files can be used"):
        codes_of_files(networks["mel-16bar"], [short, TUNE])


def test_samples_like_files_lie_near_them(tiny):
    options = {"checkpoint": str(tiny["mel-2bar"]), "device": "cpu", "seed": 1, "count": 3}
    near_one = list(sample(like=[TUNE], spread=0.0, temperature=0.0, **options))
    [remembered] = vary(TUNE, amount=0.0, count=1, temperature=0.0,
                        checkpoint=str(tiny["mel-2bar"]), device="cpu")  # fmt: skip
    for piece in near_one:
        assert (piece.events == remembered.events).all()
    other = list(sample(like=[TUNE, OTHER], temperature=0.0, **options))
    assert any((piece.events != remembered.events).any() for piece in other)


def test_an_interpolation_ends_in_the_key_of_its_second_piece(tiny):
    options = {"checkpoint": str(tiny["mel-2bar"]), "device": "cpu", "seed": 1, "steps": 3}
    own = list(interpolate(TUNE, OTHER, **options))
    first = list(interpolate(TUNE, OTHER, keys="first", **options))
    assert len(own) == len(first) == 5
    for number, (one, other) in enumerate(zip(own, first, strict=True)):
        up = 2 if number >= 3 else 0  # from C to D
        assert ((one.events - other.events)[other.events >= 2] % 12 == up).all()
    [whole] = interpolate(TUNE, OTHER, joined=True, **options)
    assert (whole.events == np.concatenate([one.events for one in own], axis=1)).all()
    assert whole.tempo_bpm == pytest.approx(96)


def test_codes_say_where_they_come_from(tiny):
    codes = encode([TUNE, OTHER], checkpoint=str(tiny["mel-2bar"]), device="cpu")
    assert codes.model == "mel-2bar"
    assert codes.labels == ("a:1", "b:1")
