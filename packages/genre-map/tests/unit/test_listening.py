"""What plays is heard again, and chosen by what is heard."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genre_map import drawing, listening
from genre_map.drawing import draw_pictures, walk_border
from genre_map.gan import FREE, GenreGAN, Looked
from genre_map.genres import GENRES
from genre_map.listening import as_played, listen_again, play_points
from genre_map.model import GenreClassifier
from groove_core.errors import UsageError
from groove_core.values import Audio


@pytest.fixture(scope="module")
def gan():
    torch.manual_seed(0)
    return GenreGAN(GenreClassifier(GENRES).config, "ours", 4).eval()


def noise(seed: int, samples: int) -> torch.Tensor:
    return torch.randn(samples, generator=torch.Generator().manual_seed(seed)) / 9


def test_sounds_are_heard_as_files_are(gan):
    classifier = gan.classifier
    sounds = [noise(0, 65_024), noise(1, 128 * 512), noise(2, 90_000), torch.zeros(65_024)]
    heard = listen_again(classifier, sounds)
    assert heard.shape == (4, 10)
    [window] = classifier.windows(Audio(sounds[1][None].numpy(), 22_050))
    alone = classifier.probabilities(classifier.listen(window[None]))[0]
    torch.testing.assert_close(heard[1], alone)
    torch.testing.assert_close(
        listen_again(classifier, [sounds[2][: 128 * 512]])[0], heard[2], atol=1e-5, rtol=1e-4
    )


def test_what_is_heard_is_the_file_that_plays():
    sound = torch.sin(torch.arange(65_024) / 9)
    file, heard = as_played(3 * sound, 22_050)
    assert len(file) < 65_024 / 2
    assert len(heard) == 65_024  # nothing is put before it
    assert 0.5 < float(heard.abs().max()) < 1
    assert float(torch.corrcoef(torch.stack([sound, heard]))[0, 1]) > 0.99


class Plane:
    """A map whose genre hangs on x, and whose sounds keep it where y is below a level.

    Spectrograms are the point, and sounds are as long as a spectrogram has numbers.
    """

    genres = ("a", "b")

    def __init__(self, level: float) -> None:
        self.level, self.classifier, self.layout, self.sample_rate = level, self, self, 22_050
        self.inverted = 0

    def look(self, z):
        c = z[:, FREE : FREE + 2]
        first = torch.sigmoid(-5 * c[:, :1])
        return Looked(c, c, torch.cat([first, 1 - first], dim=1), c[:, 0])

    def invert(self, pictures):
        self.inverted += len(pictures)
        return pictures


@pytest.fixture
def plane(monkeypatch):
    """Make maps whose sounds are their points."""

    def hear(model, sounds):
        at = torch.stack(list(sounds))
        first = (at[:, 0] < 0) == (at[:, 1] < model.level)
        return torch.stack([first, ~first], dim=1).float()

    monkeypatch.setattr(listening, "listen_again", hear)
    monkeypatch.setattr(listening, "invert", lambda pictures, layout: layout.invert(pictures))
    monkeypatch.setattr(listening, "as_played", lambda sound, _: (b"mp3", sound))
    return Plane


def test_sounds_that_keep_no_genre_are_looked_for_close_by(plane):
    model = plane(0.3)
    base = torch.zeros(128)
    played, pictures, sounds = play_points(model, base, (0, 1), 4)
    assert played.at.shape == (16, 2)
    assert (len(pictures), sounds) == (16, (b"mp3",) * 16)
    # First where the genre is surest, outwards and up, which two rows of four bear; then down,
    # where the third one does, too.
    assert (played.kept_at_first, played.kept) == (0.5, 0.75)
    assert model.inverted == 16 + 8 + 4
    ticks = np.linspace(-0.75, 0.75, 4)
    moved = played.at - np.stack(np.meshgrid(ticks, ticks), axis=2).reshape(-1, 2)
    np.testing.assert_allclose(np.abs(moved[:12]), listening.REACH / 2, atol=1e-4)
    assert (np.sign(moved[:12, 0]) == np.sign(played.at[:12, 0])).all()
    np.testing.assert_array_equal(np.sign(moved[:12, 1]), [1] * 8 + [-1] * 4)
    np.testing.assert_allclose(moved[12:], 0, atol=1e-4)  # least wrong where least sure


def test_nothing_is_looked_for_where_all_sounds_keep_their_genre(plane):
    model = plane(2.0)
    played, _, _ = play_points(model, torch.zeros(128), (0, 1), 2)
    assert (played.kept, played.kept_at_first, model.inverted) == (1.0, 1.0, 4)


@pytest.fixture
def heard_as(monkeypatch):
    """Let sounds be heard as the genres that are given, one after the other."""

    def hear(genres):
        told = iter(genres)
        monkeypatch.setattr(
            drawing,
            "listen_again",
            lambda _, sounds: torch.eye(10)[[next(told) for _ in sounds]],
        )

    return hear


def test_a_sample_of_a_genre_sounds_like_it(gan, heard_as, monkeypatch):
    monkeypatch.setattr(drawing, "invert", lambda pictures, _: pictures[:, 0, 0])
    seen = int(gan.look(gan.draw(1, torch.Generator().manual_seed(0))).probabilities.argmax())
    other = (seen + 1) % 10
    heard_as([other, other, seen, seen])
    one, two = draw_pictures(gan, 2, seen, torch.Generator().manual_seed(0))
    assert one.heard.argmax() == two.heard.argmax() == seen
    heard_as([other] * 100)
    with pytest.raises(UsageError, match=f"is {GENRES[seen]} as a sound"):
        next(draw_pictures(gan, 1, seen, torch.Generator().manual_seed(0)))
    heard_as([other])
    [any_genre] = draw_pictures(gan, 1, None, torch.Generator().manual_seed(0))
    assert any_genre.heard.argmax() == other


def test_the_stops_of_a_border_are_heard_again(gan, heard_as, monkeypatch):
    monkeypatch.setattr(drawing, "invert", lambda pictures, _: pictures[:, 0, 0])
    heard_as([3, 1, 4])
    border = walk_border(gan, 0, 1, steps=5, stops=3, seed=1)
    assert border.heard.argmax(axis=1).tolist() == [3, 1, 4]
    assert border.at.tolist() == [0, 2, 4]
