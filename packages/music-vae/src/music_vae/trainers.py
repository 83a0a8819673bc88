"""The verbs that build sets of songs, train networks on them, and measure these."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from groove_core.actions import (
    Checkpoint,
    DataPath,
    Device,
    Devices,
    Into,
    License,
    Minutes,
    Opt,
    Readable,
    Restart,
    Resume,
    Seed,
    Strategy,
    action,
    draw_seed,
)
from groove_core.values import Report
from music_vae.loading import PACKAGE, Name
from music_vae.options import Model

if TYPE_CHECKING:
    from groove_core.tunes import TuneSet
    from music_vae.phrases import PhraseSet
    from music_vae.songs import SongSet

__all__ = ["adapt", "dataset", "evaluate", "train"]

Kind = Literal["melodies", "drums", "trios", "phrases"]


@action
def dataset(
    folders: Annotated[Readable[list[Path]], Opt("folders (or zip files) of songs")],
    *,
    of: Annotated[
        Kind,
        Opt(
            "melodies (of MIDI, MusicXML or ABC files), drums or trios (of MIDI files), or phrases "
            "(of POP909's structure.zip)"
        ),
    ] = "melodies",
    splits: Annotated[
        Readable[Path | None],
        Opt("folder with a table for each corpus: id, split, group (default: by hash)"),
    ] = None,
    made: Annotated[
        bool, Opt("trios made of the packaged phrases and beats beside those of the folders")
    ] = False,
) -> TuneSet | SongSet | PhraseSet:
    """Build a set of songs to train on, with an account of what was left out.

    Copies of a song, transposed or not, are in one part of the split.

    Returns
    -------
    TuneSet, SongSet or PhraseSet
        For ``train --data`` (melodies, drums, trios) and for maps of choruses (phrases).

    Raises
    ------
    InputError
        If nothing in the folders can be used.
    UsageError
        If `made` is asked of other than trios.
    """
    from music_vae.sets import build

    return build(folders, of, splits=splits, made=made)


@action
def train(
    *,
    model: Annotated[Name, Opt("kind of music, and network for it")] = "mel-2bar",
    data: DataPath = None,
    name: Annotated[str | None, Opt("name of the checkpoint (default: my- and the model)")] = None,
    into: Into = None,
    latent: Annotated[
        int | None, Opt("dimensions of the space (default: that of the model)", min=2, max=1024)
    ] = None,
    beta: Annotated[
        float | None,
        Opt("weight of the divergence: less reconstructs better, more samples better "
            "(default: that of the model)", min=0, max=10),
    ] = None,
    free_bits: Annotated[
        float | None,
        Opt("bits of a code that cost nothing (default: those of the model)", min=0, max=4096),
    ] = None,
    epochs: Annotated[
        int | None,
        Opt("passes over the data (default: those of the model)", min=1, max=10_000),
    ] = None,
    batch_size: Annotated[
        int | None, Opt("windows per step (default: that of the model)", min=1, max=65_536)
    ] = None,
    learning_rate: Annotated[
        float | None, Opt("peak rate of Adam (default: that of the model)", min=1e-6, max=0.1)
    ] = None,
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:  # fmt: skip
    """Train a latent space on the packaged songs or on your own.

    Your own are a folder, or a set that the action dataset has made of one. Ctrl-C keeps what was
    learnt so far; --resume goes on and ends with the same weights as an unbroken run. The
    checkpoint can then be named with --checkpoint.

    Raises
    ------
    InputError
        If the data has too few windows; the message says how many there are.
    """
    from dataclasses import replace

    from groove_core import learning
    from music_vae.sets import LICENSES, windows_of
    from music_vae.training import PRESETS, VAETraining

    told: dict[str, Any] = {
        "latent": latent, "beta": beta, "free_bits": free_bits, "epochs": epochs,
        "batch_size": batch_size, "learning_rate": learning_rate,
    }  # fmt: skip
    settings = replace(PRESETS[model], **{key: x for key, x in told.items() if x is not None})
    run = learning.Run.of(
        PACKAGE, f"my-{model}", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license, source=learning.source(data, *LICENSES[settings.voices]),
    )  # fmt: skip
    windows = windows_of(settings, data)
    windows.check_size(settings.batch_size)
    return learning.train(VAETraining, settings, windows, run)


@action
def adapt(
    songs: Annotated[Readable[Path], Opt("folder of songs of one kind, 10 to 50 files")],
    *,
    model: Model = "mel-2bar",
    name: Annotated[str | None, Opt("name of the checkpoint (default: my-songs)")] = None,
    into: Into = None,
    rank: Annotated[
        int, Opt("rank of what is added to each matrix of the decoder", min=1, max=256)
    ] = 8,
    epochs: Annotated[int, Opt("passes over the songs, at most", min=1, max=10_000)] = 40,
    batch_size: Annotated[int, Opt("windows per step", min=1, max=65_536)] = 32,
    learning_rate: Annotated[
        float, Opt("learning rate of Adam, before its decay", min=1e-6, max=0.1)
    ] = 2e-3,
    minutes: Minutes = None,
    license: License = "unknown",
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Bring a latent space nearer to a few songs of yours, in minutes on two cores.

    The decoder and the prior learn; the encoder stays, so that codes and maps keep their meaning.
    A fifth of the songs is held out: what knows those best is kept, and the training stops when it
    knows them no better. The report has the bits of their notes and of other songs, what samples
    are like, and how much of them is copied, before and after.

    Raises
    ------
    InputError
        If fewer than three songs are usable, or they are too short.
    """
    from groove_core import learning
    from music_vae.adapting import AdaptSettings, AdaptTraining, Own
    from music_vae.loading import load
    from music_vae.sets import songs_of, windows_of
    from music_vae.windows import WindowSet

    network, card = load(model, checkpoint, "cpu")
    run = learning.Run.of(
        PACKAGE, "my-songs", name=name, into=into, seed=draw_seed(seed), device=device,
        devices=devices, strategy=strategy, resume=resume, restart=restart, minutes=minutes,
        license=license, source=learning.source(songs, "", ""),
    )  # fmt: skip
    others = (song for song in songs_of(network.voices) if song.part == "validation")
    general = WindowSet.of(others, network.voices, network.bars)
    own = Own(windows_of(network, songs), network, card, general)
    settings = AdaptSettings(
        rank=rank, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate
    )
    return learning.train(AdaptTraining, settings, own, run)


