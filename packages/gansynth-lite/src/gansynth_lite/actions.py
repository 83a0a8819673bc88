"""The verbs of gansynth-lite: the command line and the Python API at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from gansynth_lite.encoded import Instruments
from gansynth_lite.kits import Kit
from gansynth_lite.options import (
    About,
    Checkpoint,
    DrawnFamilies,
    Family,
    Instrument,
    Judge,
    NotesPath,
    Pitch,
    Refine,
    Second,
    Subset,
    TrackFamilies,
    TrackInstruments,
)
from groove_core.actions import (
    Device,
    Opt,
    Readable,
    Seed,
    action,
    draw_seed,
)
from groove_core.console import track
from groove_core.errors import UsageError
from groove_core.values import Audio, Report, Score

__all__ = ["encode", "evaluate", "export", "interpolate", "render", "sample"]

KIT_LOW, KIT_HIGH = 36, 84
"""Keys that an exported instrument has, where the model plays them: C2 to C6."""


@action
def sample(
    *,
    pitch: Pitch = None,
    family: Family = None,
    instrument: Instrument = None,
    count: Annotated[int, Opt("instruments to draw", min=1, max=256)] = 4,
    refine: Refine = 0,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[Audio]:
    """Draw instruments, and play a note of each; or play a note of a given one.

    Returns
    -------
    iterator of Audio
        Mono, of the length that the model has learnt, at 44.1 kHz.

    Raises
    ------
    UsageError
        If the pitch is out of the model's range or there is no such family.

    Examples
    --------
    >>> [tone] = sample(pitch="A3", count=1, seed=1)
    >>> tone.sample_rate
    44100
    """
    from gansynth_lite.sound import Voice

    voice = Voice.load(checkpoint, device, draw_seed(seed), refine)
    at = voice.pitch(pitch)
    given = None if instrument is None else voice.instrument(instrument)
    w = voice.drawn(count, [family] * count) if given is None else given
    return iter(track(voice.heard(w, [at] * len(w)), "playing", total=len(w)))


@action
def render(
    score: Annotated[Readable[Score], Opt("MIDI file")],
    *,
    instrument: Instrument = None,
    families: TrackFamilies = None,
    instruments: TrackInstruments = None,
    motion: Annotated[
        Literal["still", "wander"],
        Opt("one instrument for each track, or a walk from one to the next"),
    ] = "still",
    every_s: Annotated[
        float,
        Opt("time from one instrument to the next, with --motion wander", "seconds", 0.5, 600),
    ] = 8.0,
    refine: Refine = 0,
    sample_rate: Annotated[int, Opt("sample rate of the result", "Hz", 8000, 192_000)] = 44_100,
    stems: Annotated[
        bool, Opt("WAV of each track beside the mix, which is their sum sample by sample")
    ] = False,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Audio:
    """Play a MIDI file.

    Each track has an instrument that is drawn from the family of its program, or the one that is
    given with --instruments. Pedal, bends, volume, expression and pan are heard; drums are left to
    the soundfont; notes beyond the model's range are transposed by octaves.

    Returns
    -------
    Audio
        Stereo, its loudest sample at -1 dBFS. With stems, a `gansynth_lite.mixing.Mix`.

    Raises
    ------
    InputError
        If there are no notes in it.
    UsageError
        If there is no such track or family.
    """
    from gansynth_lite.casting import cast
    from gansynth_lite.playing import Path as Way
    from gansynth_lite.sound import Voice

    voice = Voice.load(checkpoint, device, draw_seed(seed), refine)
    given = cast(instruments, score, voice.model.families) if instruments else {}
    if instrument is not None:
        others = voice.instrument(instrument).expand(len(score.tracks), -1, -1)
        keys = voice.given_to(others, given)
    else:
        count = 1 if motion == "still" else 2 + int(score.duration_s / every_s)
        keys = voice.drawn_for(score, families, count, given)
    return voice.render(score, Way(keys, every_s, code=voice.model.code), sample_rate, stems)


@action
def interpolate(
    start: Instrument = None,
    end: Instrument = None,
    *,
    score: Annotated[
        Readable[Score] | None, Opt("MIDI file to play along the way (default: notes)")
    ] = None,
    families: DrawnFamilies = None,
    pitch: Pitch = None,
    steps: Annotated[int, Opt("notes, both ends among them", min=2, max=256)] = 8,
    refine: Refine = 0,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Iterator[Audio]:
    """Morph one instrument into another, note by note or along a MIDI file.

    Instruments are sounds of your own, codes of `encode`, or drawn. The way is the shortest on
    the sphere on which instruments lie.

    Returns
    -------
    iterator of Audio
        One for each step; with a score, one whole.

    Raises
    ------
    InputError
        If no pitch is heard in a sound.
    """
    import torch

    from gansynth_lite.envelope import padded
    from gansynth_lite.playing import Path as Way
    from gansynth_lite.playing import slerp
    from gansynth_lite.sound import Voice

    voice = Voice.load(checkpoint, device, draw_seed(seed), refine)
    names = [name.strip() for name in families.split(",")] if families else [None]
    drawn = voice.drawn(2, [names[0], names[-1]])
    found = [
        drawn[i : i + 1] if one is None else voice.instrument(one)[:1]
        for i, one in enumerate((start, end))
    ]
    ends = [padded(one, max(w.shape[1] for w in found)) for one in found]
    if score is not None:
        keys = torch.stack(ends, dim=1)
        way = Way(keys, max(score.duration_s, 0.1), steps=64, code=voice.model.code)
        return iter([voice.render(score, way, 44_100)])
    at = voice.pitch(pitch)
    t = torch.linspace(0, 1, steps, device=ends[0].device)
    w = slerp(ends[0].expand(steps, -1), ends[1].expand(steps, -1), t, voice.model.code)
    return iter(track(voice.heard(w, [at] * steps), "morphing", total=steps))


@action
def encode(
    sounds: Annotated[Readable[list[Audio]], Opt("sounds of single notes, or a folder of them")],
    *,
    pitch: Annotated[
        str | None, Opt("pitch of all sounds, such as C4 or 60 (default: measured)")
    ] = None,
    steps: Annotated[
        int, Opt("steps of a search for better codes; 0 keeps the encoder's", min=0, max=2000)
    ] = 0,
    seed: Seed = 0,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Instruments:
    """Find the instruments of recorded notes, to play, morph or make kits of.

    Attack and decay are the recording's, at whatever pitch and length the instrument is played. It
    says how near each comes. Of a phrase, the first note is encoded.

    Returns
    -------
    Instruments
        One for each sound.

    Raises
    ------
    InputError
        If no sound is one note of the model's range; one that is unreadable, silent, a chord or
        speech is left out.
    """
    from gansynth_lite.sound import Voice

    voice = Voice.load(checkpoint, device, draw_seed(seed), 0)
    return voice.encoded(sounds, pitch, steps)


@action
def export(
    *,
    instrument: Instrument = None,
    family: Family = None,
    low: Annotated[str | None, Opt("lowest note (default: C2, or the model's lowest)")] = None,
    high: Annotated[str | None, Opt("highest note (default: C6, or the model's highest)")] = None,
    every: Annotated[
        int, Opt("distance from one recorded note to the next", "semitones", 1, 12)
    ] = 3,
    refine: Refine = 0,
    seed: Seed = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Kit:
    """Export an instrument for a sampler: notes as WAV, and an SFZ that maps them to keys.

    Notes begin without a click, are in tune and equally loud, and have a softer, darker layer. What
    a player holds goes on while a key is down; what is struck or plucked fades. What the model does
    not draw, above 7 kHz, goes on from what lies below.

    Raises
    ------
    UsageError
        If the model does not play one of them, or there is no note between them.
    """
    from gansynth_lite import sampling
    from gansynth_lite.sound import Voice

    voice = Voice.load(checkpoint, device, draw_seed(seed), refine)
    first, last = voice.pitch(low, KIT_LOW), voice.pitch(high, KIT_HIGH)
    pitches = list(range(round(first), round(last) + 1, every))
    if not pitches:
        raise UsageError(
            f"There is no note from {low or 'C2'} to {high or 'C6'}.",
            hint="Give a --low that is below --high.",
        )
    w = voice.drawn(1, [family]) if instrument is None else voice.instrument(instrument)[:1]
    sounds = voice.notes(
        w.expand(len(pitches), -1), [float(p) for p in pitches], sampling.LONGEST_S
    )
    made = [one.samples[0] for one in track(sounds, "playing", total=len(pitches))]
    notes = sampling.for_sampler(made, pitches, voice.model.layout.sample_rate)
    return Kit(notes, sampling.RATE, voice.name)


@action
def evaluate(
    notes: NotesPath,
    *,
    about: About = "notes",
    count: Annotated[int, Opt("number of notes or instruments", min=2, max=100_000)] = 1000,
    classifier: Judge = None,
    second: Second = None,
    subset: Subset = "acoustic",
    seed: Seed = 1,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> Report:
    """Measure a model beside real notes that it has not heard, copies and noise.

    Raises
    ------
    InputError
        If there are too few notes, or the model learnt from all of them.
    """
    from gansynth_lite.evaluation import measure
    from gansynth_lite.focus import measure_focus
    from gansynth_lite.instruments import measure_instruments
    from gansynth_lite.notes import split_as_learnt
    from gansynth_lite.representation import round_trip
    from gansynth_lite.sound import Voice, load_judges
    from gansynth_lite.sources import open_cached

    seed = draw_seed(seed)
    voice = Voice.load(checkpoint, device, seed, 0)
    model = voice.model
    found = open_cached(notes, model.layout.samples, subset, model.low, model.high)
    if about == "representation":
        return round_trip(found, model.layout, count=count, seed=seed)
    parts, name = split_as_learnt(found, voice.card), voice.name
    if about == "instruments":
        return measure_instruments(model, found, parts, count=count, seed=seed, name=name)
    judges = load_judges(classifier, second, voice.device)
    if about == "focus":
        return measure_focus(model, found, parts, judges[-1], count=count, seed=seed)
    return measure(model, found, parts, *judges, count=count, seed=seed, name=name)
