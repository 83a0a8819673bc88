"""Standard MIDI files, event by event: what is in the bytes, in its order, and back.

Source: "Standard MIDI Files 1.0" (RP-001) of the MIDI Association. Nothing is interpreted here,
so that nothing gets lost; `groove_core.values.midi.parts` makes notes and instruments of it.
"""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Chunk", "MidiError", "MidiFile", "RefusedError"]

Rows = npt.NDArray[np.int64]

OFF, ON, CONTROL, PROGRAM, BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0
META, SYSEX, ESCAPE = 0xFF, 0xF0, 0xF7
ALL_SOUND_OFF, ALL_NOTES_OFF = 120, 123
TEXT, TRACK_NAME, LYRIC, MARKER, PORT = 0x01, 0x03, 0x05, 0x06, 0x21
END_OF_TRACK, TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x2F, 0x51, 0x58, 0x59
MAX_TICK = 2**31 - 1
LONGEST = 7
"""Bytes of a channel message at the most."""
MAX_EVENTS = 500_000
"""More take memory and time that no music is worth: each needs 300 bytes."""
FRAMES = {24: (24, 1_000_000), 25: (25, 1_000_000), 29: (30, 1_001_000), 30: (30, 1_000_000)}
"""By the number in the header: so many frames take so many microseconds."""
_SYSTEM_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0, 0xF8: 0, 0xFA: 0, 0xFB: 0, 0xFC: 0, 0xFE: 0}
"""Data bytes of system messages, which have no place in a file and yet are met there."""

# A delta time, then a channel message; a status byte that is left out ("running") is the last one.
_EVENT = (
    rb"[\x80-\xff]*+[\x00-\x7f]"
    rb"(?:[\x80-\xbf\xe0-\xef]?+[\x00-\x7f][\x00-\x7f]|[\xc0-\xdf][\x00-\x7f])"
)
_events = re.compile(_EVENT).findall
_short = re.compile(rb"[\x80-\xff]*+[\x00-\x7f][\xc0-\xdf][\x00-\x7f]").match
_again = re.compile(rb"[\x80-\xff]*+[\x00-\x7f][\x00-\x7f]").match
_run = re.compile(b"(?:" + _EVENT + b")*+").match


class MidiError(ValueError):
    """Bytes that are no MIDI file, or one that breaks off."""


