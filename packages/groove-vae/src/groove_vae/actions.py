"""The verbs of groove-vae: the command line and the Python API at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from groove_core.actions import (
    Checkpoint,
    DataPath,
    Device,
    DrumTrack,
    Opt,
    Readable,
    Seed,
    action,
    checkpoint_of,
    draw_seed,
    each,
)
from groove_core.console import note
from groove_core.errors import UsageError
from groove_core.storage import checkpoints
from groove_core.values import Audio, Report, Score
from groove_vae.comparison import Comparison
from groove_vae.feel import Fingerprint
from groove_vae.measures import Measure
from groove_vae.symbolic import Part, centred, straight

__all__ = ["compare", "evaluate", "fingerprint", "humanize", "quantize", "transfer"]

PACKAGE = "groove-vae"
AUDIO, SYMBOLIC = "audio", "symbolic"
"""The shipped checkpoints, which are the two kinds of models."""

MOST_DIMENSIONS = 8
MANY_FILES = 8
"""A fingerprint of more pools those of a folder, unless the user says otherwise."""

AudioCheckpoint = Annotated[str | None, checkpoint_of("groove_vae.model:FeelVAE")]
SymbolicCheckpoint = Annotated[str | None, checkpoint_of("groove_vae.twin:Twin")]

Which = Annotated[
    Literal["audio", "symbolic"],
    Opt("model: audio compares parts, symbolic humanizes them"),
]

Strokes = Annotated[
    Readable[Path] | None,
    Opt(
        "folder with recorded strokes of a kit, such as kick-1.wav and closed-hi-hat-2.wav "
        "(default: none)"
    ),
]
Soundfont = Annotated[
    Readable[Path] | None, Opt("soundfont (.sf2) of the kits (default: that of Groove)")
]
Timing = Annotated[
    float,
    Opt(
        "share of the timing: 0 leaves the notes alone, 1 moves them all the way, 2 exaggerates",
        min=0,
        max=2,
    ),
]
Dynamics = Annotated[
    float,
    Opt(
        "share of the dynamics: 0 leaves the velocities alone, 1 changes them all the way",
        min=0,
        max=2,
    ),
]


def styles(checkpoint: str | None = None) -> list[str]:
    """List the styles that a symbolic model knows."""
    return list(checkpoints.config_of(PACKAGE, checkpoint or SYMBOLIC).get("styles", []))


def drummers(checkpoint: str | None = None) -> list[str]:
    """List the drummers that a symbolic model knows."""
    return list(checkpoints.config_of(PACKAGE, checkpoint or SYMBOLIC).get("drummers", []))


@action
def humanize(
    score: Annotated[Readable[Score], Opt("MIDI file with a drum part in 4/4")],
    *,
    timing: Timing = 1.0,
    dynamics: Dynamics = 1.0,
    style: Annotated[
        str | None,
        Opt("style to play in, for example funk (default: any)", names="groove_vae.actions:styles"),
    ] = None,
    drummer: Annotated[
        str | None,
        Opt(
            "drummer to play like, drummer1 to drummer10 (default: any)",
            names="groove_vae.actions:drummers",
        ),
    ] = None,
    temperature: Annotated[
        float,
        Opt(
            "sampling temperature: 0 is the average of all ways to play, 1 varies as drummers do",
            min=0,
            max=2,
        ),
    ] = 1.0,
    push: Annotated[
        float, Opt("milliseconds of the whole part ahead of the beat", min=0, max=100)
    ] = 0.0,
    drag: Annotated[
        float, Opt("milliseconds of the whole part behind the beat", min=0, max=100)
    ] = 0.0,
    drum_track: DrumTrack = None,
    seed: Seed = None,
    checkpoint: SymbolicCheckpoint = None,
    device: Device = "auto",
) -> Score:
    """Play a programmed drum part as a drummer would.

    The model gives each drum and sixteenth a velocity and a distance to the grid. The
    loudest note there takes them; others of the same drum and sixteenth, such as the
    first stroke of a flam, keep their distance to it. Every note is kept, with its
    length; none starts before the score does. Other tracks, drums other than the nine,
    controllers and tempo stay as they are.

    The part is centred: on average its hits are neither early nor late. --push plays all of
    it early, --drag late. It is as steady from bar to bar as drummers are.

    Returns
    -------
    Score

    Raises
    ------
    InputError
        If there are no drums, or they are not in 4/4 or in triplets.
    UsageError
        If there is no such style or drummer, or with both --push and --drag.

    Examples
    --------
    >>> from groove_vae.performances import load
    >>> part = quantize(load("test")[0].to_score())
    >>> humanize(part, timing=0, dynamics=0) == part
    True
    """
    from groove_vae.twin import TEMPO_RANGE, Twin, play

    if push and drag:
        raise UsageError(
            f"A part is not {push:g} ms early and {drag:g} ms late.", hint="Use --push or --drag."
        )
    late_ms = drag - push
    part = straight(score, moves=bool(timing or late_ms))
    slowest, fastest = TEMPO_RANGE
    if part.bar_tempos_bpm.min() < slowest or part.bar_tempos_bpm.max() > fastest:
        note(
            f"{score.name} plays outside {slowest} to {fastest} bpm, the tempos that the model "
            "knows: it is played as at the nearest of them."
        )
    model, _ = checkpoints.load(PACKAGE, checkpoint or SYMBOLIC, Twin, device=device)
    model.check(style, drummer)
    feel = play(
        model,
        part.grid.hit,
        part.bar_tempos_bpm,
        style=style,
        drummer=drummer,
        temperature=temperature,
        seed=draw_seed(seed),
    )
    feel = centred(feel, part.bar_tempos_bpm)
    return part.with_feel(feel, timing=timing, dynamics=dynamics, late_ms=late_ms)


@action
def quantize(
    score: Annotated[Readable[Score], Opt("MIDI file with drums, in any metre")],
    *,
    strength: Annotated[
        float, Opt("share of the way to the grid: 1 moves notes all the way", min=0, max=1)
    ] = 1.0,
    grid: Annotated[
        Literal["16", "8", "12", "24", "32"],
        Opt("lines per bar of 4/4: 8, 16 or 32 straight, 12 or 24 in triplets"),
    ] = "16",
    dynamics: Annotated[
        float, Opt("share of the way to even velocities, the mean of each drum", min=0, max=1)
    ] = 0.0,
    drum_track: DrumTrack = None,
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
    feel: Annotated[Readable[Score], Opt("MIDI file of the part whose feel is wanted")],
    notes: Annotated[Readable[Score], Opt("MIDI file of the part that gets it")],
    *,
    timing: Timing = 1.0,
    dynamics: Dynamics = 1.0,
    drum_track: DrumTrack = None,
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

    part = straight(notes, moves=bool(timing))
    return part.with_feel(
        spread(straight(feel).grid, part.grid.hit), timing=timing, dynamics=dynamics
    )


@action
def compare(
    played: Annotated[
        Readable[Audio | Score], Opt("part as it was played: a recording or a MIDI file")
    ],
    programmed: Annotated[
        Readable[Audio | Score] | None,
        Opt("same part as it was programmed (default: the played part on the grid)"),
    ] = None,
    *,
    measure: Annotated[
        Measure,
        Opt("divergence; kl is KL(played || programmed), the last three are symmetric"),
    ] = "kl",
    tempo_bpm: Annotated[
        float | None,
        Opt("tempo of two recordings (default: heard)", unit="bpm", min=20, max=400),
    ] = None,
    tone: Annotated[
        Literal["auto", "same", "other"],
        Opt("same or other sound of the kits; other ignores what all hits of a drum share"),
    ] = "auto",
    align: Annotated[
        bool, Opt("alignment of tempo and start; without it both begin together")
    ] = True,
    kit: Annotated[
        int, Opt("kit for MIDI files: 0 standard, 8 room, 16 power, 24, 25, 40, 48", min=0, max=127)
    ] = 0,
    strokes: Strokes = None,
    soundfont: Soundfont = None,
    raw: Annotated[
        bool, Opt("comparison sample by sample, as in the first study; for a few seconds only")
    ] = False,
    drum_track: DrumTrack = None,
    seed: Seed = 1,
    checkpoint: AudioCheckpoint = None,
    device: Device = "auto",
) -> Comparison:
    """Show where and how a played drum part differs from a programmed one.

    Both may be recordings of drums alone or MIDI files. Tempo and start are aligned, unless
    they agree already. For every moment the divergence of two Gaussians says how much feel
    differs; for every stroke there is how early or late it is, and how much louder or
    softer.

    A MIDI file alone is compared with itself on the grid with even velocities; a recording
    alone with its own strokes moved onto the grid that fits them best, so that how late it
    is on the whole, and its dynamics, do not count. With --strokes, a played part that is a
    MIDI file is played on recorded strokes, and the programmed one on --kit.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there are no drums, no beat can be found, or the two are not the same part.

    Examples
    --------
    >>> from groove_vae.performances import load
    >>> played = load("test")[0].to_score()
    >>> compare(played, quantize(played, dynamics=1))
    Comparison(28.7 s, 410 strokes)
    """
    from groove_core.render import kits
    from groove_vae import versions
    from groove_vae.comparing import compare_versions
    from groove_vae.model import FeelVAE

    if tempo_bpm is not None and (isinstance(played, Score) or isinstance(programmed, Score)):
        note("the tempo of the MIDI file is taken, not --tempo-bpm")

    if strokes is not None and isinstance(played, Audio):
        note("the played part is a recording already: --strokes is ignored")

    def version(part: Audio | Score, name: str, folder: Path | None = None) -> versions.Version:
        if isinstance(part, Audio):
            return versions.of_audio(part, name)
        drums = kits.recorded(folder) if folder else kits.general_midi(kit, soundfont)
        return versions.of_score(part, name, drums)

    second = None if programmed is None else version(programmed, "programmed")
    if programmed is None and isinstance(played, Score):
        made = version(versions.programmed_score(played), "programmed")
        second = replace(made, follows=True)
    model, _ = checkpoints.load(PACKAGE, checkpoint or AUDIO, FeelVAE, device=device)
    return compare_versions(
        model,
        version(played, "played", strokes),
        second,
        measure=measure,
        tempo_bpm=tempo_bpm,
        aligned=not align,
        same_tone={"auto": None, "same": True, "other": False}[tone],
        raw_seed=draw_seed(seed) if raw else None,
    )


@action
def fingerprint(
    parts: Annotated[
        Readable[list[Score]], Opt("MIDI files with drums in 4/4, or a folder of them")
    ],
    *,
    by: Annotated[
        Literal["auto", "file", "folder"],
        Opt("rows of the result: files, or their folders; auto takes folders beyond 8 files"),
    ] = "auto",
    drum_track: DrumTrack = None,
) -> Fingerprint:
    """Measure the feel of drum parts: how late and how hard, by drum and sixteenth.

    With counts and 95 % intervals, a heat map, and the distance between each two parts.

    Returns
    -------
    Fingerprint

    Raises
    ------
    InputError
        If no part has drums in 4/4; one that has none is left out.
    """
    from groove_vae.feel import fingerprint_of

    found = fingerprint_of(list(each(parts, lambda score, _: Part.of(score), "measuring")))
    many = by == "folder" or (by == "auto" and len(found.names) > MANY_FILES)
    return found.by_folder() if many else found


@action
def evaluate(
    *,
    about: Annotated[
        Literal["audio", "symbolic", "latent", "steadiness"],
        Opt(
            "subject: audio compares parts, symbolic humanizes them, latent is what z "
            "tells in the symbolic model, steadiness is how alike it plays bars",
            aliases=("model",),
        ),
    ] = "audio",
    strokes: Strokes = None,
    soundfont: Soundfont = None,
    count: Annotated[
        int | None, Opt("held-out performances to measure on (default: all)", min=2)
    ] = None,
    checkpoint: Checkpoint = None,
    data: DataPath = None,
    seed: Seed = 1,
    device: Device = "auto",
) -> Report:
    """Measure a model on performances that were not learnt, with 95 % intervals.

    Of the audio model: how well known changes of timing and dynamics are found, on kits
    that it has not heard, on the same kit and on another. With --soundfont the played part is
    on the kits of that one, and the other kit is a synthetic one; with --strokes it is on
    recorded strokes, and the other kit is of --soundfont, or else synthetic. Of the symbolic
    model: how far its timing and velocity are from the real ones and from their distributions,
    beside what simpler ways give; and how often a fingerprint names the drummer. Of its latent
    code: how much likelier z makes the hits that were played. Of its steadiness: how far the
    velocity and timing of each drum change from bar to bar, and over how many bars.
    """
    given: dict[str, Any] = {
        "data": data,
        "count": count,
        "seed": draw_seed(seed),
        "device": device,
    }
    if about == AUDIO:
        from groove_vae.evaluation import evaluate as heard

        return heard(checkpoint=checkpoint or AUDIO, strokes=strokes, soundfont=soundfont, **given)
    if strokes is not None or soundfont is not None:
        raise UsageError(
            f"--strokes and --soundfont choose kits; {about} is measured on notes.",
            hint="Leave them out, or measure --about audio.",
        )
    if about == "latent":
        from groove_vae.latent import evaluate as measured
    elif about == "steadiness":
        from groove_vae.steadiness import evaluate as measured
    else:
        from groove_vae.twin_evaluation import evaluate as measured
    return measured(checkpoint=checkpoint or SYMBOLIC, **given)
