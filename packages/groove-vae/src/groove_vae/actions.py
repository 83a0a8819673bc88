"""The verbs of groove-vae: the command line and the Python API at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from groove_core.console import note
from groove_core.errors import InputError, UsageError, did_you_mean
from groove_core.params import (
    Checkpoint,
    DataPath,
    Device,
    Devices,
    Into,
    Opt,
    Restart,
    Resume,
    Seed,
    Strategy,
    action,
    draw_seed,
)
from groove_core.values.results import Report
from groove_core.values.score import Score
from groove_vae.feel import Fingerprint
from groove_vae.symbolic import Part

__all__ = ["evaluate", "fingerprint", "humanize", "quantize", "train", "transfer"]

PACKAGE = "groove-vae"
MODEL = "symbolic"
"""The shipped checkpoint."""

Timing = Annotated[
    float, Opt("how far to move notes: 0 not at all, 1 all the way, 2 exaggerated", min=0, max=2)
]
Dynamics = Annotated[
    float, Opt("how far to change velocities: 0 not at all, 1 all the way", min=0, max=2)
]


def _straight(score: Score) -> Part:
    """Find the drums of a score that is in 4/4 and in sixteenths."""
    from groove_core.values.grid import is_triplet

    part = Part.of(score)
    if is_triplet(part.beats):
        raise InputError(
            f"{score.name} is played in triplets; feel is known for sixteenths.",
            hint="Give a straight part. (quantize --grid 12 puts triplets on their grid.)",
        )
    if part.other:
        note(f"{score.name}: {part.other} notes of other drums are left as they are")
    return part


def _known(name: str | None, names: Sequence[str], what: str) -> str | None:
    """Check the name of a style or drummer."""
    if name is None or name in names:
        return name
    raise UsageError(
        f"The model knows no {what} {name!r}.",
        hint=did_you_mean(name, names, form=f"--{what} {{}}") or f"There is {', '.join(names)}.",
    )


@action
def humanize(
    score: Annotated[Score, Opt("MIDI file with a drum part in 4/4")],
    *,
    timing: Timing = 1.0,
    dynamics: Dynamics = 1.0,
    style: Annotated[
        str | None, Opt("play in one style, for example funk; any when left out")
    ] = None,
    drummer: Annotated[
        str | None, Opt("play like one of the drummers, drummer1 to drummer10")
    ] = None,
    temperature: Annotated[
        float,
        Opt("how free: 0 is the average of all ways to play, 1 as drummers vary", min=0, max=2),
    ] = 1.0,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Score:
    """Play a programmed drum part as a drummer would.

    The model gives each drum and sixteenth a velocity and a distance to the grid. The
    loudest note there takes them; others of the same drum and sixteenth, such as the
    first stroke of a flam, keep their distance to it. Every note is kept, with its
    length; none starts before the score does. Other tracks, drums other than the nine,
    controllers and tempo stay as they are.

    Returns
    -------
    Score

    Raises
    ------
    InputError
        If there are no drums, or they are not in 4/4 or in triplets.
    UsageError
        If there is no such style or drummer.

    Examples
    --------
    >>> from groove_vae.performances import load
    >>> part = quantize(load("test")[0].to_score())
    >>> humanize(part, timing=0, dynamics=0) == part
    True
    """
    from groove_core import checkpoints, devices
    from groove_vae.twin import Twin, play

    part = _straight(score)
    model, _ = checkpoints.load(PACKAGE, checkpoint or MODEL, Twin, device=devices.resolve(device))
    feel = play(
        model,
        part.grid.hit,
        part.bar_tempos_bpm,
        style=_known(style, model.styles, "style"),
        drummer=_known(drummer, model.drummers, "drummer"),
        temperature=temperature,
        seed=draw_seed(seed),
    )
    return part.with_feel(feel, timing=timing, dynamics=dynamics)


@action
def quantize(
    score: Annotated[Score, Opt("MIDI file with drums, in any metre")],
    *,
    strength: Annotated[float, Opt("how far to move notes: 1 all the way", min=0, max=1)] = 1.0,
    grid: Annotated[
        Literal["16", "8", "12", "24", "32"],
        Opt("lines per bar of 4/4: 8, 16 or 32 straight, 12 or 24 in triplets"),
    ] = "16",
    dynamics: Annotated[
        float, Opt("how far to even out velocities, to the mean of each note", min=0, max=1)
    ] = 0.0,
) -> Score:
    """Put the drums of a score on the grid, as a programmed part is.

    Every note is kept, with its length. Twice is as once.

    Returns
    -------
    Score

    Raises
    ------
    InputError
        If there are no drums.
    """
    from groove_vae.feel import on_grid

    return on_grid(score, per_beat=int(grid) // 4, strength=strength, evenness=dynamics)


@action
def transfer(
    feel: Annotated[Score, Opt("MIDI file of the part whose feel is wanted")],
    notes: Annotated[Score, Opt("MIDI file of the part that gets it")],
    *,
    timing: Timing = 1.0,
    dynamics: Dynamics = 1.0,
) -> Score:
    """Give the feel of one drum part to the notes of another.

    For each drum and sixteenth of the bar, the mean velocity and the mean distance to
    the grid, in sixteenths, so that swing follows the tempo. Where the first part has no
    such hit, the mean of, in this order: the drum at the same place of other beats; the
    drum anywhere; any drum on that sixteenth; any drum at that place of other beats; all.
    Notes are moved as by `humanize`.

    Returns
    -------
    Score

    Raises
    ------
    InputError
        If there are no drums, or they are not in 4/4 or in triplets.
    """
    from groove_vae.feel import spread

    part = _straight(notes)
    return part.with_feel(
        spread(_straight(feel).grid, part.grid.hit), timing=timing, dynamics=dynamics
    )


@action
def fingerprint(
    parts: Annotated[list[Score], Opt("MIDI files with drums in 4/4, or a folder of them")],
) -> Fingerprint:
    """Measure the feel of drum parts: how late and how hard, by drum and sixteenth.

    With counts and 95 % intervals, a heat map, and the distance between each two parts.

    Returns
    -------
    Fingerprint

    Raises
    ------
    InputError
        If no part has drums in 4/4.
    """
    from groove_vae.feel import fingerprint_of

    found = []
    for score in parts:
        try:
            found.append(Part.of(score))
        except InputError as error:
            if len(parts) == 1:
                raise
            note(f"left out: {error.message}")
    if not found:
        raise InputError(
            f"None of the {len(parts)} files has drums in 4/4.",
            hint="Give MIDI files with notes on channel 10.",
        )
    return fingerprint_of(found)


@action
def evaluate(
    *,
    count: Annotated[
        int | None, Opt("held-out performances to measure on; all when left out", min=2)
    ] = None,
    checkpoint: Checkpoint = None,
    data: DataPath = None,
    seed: Seed = 1,
    device: Device = "auto",
) -> Report:
    """Measure a model on performances that were not learnt.

    How far its timing and velocity are from the real ones, and from their distributions,
    beside what simpler ways give; and how often a fingerprint names the drummer. All with
    95 % intervals.
    """
    from groove_core.devices import resolve
    from groove_vae import twin_evaluation

    return twin_evaluation.evaluate(
        checkpoint=checkpoint or MODEL,
        data=data,
        count=count,
        seed=draw_seed(seed),
        device=resolve(device),
    )


@action
def train(
    *,
    data: DataPath = None,
    name: Annotated[str | None, Opt("what to call it; my-symbolic when left out")] = None,
    into: Into = None,
    latent: Annotated[
        int | None, Opt("dimensions of z; the model's own when left out", min=1, max=256)
    ] = None,
    epochs: Annotated[
        int | None, Opt("passes over the data; the model's own when left out", min=1, max=10_000)
    ] = None,
    batch_size: Annotated[
        int | None, Opt("windows per step; the model's own when left out", min=4, max=8192)
    ] = None,
    learning_rate: Annotated[
        float | None,
        Opt("of Adam, before its cosine decay; the model's own when left out", min=1e-6, max=0.1),
    ] = None,
    beta: Annotated[
        float | None, Opt("weight of the KL; the model's own when left out", min=0, max=1e6)
    ] = None,
    resume: Resume = False,
    restart: Restart = False,
    seed: Seed = 1,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
) -> Report:
    """Train a model on the shipped performances or on your own folder of MIDI files.

    Ctrl-C keeps what was learnt so far; --resume goes on and ends with the same
    weights as an unbroken run. The checkpoint can then be named with --checkpoint.
    """
    from groove_core import checkpoints
    from groove_core.devices import resolve
    from groove_vae import twin_training

    name, folder = checkpoints.place(PACKAGE, name, into, f"my-{MODEL}")
    wanted = {
        "latent": latent,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "beta": beta,
    }
    report = twin_training.train(
        {key: value for key, value in wanted.items() if value is not None},
        folder,
        name=name,
        data=data,
        seed=draw_seed(seed),
        device=resolve(device),
        devices=devices,
        strategy=strategy,
        resume=resume,
        restart=restart,
    )
    note(f"checkpoint in {folder}; use it with --checkpoint {into or name}")
    return report
