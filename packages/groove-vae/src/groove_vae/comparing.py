"""From two versions of a part to what sets them apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.drums import KIT_DRUMS
from groove_core.errors import InputError
from groove_core.render.kits import Hits, Samples
from groove_core.values.sound.samples import fitted
from groove_vae.alignment import Alignment, Beats, Onsets, align, match
from groove_vae.comparison import EARLY_S, Comparison, Stroke
from groove_vae.frames import HOP, HOP_S
from groove_vae.listening import (
    AROUND,
    AUDIBLE_DB,
    Heard,
    alike,
    divergence_curve,
    frames_of,
    listen,
    sound_of,
)
from groove_vae.measures import Measure
from groove_vae.model import FeelVAE
from groove_vae.raw import RAW_RATE, raw_curve
from groove_vae.versions import Version, beats_of, moved, power_db, quantized

__all__ = ["compare_versions"]

FEWEST = 4
"""Strokes that make a part."""
OUTLINE_POINTS = 6000

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def compare_versions(
    model: FeelVAE,
    played: Version,
    programmed: Version | None,
    *,
    measure: Measure = "kl",
    tempo_bpm: float | None = None,
    same_tone: bool | None = None,
    aligned: bool = False,
    raw_seed: int | None = None,
) -> Comparison:
    """Compare two versions of a part, or a recording with its own quantized version.

    Parameters
    ----------
    tempo_bpm : float, optional
        Where beats must be found in sound, the tempo to look for.
    same_tone : bool, optional
        Whether both sound the same, so that any difference counts; told from where they
        come when left out.
    aligned : bool
        Whether both begin together at one tempo.
    raw_seed : int, optional
        Compare sample by sample, as `groove_vae.raw` does, with no tone taken out.

    Raises
    ------
    InputError
        If there are no drums, no beats, or two parts that do not agree.
    """
    heard = listen(model, played.samples)
    onset_s = _strokes(played, heard)
    if programmed is None:
        beats = beats_of(played, onset_s, tempo_bpm)
        programmed = quantized(played, onset_s, beats)
    other = listen(model, programmed.samples)
    alignment = Alignment()
    if not (programmed.follows or aligned):
        other_s = _strokes(programmed, other)
        alignment = align(_audible(played, heard), _audible(programmed, other))
        if alignment.moved:
            programmed = moved(programmed, other_s, alignment, played.duration_s)
            other = listen(model, programmed.samples)
    at_s = _strokes(programmed, other)
    start_s = max(0.0, float(alignment.to_played(np.zeros(1))[0]))
    end_s = min(played.duration_s, programmed.duration_s)
    if programmed.strokes_s is None:
        beats = played.beats or programmed.beats or beats_of(programmed, at_s, tempo_bpm)
    beats = beats.until(end_s)
    both = played.hits is not None and programmed.hits is not None
    if same_tone is None:
        alike_kits = played.kit_name == programmed.kit_name
        same_tone = (alike_kits and (both or programmed.follows)) or raw_seed is not None
    mine = _events(played, onset_s, start_s, end_s, each=both)
    theirs = _events(programmed, at_s, start_s, end_s, each=both)
    neighbours = None if same_tone else alike(other.bands, frames_of(theirs.onset_s)).numpy()
    if raw_seed is None:
        step_s = HOP_S
        frames = min(len(heard.envelopes), len(other.envelopes))
        heard, other = heard.until(frames), other.until(frames)
        inside = at_s[at_s < end_s]
        curve = divergence_curve(heard, other, inside, measure=measure, same_tone=same_tone)
    else:
        step_s = 1 / RAW_RATE
        curve = raw_curve(
            played.samples,
            programmed.samples,
            measure=measure,
            seed=raw_seed,
            device=str(model.log_noise.device),
        )
    # Before the programmed part begins there is nothing to compare with.
    curve[: int(max(0.0, start_s - EARLY_S) / step_s)] = 0.0
    strokes = _table(mine, theirs, curve, step_s, beats, (played, programmed), neighbours)
    shared = sum(one.where == "both" for one in strokes)
    fewer = min(len(mine.onset_s), len(theirs.onset_s))
    if not (aligned or programmed.follows) and shared < fewer / 2:
        raise InputError(
            f"The two parts do not agree: {shared} of {fewer} strokes are in both.",
            hint="Give two versions of one part; --no-align if they begin together.",
        )
    about = {
        "tempo_bpm": round(beats.tempo_bpm, 3),
        "alignment": {
            "tempo_ratio": 1 / alignment.stretch,
            "offset_s": alignment.offset_s,
            "matched": alignment.matched,
        },
        "same_tone": same_tone,
        "quantized": programmed.follows,
        "raw": raw_seed is not None,
        "remarks": _remarks(alignment, programmed, aligned=aligned, same_tone=same_tone),
    }
    outlines = np.stack(
        [_outline(one.samples, round(end_s / HOP_S)) for one in (played, programmed)]
    )
    return Comparison(
        measure, step_s, curve, tuple(strokes), beats, outlines, (start_s, end_s), about
    )


def _strokes(version: Version, heard: Heard) -> Floats:
    """Give the onsets of a version: those of its hits, or what is heard.

    Raises
    ------
    InputError
        If there are too few to be a part.
    """
    if version.strokes_s is not None:
        return version.strokes_s
    if version.hits is not None:
        return version.hits.stroke_onsets_s()
    found = heard.onset_s
    if len(found) < FEWEST:
        raise InputError(
            f"No drums can be heard in the {version.name} part.",
            hint="Give a recording of drums alone; a stem rather than a mix.",
        )
    return found


def _audible(version: Version, heard: Heard) -> Onsets:
    """Give the strokes to align by: of known hits those that a recording lets hear."""
    hits = version.hits
    if hits is None:
        onset_s = heard.onset_s
    else:
        onset_s = hits[hits.level_db >= hits.level_db.max() + AUDIBLE_DB].stroke_onsets_s()
    sound = sound_of(heard.bands, frames_of(onset_s))
    return Onsets(onset_s, sound.numpy().astype(np.float64))


@dataclass(frozen=True)
class _Events:
    """What is matched: hits with their drum and level, or strokes; `number` of all there are."""

    onset_s: Floats
    number: Ints
    label: list[str]
    level_db: Floats | None


def _events(
    version: Version, strokes_s: Floats, start_s: float, end_s: float, *, each: bool
) -> _Events:
    """Give every hit where those of both versions are known, else strokes, within a span."""
    hits = version.hits
    onset_s, label, level_db = strokes_s, [""] * len(strokes_s), None
    if hits is not None and each:
        onset_s, level_db = hits.onset_s, hits.level_db
        label = [KIT_DRUMS[drum].name for drum in hits.drum]
    elif hits is not None:
        label = _together(hits)
    inside = np.nonzero((onset_s >= start_s - EARLY_S) & (onset_s < end_s))[0]
    return _Events(
        onset_s[inside],
        inside,
        [label[i] for i in inside],
        None if level_db is None else level_db[inside],
    )


def _together(hits: Hits) -> list[str]:
    """Name what is hit together in each stroke, such as ``kick + ride``."""
    found: dict[int, dict[str, None]] = {}
    for stroke, drum in sorted(zip(hits.strokes().tolist(), hits.drum.tolist(), strict=True)):
        found.setdefault(stroke, {})[KIT_DRUMS[drum].name] = None
    return [" + ".join(names) for names in found.values()]


def _table(
    mine: _Events,
    theirs: _Events,
    curve: Floats,
    step_s: float,
    beats: Beats,
    versions: tuple[Version, Version],
    neighbours: Ints | None,
) -> list[Stroke]:
    """Match the strokes of two versions and say what became of each."""
    if versions[1].strokes_s is not None:  # each was put there, and sounds as it did
        _, left, right = np.intersect1d(mine.number, theirs.number, return_indices=True)
        louder = np.zeros(len(left))
    else:
        left, right = _matched(mine, theirs)
        louder = _louder(mine, theirs, left, right, versions, neighbours)
    at = np.concatenate(
        [
            theirs.onset_s[right],
            np.delete(mine.onset_s, left),
            np.delete(theirs.onset_s, right),
        ]
    )
    label = [
        *(theirs.label[j] or mine.label[i] for i, j in zip(left, right, strict=True)),
        *(mine.label[i] for i in np.delete(np.arange(len(mine.label)), left)),
        *(theirs.label[j] for j in np.delete(np.arange(len(theirs.label)), right)),
    ]
    alone = len(mine.onset_s) - len(left), len(theirs.onset_s) - len(right)
    where = ["both"] * len(left) + ["played"] * alone[0] + ["programmed"] * alone[1]
    late = [*(1000 * (mine.onset_s[left] - theirs.onset_s[right])), *[None] * sum(alone)]
    level = [*louder, *[None] * sum(alone)]
    # Over 46 ms on either side.
    total = np.concatenate([[0.0], np.cumsum(curve)])
    reach = AROUND * HOP_S
    first = np.round((at - reach) / step_s).astype(int).clip(0, len(curve) - 1)
    last = (np.round((at + reach) / step_s).astype(int) + 1).clip(1, len(curve))
    mean = (total[last] - total[first]) / (last - first)
    shown = np.concatenate([mine.onset_s[left], at[len(left) :]])
    bar, place = beats.at(at)
    strokes = [
        Stroke(
            float(shown[i]),
            int(bar[i]),
            float(place[i]),
            label[i],
            where[i],
            None if late[i] is None else float(late[i]),
            None if level[i] is None else float(level[i]),
            float(mean[i]),
        )
        for i in range(len(at))
    ]
    return sorted(strokes, key=lambda one: (one.onset_s, one.drum))


def _matched(mine: _Events, theirs: _Events) -> tuple[Any, Any]:
    """Match events, drum by drum where both are known."""
    names = set(mine.label) | set(theirs.label)
    if "" in names:
        return match(mine.onset_s, theirs.onset_s)
    found: list[tuple[Any, Any]] = []
    for name in sorted(names):
        here, there = (
            np.array([i for i, one in enumerate(events.label) if one == name], dtype=np.int64)
            for events in (mine, theirs)
        )
        left, right = match(mine.onset_s[here], theirs.onset_s[there])
        found.append((here[left], there[right]))
    left, right = (np.concatenate(side) for side in zip(*found, strict=True))
    order = np.argsort(mine.onset_s[left], kind="stable")
    return left[order], right[order]


def _louder(
    mine: _Events,
    theirs: _Events,
    left: Ints,
    right: Ints,
    versions: tuple[Version, Version],
    neighbours: Ints | None,
) -> Floats:
    """Give by how many dB matched strokes of the first version are louder.

    Of recordings it is the level of the sound, against strokes that sound alike: another
    kit is louder here and softer there, which is nobody's dynamics, nor is the volume.

    Parameters
    ----------
    neighbours : int array [shape=(strokes of the second version, neighbours)], optional
        Those that sound alike.
    """
    if mine.level_db is not None and theirs.level_db is not None:
        known: Floats = mine.level_db[left] - theirs.level_db[right]
        return known
    first = power_db(versions[0], mine.onset_s[left])
    louder: Floats = first - power_db(versions[1], theirs.onset_s[right])
    if not len(louder):
        return louder
    volume = float(np.median(louder))
    if neighbours is None:
        return louder - volume
    # Of those that sound alike, the ones that have a partner.
    place = np.full(len(theirs.onset_s), -1)
    place[right] = np.arange(len(right))
    alike_to = [near[near >= 0] for near in place[neighbours[right]]]
    usual = [float(np.median(louder[near])) if len(near) else volume for near in alike_to]
    against: Floats = louder - np.array(usual)
    return against


def _remarks(
    alignment: Alignment, programmed: Version, *, aligned: bool, same_tone: bool
) -> list[str]:
    """Say what was compared with what."""
    if programmed.strokes_s is not None:
        words = [
            "compared with its own strokes on the grid that fits them best: how late or early "
            "it is on the whole, and its dynamics, do not count"
        ]
    elif programmed.follows:
        words = ["compared with itself on the grid, each drum at its mean velocity"]
    elif aligned:
        words = ["taken to begin together, as --no-align says"]
    elif alignment.moved:
        tempo = "the same" if alignment.stretch == 1 else f"{1 / alignment.stretch:.4f} times the"
        words = [
            f"the programmed part begins {abs(alignment.offset_s):.3f} s "
            f"{'later' if alignment.offset_s > 0 else 'earlier'}, at {tempo} tempo; aligned by "
            f"{100 * alignment.matched:.0f} % of the strokes, so that none is early or late on "
            "the whole"
        ]
    else:
        words = ["both begin together"]
    if not same_tone:
        words.append("what all strokes that sound alike have in common is left out as tone")
    return words


def _outline(samples: Samples, frames: int) -> Floats:
    """Give the peaks of a sound, for drawing: at most 6,000 points [shape=(n,), 0 to 1]."""
    points = min(frames, OUTLINE_POINTS)
    length = frames * HOP
    edges = np.linspace(0, length, points + 1).astype(int)[:-1]
    peaks = np.maximum.reduceat(fitted(np.abs(samples), length), edges)
    outline: Floats = (peaks / max(float(peaks.max()), 1e-9)).astype(np.float64)
    return outline
