"""From a score to a MIDI file: what has not changed is written as it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from groove_core.values import midi
from groove_core.values.midi import BEND, CONTROL, OFF, ON, PROGRAM, Chunk, MidiFile
from groove_core.values.parts import CHANNELS, DRUM_CHANNEL, Source, ports

if TYPE_CHECKING:
    from groove_core.values.score import Score, Track

__all__ = ["write"]

BANKS = (0, 32)
"""Controllers that a program change must follow."""


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

    def add_notes(self, channel: int, notes: npt.NDArray[np.int64]) -> None:
        """Add notes: their ends before, and their beginnings behind what else is there."""
        ends = _ends(notes)
        on = np.full(len(notes), ON | channel)
        self.add(np.stack([notes[:, 0], on, notes[:, 2], notes[:, 3]], axis=1), 1)
        off = np.stack([ends, on - ON + OFF, notes[:, 2], np.full(len(notes), 64)], axis=1)
        self.add(off, np.where(ends > notes[:, 0], -1, 2))

    def chunk(self) -> Chunk:
        rows, phase = self.rows[self.keep], self.phase[self.keep]
        rows = rows[np.lexsort((phase, rows[:, 0]))]
        last = int(rows[-1, 0]) if len(rows) else 0
        return Chunk(rows, tuple(self.payloads), max(self.end_tick, last))


def _ends(notes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give the ticks at which notes end: at the latest where their pitch is struck again.

    An end behind that would be the end of the later note, too.
    """
    start, ends = notes[:, 0], notes[:, 0] + notes[:, 1]
    order = np.lexsort((start, notes[:, 2]))
    here, after = order[:-1], order[1:]
    again = (notes[here, 2] == notes[after, 2]) & (start[here] < start[after])
    ends[here] = np.where(again, np.minimum(ends[here], start[after]), ends[here])
    return ends


_NOTHING = Source.read(MidiFile((Chunk(np.zeros((0, 4), np.int64)),)))


def write(score: Score) -> MidiFile:
    """Make the MIDI file of a score.

    Events of the file that it was read from stay as they were, each in its place: all of them
    where nothing has changed. Where notes have, those of their track and channel are written
    anew; of an instrument that has, everything, on a track and a channel of its own.
    """
    source = score.source or _NOTHING
    edits = [_Edit(chunk) for chunk in source.file.chunks]
    kept: dict[int, Track] = {}
    fresh: list[Track] = []
    number_of = {id(part): number for number, part in enumerate(source.parts)}
    for track in score.tracks:
        number = number_of.get(id(track.part))
        if number is None or number in kept or not source.parts[number].plays(track):
            fresh.append(track)
        else:
            kept[number] = track
    _write_notes(source, edits, kept)
    _write_names(source, edits, kept)
    _write_metas(score, source, edits)
    taken = _taken(source, edits)
    for track, (port, channel) in zip(fresh, _channels(fresh, taken), strict=True):
        edits.append(_new(track, port, channel))
    if score.end_tick != source.end_tick:
        for edit in edits:
            edit.end_tick = min(edit.end_tick, score.end_tick)
        edits[0].end_tick = score.end_tick
    kind = source.file.format if len(edits) == len(source.file.chunks) else 1
    return MidiFile(tuple(edit.chunk() for edit in edits), score.ticks_per_quarter, kind)


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
        edit = edits[chunk]
        on_rows = np.concatenate([part.on_rows for part in parts])
        off_rows = np.concatenate([part.off_rows for part in parts])
        notes = np.concatenate(
            [track.notes for track in tracks if track is not None] or [parts[0].notes[:0]]
        )
        if (
            len(notes) == len(on_rows)
            and len(np.unique(off_rows)) == len(off_rows)
            and min(off_rows) >= 0
        ):
            # As many as there were: each is written in the place of one of them.
            ends = _ends(notes)
            edit.rows[on_rows] = np.stack(
                [notes[:, 0], edit.rows[on_rows, 1], notes[:, 2], notes[:, 3]], axis=1
            )
            edit.rows[off_rows, 0], edit.rows[off_rows, 2] = ends, notes[:, 2]
            edit.phase[off_rows] = np.where(ends > notes[:, 0], -1, 2)
        else:
            edit.keep &= ~edit.on_channel(channel) | (edit.rows[:, 1] & 0xF0 > ON)
            edit.add_notes(channel, notes)
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
            edit.add_metas(midi.TRACK_NAME, [(0, changed[0].encode())])


def _write_metas(score: Score, source: Source, edits: list[_Edit]) -> None:
    tables: dict[str, tuple[int, Callable[[Any], bytes]]] = {
        "tempos": (midi.TEMPO, lambda row: int(row[1]).to_bytes(3, "big")),
        "time_signatures": (
            midi.TIME_SIGNATURE,
            lambda row: bytes((row[1], int(row[2]).bit_length() - 1, 24, 8)),
        ),
        "key_signatures": (midi.KEY_SIGNATURE, lambda row: bytes((row[1] & 0xFF, row[2]))),
        "markers": (midi.MARKER, lambda row: row[1].encode()),
        "lyrics": (midi.LYRIC, lambda row: row[1].encode()),
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
            place = next(((port, c) for c in wanted if (port, c) not in taken), None)
            port += 1
        taken.add(place)
        shared.setdefault(told, place)
        chosen.append(place)
    return chosen


def _new(track: Track, port: int, channel: int) -> _Edit:
    """Write a track of its own."""
    edit = _Edit(Chunk(np.zeros((0, 4), np.int64)))
    if port:
        edit.add_metas(midi.PORT, [(0, bytes((port,)))])
    if track.name:
        edit.add_metas(midi.TRACK_NAME, [(0, track.name.encode())])
    controls = np.stack(
        [track.controls[:, 0], np.full(len(track.controls), CONTROL | channel),
         track.controls[:, 1], track.controls[:, 2]], axis=1
    )  # fmt: skip
    banks = (controls[:, 0] == 0) & np.isin(controls[:, 2], BANKS)
    edit.add(controls[banks], -1)
    edit.add([(0, PROGRAM | channel, track.program, 0)], -1)
    edit.add(controls[~banks], 0)
    bends = track.pitch_bends[:, 1] + 8192
    edit.add(np.stack(
        [track.pitch_bends[:, 0], np.full(len(bends), BEND | channel), bends & 127, bends >> 7],
        axis=1,
    ), 0)  # fmt: skip
    edit.add_notes(channel, track.notes)
    return edit
