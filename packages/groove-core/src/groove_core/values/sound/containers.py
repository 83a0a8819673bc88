"""Where sound begins and ends in a file whose container does not say so, or not truly.

Nothing is decoded here: frames and pages are counted by their headers.
"""

from __future__ import annotations

import functools
import io
import mmap
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Part", "View", "foreign", "parts"]

MAX_JUNK = 2**16
"""Bytes between two frames of MPEG in which the next one is looked for, as decoders do."""
MAX_MPEG_FRAME = 2881
"""Bytes; of layer II at 384 kbit/s and 16 kHz."""
KBPS = {
    # version 1 or not, layer (3 is I, 2 is II, 1 is III): by the four bits of the header
    (True, 3): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
FOREIGN = (
    # how the content begins, what it is called, and the demuxer of ffmpeg that reads it
    (rb".{4}(?:ftyp|moov|mdat|wide|free)", "MPEG-4 (m4a)", "mov"),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (wma)", "asf"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", "a stream of AAC", "aac"),
    (rb"\x1a\x45\xdf\xa3", "Matroska or WebM", "matroska"),
    (rb"wvpk", "WavPack", "wv"),
    (rb"MAC ", "Monkey's Audio (ape)", "ape"),
    (rb"\x0b\x77", "AC-3", "ac3"),
    (rb"#!AMR", "AMR", "amr"),
    (rb"TTA1", "True Audio (tta)", "tta"),
    (rb"MPCK", "Musepack", "mpc8"),
    (rb"MP\+", "Musepack", "mpc"),
    (rb"DSD ", "DSD", "dsf"),
    (rb"\.RMF", "RealAudio", "rm"),
    (rb"OggS", "Ogg of a codec that libsndfile does not know", "ogg"),
    (rb"RIFF.{4}WAVE", "WAV of a codec that libsndfile does not know", "wav"),
    (rb"FORM.{4}AIF[FC]", "AIFF of a codec that libsndfile does not know", "aiff"),
    (rb"caff", "CAF that libsndfile does not know", "caf"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a file that are a sound file of their own, as `View` shows them."""

    start: int
    stop: int
    head: bytes = b""
    """In place of what is before `start`."""
    silence: int = 0
    """Zeros behind `stop`, for a decoder that takes the length from the size of the file."""
    frames: int | None = None
    """Measured; what the decoder says where this is None."""
    seekable: bool = True
    """False where the decoder would land elsewhere."""


class View(io.RawIOBase):
    """Part of a file, as a file of its own."""

    def __init__(self, path: Path, part: Part) -> None:
        self._file = path.open("rb")
        self._part = part
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        part = self._part
        end = len(part.head) + part.stop - part.start + part.silence
        self._at = max(0, offset + (0, self._at, end)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        part, size = self._part, len(buffer)
        begin = part.start + self._at - len(part.head)
        if begin < part.start:
            piece = part.head[self._at : self._at + size]
        elif begin < part.stop:
            self._file.seek(begin)
            piece = self._file.read(min(size, part.stop - begin))
        else:
            piece = bytes(max(0, min(size, part.stop + part.silence - begin)))
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()


def parts(path: Path, container: str, subtype: str, frames: int) -> list[Part]:
    """Find the parts of a sound file that its decoder does not read as one, or not to the end.

    Parameters
    ----------
    path : Path
    container, subtype : str
        libsndfile's names.
    frames : int
        What libsndfile says.

    Returns
    -------
    list of Part
        In order; empty where the file can be decoded as it is.
    """
    mpeg = subtype.startswith("MPEG")
    if not (mpeg or container in ("OGG", "FLAC") or (container == "WAV" and not frames)):
        return []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if mpeg:
            return _mpeg(data)
        if container == "OGG":
            return _ogg(data, frames)
        return _flac(data) if container == "FLAC" else _wav(data)


def foreign(path: Path) -> tuple[str, str] | None:
    """Name what libsndfile does not read, and the demuxer of ffmpeg for it, by the content."""
    with path.open("rb") as file:
        head = file.read(2**10)
        if head[:3] == b"ID3":
            file.seek(_after_tag(head, 0) or 0)
            head = file.read(16)
    for begin, name, demuxer in FOREIGN:
        if re.match(begin, head, re.DOTALL):
            return name, demuxer
    return None


# MPEG: ISO 11172-3, 2.4.1.3 and 2.4.2.3, and what encoders write into the first frame.


@functools.cache
def _frame(second: int, third: int) -> tuple[int, int] | None:
    """Return the bytes and samples of a frame by two bytes of its header; None if it is none."""
    version, layer = second >> 3 & 3, second >> 1 & 3  # 3, 2, 0: MPEG 1, 2, 2.5
    bitrate, rate = third >> 4, third >> 2 & 3
    if second < 0xE0 or version == 1 or layer == 0 or rate == 3 or bitrate in (0, 15):
        return None
    rate_hz = (44_100, 48_000, 32_000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits_s = 1000 * KBPS[version == 3, layer][bitrate]
    padding = third >> 1 & 1
    if layer == 3:
        return 4 * (12 * bits_s // rate_hz + padding), 384
    samples = 1152 if version == 3 or layer == 2 else 576
    return samples // 8 * bits_s // rate_hz + padding, samples


@dataclass(slots=True)
class _Run:
    """Frames of one kind, one after the other."""

    kind: tuple[int, int, bool]
    start: int
    tag_bytes: int = 0
    """Of a first frame without sound."""
    stated: int = 0
    """Frames that it states."""
    frames: int = 0
    samples: int = 0
    stop: int = 0


def _mpeg(data: mmap.mmap) -> list[Part]:
    """Count frames, and cut where files were joined or the kind of frames changes."""
    runs: list[_Run] = []
    at = 0
    while True:
        begin = data[at : at + 40]
        frame = _frame(begin[1], begin[2]) if len(begin) > 4 and begin[0] == 0xFF else None
        if frame is None or at + frame[0] > len(data):
            further = _after_tag(data, at) or _resync(data, at)
            if further is None:
                break
            at = further
            continue
        size, samples = frame
        kind = begin[1] & 0x1E, begin[2] & 0x0C, begin[3] >> 6 == 3
        tag = _tag_at(begin, *kind)
        if tag or not runs or runs[-1].kind != kind:
            runs.append(_Run(kind, at))
        run = runs[-1]
        run.samples = samples
        if tag:
            run.tag_bytes = size
            if begin[tag] != ord("V"):  # VBRI: not every decoder reads it
                run.stated, stated_bytes = _stated(data, at + tag)
                end = at + stated_bytes
                if stated_bytes > size and _may_end_at(data, end):
                    size, run.frames = min(end, len(data)) - at, run.stated
        else:
            run.frames += 1
        at += size
        run.stop = at
    runs = [run for run in runs if run.frames]
    if runs and len(data) - runs[-1].stop > MAX_JUNK:
        # What follows is no tag: whoever decodes shall find the damage.
        last = runs[-1]
        last.frames = last.frames * (len(data) - last.start) // (last.stop - last.start)
        last.stop = len(data)
    if len(runs) == 1 and runs[0].frames <= runs[0].stated:
        return []
    return [
        Part(run.start, run.stop)
        if run.frames <= run.stated
        # The decoder goes by the size of the file, and at most by that of the largest frames.
        else Part(
            run.start + run.tag_bytes,
            run.stop,
            silence=(run.frames + 2) * MAX_MPEG_FRAME,
            frames=run.frames * run.samples,
        )
        for run in runs
    ]


def _tag_at(begin: bytes, version_layer: int, rate: int, mono: bool) -> int:
    """Return where the tag is in the first bytes of a frame that holds no sound; 0 if it does."""
    if version_layer & 6 != 2:
        return 0
    if begin[36:40] == b"VBRI":
        return 36
    side = (17 if mono else 32) if version_layer & 0x18 == 0x18 else (9 if mono else 17)
    at = 4 + side
    return at if begin[at : at + 4] in (b"Xing", b"Info") and not any(begin[6:at]) else 0


def _stated(data: mmap.mmap, at: int) -> tuple[int, int]:
    """Read frames and bytes of a Xing tag, 0 where it does not state them."""
    flags, first, second = (int.from_bytes(data[at + i : at + i + 4], "big") for i in (4, 8, 12))
    return (first, second if flags & 2 else 0) if flags & 1 else (0, 0)


def _may_end_at(data: mmap.mmap, at: int) -> bool:
    if at >= len(data) or _after_tag(data, at):
        return True
    begin = data[at : at + 3]
    return len(begin) == 3 and begin[0] == 0xFF and _frame(begin[1], begin[2]) is not None


def _after_tag(data: mmap.mmap | bytes, at: int) -> int | None:
    """Return where a tag of ID3 or APE ends that begins here."""
    begin = data[at : at + 32]
    if begin[:3] == b"ID3" and len(begin) > 10 and not any(b & 0x80 for b in begin[6:10]):
        size = functools.reduce(lambda total, b: total << 7 | b, begin[6:10], 0)
        return at + 10 + size + (10 if begin[5] & 0x10 else 0)
    if begin[:3] == b"TAG" and at + 128 == len(data):
        return at + 128
    if begin[:8] == b"APETAGEX":
        return at + 32 + int.from_bytes(begin[12:16], "little")
    return None


def _resync(data: mmap.mmap, begin: int) -> int | None:
    """Find the next two frames of one kind behind what is none, or the next tag."""
    limit = min(begin + MAX_JUNK, len(data))
    at = begin
    while (at := data.find(b"\xff", at + 1, limit)) >= 0:
        header = data[at : at + 4]
        frame = _frame(header[1], header[2]) if len(header) == 4 else None
        if frame is not None and data[at + frame[0] : at + frame[0] + 2] == header[:2]:
            return at
    tags = (data.find(tag, begin + 1, limit) for tag in (b"ID3", b"APETAGEX"))
    return min((tag for tag in tags if tag >= 0), default=None)


# Ogg: RFC 3533, 6.


def _ogg(data: mmap.mmap, frames: int) -> list[Part]:
    """Cut where chained streams begin: where a first page follows another one."""
    starts: list[int] = []
    at, page, first_before = 0, b"", False
    while (at := data.find(b"OggS", at)) >= 0 and len(data) >= at + 27:
        page = data[at : at + 27]
        first = bool(page[5] & 2)
        if first and not first_before:
            starts.append(at)
        first_before = first
        at += 27 + page[26] + sum(data[at + 27 : at + 27 + page[26]])
    found = []
    for start, stop in zip(starts, [*starts[1:], len(data)], strict=True):
        opus = data.find(b"OpusHead", start, start + 2**10) + 10
        seekable = opus < 10
        if len(starts) == 1 and opus > 10:
            skipped = int.from_bytes(data[opus : opus + 2], "little")
            seekable = int.from_bytes(page[6:14], "little", signed=True) == frames + skipped
        found.append(Part(start, stop, seekable=seekable))
    # What was cut out of a longer stream of Opus: libsndfile seeks by the time of that.
    return [] if len(found) == 1 and found[0].seekable else found


# FLAC: RFC 9639, 6 and 8.2.


def _flac(data: mmap.mmap) -> list[Part]:
    """Cut where a further stream begins."""
    starts = [data.find(b"fLaC")]
    while (at := data.find(b"fLaC\x00\x00\x00\x22", starts[-1] + 8)) >= 0:
        starts.append(at)
    if len(starts) == 1:
        return []
    ends = [*starts[1:], len(data)]
    return [Part(*span) for span in zip(starts, ends, strict=True)]


# RIFF WAVE.


def _wav(data: mmap.mmap) -> list[Part]:
    """Find the sound of a recording whose sizes were never written, as after a crash."""
    riff_end = 8 + int.from_bytes(data[4:8], "little")
    at = 12
    while data[at : at + 4] not in (b"data", b""):
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        at += at % 2
    sound = at + 8
    if sound >= len(data) or riff_end == len(data):
        return []
    size = len(data) - sound
    head = data[: at + 4] + min(size, 2**32 - 1).to_bytes(4, "little")
    return [Part(sound, len(data), head)]
