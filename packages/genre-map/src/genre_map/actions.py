"""The verbs of genre-map: the command line and the Python API at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from genre_map.genremap import GenreMap
from genre_map.options import (
    CLASSIFIER,
    FORMER,
    GENERATOR,
    MEASURED,
    PACKAGE,
    Axis,
    Cells,
    ClassifierCheckpoint,
    Drawn,
    End,
    GeneratorCheckpoint,
    Heard,
    Judges,
    Network,
    Points,
    Precision,
    Start,
)
from genre_map.results import Border, Explanation, Genres, Picture
from groove_core.actions import (
    Device,
    Engine,
    Jobs,
    Opt,
    Readable,
    Seed,
    action,
    draw_seed,
    each,
)
from groove_core.console import track
from groove_core.errors import UsageError, did_you_mean
from groove_core.values import Audio, Report

if TYPE_CHECKING:
    from genre_map.gan import GenreGAN
    from genre_map.model import GenreClassifier

__all__ = [
    "classify", "dataset", "evaluate", "explain", "interpolate", "map", "sample",
]  # fmt: skip


def _classifier(checkpoint: str | None, device: str) -> tuple[GenreClassifier, dict[str, Any]]:
    from genre_map.model import GenreClassifier
    from groove_core.storage import checkpoints

    return checkpoints.load(PACKAGE, checkpoint or CLASSIFIER, GenreClassifier, device=device)


def _gan(checkpoint: str | None, device: str) -> tuple[GenreGAN, dict[str, Any]]:
    import torch

    from genre_map.gan import GenreGAN
    from groove_core.storage import checkpoints

    model, card = checkpoints.load(PACKAGE, checkpoint or GENERATOR, GenreGAN, device=device)
    # Convolutions of few maps take a third less time so.
    return model.to(memory_format=torch.channels_last), card


def _number(genre: str, genres: Sequence[str]) -> int:
    from genre_map.genres import canonical

    name = canonical(genre)
    if name not in genres:
        raise UsageError(
            f"The model knows no genre {genre!r}.",
            hint=did_you_mean(name, list(genres)) or f"Genres: {', '.join(genres)}.",
        )
    return list(genres).index(name)


@action
def classify(
    sounds: Annotated[
        Readable[list[Audio]], Opt("sound files of three seconds or more, or a folder of them")
    ],
    *,
    checkpoint: ClassifierCheckpoint = None,
    device: Device = "auto",
) -> Iterator[Genres]:
    """Tell the genre of songs, as a whole and from window to window.

    The genre is the one of the highest mean probability over windows of three seconds. The
    shipped classifier learnt from rendered music only: see its card.

    Returns
    -------
    iterator of Genres

    Raises
    ------
    InputError
        If every sound is unreadable, shorter than a window, or silent; one among others is
        left out.

    Examples
    --------
    >>> import numpy as np
    >>> from groove_core.values import Audio
    >>> noise = np.random.default_rng(0).normal(size=4 * 22050) / 9
    >>> [found] = classify([Audio(noise, 22050)])
    >>> len(found.genres), len(found.windows)
    (10, 1)
    """
    model, _ = _classifier(checkpoint, device)
    layout = model.layout
    step_s = layout.frames // 2 * layout.hop_samples / layout.sample_rate

    def tell(sound: Audio, name: str) -> Genres:
        windows = model.probabilities(model.listen(model.windows(sound))).cpu().numpy()
        return Genres(name, model.genres, windows, step_s, layout.window_s)

    return each(sounds, tell, "classifying")


@action
def explain(
    sound: Annotated[Readable[Audio], Opt("sound file of three seconds or more")],
    *,
    genre: Heard = None,
    checkpoint: ClassifierCheckpoint = None,
    device: Device = "auto",
) -> Explanation:
    """Mark what in a song speaks for a genre, and let it be heard alone.

    Grad-CAM on the genre's logit. The picture shows the spectrogram with the speaking fifth
    outlined; the sound file is that fifth alone.

    Raises
    ------
    InputError
        If the sound is shorter than a window, or silent.
    UsageError
        If the model does not know the genre.
    """
    from genre_map.explaining import explain_sound

    model, _ = _classifier(checkpoint, device)
    wanted = None if genre is None else model.genres[_number(genre, model.genres)]
    [found] = each(
        [sound], lambda sound, name: explain_sound(model, sound, name=name, genre=wanted)
    )
    return found


@action
def sample(
    *,
    count: Annotated[int, Opt("spectrograms to draw", min=1, max=10_000)] = 4,
    genre: Drawn = None,
    seed: Seed = None,
    checkpoint: GeneratorCheckpoint = None,
    device: Device = "auto",
) -> Iterator[Picture]:
    """Draw spectrograms of three seconds, and hear them.

    With a genre, the classifier must hear it in the spectrogram and again in its sound.

    Returns
    -------
    iterator of Picture

    Raises
    ------
    UsageError
        If the model does not know the genre, or hardly ever draws it, or hardly ever so that
        its sound is heard as that genre.
    """
    import torch

    from genre_map.drawing import draw_pictures

    model = _gan(checkpoint, device)[0]
    generator = torch.Generator().manual_seed(draw_seed(seed))
    wanted = None if genre is None else _number(genre, model.genres)

    return iter(track(draw_pictures(model, count, wanted, generator), "drawing", total=count))


@action
def map(  # noqa: A001 - the product's word
    *,
    place: Annotated[
        Readable[list[Audio]] | None,
        Opt(
            "your own songs, or a folder of them, to mark on the map (default: none)",
            aliases=("SOUNDS",),
        ),
    ] = None,
    x: Axis = None,
    y: Axis = None,
    cells: Cells = 97,
    points: Points = 12,
    through: Annotated[
        int | None,
        Opt(
            "number of another point to lay the plane through (default: the model's own)",
            min=0,
            max=2**32 - 1,
        ),
    ] = None,
    checkpoint: GeneratorCheckpoint = None,
    device: Device = "auto",
) -> GenreMap:  # fmt: skip
    """Draw the map of genres over two of the ten dependent values.

    As JSON (probabilities, entropy, critic score, borders), as a picture, and as one page that
    opens from disk without a network: points of a grid show their spectrogram and play, two
    genres are joined by a path with its curves of probability.

    What plays is heard again: the classifier tells the genre of each sound as of any sound
    file, where it differs from the spectrogram's the page marks it, and of three sounds close
    to a point the one plays that keeps the genre best.

    A song of your own lies where the map is nearest to it in the classifier's hidden layer, and
    plays an excerpt. How far it is off the map is told. It is said to be far off where
    no cell is much nearer than others. A plane is drawn once and then kept in the cache, so
    placing more songs takes seconds.

    Raises
    ------
    UsageError
        If x and y are the same, or only one is given.
    InputError
        If every song is unreadable, shorter than a window, or silent; one among others is
        left out.
    """
    import torch

    from genre_map.drawing import draw_map

    if (x is None) != (y is None) or (x is not None and x == y):
        raise UsageError("A plane needs two different values.", hint="--x 0 --y 1, or neither")
    model = _gan(checkpoint, device)[0]
    axes = (int(model.plane[0]), int(model.plane[1])) if x is None or y is None else (x, y)
    base = model.base.cpu()
    if through is not None:
        base = model.draw(1, torch.Generator().manual_seed(through))[0]
    return draw_map(model, base, axes, cells=cells, points=points, songs=place or [])


@action
def interpolate(
    start: Start,
    end: End,
    *,
    steps: Annotated[int, Opt("points of the path", min=3, max=2001)] = 101,
    stops: Annotated[int, Opt("points to show and play", min=2, max=32)] = 7,
    seed: Seed = 1,
    checkpoint: GeneratorCheckpoint = None,
    device: Device = "auto",
) -> Border:
    """Walk in a straight line from one genre to another, and find where one becomes the other.

    The ends are two of the purest spectrograms of their genres; the seed chooses which. The
    stops along the way play, and the classifier hears them again: dots beside the curves.

    Raises
    ------
    UsageError
        If the model does not know a genre, or both are the same.
    """
    from genre_map.drawing import walk_border

    model = _gan(checkpoint, device)[0]
    first, last = _number(start, model.genres), _number(end, model.genres)
    if first == last:
        raise UsageError("There is no border within a genre.", hint="Give two different genres.")
    return walk_border(model, first, last, steps=steps, stops=stops, seed=draw_seed(seed))


@action
def dataset(
    *,
    into: Annotated[Readable[Path], Opt("folder for the songs", role="place")] = Path(
        "genre-corpus"
    ),
    songs: Annotated[int, Opt("songs of each genre", min=1, max=10_000)] = 100,
    soundfonts: Annotated[
        Readable[list[Path]] | None,
        Opt("two or more .sf2 files (default: Debian's and pretty_midi's)"),
    ] = None,
    seed: Seed = 1,
    jobs: Jobs = None,
    engine: Engine = "local",
) -> Report:
    """Build the rendered corpus: songs of 30 s in ten genres, from the style library of MMA.

    Only the groove depends on the genre: chords, key, tempo, instruments and soundfont are
    drawn alike for all. ``manifest.csv`` tells what each song is made of. Run again after an
    interruption, it goes on.

    Raises
    ------
    InputError
        If MMA or a second soundfont is not installed; the hint says how.
    """
    from genre_map.rendered import build

    return build(
        into, songs=songs, seed=draw_seed(seed), soundfonts=soundfonts, jobs=jobs, engine=engine
    )


@action
def evaluate(
    *,
    data: Annotated[Readable[Path], Opt("songs to measure on, as for train")],
    about: Annotated[
        Literal["classifier", "explanation", "generator", "sound"],
        Opt("subject of the measurement", aliases=("model",)),
    ] = "classifier",
    protocol: Annotated[
        Literal["songs", "grooves", "libraries", "artists", "published", "windows"],
        Opt("unit that training and test must not share; windows only shows the mistake"),
    ] = "songs",
    networks: Annotated[
        list[Network] | None, Opt("networks to train (default: ours)", former=FORMER)
    ] = None,
    folds: Annotated[int, Opt("parts of the cross-validation", min=2, max=100)] = 10,
    only: Annotated[int | None, Opt("number of folds to train (default: all)", min=1)] = None,
    epochs: Annotated[int, Opt("passes over the songs, for each fold", min=1, max=1000)] = 20,
    windows: Annotated[int, Opt("windows of each song in an epoch", min=1, max=100)] = 6,
    precision: Precision = "32",
    count: Annotated[
        int, Opt("spectrograms to draw from the generator", min=64, max=100_000)
    ] = 2048,
    judges: Judges = None,
    seed: Seed = 1,
    checkpoint: Annotated[
        str | None,
        Opt(
            "weights to measure: folder or name (default: classifiers are trained anew, others "
            "are the packaged ones)",
            role="checkpoint",
            fits=MEASURED,
        ),
    ] = None,
    device: Device = "auto",
) -> Report:
    """Measure how well genres are told, or what the generator draws.

    For classifiers: networks are trained anew on each fold and measured on songs held out,
    beside a logistic regression on MFCC and chance, with confusion matrices; with --checkpoint,
    that one is measured instead. For explanations: whether a genre's probability hangs on what
    is marked. Trained weights are measured on the songs that they have not learnt from. For the
    generator: effective genres, mutual information, distance to training pictures, continuity
    of border paths, beside real pictures, copies and noise. For sound: how often real and drawn
    spectrograms are heard as the genre that they are seen as, by the classifier and by judges
    that had no part in the training.
    """
    from genre_map.songs import open_songs
    from groove_core.devices import resolve
    from groove_core.storage import Cache

    seed = draw_seed(seed)
    songs = open_songs(data)
    if about == "generator":
        from genre_map.gan_evaluation import measure_gan

        model, card = _gan(checkpoint, device)
        return measure_gan(model, card, songs, count=count, seed=seed, cache=Cache())
    if about == "sound":
        from genre_map.sound_evaluation import measure_sounds

        model, card = _gan(checkpoint, device)
        listeners = {name: _classifier(name, device)[0] for name in judges or ()}
        return measure_sounds(model, card, songs, listeners, count=count, seed=seed, cache=Cache())
    if about == "explanation":
        from genre_map.explaining import check_explanations

        return check_explanations(songs, *_classifier(checkpoint, device), seed=seed)
    if checkpoint is not None:
        from genre_map.evaluation import check_classifier

        return check_classifier(songs, *_classifier(checkpoint, device))
    from genre_map.training import Settings
    from genre_map.validation import cross_validate

    settings = Settings(epochs=epochs, windows=windows, precision=precision)
    return cross_validate(
        songs, networks or ["ours"], protocol, folds=folds, only=only, settings=settings,
        seed=seed, device=resolve(device), cache=Cache(),
    )  # fmt: skip
