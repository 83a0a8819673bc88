"""Which sound files of a folder are of use, and why the others are not."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.batch.engines import LOCAL
from groove_core.batch.jobs import map_files
from groove_core.batch.journal import Outcome, read_settings
from groove_core.console import note
from groove_core.data.fingerprint import SAMPLE_RATE, START_S, Words, duplicates, fingerprint
from groove_core.errors import InputError, UsageError
from groove_core.storage.cache import cache_folder
from groove_core.storage.files import check_writable, file_sha256, printable
from groove_core.storage.folders import Found, find_files
from groove_core.values.results import Report
from groove_core.values.sound.audio import Audio, AudioInfo
from groove_core.values.sound.soundfiles import CANCELLED, Balance

__all__ = ["SCHEMA", "check", "measure"]

SCHEMA = "groove.data-check/1"
MEASUREMENT = 2
"""Counts up when `measure` measures otherwise; what an older one has stored is not used."""
SILENT_DBFS = -60.0
"""Peak below which a file counts as silent: the mean removed, since a direct current is none."""
CLIPPED_LEVEL = 0.98
"""Clipping leaves the sound at its own highest level; below -0.2 dBFS nobody clips."""
CLIPPED_RUN = 3
"""Samples in a row at the highest level. Sound that was not cut touches it once or, as a
deep tone of 16 bits may, twice; a cut peak stays."""
JUMP = 0.02
"""A square wave was never higher than its level: it lies still at another one, farther away than
neighbouring steps of 8 bits, before it jumps there and after."""
MAX_RUN = 2**20
"""Samples of one run that are kept together, however a file is cut into blocks."""
CLIPPED_SHARE = 0.001
"""44 samples in a second: loud masters have a few cut peaks that nobody hears; above this,
crackling is heard, and spectra have energy that the music has not."""
CANCELLED_DB = -10 * math.log10(CANCELLED)
"""By so much softer, what is left of a mix is not the sound."""
PADDING_S = 0.1
"""So much an MP3 may lack at its end: encoders count their padding as sound."""
BLOCK_S = 10.0
_CUT = re.compile(r"(?:data|SSND|Data Size|riff)\s*: (\d+) \(should be (\d+)\)")


def check(
    folder: str | os.PathLike[str],
    *,
    jobs: int | None = None,
    engine: str = LOCAL,
    timeout_s: float | None = None,
    min_s: float = 1.0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Report:
    """Check every sound file below a folder.

    A file is ``unreadable``, ``timed out`` (see `timeout_s`), ``damaged`` (decoding stops
    with an error), ``truncated``
    (less in it than its header says), ``not finite``, ``silent`` (peak below -60 dBFS), ``clipped``
    (more than 0.1 % of the samples in peaks that were cut), ``cancelling`` (20 dB softer or more
    when its channels are mixed), ``too short``, or a ``duplicate``: the
    same bytes, or the same recording in another codec, rate, level or number of
    channels, or cut a little (see `groove_core.data.fingerprint`; at least 1.9 s
    must sound, and the first minute is compared). Of two copies the one with no
    other fault, or else the first by name, is no duplicate.

    Parameters
    ----------
    folder : path
        What is passed over in it is said; see `groove_core.storage.find_files`.
    jobs : int >= 1, optional
    engine : str
        How many files are measured at a time, and where; see `groove_core.batch.map_files`.
    timeout_s : float > 0 [seconds], optional
        Time that one file may take; a file that takes longer is ``timed out``. No limit by
        default.
    min_s : float >= 0 [seconds]
        A shorter file is too short.
    out : path of a .jsonl file, optional
        Where measurements are kept (see `groove_core.batch.jobs.map_files`): a check that was
        killed goes on from there, and unchanged files are not measured again. A file in
        the cache folder when left out.
    overwrite : bool
        Measure everything anew.

    Returns
    -------
    Report
        One row for each file that is of no use. ``data`` is the whole document: thresholds,
        a summary, and for every file what was measured and the reasons against it.

    Raises
    ------
    InputError
        If the folder is missing or has no sound file.
    UsageError
        If an option is out of range, or `out` cannot be used.
    """
    if not 0 <= min_s < float("inf"):
        raise UsageError(f"min_s cannot be {min_s}.", hint="--min-s 1")
    root = Path(folder).resolve()  # journals know files by their whole path
    endings = {f".{suffix}" for suffix in Audio.suffixes} - {".json"}
    found = find_files(root, endings)
    if root.is_file():
        root = root.parent
    settings = {"measurement": MEASUREMENT}
    if out is None:
        out = _default_journal(root)
        overwrite |= out is not None and read_settings(out) != settings
    outcomes = map_files(
        measure,
        found.files,
        jobs=jobs,
        engine=engine,
        out=out,
        settings=settings,
        overwrite=overwrite,
        timeout_s=timeout_s,
        text="measuring",
    )
    rows, prints = [], []
    for outcome, file in zip(outcomes, found.files, strict=True):
        row, words = _judge(outcome, _name(file, root), min_s)
        rows.append(row)
        prints.append(words)
    _mark_duplicates(rows, prints)
    return _report(str(folder), rows, found, min_s)


def _name(file: Path, root: Path) -> str:
    return printable(file.relative_to(root).as_posix())


def _default_journal(root: Path) -> Path | None:
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    path = cache_folder() / "checks" / f"{name}.jsonl"
    try:
        check_writable(path.parent)
    except UsageError as error:
        note(f"measurements are not kept: {error.message}")
        return None
    return path


# Measuring: what workers do.


def measure(path: Path) -> dict[str, Any]:
    """Measure a sound file, block by block, without judging it.

    Returns
    -------
    dict
        ``seconds``, ``sample_rate``, ``channels``, ``peak_dbfs`` (the mean removed; None for
        digital silence), ``rms_dbfs``, ``clipped_share``, ``cancelled_db`` (by how much the
        mix of the channels is softer; None where nothing is left), ``fault`` (None, or ``damaged``,
        ``truncated`` or ``not finite`` and a message), ``sha256``, and ``words``,
        the fingerprint in base64.

    Raises
    ------
    InputError
        If it is not a sound file, or without sound.
    """
    with _mute_decoder():
        info = _info(path)
        meter, start = _Meter(info.channels), _Start(info.sample_rate)
        fault = None
        try:
            for block in Audio.blocks(path, block_s=BLOCK_S):
                meter.add(block.samples)
                start.add(block.samples)
        except InputError as error:
            finite = "not numbers" not in error.message
            fault = ["damaged" if finite else "not finite", error.message]
        fault = fault or _truncated(path, info, meter.frames)
        return {
            "seconds": meter.frames / info.sample_rate,
            "sample_rate": info.sample_rate,
            "channels": info.channels,
            **meter.levels(),
            "fault": fault,
            "sha256": file_sha256(path),
            "words": base64.b64encode(start.words().astype("<u4").tobytes()).decode(),
        }


def _info(path: Path) -> AudioInfo:
    try:
        return Audio.info(path)
    except InputError as error:
        reason = str(getattr(error.__cause__, "error_string", ""))  # libsndfile's
        # Of any MP3 that it cannot read, libsndfile says that it is not there.
        if not reason or reason in error.message or "does not exist" in reason:
            raise
        raise InputError(f"{error.message.rstrip('.')}: {reason}", hint=error.hint) from error


@contextlib.contextmanager
def _mute_decoder() -> Iterator[None]:
    """Silence what decoders print from C about files that are not quite right."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _truncated(path: Path, info: AudioInfo, decoded: int) -> list[str] | None:
    """Return whether there is less than the header says, as far as the format lets one know."""
    import soundfile

    declared_s, decoded_s = info.frames / info.sample_rate, decoded / info.sample_rate
    if info.format == "OGG":
        return ["truncated", "its last page is cut"] if _is_ogg_cut(path) else None
    if info.subtype == "FFMPEG":
        return None
    with path.open("rb") as stream, soundfile.SoundFile(stream) as file:  # a name of any bytes
        log = file.extra_info  # where libsndfile tells that it took the file as shorter
    for declared, there in (map(int, found) for found in _CUT.findall(log)):
        # Programs that write into a pipe put the largest number there.
        is_unknown = any(0 <= most - declared < 2**16 for most in (2**31, 2**32))
        if declared > there > 0 and not is_unknown:
            declared_s *= declared / there
    missing_s = declared_s - decoded_s
    if missing_s <= (PADDING_S if info.subtype.startswith("MPEG") else 0):
        return None
    return ["truncated", f"the header says {declared_s:.2f} s, {decoded_s:.2f} s are there"]


