"""From the events of a MIDI file to the parts that instruments play.

A part is what one instrument plays in one track of the file: the notes of one channel and one
program. State belongs to the channel: whichever track sets a controller or a program, and
whenever, it holds for all notes of the channel that follow.
`groove_core.values.scores.writing` goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.values.midi import files as midi
from groove_core.values.midi.files import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    BEND,
    CONTROL,
    ON,
    PROGRAM,
    Chunk,
    MidiFile,
    Rows,
)
from groove_core.values.midi.texts import declared_encoding, decode_text

__all__ = ["Part", "Source", "by_port", "ports"]

DRUM_CHANNEL = 9
CHANNELS = 16


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
    encoding: str | None
    """What the file declares of its texts."""

    def finer(self, factor: int) -> Source:
        """Return the same on ticks of which `factor` are one of these."""
        lists = ("tempos", "time_signatures", "key_signatures", "markers", "lyrics")
        return replace(
            self,
            file=self.file.finer(factor),
            parts=tuple(
                replace(
                    part,
                    notes=finer(part.notes, factor, 2),
                    controls=finer(part.controls, factor),
                    pitch_bends=finer(part.pitch_bends, factor),
                )
                for part in self.parts
            ),
            end_tick=self.end_tick * factor,
            **{name: finer(getattr(self, name), factor) for name in lists},
        )

    @classmethod
    def read(cls, file: MidiFile) -> Source:
        """Pair notes, and follow what each channel is told."""
        metas = [chunk.metas() for chunk in file.chunks]
        declared = declared_encoding(
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
        of_port = [_port(meta) for meta in metas]
        tempos = [(t, int.from_bytes(p[:3], "big")) for t, p in rows(midi.TEMPO, 3)]
        ends = [max(c.end_tick, int(c.rows[-1, 0]) if len(c.rows) else 0) for c in file.chunks]
        return cls(
            file,
            tuple(_parts(file.chunks, names, of_port)),
            _table([row for row in tempos if row[1]], 2),
            _table([(t, p[0], 1 << p[1]) for t, p in rows(midi.TIME_SIGNATURE, 2)
                    if p[0] and p[1] < 16], 3),
            _table([(t, (p[0] ^ 0x80) - 0x80, p[1]) for t, p in rows(midi.KEY_SIGNATURE, 2)
                    if p[1] < 2 and -7 <= (p[0] ^ 0x80) - 0x80 <= 7], 3),
            texts(midi.MARKER),
            texts(midi.LYRIC),
            max(ends, default=0),
            declared,
        )  # fmt: skip


def finer(rows: Any, factor: int, columns: int = 1) -> Any:
    """Multiply the ticks of events, which are in the first column or columns."""
    if isinstance(rows, tuple):  # texts
        return tuple((tick * factor, text) for tick, text in rows)
    return rows * np.array([factor] * columns + [1] * (rows.shape[1] - columns))


def _port(metas: dict[int, list[tuple[int, bytes]]]) -> int:
    """Return which port a track plays on; each has 16 channels of its own."""
    return next((payload[0] for _, payload in metas.get(midi.PORT, ()) if payload), 0)


def ports(file: MidiFile) -> list[int]:
    """List which port each track of a file plays on."""
    return [_port(chunk.metas()) for chunk in file.chunks]


def by_port(file: MidiFile) -> Iterator[MidiFile]:
    """Split a file of several ports, for renderers that know of one."""
    of_chunk = ports(file)
    for port in sorted(set(of_chunk)):
        chunks = [
            chunk if of == port else replace(chunk, rows=chunk.rows[chunk.rows[:, 1] >= 0xF0])
            for chunk, of in zip(file.chunks, of_chunk, strict=True)
        ]
        yield replace(file, chunks=tuple(chunks))


def _table(rows: Sequence[tuple[int, ...]], columns: int) -> npt.NDArray[np.int64]:
    table = np.array(rows, np.int64).reshape(-1, columns)
    table.flags.writeable = False
    return table


def _parts(chunks: Sequence[Chunk], names: list[str], of_port: list[int]) -> Iterable[Part]:
    """List the parts of a file, by track, channel and the order of their first notes."""
    where = [np.flatnonzero(chunk.rows[:, 1] < 0xF0) for chunk in chunks]
    place = np.concatenate([np.zeros(0, np.int64), *where])
    columns = [chunk.rows.T[:, mine] for chunk, mine in zip(chunks, where, strict=True)]
    tick, status, one, two = np.concatenate([np.zeros((4, 0), np.int64), *columns], axis=1)
    chunk_of = np.repeat(np.arange(len(chunks)), [len(mine) for mine in where])
    kind, channel = status & 0xF0, status & 0x0F
    key = np.array(of_port, np.int64)[chunk_of] * CHANNELS + channel
    # In the order in which each channel is told: by tick, then by track.
    order = np.lexsort((tick, key)) if len(chunks) > 1 else np.argsort(key, kind="stable")
    program = np.zeros(len(tick), np.int64)
    changes = kind[order] == PROGRAM
    if changes.any():
        last = np.maximum.accumulate(np.where(changes, np.arange(len(order)), -1))
        known = (last >= 0) & (key[order[last]] == key[order])
        program[order] = np.where(known, one[order[last]], 0)

    told = order[kind[order] == CONTROL]
    controls, of_told = _columns(tick[told], one[told], two[told]), key[told]
    bent = order[kind[order] == BEND]
    bends, of_bent = _columns(tick[bent], (two[bent] << 7 | one[bent]) - 8192), key[bent]

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
            of_port[number],
            name // 128 % CHANNELS,
            name % 128,
            names[number],
            _columns(start[which], (stop - start)[which], one[mine], two[mine]),
            place[mine],
            np.where(off_of[which] < 0, -1, place[off_of[which]]),
            of(wanted, controls, of_told),
            of(wanted, bends, of_bent),
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
        here = twins[sounds]
        if crowded:
            here = here[~np.isin(phrase[here], crowded)]
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
