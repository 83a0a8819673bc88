"""Damaged files of every kind that Groove reads: cut, flipped, doubled, swapped, stretched.

Each is read by the commands that read its kind, in a process whose memory is measured.
"""

from __future__ import annotations

import random
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import material
from forks import run, scratch
from tally import Tally

__all__ = ["KINDS", "Kind", "begin", "trials"]

MEMORY_MB = 200
"""A damaged file may cost that much beyond the import, and a sound what its length needs."""
PROCESSOR_S = 2.0
"""And so much time: of the processor, since other trials run beside it."""


@dataclass(frozen=True)
class Kind:
    """A kind of file, and what reads it."""

    name: str
    file: str
    commands: tuple[str, ...]
    is_text: bool = False


ENCODE = "run drum-space encode {} --json"
SAMPLE = "run drum-space sample --count 1 --seed 1 --checkpoint checkpoint --json"
KINDS = (
    Kind("MIDI", "beat.mid", (ENCODE, "run groove-vae compare {} --json")),
    Kind("JSON of a beat", "beat.json", (ENCODE,), is_text=True),
    Kind("result.json", "o/result.json", ("rerun {} --json",), is_text=True),
    Kind("CSV", "codes.csv", ("run drum-space decode {} --json",), is_text=True),
    Kind("CSV of ratings", "ratings.csv", ("run music-recsys learn --ratings {} --profile "
         "new.sqlite --json",), is_text=True),
    Kind("zip", "beats.zip", ("run drum-space dataset {} --json",)),
    Kind("database", "me.sqlite", ("run music-recsys recommend songs --profile {} --json",)),
    Kind("checkpoint", "checkpoint/model.safetensors", ("models verify checkpoint", SAMPLE)),
    Kind("card", "checkpoint/card.json", ("models show checkpoint", SAMPLE), is_text=True),
    Kind("WAV", "songs/000.wav", ("run music-recsys score {} --profile me.sqlite --json",
         "data check songs --json")),
    Kind("FLAC", "song.flac", ("run genre-map classify {} --json",)),
    Kind("Ogg", "song.ogg", ("run genre-map classify {} --json",)),
)  # fmt: skip
NUMBERS = (b"0", b"-1", b"1e308", b"99999999999", b"NaN", b"null", b"[]", b'"x"', b"{}")


def begin(folder: Path) -> None:
    """Make whole files of all kinds."""
    material.beats(folder / "beats", 3, 1)
    material.songs(folder / "songs", 6, 8.5, 1)
    material.songs(folder, 1, 4.0, 2, "song.flac", "song.ogg")
    shutil.copy(folder / "beats/000.mid", folder / "beat.mid")
    with zipfile.ZipFile(folder / "beats.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((folder / "beats").iterdir()):
            archive.write(path, f"rock/{path.name}")
    rows = [f"songs/{n:03}.wav,{n % 2 * 4 + 1}" for n in range(5)]
    (folder / "ratings.csv").write_text("\n".join(["path,rating", *rows]) + "\n")
    shutil.copytree(material.weights("drum_space", "ae"), folder / "checkpoint")
    for command in (
        "run drum-space encode beat.mid --out codes --format csv",
        "run drum-space sample --count 1 --seed 1 --format json,mid --out o",
        "run music-recsys learn --ratings ratings.csv --profile me.sqlite --json",
    ):
        ended = run(command, folder)
        assert ended.code == 0, (command, ended)
    shutil.copy(folder / "codes/encode.csv", folder / "codes.csv")
    shutil.copy(folder / "o/sample-001.json", folder / "beat.json")


def mutated(content: bytes, generator: random.Random, is_text: bool) -> bytes:
    """Damage the content of a file in one to four ways."""
    for _ in range(generator.choice((1, 1, 2, 4))):
        size = max(1, len(content))
        at, to = sorted(generator.randrange(size) for _ in range(2))
        # What says how long the rest is stands at the beginning.
        near = generator.randrange(min(size, 64))
        if is_text and generator.random() < 0.5:
            words = content.replace(b",", b" , ").replace(b":", b" : ").split(b" ")
            words[generator.randrange(len(words))] = generator.choice(NUMBERS)
            content = b" ".join(words)
            continue
        way = generator.randrange(7)
        if way == 0:
            content = content[:at]
        elif way == 1:
            content = content[:at] + bytes([generator.randrange(256)]) + content[at + 1 :]
        elif way == 2:
            content = content[:near] + generator.randbytes(4) + content[near + 4 :]
        elif way == 3:
            content = content[:near] + b"\xff" * generator.randrange(1, 9) + content[near + 8 :]
        elif way == 4:
            content = content[:at] + content[to:]
        elif way == 5:
            content = content[:to] + content[at:]
        else:
            content = content[:at] + generator.randbytes(generator.randrange(1, 99)) + content[at:]
    return content


def trials(kind: Kind, count: int, seed: int) -> Tally:
    """Read damaged files of one kind."""
    generator = random.Random(f"{seed} {kind.name}")
    tally = Tally()
    with scratch() as folder:
        begin(folder)
        whole = (folder / kind.file).read_bytes()
        needs_mb = {}
        for command in kind.commands:  # a file that is whole needs what it needs
            ended = run(command.format(kind.file), folder)
            assert ended.code == 0, (command, ended)
            needs_mb[command] = max(MEMORY_MB, ended.grown_mb + MEMORY_MB / 2)
        for number in range(count):
            content = mutated(whole, generator, kind.is_text)
            (folder / kind.file).write_bytes(content)
            tally.counts["damaged files"] += 1
            for command in kind.commands:
                ended = run(command.format(kind.file), folder)
                tally.counts["readings"] += 1
                tally.counts["readings that worked"] += ended.code == 0
                about = f"{kind.name} {number}, {command.format(kind.file)}"
                if ended.complaint or ended.code < 0 or ended.code not in (0, 2, 4, 5):
                    said = ended.complaint or ended.stderr[-300:]
                    tally.wrong("wrong end", f"{about}: exit code {ended.code}: {said}")
                if ended.grown_mb > needs_mb[command]:
                    tally.wrong("above its memory", f"{about}: {ended.grown_mb:.0f} MB")
                if ended.code and ended.processor_s > PROCESSOR_S:
                    tally.wrong("wrong end", f"{about}: an error after {ended.processor_s:.1f} s")
            (folder / "new.sqlite").unlink(missing_ok=True)
        (folder / kind.file).write_bytes(whole)
    return tally