@action
def evaluate(
    *,
    about: Annotated[
        Literal["reconstruction", "interpolation", "samples", "attributes", "choruses"],
        Opt(
            "reconstruction: what comes back from codes; interpolation: what lies between two "
            "pieces; samples: style and copies of what is drawn; attributes: what their steps "
            "move; choruses: whether codes tell them from other phrases"
        ),
    ] = "reconstruction",
    model: Model = "mel-2bar",
    count: Annotated[
        int | None,
        Opt("pieces, or pairs of them (default: 1000, 500 pairs, or 100 to shift)",
            min=2, max=100_000),
    ] = None,
    data: DataPath = None,
    checkpoint: Checkpoint = None,
    seed: Seed = 1,
    device: Device = "auto",
) -> Report:  # fmt: skip
    """Measure a latent space on songs that it has not learnt, beside real pieces, copies, chance.

    What a network learnt from, or was chosen by, is never measured on. Choruses are looked for in
    a set of phrases that the action dataset has made.

    Raises
    ------
    InputError
        If the data has nothing to measure on.
    UsageError
        If choruses are asked of other than melodies.
    """
    from music_vae.evaluation.reports import report
    from music_vae.loading import load

    network, card = load(model, checkpoint, device)
    return report(about, network, card, data, count=count, seed=draw_seed(seed))