class RefusedError(MidiError):
    """A whole MIDI file that is not read, and what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, eq=False)
class Chunk:
    """One track of a MIDI file.

    Parameters
    ----------
    rows : int array [shape=(n, 4)]
        Tick, status byte and two data bytes of each event, in order. Of a meta event (status
        255) they are its type and its place in `payloads`; of a system event (240 to 254),
        0 and its place in `payloads`. The end of the track is no row.
    payloads : sequence of bytes
    end_tick : int
        Tick at which the track ends.
    """

    rows: Rows
    payloads: tuple[bytes, ...] = ()
    end_tick: int = 0

    def metas(self) -> dict[int, list[tuple[int, bytes]]]:
        """List the meta events of each type, as tick and payload."""
        found: dict[int, list[tuple[int, bytes]]] = {}
        for tick, _, kind, number in self.rows[self.rows[:, 1] == META].tolist():
            found.setdefault(kind, []).append((tick, self.payloads[number]))
        return found


@dataclass(frozen=True, eq=False)
class MidiFile:
    """The tracks of a MIDI file.

    Parameters
    ----------
    chunks : sequence of Chunk
    ticks_per_quarter : int
        1 to 32767.
    format : int
        0, one track for all, or 1, several that sound together.
    """

    chunks: tuple[Chunk, ...]
    ticks_per_quarter: int = 480
    format: int = 1

    @classmethod
    def parse(cls, content: bytes) -> MidiFile:
        """Read the bytes of a MIDI file, also of one in RIFF (RMID).

        A header longer than usual, foreign chunks, tracks that are longer or shorter than they
        say or lack an end, and running status behind meta events are read, as by other readers.

        Raises
        ------
        MidiError
            If it is not a MIDI file, is damaged, or holds patterns that do not sound together.
        """
        at = content.find(b"MThd") if content.startswith(b"RIFF") else 0
        if at < 0 or content[at : at + 4] != b"MThd":
            raise MidiError("there is no MIDI header")
        if len(content) < at + 14:
            raise MidiError("the header is cut short")
        length, kind, count, division = struct.unpack_from(">IHHH", content, at + 4)
        if length < 6 or kind > 2:
            raise MidiError("the header is not one of a MIDI file")
        chunks = list(itertools.islice(_chunks(content, at + 8 + length), count))
        if len(chunks) < count:
            raise MidiError(f"the header says {count} tracks, {len(chunks)} are there")
        if kind == 2 and len(chunks) > 1:
            raise RefusedError(
                f"holds {len(chunks)} patterns that do not sound together (format 2)",
                "Save each as a file of its own, in format 0 or 1.",
            )
        if division & 0x8000:
            return cls._of_film(chunks, 256 - (division >> 8), division & 0xFF, min(kind, 1))
        if not division:
            raise MidiError("a quarter note has no ticks")
        return cls(tuple(chunks), division, min(kind, 1))

    @classmethod
    def _of_film(cls, chunks: list[Chunk], frames: int, ticks: int, kind: int) -> MidiFile:
        """Turn ticks that count parts of frames (SMPTE) into those of a tempo near 60 or 120 bpm.

        Such ticks last as long whatever tempo the file tells of, so that it must go.
        """
        count, us = FRAMES.get(frames, (0, 0))
        quarter = count * ticks
        if not quarter:
            raise MidiError("its time code is unknown")
        if not quarter % 2:
            quarter, us = quarter // 2, us // 2
        tempo = us.to_bytes(3, "big")
        for number, chunk in enumerate(chunks):
            rows = chunk.rows[(chunk.rows[:, 1] != META) | (chunk.rows[:, 2] != TEMPO)]
            payloads = chunk.payloads
            if not number:
                rows = np.insert(rows, 0, (0, META, TEMPO, len(payloads)), axis=0)
                payloads = (*payloads, tempo)
            chunks[number] = Chunk(rows, payloads, chunk.end_tick)
        return cls(tuple(chunks), quarter, kind)

    def finer(self, factor: int) -> MidiFile:
        """Return the same file with `factor` ticks for each.

        Raises
        ------
        MidiError
            If MIDI cannot count so many.
        """
        last = max((chunk.end_tick for chunk in self.chunks), default=0) * factor
        if self.ticks_per_quarter * factor >= 2**15 or last > MAX_TICK:
            raise MidiError(
                f"{self.ticks_per_quarter * factor} ticks in a quarter note are too many"
            )
        return MidiFile(
            tuple(
                Chunk(
                    chunk.rows * np.array([factor, 1, 1, 1]),
                    chunk.payloads,
                    chunk.end_tick * factor,
                )
                for chunk in self.chunks
            ),
            self.ticks_per_quarter * factor,
            self.format,
        )

    def until(self, tick: int) -> MidiFile:
        """Return the beginning of the file, up to a tick."""
        return MidiFile(
            tuple(
                Chunk(c.rows[c.rows[:, 0] < tick], c.payloads, min(c.end_tick, tick))
                for c in self.chunks
            ),
            self.ticks_per_quarter,
            self.format,
        )

    def silenced(self) -> MidiFile:
        """Return the file with all sound off at its end, on every channel that is used.

        A synthesizer goes on with a note that nothing ends.
        """
        last = max((chunk.end_tick for chunk in self.chunks), default=0)

        def quiet(chunk: Chunk) -> Chunk:
            used = np.unique(chunk.rows[chunk.rows[:, 1] < SYSEX, 1] & 0x0F).tolist()
            off = [(last, CONTROL | channel, ALL_SOUND_OFF, 0) for channel in used]
            return Chunk(np.concatenate([chunk.rows, _as_rows(off)]), chunk.payloads, last)

        return MidiFile(tuple(map(quiet, self.chunks)), self.ticks_per_quarter, self.format)

    def dump(self) -> bytes:
        """Return the bytes of the file, without running status."""
        header = struct.pack(
            ">4sIHHH", b"MThd", 6, self.format, len(self.chunks), self.ticks_per_quarter
        )
        return header + b"".join(_dump(chunk) for chunk in self.chunks)


def _count(events: int) -> None:
    if events > MAX_EVENTS:
        raise RefusedError(
            f"holds more than {MAX_EVENTS:,} events",
            "Cut it into pieces, or leave out controllers.",
        )


def _chunks(content: bytes, at: int) -> Iterator[Chunk]:
    events = 0
    while len(content) - at >= 8:
        kind, length = struct.unpack_from(">4sI", content, at)
        begin, end = at + 8, at + 8 + length
        at = end
        if kind == b"MTrk":
            chunk, behind = _track(content, begin, end)
            events += len(chunk.rows)
            _count(events)
            yield chunk
            if behind != end and not _chunk_ends(content, end):  # the length was not true
                at = content.find(b"MTrk", behind)
                if at < 0:
                    return


def _chunk_ends(content: bytes, at: int) -> bool:
    """Return whether the content ends here, or another chunk begins."""
    name = content[at : at + 4]
    if name in (b"", b"MTrk"):
        return at <= len(content)
    fits = at + 8 + int.from_bytes(content[at + 4 : at + 8], "big") <= len(content)
    return len(name) == 4 and name.isalnum() and fits


def _track(content: bytes, begin: int, end: int) -> tuple[Chunk, int]:
    """Read the events of a track; give them and where they end."""
    # One whose length is not true goes on to its end mark.
    limit = end if _chunk_ends(content, end) else len(content)
    found = _fast(content, begin, limit)
    if found is None:
        found = _slow(content, begin, limit)
    rows, payloads, end_tick, behind = found
    if end_tick < 0:
        if behind < end:
            raise MidiError("a track breaks off")
        end_tick = int(rows[-1, 0]) if len(rows) else 0
    if end_tick > MAX_TICK:
        raise RefusedError(
            f"is longer than {MAX_TICK:,} ticks",
            "Cut it into pieces, or look for a stray note at its end.",
        )
    return Chunk(rows, tuple(payloads), end_tick), behind


_Found = tuple[Rows, list[bytes], int, int]
"""Rows, payloads, the tick of the end mark (-1: there is none), and where the events end."""


def _fast(content: bytes, begin: int, limit: int) -> _Found | None:
    """Read a track run by run of channel messages; None where `_slow` must look closer."""
    data = np.frombuffer(content, np.uint8)
    sizes: list[Rows] = []
    count = 0
    others: list[tuple[int, ...]] = []  # place, size, and delta time instead of tick: a row
    payloads: list[bytes] = []
    at, end_delta = begin, -1
    while at < limit:
        # Messages of one byte of data, as programs at the beginning, and those that follow them
        # without a status.
        status = 0
        while one := (_again if status else _short)(content, at, limit):
            delta, behind = _number(content, at, limit)
            status = status or content[behind]
            others.append((count, one.end() - at, delta, status, content[one.end() - 1], 0))
            sizes.append(_ONE)
            count, at = count + 1, one.end()
            if at < limit and _short(content, at, limit):
                status = 0
        mark = content.find(META, at, limit)
        _count(count + ((mark if mark > 0 else limit) - at) // LONGEST)
        found = _sizes(data[at:mark]) if mark > at else None
        if found is None:  # as where the mark is part of a delta time
            stop = _run(content, at, limit).end()  # type: ignore[union-attr]
            found = np.fromiter(map(len, _events(content, at, stop)), np.int64)
        else:
            stop = at + int(found.sum())
        sizes.append(found)
        count += len(found)
        if stop == limit:
            at = stop
            break
        try:
            delta, at = _number(content, stop, limit)
            status, kind = content[at], content[at + 1] if content[at] == META else 0
            if status not in (META, SYSEX, ESCAPE):
                return None
            size, at = _number(content, at + 1 + (status == META), limit)
        except (IndexError, MidiError):
            return None
        if at + size > limit:
            return None
        if status == META and kind == END_OF_TRACK:
            end_delta, at = delta, at + size
            break
        others.append((count, at + size - stop, delta, status, kind, len(payloads)))
        payloads.append(content[at : at + size])
        at += size
        sizes.append(_ONE)
        count += 1
    rows = _decode(data, begin, np.concatenate([_ONE[:0], *sizes]), others)
    if rows is None:
        return None
    last = int(rows[-1, 0]) if len(rows) else 0
    return rows, payloads, last + end_delta if end_delta >= 0 else -1, at


_ONE = np.ones(1, np.int64)


def _sizes(data: npt.NDArray[np.uint8]) -> Rows | None:
    """List the sizes of channel messages that are followed by the delta time of a meta event.

    Nearly all have two bytes of data: with the last byte of the delta time, three of seven bits.
    Between the first and the second there may be a status. None where that is not so.
    """
    low = np.flatnonzero(data < 0x80)[:-1]  # without the end of the last delta time
    if not len(low) or len(low) % 3:
        return None if len(low) else low
    time, first, second = low[0::3], low[1::3], low[2::3]
    gap = first - time
    kind = data[first - 1] & 0xF0
    right = (second - first == 1) & (gap <= 2)
    right &= (gap == 1) | (kind != 0xC0) & (kind != 0xD0) & (kind != 0xF0)
    if not right.all():
        return None
    sizes = second + 0
    sizes[1:] -= second[:-1]
    sizes[0] += 1
    return sizes


def _decode(
    data: npt.NDArray[np.uint8], begin: int, size: Rows, others: Sequence[tuple[int, ...]]
) -> Rows | None:
    """Decode events that follow each other, given their sizes and what is known of `others`."""
    given = np.array(others, np.int64).reshape(-1, 6)
    place, size_of, delta_of, status_of = given.T[:4]
    size[place] = size_of
    end = begin + np.cumsum(size)
    last, second, third = data[end - 1], data[end - 2], data[end - 3]
    one = second >= 0x80  # a status byte and one byte of data
    told = one | (third >= 0x80)
    one[place] = told[place] = status_of < SYSEX  # meta and system events set no status
    source = np.maximum.accumulate(np.where(told, np.arange(len(size)), -1))
    width = size - 2 - (told & ~one)
    width[place] = 1
    told[place] = True
    if not told.all() and ((source < 0) | one[source])[~told].any():
        return None  # no status yet, or one of which a message is shorter
    if width.max(initial=1) > 4:
        return None
    delta = (data[end - size] & 0x7F).astype(np.int64)
    for n in range(1, int(width.max(initial=1))):
        longer = np.flatnonzero(width > n)
        delta[longer] = delta[longer] << 7 | data[(end - size)[longer] + n] & 0x7F
    delta[place] = delta_of
    rows = np.empty((4, len(size)), np.int64).T
    rows[:, 0] = np.cumsum(delta)
    rows[:, 1] = np.where(one, second, third)[source]
    rows[:, 2] = np.where(one, last, second)
    rows[:, 3] = np.where(one, 0, last)
    rows[place, 1:] = given[:, 3:]
    return rows


def _slow(content: bytes, at: int, limit: int) -> _Found:
    """Read a track byte by byte: what `_fast` does, for every file that any reader takes."""
    rows: list[tuple[int, int, int, int]] = []
    payloads: list[bytes] = []
    tick = running = 0
    while at < limit:
        _count(len(rows))
        delta, at = _number(content, at, limit)
        tick += delta
        if at >= limit:
            raise MidiError("a track breaks off")
        status = content[at]
        if status < 0x80:
            if not running:
                raise MidiError(f"there is no event at byte {at}")
            status = running
        else:
            at += 1
        if status < 0xF0:
            running = status
            size = 1 if 0xC0 <= status < 0xE0 else 2
            bytes_ = content[at : min(limit, at + size)]
            if len(bytes_) < size:
                raise MidiError("a track breaks off")
            if max(bytes_) > 0x7F:
                raise MidiError(f"byte {at} is out of range")
            rows.append((tick, status, bytes_[0], bytes_[1] if size == 2 else 0))
            at += size
            continue
        kind = 0
        if status in (META, SYSEX, ESCAPE):
            if status == META:
                kind = content[at] if at < limit else 0
                at += 1
            size, at = _number(content, at, limit)
        elif status in _SYSTEM_DATA:
            size = _SYSTEM_DATA[status]
        else:
            raise MidiError(f"byte {at - 1} is no event")
        if status == META and kind == END_OF_TRACK:
            return _as_rows(rows), payloads, tick, min(limit, at + size)
        if at + size > limit:
            raise MidiError("a track breaks off")
        rows.append((tick, status, kind, len(payloads)))
        payloads.append(content[at : at + size])
        at += size
    return _as_rows(rows), payloads, -1, at


def _as_rows(rows: list[tuple[int, int, int, int]]) -> Rows:
    return np.array(rows, np.int64).reshape(-1, 4)


def _number(content: bytes, at: int, limit: int) -> tuple[int, int]:
    """Read a number of variable length; give it and where it ends."""
    number = 0
    for place in range(at, min(limit, at + 4)):
        number = number << 7 | content[place] & 0x7F
        if content[place] < 0x80:
            return number, place + 1
    raise MidiError("a track breaks off" if at + 4 > limit else f"byte {at} is no number")


def _variable(number: int) -> bytes:
    """Write a number in variable length."""
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(number & 0x7F | 0x80)
    return bytes(reversed(parts))


def _dump(chunk: Chunk) -> bytes:
    out = bytearray()
    before = 0
    for tick, status, one, two in chunk.rows.tolist():
        out += _variable(tick - before)
        before = tick
        if status < 0xF0:
            out += bytes((status, one) if 0xC0 <= status < 0xE0 else (status, one, two))
            continue
        payload = chunk.payloads[two]
        out.append(status)
        if status == META:
            out.append(one)
        if status in (META, SYSEX, ESCAPE):
            out += _variable(len(payload))
        out += payload
    out += _variable(max(0, chunk.end_tick - before)) + bytes((META, END_OF_TRACK, 0))
    return struct.pack(">4sI", b"MTrk", len(out)) + out
