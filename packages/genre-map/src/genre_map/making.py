"""Trainings as people start them: songs in, a measured checkpoint out."""

from __future__ import annotations

from typing import Any

import torch

from genre_map.cards import classifier_card, generator_card
from genre_map.evaluation import measure_classifier
from genre_map.explaining import faithfulness
from genre_map.gan_evaluation import measure_pictures
from genre_map.gan_training import GANSettings, train_gan
from genre_map.mapping import find_anchors
from genre_map.model import GenreClassifier
from genre_map.pictures import LAYOUTS, to_windows
from genre_map.songs import SongSet
from genre_map.splits import fold_as_learnt, fold_of
from genre_map.training import Settings, read_pictures, train_classifier
from groove_core.errors import InputError
from groove_core.learning.before import Run, measured, store
from groove_core.storage import Cache
from groove_core.values import Report

__all__ = ["check_classifier", "check_explanations", "make_classifier", "make_generator"]

EXPLAINED = 4
"""One window of so many is looked at when explanations are checked: they overlap by half."""
COUNT = 2048
"""Pictures that a generator is measured by."""


def make_classifier(songs: SongSet, settings: Settings, run: Run) -> Report:
    """Train, calibrate, measure and store a classifier.

    Raises
    ------
    InputError
        If a genre has too few songs, or none can be read.
    """
    songs, pictures = read_pictures(songs, LAYOUTS[settings.network], Cache())
    fold = fold_of(songs)
    model, history = train_classifier(songs, pictures, fold, settings, **run.loop)
    held = [pictures[i] for i in fold.test]
    report = measured(
        lambda: measure_classifier(model, songs.only(fold.test), held, name=run.name),
        run.name,
        history,
    )
    card = classifier_card(settings, songs, fold, name=run.name, seed=run.seed)
    return store(run.folder, model, card, report, history=history)


def make_generator(
    songs: SongSet,
    classifier: GenreClassifier,
    about: dict[str, Any],
    settings: GANSettings,
    run: Run,
) -> Report:
    """Train, measure and store a generator that is tied to a classifier.

    Parameters
    ----------
    about : dict
        The card of the classifier.

    Raises
    ------
    InputError
        If the songs have other genres than the classifier.
    """
    if songs.genres != classifier.genres:
        raise InputError(
            f"The songs are {', '.join(songs.genres)}; the classifier knows "
            f"{', '.join(classifier.genres)}.",
            hint="Train a classifier on the same songs first, and give it with --classifier.",
        )
    songs, pictures = read_pictures(songs, classifier.layout, Cache())
    fold = fold_as_learnt(songs, about)
    if not fold.train:  # The classifier knows none of them.
        fold = fold_of(songs)
    known = [*fold.train, *fold.validation]
    labels = songs.labels
    model, history = train_gan(
        classifier, [pictures[i] for i in known], [labels[i] for i in known], settings, **run.loop
    )
    find_anchors(model, seed=run.seed)
    train, test = ([pictures[i] for i in part] for part in (fold.train, fold.test))
    report = measured(
        lambda: measure_pictures(model, train, test, count=COUNT, seed=1, name=run.name),
        run.name,
        history,
    )
    card = generator_card(settings, songs, fold, about, name=run.name, seed=run.seed)
    return store(run.folder, model, card, report, history=history)


def check_classifier(songs: SongSet, classifier: GenreClassifier, card: dict[str, Any]) -> Report:
    """Measure a classifier on the songs that it has not learnt from."""
    songs, pictures = read_pictures(songs, classifier.layout, Cache())
    test = _held_out(songs, classifier, card)
    held = [pictures[i] for i in test]
    return measure_classifier(classifier, songs.only(test), held, name=card["name"])


def check_explanations(
    songs: SongSet, classifier: GenreClassifier, card: dict[str, Any], *, seed: int
) -> Report:
    """Explain the songs that a classifier has not learnt from."""
    test = _held_out(songs, classifier, card)
    _, pictures = read_pictures(songs.only(test), classifier.layout, Cache())
    cut = [to_windows(picture.float(), classifier.layout)[::EXPLAINED] for picture in pictures]
    owner = [number for number, windows in enumerate(cut) for _ in windows]
    return faithfulness(classifier, torch.cat(cut), owner, seed=seed)


def _held_out(songs: SongSet, classifier: GenreClassifier, card: dict[str, Any]) -> tuple[int, ...]:
    if unknown := set(songs.genres).difference(classifier.genres):
        raise InputError(
            f"{card['name']} knows no genre {min(unknown)!r}.",
            hint=f"Give songs of {', '.join(classifier.genres)}.",
        )
    return fold_as_learnt(songs, card).test
