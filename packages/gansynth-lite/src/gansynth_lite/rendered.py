"""Notes of a soundfont, as NSynth was made: every pitch of a program at several velocities."""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from gansynth_lite.families import FAMILIES, family_of_program
from gansynth_lite.notes import Notes, fitted, room, stored
from gansynth_lite.pitch import aperiodicity, cents, detect_f0, hz
from groove_core import render
from groove_core.console import note, track
from groove_core.errors import InputError, UsageError
from groove_core.storage import Cache, check_file, file_sha256

__all__ = ["VELOCITIES", "program_name", "render_notes"]

VELOCITIES = (50, 90, 127)
"""At which each pitch is rendered, unless others are asked for."""
VERSION = 4
"""Part of the key of the cache: another way to render is another number."""
TOLERANCE_CENTS = 50.0
REPEATING = 0.1
"""Aperiodicity up to which a note has the written period, though a multiple of it was measured."""


def render_notes(
    soundfont: str | Path,
    *,
    sample_rate: int = 16_000,
    samples: int = 64_000,
    low: int = 24,
    high: int = 84,
    velocities: Sequence[int] = VELOCITIES,
    programs: Sequence[int] | None = None,
    jobs: int | None = None,
    cache: Cache | None = None,
) -> Notes:
    """Render every pitch of the melodic programs of a soundfont.

    A program that sounds octaves away from what is written (organs with a 16-foot stop, guitar
    harmonics) is transposed, so that pitches are what is heard. Left out are silent notes, notes
    whose measured pitch is another, and programs most of whose notes are so (bells).

    Parameters
    ----------
    soundfont : path of an .sf2 file
    sample_rate : int [Hz]
    samples : int
        Length of each note; what rings on afterwards is faded out.
    low, high : int [MIDI]
    velocities : sequence of int
    programs : sequence of int, optional
        General MIDI, from 0; those with a family when left out.
    jobs : int, optional
        Processes that render; one for each processor when left out.
    cache : Cache, optional

    Returns
    -------
    notes : Notes
        By program, velocity and pitch.

    Raises
    ------
    InputError
        If the soundfont is missing or broken, or no note is left.
    """
    soundfont = check_file(soundfont, what="a soundfont (.sf2)")
    chosen = [p for p in (range(128) if programs is None else programs) if family_of_program(p)]
    job = _Job(str(soundfont), sample_rate, samples, low, high, tuple(velocities))
    settings = {
        "rendered": VERSION, "sample_rate": sample_rate, "samples": samples, "low": low,
        "high": high, "velocities": list(velocities), "programs": chosen,
    }  # fmt: skip
    content = b"" if cache is None else file_sha256(soundfont).encode()
    return stored(
        cache, settings, content, lambda: _rendered(job, chosen, jobs or os.cpu_count() or 1, cache)
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """What is rendered of each program."""

    soundfont: str
    sample_rate: int
    samples: int
    low: int
    high: int
    velocities: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """What came of a program."""

    samples: npt.NDArray[np.int16]
    pitches: list[int]
    velocities: list[int]
    dropped: dict[str, int]
    transposed: int


def _rendered(job: _Job, programs: Sequence[int], jobs: int, cache: Cache | None) -> Notes:
    count = len(programs) * len(job.velocities) * (job.high - job.low + 1)
    array = room(count, job.samples, cache)
    pitches: list[int] = []
    velocities: list[int] = []
    families: list[int] = []
    names: list[str] = []
    instruments: list[int] = []
    dropped: Counter[str] = Counter()
    gone = []
    transposed = []
    parts = _parts(job, programs, jobs)
    for program, part in zip(
        programs, track(parts, "rendering programs", total=len(programs)), strict=True
    ):
        name = program_name(program)
        dropped.update(part.dropped)
        if not part.pitches:
            gone.append(name)
            continue
        if part.transposed:
            transposed.append(f"{name} by {part.transposed:+d}")
        array[len(pitches) : len(pitches) + len(part.pitches)] = part.samples
        family = FAMILIES.index(family_of_program(program) or "")
        families += [family] * len(part.pitches)
        layers = sorted(set(part.velocities))
        instruments += [len(names) + layers.index(velocity) for velocity in part.velocities]
        names += [f"{name} v{velocity}" for velocity in layers]
        pitches += part.pitches
        velocities += part.velocities
    reasons = ", ".join(f"{n} {reason}" for reason, n in dropped.items() if n)
    if reasons:
        note(f"of {count} notes of {Path(job.soundfont).name}, left out are: {reasons}")
    if gone:
        note(f"programs left out, since most of their notes are: {', '.join(gone)}")
    if transposed:
        note(f"programs that sound octaves away, transposed: {', '.join(transposed)}")
    if not pitches:
        raise InputError(
            f"{job.soundfont} holds no melodic program that is in tune.",
            hint="Give a General MIDI soundfont.",
        )
    return Notes(
        samples=array[: len(pitches)],
        pitches=np.array(pitches, dtype=np.int64),
        families=np.array(families, dtype=np.int64),
        instruments=np.array(instruments, dtype=np.int64),
        velocities=np.array(velocities, dtype=np.int64),
        family_names=FAMILIES,
        instrument_names=tuple(names),
        sample_rate=job.sample_rate,
        source="soundfont",
        name=Path(job.soundfont).name,
        license=render.soundfont_rights(Path(job.soundfont)) or "that of the soundfont",
        dropped={reason: n for reason, n in dropped.items() if n},
    )


def program_name(program: int) -> str:
    """Return what an instrument is called that plays a General MIDI program, from 0."""
    import pretty_midi

    return f"{program:03d}-{pretty_midi.program_to_instrument_name(program)}"


def _parts(job: _Job, programs: Sequence[int], jobs: int) -> Iterator[_Part]:
    jobs = min(jobs, len(programs))
    if jobs <= 1:
        yield from (_program(job, program) for program in programs)
        return
    context = multiprocessing.get_context("spawn")  # a fork beside threads may hang
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        try:
            yield from pool.map(functools.partial(_program, job), programs)
        except BrokenProcessPool as error:
            raise UsageError(
                "The processes that render could not start, or were killed.",
                hint="In a script, call it below if __name__ == '__main__': or use jobs=1.",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _program(job: _Job, program: int, shift: int = 0) -> _Part:
    """Render a program, a number of semitones away from what is written, and keep what is right."""
    rows: list[npt.NDArray[np.int16]] = []
    places: list[tuple[int, int]] = []
    dropped: Counter[str] = Counter()
    for velocity in job.velocities:  # one after the other, which bounds the memory
        pitches = [p for p in range(job.low, job.high + 1) if 0 <= p + shift <= 127]
        sounds = render.render_notes(
            Path(job.soundfont), [p + shift for p in pitches], program=program, velocity=velocity,
            samples=job.samples, sample_rate=job.sample_rate,
        )  # fmt: skip
        for pitch, sound in zip(pitches, sounds, strict=True):
            made = fitted(sound.samples[0], job.samples, job.sample_rate)
            if made is None:
                dropped["silent"] += 1
            else:
                rows.append(made)
                places.append((velocity, pitch))
    array = np.stack(rows) if rows else np.zeros((0, job.samples), np.int16)
    off, repeats = _measured(array, [pitch for _, pitch in places], job.sample_rate)
    octaves = np.round(np.nan_to_num(off) / 1200)
    pure = np.abs(off - 1200 * octaves) <= TOLERANCE_CENTS
    common, count = Counter(octaves[pure].tolist()).most_common(1)[0] if pure.any() else (0.0, 0)
    wrong = 2 * count <= len(off)  # then the instrument is, not the measurement
    if common and not wrong and not shift:
        return _program(job, program, -12 * int(common))
    exact = pure & (octaves == 0)
    # A detector may take a multiple of the period for it, where notes are noisy.
    missed = repeats & ~(off > -6 * TOLERANCE_CENTS)
    kept = np.flatnonzero((exact | missed) & (not wrong))
    reason = "of programs out of tune" if wrong else "out of tune"
    dropped[reason] += len(array) - len(kept)
    return _Part(
        array[kept],
        [places[i][1] for i in kept],
        [places[i][0] for i in kept],
        dict(dropped),
        shift,
    )


def _measured(
    array: npt.NDArray[np.int16], pitches: Sequence[int], sample_rate: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Give by how many cents notes are off, and whether they repeat at the written period."""
    sounds, written = torch.from_numpy(array), torch.tensor(pitches)
    f0 = detect_f0(sounds, sample_rate, high_hz=min(4_400.0, sample_rate / 4))
    off = cents(f0, written)
    repeats = torch.zeros(len(array), dtype=torch.bool)
    doubtful = torch.nonzero(~(off.abs() <= TOLERANCE_CENTS))[:, 0]
    repeats[doubtful] = (
        aperiodicity(sounds[doubtful], sample_rate, hz(written[doubtful].float())) <= REPEATING
    )
    return off.numpy(), repeats.numpy()
