"""The vocoder keeps mel bands, learns, and what it makes is heard as it was seen."""

from __future__ import annotations

import pytest
import torch

from genre_map.pictures import LAYOUTS, read_pictures, to_windows
from genre_map.songs import open_songs
from genre_map.splits import Divided, folds_of
from genre_map.vocoder.model import Vocoder, envelope
from genre_map.vocoder.training import VocoderSettings, VocoderTraining
from groove_core.learning import Run, trained

LAYOUT = LAYOUTS["ours"]


@pytest.fixture(scope="module")
def divided(folder):
    songs, pictures = read_pictures(open_songs(folder), LAYOUT, None)
    return Divided(songs, pictures, folds_of(songs, "songs", folds=3, seed=1)[0])


def test_bands_stay_whatever_the_network_says(divided):
    windows = to_windows(divided.pictures[0].float(), LAYOUT)[:1]
    torch.manual_seed(0)
    model = Vocoder(LAYOUT.settings(), 16, 1)
    torch.nn.init.normal_(model.last.weight, std=0.2)
    magnitudes = model.magnitudes(windows)
    assert magnitudes.shape == (1, 1025, 128)
    bands = model.bands(windows)
    away = (model.filters @ magnitudes - bands).norm() / bands.norm()
    assert float(away) < 0.1


def test_the_envelope_of_an_even_spectrum_is_even():
    filters = LAYOUT.feature.filters.float()
    even = torch.ones(filters.shape[1], 3)
    found = envelope(filters @ even, filters)
    inside = filters.sum(dim=0) > 0
    torch.testing.assert_close(found[inside], even[inside])
    assert float(found[~inside].abs().max()) == 0


def away(model, training):
    """Measure how far the spectra of ten songs are from the true ones, in decibels."""
    pictures, spectra = training._excerpts(list(range(10)), torch.full((10,), 0.5))
    made = model.magnitudes(pictures)
    loud = (spectra > spectra.max() / 100) & (made > 0)
    gap = 20 * (made / spectra)[loud].log10()
    return float((gap - gap.median()).abs().mean())


def test_it_learns_and_the_same_seed_gives_the_same(divided):
    settings = VocoderSettings(width=16, epochs=1, batches=40, batch_size=4, frames=48)
    first, again = (trained(VocoderTraining, settings, divided, Run(3)) for _ in range(2))
    assert away(first.model, first) < 0.96 * away(Vocoder(LAYOUT.settings(), 16), first)
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name


def test_spectra_stand_where_their_spectrograms_do(divided):
    """With true magnitudes of the excerpt, the bands are those of its spectrogram."""
    training = VocoderTraining(VocoderSettings(frames=48), divided, seed=1)
    training.model = training.build()
    for place in (0.0, 0.37, 0.999):
        pictures, spectra = training._excerpts([0], torch.tensor([place]))
        bands = training.model.bands(pictures)
        made = training.model.filters @ spectra
        level = bands.sum() / made.sum()
        loud = bands > bands.max() / 1000
        torch.testing.assert_close((level * made)[loud], bands[loud], rtol=0.03, atol=0)