def _is_ogg_cut(path: Path) -> bool:
    """Return whether the last page of an Ogg file (RFC 3533) has its end."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 2**17))  # a page has 65,307 bytes at most
        end = stream.read()
    page = end[end.rfind(b"OggS") :]
    lengths = page[27 : 27 + page[26]] if len(page) > 27 else b""
    return not lengths or len(page) < 27 + page[26] + sum(lengths)


class _Meter:
    """Levels of sound that comes in blocks of shape (channels, frames)."""

    def __init__(self, channels: int) -> None:
        self.frames = 0
        self.high = np.full(channels, -np.inf)
        self.low = np.full(channels, np.inf)
        self.sums = np.zeros((2, channels))
        self.balance = Balance()
        self.tops = [(_Plateau(), _Plateau()) for _ in range(channels)]

    def add(self, samples: npt.NDArray[np.float32]) -> None:
        self.frames += samples.shape[1]
        self.high = np.maximum(self.high, samples.max(axis=1))
        self.low = np.minimum(self.low, samples.min(axis=1))
        exact = samples.astype(np.float64)
        self.sums += exact.sum(axis=1), np.einsum("cf,cf->c", exact, exact)
        self.balance.mix(samples.T)
        for (top, bottom), channel in zip(self.tops, samples, strict=True):
            top.add(channel)
            bottom.add(-channel)

    def levels(self) -> dict[str, float | None]:
        if not self.frames:
            return {
                "peak_dbfs": None, "rms_dbfs": None, "clipped_share": 0.0, "cancelled_db": 0.0,
            }  # fmt: skip
        mean, power = self.sums / self.frames
        peak = np.maximum(self.high - mean, mean - self.low).max()
        power = np.maximum(power - mean**2, 0).mean()
        clipped = sum(top.clipped() for tops in self.tops for top in tops)
        lost_db = self.balance.lost_db
        return {
            "peak_dbfs": _dbfs(peak),
            "rms_dbfs": _dbfs(np.sqrt(power)),
            "clipped_share": clipped / (self.frames * len(self.high)),
            "cancelled_db": round(lost_db, 2) if math.isfinite(lost_db) else None,
        }


def _dbfs(level: float) -> float | None:
    # Below the rounding of 24 bits, what is left of a removed mean is no sound.
    return round(20 * float(np.log10(level)), 2) if level > 2**-25 else None


class _Plateau:
    """Counts the samples of peaks of one channel that were cut at the highest level so far."""

    def __init__(self) -> None:
        self.level = np.float32(0)
        self.count = 0
        self.rest = np.zeros(2, np.float32)
        """What is not judged yet, and two samples before."""

    def add(self, samples: npt.NDArray[np.float32], *, last: bool = False) -> None:
        samples = np.concatenate([self.rest, samples])
        if samples.max() > self.level:
            self.level, self.count = samples.max(), 0
        keep = len(samples) - 2
        if self.level >= CLIPPED_LEVEL and len(at := np.flatnonzero(samples == self.level)):
            breaks = np.flatnonzero(np.diff(at) > 1)
            starts, stops = at[np.r_[0, breaks + 1]], at[np.r_[breaks, -1]] + 1
            if stops[-1] > keep and keep - starts[-1] < MAX_RUN and not last:  # it may go on
                keep, starts, stops = starts[-1] - 2, starts[:-1], stops[:-1]
            around = np.pad(samples, (0, 2))
            jumps = [
                (around[beside] == around[beyond]) & (self.level - around[beside] > JUMP)
                for beside, beyond in ((starts - 1, starts - 2), (stops, stops + 1))
            ]
            cut = (stops - starts >= CLIPPED_RUN) & ~(jumps[0] & jumps[1])
            self.count += int((stops - starts)[cut].sum())
        self.rest = samples[max(0, keep) :].copy()

    def clipped(self) -> int:
        self.add(np.zeros(2, np.float32), last=True)
        return self.count if self.level >= CLIPPED_LEVEL else 0


class _Start:
    """The beginning of a sound, mixed and resampled for its fingerprint."""

    def __init__(self, sample_rate: int) -> None:
        import soxr  # type: ignore[import-untyped, unused-ignore]

        self.stream = soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1)
        self.left = int(START_S * sample_rate)
        self.pieces: list[npt.NDArray[np.float32]] = []

    def add(self, samples: npt.NDArray[np.float32]) -> None:
        if self.left > 0:
            begin = samples[:, : self.left]
            balance = Balance()
            mono = balance.mix(begin.T)[:, 0]
            if balance.cancels:  # what they leave is rounding, and says nothing
                mono = begin[balance.loudest]
            self.left -= len(mono)
            self.pieces.append(self.stream.resample_chunk(mono))

    def words(self) -> Words:
        end = self.stream.resample_chunk(np.zeros(0, np.float32), last=True)
        return fingerprint(np.concatenate([*self.pieces, end]))


# Judging: what depends on thresholds and on other files.


def _judge(outcome: Outcome, name: str, min_s: float) -> tuple[dict[str, Any], Words]:
    """Return what is told of a file, and its fingerprint."""
    row: dict[str, Any] = {"file": name, "reasons": [], "details": [], "duplicate_of": None}

    def blame(reason: str, detail: str) -> None:
        row["reasons"].append(reason)
        row["details"].append(detail)

    if outcome.error is not None:
        reason = "timed out" if outcome.error["kind"] == "Timeout" else "unreadable"
        blame(reason, outcome.error["message"].replace(printable(outcome.file), name))
        return row, np.zeros(0, np.uint32)
    about = dict(outcome.result or {})
    words = np.frombuffer(base64.b64decode(about.pop("words")), "<u4").astype(np.uint32)
    fault = about.pop("fault")
    row |= about
    if fault:
        blame(fault[0], printable(fault[1]).replace(printable(outcome.file), name))
        if fault[0] != "truncated":  # what was decoded before is not the file
            return row, words
    peak = row["peak_dbfs"]
    if row["seconds"] < min_s:
        blame("too short", f"{row['seconds']:.2f} s")
    if peak is None or peak < SILENT_DBFS:
        blame("silent", "no sound" if peak is None else f"peak {peak:.1f} dBFS")
    lost_db = row["cancelled_db"]
    if lost_db is None or lost_db >= CANCELLED_DB:
        left = "silent" if lost_db is None else f"{lost_db:.0f} dB softer"
        blame("cancelling", f"{left} when its channels are mixed")
    if row["clipped_share"] > CLIPPED_SHARE:
        blame("clipped", f"{100 * row['clipped_share']:.1f} % of the samples are cut")
    return row, words


def _mark_duplicates(rows: list[dict[str, Any]], prints: Sequence[Words]) -> None:
    def merit(number: int) -> tuple[bool, int, int, int]:
        """Put what nothing else is wrong with first, then the longest (to a second), the finest."""
        row = rows[number]
        length, rate = -round(row.get("seconds", 0)), -row.get("sample_rate", 0)
        return bool(row["reasons"]), length, rate, number

    order = sorted(range(len(rows)), key=merit)
    by_bytes: dict[str, int] = {}
    copies: dict[int, int] = {}
    for number in order:
        if "sha256" in rows[number]:
            original = by_bytes.setdefault(rows[number]["sha256"], number)
            if original != number:
                copies[number] = original
    nothing = np.zeros(0, np.uint32)
    again = duplicates([nothing if n in copies else p for n, p in enumerate(prints)], order)
    for number in copies.keys() | again.keys():
        original = copies.get(number, number)
        original = again.get(original, original)
        name, row = rows[original]["file"], rows[number]
        row["duplicate_of"] = name
        row["reasons"].append("duplicate")
        row["details"].append(f"{'same bytes' if number in copies else 'same recording'} as {name}")


def _report(folder: str, rows: list[dict[str, Any]], found: Found, min_s: float) -> Report:
    bad = [row for row in rows if row["reasons"]]
    reasons = dict(sorted(Counter(r for row in bad for r in row["reasons"]).items()))
    seconds = [row.get("seconds", 0.0) for row in rows]
    summary = {
        "files": len(rows),
        "usable": len(rows) - len(bad),
        "hours": round(sum(seconds) / 3600, 4),
        "usable_hours": round(
            sum(s for s, row in zip(seconds, rows, strict=True) if not row["reasons"]) / 3600, 4
        ),
        "hidden": found.hidden,
        "results_of_groove": found.results,
        "other_endings": dict(found.others.most_common()),
        "reasons": reasons,
    }
    text = f"{summary['usable']} of {len(rows)} files are usable"
    text += f" ({summary['usable_hours']:.2f} of {summary['hours']:.2f} hours)"
    text += "; " + ", ".join(f"{n} {reason}" for reason, n in reasons.items()) if reasons else ""
    return Report(
        f"sound files of {folder}",
        ("file", "not usable because"),
        tuple(
            (
                row["file"],
                "; ".join(
                    f"{reason}: {detail}"
                    for reason, detail in zip(row["reasons"], row["details"], strict=True)
                ),
            )
            for row in bad
        ),
        (text,),
        {
            "schema": SCHEMA,
            "folder": folder,
            "thresholds": {
                "min_s": min_s,
                "silent_dbfs": SILENT_DBFS,
                "clipped_level": CLIPPED_LEVEL,
                "clipped_run": CLIPPED_RUN,
                "clipped_share": CLIPPED_SHARE,
                "cancelled_db": CANCELLED_DB,
            },
            "summary": summary,
            "files": rows,
        },
    )
