"""From a score to a MIDI file: what has not changed is written as it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from groove_core.errors import UsageError
from groove_core.values.midi import files as midi
from groove_core.values.midi.files import (
    BEND,
    CONTROL,
    OFF,
    ON,
    PROGRAM,
    Chunk,
    MidiFile,
    Rows,
)
from groove_core.values.midi.parts import CHANNELS, DRUM_CHANNEL, Part, Source, ports
from groove_core.values.midi.texts import encode_text

if TYPE_CHECKING:
    from groove_core.values.scores.timeline import Timeline
    from groove_core.values.scores.tracks import Track

__all__ = ["write"]

BANKS = (0, 32)
"""Controllers that count from the next program change on."""
PRESSURE = 0xA0
"""Status of polyphonic aftertouch, whose first data byte is a pitch."""
MAX_PORTS = 128
MAX_TRACKS = 2**16 - 1

_no_notes, _no_rows = np.zeros((0, 4), np.int64), np.zeros(0, np.int64)


class _Edit:
    """A track of a file that is being changed."""

    def __init__(self, chunk: Chunk) -> None:
        self.rows = chunk.rows.copy()
        self.phase = np.zeros(len(self.rows), np.int64)
        """Before (-1) or behind (1) what else is at a tick."""
        self.keep = np.ones(len(self.rows), bool)
        self.payloads = list(chunk.payloads)
        self.end_tick = chunk.end_tick

    def add(self, rows: Any, phase: Any) -> None:
        """Add events, given as tick, status and two data bytes."""
        more = np.array(rows, np.int64).reshape(-1, 4)
        self.rows = np.concatenate([self.rows, more])
        self.phase = np.concatenate([self.phase, np.broadcast_to(phase, len(more))])
        self.keep = np.concatenate([self.keep, np.ones(len(more), bool)])

    def add_metas(self, kind: int, items: Iterable[tuple[int, bytes]]) -> None:
        """Add meta events before what else is at their ticks."""
        for tick, payload in items:
            self.add([(tick, midi.META, kind, len(self.payloads))], -1)
            self.payloads.append(payload)

    def drop_metas(self, kind: int) -> None:
        self.keep &= (self.rows[:, 1] != midi.META) | (self.rows[:, 2] != kind)

    def on_channel(self, channel: int) -> npt.NDArray[np.bool_]:
        mine: npt.NDArray[np.bool_] = (self.rows[:, 1] < 0xF0) & (self.rows[:, 1] & 0x0F == channel)
        return mine

    def write_notes(self, channel: int, parts: Sequence[tuple[Part, Track | None]]) -> None:
        """Write the notes of a channel anew: in the place of those they were, or added."""
        # An end of no note would end one that moves there.
        self.keep &= ~self.on_channel(channel) | (self.rows[:, 1] & 0xF0 > ON)
        notes, on, off = [_no_notes], [_no_rows], [_no_rows]
        for part, track in parts:
            if track is not None:
                which = _which(part.notes, track.notes)
                self.move_pressure(channel, part.notes, track.notes, which)
                notes.append(track.notes)
                on.append(np.append(part.on_rows, -1)[which])
                off.append(np.append(part.off_rows, -1)[which])
        self.add_notes(channel, *(np.concatenate(rows) for rows in (notes, on, off)))

    def move_pressure(self, channel: int, before: Rows, notes: Rows, which: Rows) -> None:
        """Let the aftertouch of single keys follow its notes to their new pitches."""
        pitches = before[:, 2].copy()
        pitches[which[which >= 0]] = notes[which >= 0, 2]
        ends = before[:, 0] + before[:, 1]
        for row in np.flatnonzero(self.rows[:, 1] == PRESSURE | channel):
            tick, _, pitch, _ = self.rows[row]
            held = (before[:, 2] == pitch) & (before[:, 0] <= tick) & (tick <= ends)
            if held.any():
                self.rows[row, 2] = pitches[held][-1]

    def add_notes(self, channel: int, notes: Rows, on: Rows, off: Rows) -> None:
        """Write notes into the rows of their beginnings and ends; -1 is a new row."""
        ends = _ends(notes)
        begin = np.insert(notes[:, [0, 2, 3]], 1, ON | channel, axis=1)
        end = np.insert(notes[:, [0, 2, 3]], 1, OFF | channel, axis=1)
        end[:, 0], end[:, 3] = ends, 64
        old = off >= 0
        end[old, 1::2] = self.rows[off[old], 1::2]
        # An end that several notes share stays only where it is.
        shared = np.bincount(off[old], minlength=1)[off[old]] > 1
        stays = (self.rows[off[old]] == end[old]).all(axis=1)
        off = off.copy()
        off[old] = np.where(shared & ~stays, -1, off[old])
        self._put(on, begin, np.ones(len(notes), np.int64))
        self._put(off, end, np.where(ends > notes[:, 0], -1, 2))

    def _put(self, at: Rows, rows: Rows, phase: Rows) -> None:
        """Write events into rows; what keeps its tick and its pitch keeps its order, too."""
        old = at >= 0
        stays = (self.rows[at[old], ::2] == rows[old, ::2]).all(axis=1) & (phase[old] < 2)
        self.rows[at[old]] = rows[old]
        self.phase[at[old]] = np.where(stays, 0, phase[old])
        self.keep[at[old]] = True
        self.add(rows[~old], phase[~old])

    def reaches(self, tick: int) -> bool:
        """Return whether the track lasts until a tick."""
        return bool(self.rows[self.keep, 0].max(initial=self.end_tick) >= tick)

    def chunk(self) -> Chunk:
        rows, phase = self.rows[self.keep], self.phase[self.keep]
        rows = rows[np.lexsort((phase, rows[:, 0]))]
        last = int(rows[-1, 0]) if len(rows) else 0
        return Chunk(rows, tuple(self.payloads), max(self.end_tick, last))


def _which(before: Rows, notes: Rows) -> Rows:
    """Find what notes were before: one by one, or, if there are more or fewer, alike; else -1."""
    if len(before) == len(notes):
        return np.arange(len(notes))
    number = {tuple(row): place for place, row in enumerate(before[:, :3].tolist())}
    which = [number.pop(tuple(row), -1) for row in notes[:, :3].tolist()]
    return np.array(which, np.int64)


def _ends(notes: Rows) -> Rows:
    """Return the ticks at which notes end: at the latest where their pitch is struck again.

    An end behind that would be the end of the later note, too.
    """
    start, ends = notes[:, 0], notes[:, 0] + notes[:, 1]
    order = np.lexsort((start, notes[:, 2]))
    here, after = order[:-1], order[1:]
    again = (notes[here, 2] == notes[after, 2]) & (start[here] < start[after])
    ends[here] = np.where(again, np.minimum(ends[here], start[after]), ends[here])
    return ends


_NOTHING = Source.read(MidiFile((Chunk(_no_notes),)))


def write(score: Timeline) -> MidiFile:
    """Make the MIDI file of a score.

    Events of the file that it was read from stay as they were, each in its place: all of them
    where nothing has changed. Where notes have, those of their track and channel are written
    anew; of an instrument that has, everything, on a track and a channel of its own.
    """
    source = score.source if score.source and score.source.file.chunks else _NOTHING
    edits = [_Edit(chunk) for chunk in source.file.chunks]
    kept: dict[int, Track] = {}
    fresh: list[Track] = []
    number_of = {id(part): number for number, part in enumerate(source.parts)}
    names: dict[int, set[str]] = {}
    for track in score.tracks:
        if track.part and id(track.part) in number_of:
            names.setdefault(track.part.chunk, set()).add(track.name)
    for track in score.tracks:
        part, number = track.part, number_of.get(id(track.part))
        if (
            part is None
            or number is None
            or number in kept
            or not track.plays(part)
            # The parts of a track of the file have one name.
            or (track.name != part.name and len(names[part.chunk]) > 1)
            or not _keep_program(source, part, track.notes)
        ):
            fresh.append(track)
        else:
            kept[number] = track
    if (number_of_tracks := len(edits) + len(fresh)) > MAX_TRACKS:
        raise UsageError(
            f"{score.name} has {number_of_tracks:,} tracks; MIDI has {MAX_TRACKS:,} at most.",
            hint="Save it in several files.",
        )
    _write_notes(source, edits, kept)
    _write_names(source, edits, kept)
    _write_metas(score, source, edits)
    taken = _taken(source, edits)
    told: set[tuple[int, int]] = set()
    for track, place in zip(fresh, _channels(fresh, taken), strict=True):
        if place in told:  # a channel is told once
            track = replace(track, controls=_no_notes[:, :3], pitch_bends=_no_notes[:, :2])
        told.add(place)
        edits.append(_new(track, *place, source.encoding))
    if score.end_tick != source.end_tick:
        for edit in edits:
            edit.keep &= edit.rows[:, 0] <= score.end_tick  # texts and others that no score lists
            edit.end_tick = min(edit.end_tick, score.end_tick)
        if not any(edit.reaches(score.end_tick) for edit in edits):
            edits[0].end_tick = score.end_tick
    kind = source.file.format if len(edits) == len(source.file.chunks) else 1
    return MidiFile(tuple(edit.chunk() for edit in edits), score.ticks_per_quarter, kind)


def _keep_program(source: Source, part: Part, notes: Rows) -> bool:
    """Return whether the channel still has the program of a part where its notes begin."""
    if np.array_equal(notes, part.notes):
        return True
    status = PROGRAM | part.channel
    told = [
        (tick, number, program)
        for number, port in enumerate(ports(source.file))
        if port == part.port
        for tick, of, program, _ in source.file.chunks[number].rows.tolist()
        if of == status
    ]
    told.sort(key=lambda one: one[:2])
    programs = np.array([0, *(program for *_, program in told)])
    # At one tick, what a later track tells comes too late.
    begins = [tick + (number > part.chunk) for tick, number, _ in told]
    which = np.searchsorted(begins, notes[:, 0], side="right")
    return bool((programs[which] == part.program).all())


def _write_notes(source: Source, edits: list[_Edit], kept: dict[int, Track]) -> None:
    """Write the notes of parts that have changed, and drop those of parts that are gone."""
    groups: dict[tuple[int, int], list[int]] = {}
    for number, part in enumerate(source.parts):
        groups.setdefault((part.chunk, part.channel), []).append(number)
    for (chunk, channel), numbers in groups.items():
        parts = [source.parts[number] for number in numbers]
        tracks = [kept.get(number) for number in numbers]
        if all(
            track is not None and np.array_equal(track.notes, part.notes)
            for part, track in zip(parts, tracks, strict=True)
        ):
            continue
        edits[chunk].write_notes(channel, list(zip(parts, tracks, strict=True)))
    alive = {(source.parts[number].port, source.parts[number].channel) for number in kept}
    of_chunk = ports(source.file)
    for port, channel in {(part.port, part.channel) for part in source.parts} - alive:
        for edit, its in zip(edits, of_chunk, strict=True):
            if its == port:
                edit.keep &= ~edit.on_channel(channel)


def _write_names(source: Source, edits: list[_Edit], kept: dict[int, Track]) -> None:
    for chunk, edit in enumerate(edits):
        changed = [
            track.name
            for number, track in kept.items()
            if source.parts[number].chunk == chunk and source.parts[number].name != track.name
        ]
        if changed:
            edit.drop_metas(midi.TRACK_NAME)
            edit.add_metas(midi.TRACK_NAME, [(0, encode_text(changed[0], source.encoding))])


def _write_metas(score: Timeline, source: Source, edits: list[_Edit]) -> None:
    tables: dict[str, tuple[int, Callable[[Any], bytes]]] = {
        "tempos": (midi.TEMPO, lambda row: int(row[1]).to_bytes(3, "big")),
        "time_signatures": (
            midi.TIME_SIGNATURE,
            lambda row: bytes((row[1], int(row[2]).bit_length() - 1, 24, 8)),
        ),
        "key_signatures": (midi.KEY_SIGNATURE, lambda row: bytes((row[1] & 0xFF, row[2]))),
        "markers": (midi.MARKER, lambda row: encode_text(row[1], source.encoding)),
        "lyrics": (midi.LYRIC, lambda row: encode_text(row[1], source.encoding)),
    }
    for name, (kind, payload) in tables.items():
        rows, before = getattr(score, name), getattr(source, name)
        if len(rows) == len(before) and all(map(_same, rows, before)):
            continue
        for edit in edits:
            edit.drop_metas(kind)
        edits[0].add_metas(kind, [(int(row[0]), payload(row)) for row in rows])


def _same(one: Any, other: Any) -> bool:
    return list(one) == list(other)


def _taken(source: Source, edits: list[_Edit]) -> set[tuple[int, int]]:
    """List the channels that are in use, by port."""
    return {
        (port, channel)
        for port, edit in zip(ports(source.file), edits, strict=True)
        for channel in np.unique(edit.rows[edit.keep & (edit.rows[:, 1] < 0xF0), 1] & 0x0F).tolist()
    }


def _channels(tracks: Sequence[Track], taken: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Choose a port and a channel for each track.

    Each has a channel to itself as long as there are some. Then those that are told the same
    share one, then there are further ports, of 16 channels each.
    """
    chosen: list[tuple[int, int]] = []
    shared: dict[Any, tuple[int, int]] = {}
    for track in tracks:
        told = (track.is_drum, track.program, track.controls.tobytes(), track.pitch_bends.tobytes())
        if track.is_drum:
            wanted = [DRUM_CHANNEL]
        else:
            wanted = [c for c in range(CHANNELS) if c != DRUM_CHANNEL]
            wanted.sort(key=lambda c: c != track.channel)
        free = [(0, c) for c in wanted if (0, c) not in taken]
        if track.is_drum and told in shared:
            free = []
        place = free[0] if free else shared.get(told)
        port = 1
        while place is None:
            if port == MAX_PORTS:
                raise UsageError(
                    "There are more different instruments than MIDI has channels for.",
                    hint=f"Give fewer: {MAX_PORTS} drum kits, and 15 times as many others.",
                )
            place = next(((port, c) for c in wanted if (port, c) not in taken), None)
            port += 1
        taken.add(place)
        shared.setdefault(told, place)
        chosen.append(place)
    return chosen


def _new(track: Track, port: int, channel: int, encoding: str | None) -> _Edit:
    """Write a track of its own."""
    edit = _Edit(Chunk(_no_notes))
    if port:
        edit.add_metas(midi.PORT, [(0, bytes((port,)))])
    if track.name:
        edit.add_metas(midi.TRACK_NAME, [(0, encode_text(track.name, encoding))])
    controls = np.stack(
        [track.controls[:, 0], np.full(len(track.controls), CONTROL | channel),
         track.controls[:, 1], track.controls[:, 2]], axis=1
    )  # fmt: skip
    edit.add(controls, 0)
    banks = controls[np.isin(controls[:, 2], BANKS), 0].tolist()
    edit.add([(tick, PROGRAM | channel, track.program, 0) for tick in sorted({0, *banks})], 0)
    bends = track.pitch_bends[:, 1] + 8192
    edit.add(np.stack(
        [track.pitch_bends[:, 0], np.full(len(bends), BEND | channel), bends & 127, bends >> 7],
        axis=1,
    ), 0)  # fmt: skip
    nowhere = np.full(len(track.notes), -1)
    edit.add_notes(channel, track.notes, nowhere, nowhere)
    return edit
