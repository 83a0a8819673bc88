"""From the events of a MIDI file to the parts that instruments play, and back.

A part is what one instrument plays in one track of the file: the notes of one channel and one
program. State belongs to the channel: whichever track sets a controller or a program, and
whenever, it holds for all notes of the channel that follow.

What of a score has not changed is written as it was read, event by event; see `write`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from groove_core.values import midi
from groove_core.values.midi import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    BEND,
    CONTROL,
    OFF,
    ON,
    PROGRAM,
    Chunk,
    MidiFile,
    Rows,
    decode_text,
)

if TYPE_CHECKING:
    from groove_core.values.score import Score, Track

__all__ = ["Part", "Source", "by_port", "write"]

DRUM_CHANNEL = 9
CHANNELS = 16
BANKS = (0, 32)
"""Controllers that a program change must follow."""


@dataclass(frozen=True, eq=False)
class Part:
    """What one instrument plays in one track of a file, as it was read."""

    chunk: int
    """Number of the track in the file."""
    port: int
    channel: int
    program: int
    name: str
    notes: npt.NDArray[np.int64]
    on_rows: npt.NDArray[np.int64]
    off_rows: npt.NDArray[np.int64]
    """Rows of the events that begin and end the notes; -1 where nothing does."""
    controls: npt.NDArray[np.int64]
    pitch_bends: npt.NDArray[np.int64]

    @property
    def is_drum(self) -> bool:
        """Whether it is on the drum channel."""
        return self.channel == DRUM_CHANNEL

    def plays(self, track: Track) -> bool:
        """Return whether a track is still this part, but for its notes and its name."""
        return (
            (track.program, track.is_drum, track.channel)
            == (self.program, self.is_drum, self.channel)
            and np.array_equal(track.controls, self.controls)
            and np.array_equal(track.pitch_bends, self.pitch_bends)
        )


@dataclass(frozen=True, eq=False)
class Source:
    """A MIDI file and what a score says of it."""

    file: MidiFile
    parts: tuple[Part, ...]
    tempos: npt.NDArray[np.int64]
    time_signatures: npt.NDArray[np.int64]
    key_signatures: npt.NDArray[np.int64]
    markers: tuple[tuple[int, str], ...]
    lyrics: tuple[tuple[int, str], ...]
    end_tick: int

    @classmethod
    def read(cls, file: MidiFile) -> Source:
        """Pair notes, and follow what each channel is told."""
        metas = [chunk.metas() for chunk in file.chunks]
        declared = midi.declared_encoding(
            text
            for meta in metas
            for kind in (midi.TEXT, midi.LYRIC)
            for _, text in meta.get(kind, ())
        )

        def rows(kind: int, size: int) -> list[tuple[int, bytes]]:
            """List what all tracks say of a kind, in the order in which it is played."""
            found = [one for meta in metas for one in meta.get(kind, ()) if len(one[1]) >= size]
            return sorted(found, key=lambda one: one[0])

        def texts(kind: int) -> tuple[tuple[int, str], ...]:
            return tuple((tick, decode_text(text, declared)) for tick, text in rows(kind, 0))

        names = [
            decode_text(meta[midi.TRACK_NAME][0][1], declared) if midi.TRACK_NAME in meta else ""
            for meta in metas
        ]
        ports = [_port(meta) for meta in metas]
        tempos = [(t, int.from_bytes(p[:3], "big")) for t, p in rows(midi.TEMPO, 3)]
        ends = [max(c.end_tick, int(c.rows[-1, 0]) if len(c.rows) else 0) for c in file.chunks]
        return cls(
            file,
            tuple(_parts(file.chunks, names, ports)),
            _table([row for row in tempos if row[1]], 2),
            _table([(t, p[0], 1 << p[1]) for t, p in rows(midi.TIME_SIGNATURE, 2)
                    if p[0] and p[1] < 16], 3),
            _table([(t, (p[0] ^ 0x80) - 0x80, p[1]) for t, p in rows(midi.KEY_SIGNATURE, 2)
                    if p[1] < 2 and -7 <= (p[0] ^ 0x80) - 0x80 <= 7], 3),
            texts(midi.MARKER),
            texts(midi.LYRIC),
            max(ends, default=0),
        )  # fmt: skip


def _port(metas: dict[int, list[tuple[int, bytes]]]) -> int:
    """Return which port a track plays on; each has 16 channels of its own."""
    return next((payload[0] for _, payload in metas.get(midi.PORT, ()) if payload), 0)


def _ports(file: MidiFile) -> list[int]:
    return [_port(chunk.metas()) for chunk in file.chunks]


def by_port(file: MidiFile) -> Iterator[MidiFile]:
    """Split a file of several ports, for renderers that know of one."""
    ports = _ports(file)
    for port in sorted(set(ports)):
        chunks = [
            chunk if of == port else replace(chunk, rows=chunk.rows[chunk.rows[:, 1] >= 0xF0])
            for chunk, of in zip(file.chunks, ports, strict=True)
        ]
        yield replace(file, chunks=tuple(chunks))


def _table(rows: Sequence[tuple[int, ...]], columns: int) -> npt.NDArray[np.int64]:
    table = np.array(rows, np.int64).reshape(-1, columns)
    table.flags.writeable = False
    return table


def _parts(chunks: Sequence[Chunk], names: list[str], ports: list[int]) -> Iterable[Part]:
    """List the parts of a file, by track, channel and the order of their first notes."""
    where = [np.flatnonzero(chunk.rows[:, 1] < 0xF0) for chunk in chunks]
    place = np.concatenate([np.zeros(0, np.int64), *where])
    columns = [chunk.rows.T[:, mine] for chunk, mine in zip(chunks, where, strict=True)]
    tick, status, one, two = np.concatenate([np.zeros((4, 0), np.int64), *columns], axis=1)
    chunk_of = np.repeat(np.arange(len(chunks)), [len(mine) for mine in where])
    kind, channel = status & 0xF0, status & 0x0F
    key = np.array(ports, np.int64)[chunk_of] * CHANNELS + channel
    # In the order in which each channel is told: by tick, then by track.
    order = np.lexsort((tick, key)) if len(chunks) > 1 else np.argsort(key, kind="stable")
    program = np.zeros(len(tick), np.int64)
    changes = kind[order] == PROGRAM
    if changes.any():
        last = np.maximum.accumulate(np.where(changes, np.arange(len(order)), -1))
        known = (last >= 0) & (key[order[last]] == key[order])
        program[order] = np.where(known, one[order[last]], 0)

    told = order[kind[order] == CONTROL]
    controls = _columns(tick[told], one[told], two[told])
    bent = order[kind[order] == BEND]
    bends = _columns(tick[bent], (two[bent] << 7 | one[bent]) - 8192)

    def of(wanted: int, rows: Rows, keys: npt.NDArray[np.int64]) -> Rows:
        """Cut out the rows of one channel."""
        first, last = np.searchsorted(keys, [wanted, wanted + 1])
        return rows[first:last]

    notes = np.flatnonzero(kind <= ON)
    begins = (kind[notes] == ON) & (two[notes] > 0)
    ons = notes[begins]
    voice = (chunk_of * CHANNELS + channel) * 128 + one
    off_of = _pair(tick[notes], voice[notes], begins)
    off_of = np.where(off_of < 0, -1, notes[off_of])
    start, stop = tick[ons], tick[off_of]
    if (lasting := off_of < 0).any():
        # Until it is struck again, the channel is told to be silent, or the track ends.
        ends = np.maximum(np.array([c.end_tick for c in chunks])[chunk_of[ons]], start)
        struck = _next(voice[ons], ons, voice[ons], ons + 1)
        struck = np.where(struck < len(tick), tick[np.minimum(struck, len(tick) - 1)], ends)
        silences = (kind == CONTROL) & np.isin(one, (ALL_SOUND_OFF, ALL_NOTES_OFF))
        quiet = _next(key[silences], tick[silences], key[ons], start)
        stop = np.where(lasting, np.minimum(np.minimum(quiet, struck), ends), stop)
    group = (chunk_of[ons] * CHANNELS + channel[ons]) * 128 + program[ons]
    for name in sorted(set(group.tolist())):
        which = np.flatnonzero(group == name)
        mine = ons[which]
        number = name // 128 // CHANNELS
        wanted = int(key[mine[0]])
        yield Part(
            number,
            ports[number],
            name // 128 % CHANNELS,
            name % 128,
            names[number],
            _columns(start[which], (stop - start)[which], one[mine], two[mine]),
            place[mine],
            np.where(off_of[which] < 0, -1, place[off_of[which]]),
            of(wanted, controls, key[told]),
            of(wanted, bends, key[bent]),
        )


def _columns(*columns: npt.NDArray[np.int64]) -> Rows:
    """Put columns side by side, never to be written to."""
    rows = np.concatenate(columns).reshape(len(columns), -1).T
    rows.flags.writeable = False
    return rows


def _pair(
    tick: npt.NDArray[np.int64], voice: npt.NDArray[np.int64], begins: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Find the event that ends each note, among events that begin or end one.

    As synthesizers and pretty_midi do it, one end is the end of all notes of its pitch
    that sound. Of those that begin at its own tick only if no other sounds: it was
    meant for the one before.

    Returns
    -------
    int array [shape=(beginnings,)]
        Which event; -1 where there is none.
    """
    if len(voice) and voice.max() < 2**16:
        voice = voice.astype(np.uint16)  # sorted four times as fast
    order = np.argsort(voice, kind="stable")
    number = (np.cumsum(begins) - 1)[order]
    at, of, is_on, place = tick[order], voice[order], begins[order], np.arange(len(order))
    number = number[is_on]
    same = of[1:] == of[:-1]
    tied = np.zeros(len(order) + 1, bool)  # to the event before
    tied[1:-1] = same & (at[1:] == at[:-1])
    crowded: list[int] = []
    if tied.any():
        # Behind an end that is alone at its tick, nothing sounds any more.
        alone = ~(is_on | tied[:-1] | tied[1:])
        phrase = np.cumsum(np.append(True, alone[:-1] | ~same))
        # With more than two events at a tick: one by one.
        crowded = np.unique(phrase[tied[:-1] & tied[1:]]).tolist()
        # An end right behind a beginning of its tick, where a note sounds already: before it.
        twins = np.flatnonzero(tied[1:] & is_on)
        twins = twins[~is_on[twins + 1]]
        last = place.copy()
        last[twins] = last[twins + 1] = -1
        last = np.maximum.accumulate(last)[twins]
        sounds = (last >= 0) & is_on[last] & (phrase[last] == phrase[twins])
        here = twins[sounds & ~np.isin(phrase[twins], crowded)]
        for values in (order, is_on):
            values[here], values[here + 1] = values[here + 1], values[here]
    behind = np.minimum.accumulate(np.where(is_on, len(order), place)[::-1])[::-1]
    behind[behind == len(order)] = -1
    behind[of[behind] != of] = -1
    for one in crowded:
        first, until = np.searchsorted(phrase, [one, one + 1]).tolist()
        behind[first:until] = _pair_slowly(
            at[first:until].tolist(), is_on[first:until].tolist(), first
        )
    ends = np.empty(len(number), np.int64)
    ends[number] = np.where(behind < 0, -1, order[behind])[is_on]
    return ends


def _pair_slowly(ticks: list[int], is_on: list[bool], first: int) -> list[int]:
    """Pair the events of one pitch, of which the first is event `first`; see `_pair`."""
    behind = [-1] * len(ticks)
    sounding: list[int] = []
    for place, (tick, begins) in enumerate(zip(ticks, is_on, strict=True)):
        if begins:
            sounding.append(place)
            continue
        early = [one for one in sounding if ticks[one] < tick]
        for one in early or sounding:
            behind[one] = first + place
        sounding = sounding[len(early) :] if early else []
    return behind


def _next(
    keys: npt.NDArray[np.int64],
    ticks: npt.NDArray[np.int64],
    of: npt.NDArray[np.int64],
    after: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Find the first tick of a key that is not before some others; the largest where none is."""
    never = np.iinfo(np.int64).max
    told = np.append(np.sort(keys << 32 | ticks), never)
    found = told[np.searchsorted(told, of << 32 | after)]
    return np.where(found >> 32 == of, found & 2**32 - 1, never)


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
    ports = _ports(source.file)
    for port, channel in {(part.port, part.channel) for part in source.parts} - alive:
        for edit, its in zip(edits, ports, strict=True):
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
        for port, edit in zip(_ports(source.file), edits, strict=True)
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
