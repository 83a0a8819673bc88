"""Kits: saved for samplers and read again, whole or not at all."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest
import soundfile

from gansynth_lite import kits
from gansynth_lite.kits import Kit
from groove_core.errors import InputError, UsageError

RATE = 16_000
T = np.arange(RATE) / RATE
PITCHES = (36, 40, 45, 60)


def tone(pitch):
    return 0.9 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * T) * np.exp(-3 * T)


LAYERS = (
    (36, tone(36)), (40, tone(40)), (45, 0.5 * tone(45), 79, (400, 12_000), -7.5), (45, tone(45)),
    (60, tone(60)),
)  # fmt: skip
KIT = Kit(LAYERS, RATE, "glass, number 3")


def everything(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("ending", ["sfz", "json"])
def test_saved_and_read(ending, tmp_path):
    path = KIT.save(tmp_path / f"a kit.{ending}")
    again = Kit.read(path)
    assert again == KIT
    assert again.name == KIT.name
    for one, known in zip(again.notes, KIT.notes, strict=True):
        assert one[:1] + one[2:] == known[:1] + known[2:]
        assert np.array_equal(one.samples, known.samples)
    assert [one.loop for one in again.notes] == [None, None, (400, 12_000), None, None]


def test_rounded_to_16_bits():
    kept = KIT.notes[3].samples / 32767
    assert np.abs(kept - tone(45)).max() <= 0.5 / 32767 + 1e-9
    assert Kit(((60, np.array([-3.0, 3.0])),), RATE).notes[0].samples.tolist() == [-32767, 32767]


def test_what_a_sampler_finds(tmp_path):
    text = KIT.save(tmp_path / "deep" / "my.kit.sfz").read_text(encoding="utf-8")
    [settings] = re.findall(r"<global> (.*)", text)
    opcodes = dict(pair.split("=") for pair in settings.split())
    assert opcodes == {"loop_mode": "no_loop", "ampeg_release": "0.3", "amp_veltrack": "100"}
    regions = [
        (line.split(" lokey=")[0].removeprefix("<region> sample="),
         dict(pair.split("=") for pair in re.findall(r"\w+=[\w.-]+", line)))
        for line in text.splitlines() if line.startswith("<region>")
    ]  # fmt: skip
    numbers = ("lokey", "hikey", "pitch_keycenter", "lovel", "hivel")
    found = [tuple(int(one[name]) for name in numbers) for _, one in regions]
    # Each key from five below the lowest to five above the highest has one note for each velocity.
    served = [
        (key, velocity) for low, high, _, soft, hard in found
        for key in range(low, high + 1) for velocity in range(soft, hard + 1)
    ]  # fmt: skip
    assert sorted(served) == [(key, v) for key in range(31, 66) for v in range(1, 128)]
    for low, high, pitch, *_ in found:
        assert all(
            abs(key - pitch) == min(abs(key - p) for p in PITCHES) for key in range(low, high + 1)
        )
    [(file, one)] = [region for region in regions if "tune" in region[1]]
    assert (one["tune"], one["loop_mode"]) == ("-7.5", "loop_continuous")
    assert (one["loop_start"], one["loop_end"]) == ("400", "11999")  # the last sample of the loop
    assert file == "my.kit samples/045-079.wav"
    for file, *_ in regions:
        info = soundfile.info(tmp_path / "deep" / file)
        assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == ["my.kit samples", "my.kit.sfz"]


def test_saved_again_leaves_nothing_of_before(tmp_path):
    KIT.save(tmp_path / "a.sfz")
    smaller = Kit(LAYERS[:1], RATE)
    smaller.save(tmp_path / "a.sfz")
    assert sorted(everything(tmp_path)) == ["a samples/036-127.wav", "a.sfz"]
    assert Kit.read(tmp_path / "a.sfz") == smaller


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("broken", ["_packed", "write_text"])
def test_interrupted(before, broken, tmp_path, monkeypatch):
    if before:
        Kit(KIT.notes[1:], RATE).save(tmp_path / "a.sfz")
    found = everything(tmp_path)
    whole, calls = getattr(kits, broken), []

    def breaks(*args):
        calls.append(args)
        if len(calls) == (2 if broken == "_write" else 1):
            raise KeyboardInterrupt
        whole(*args)

    monkeypatch.setattr(kits, broken, breaks)
    with pytest.raises(KeyboardInterrupt):
        KIT.save(tmp_path / "a.sfz")
    assert everything(tmp_path) == found
    assert len(list(tmp_path.iterdir())) == 2 * before


def test_files_of_others_stay(tmp_path):
    (tmp_path / "a samples").mkdir()
    (tmp_path / "a samples" / "mine.wav").write_bytes(b"dear to me")
    with pytest.raises(UsageError, match="holds more than"):
        KIT.save(tmp_path / "a.sfz")
    assert sorted(everything(tmp_path)) == ["a samples/mine.wav"]


def test_what_is_no_kit(tmp_path):
    other = tmp_path / "other.sfz"
    other.write_text("<region> sample=a.wav key=60\n")
    with pytest.raises(InputError, match="is not a kit"):
        Kit.read(other)
    path = KIT.save(tmp_path / "a.sfz")
    (tmp_path / "a samples" / "040-127.wav").unlink()
    with pytest.raises(InputError, match=r"040-127\.wav does not exist"):
        Kit.read(path)
    KIT.save(path)
    (tmp_path / "a samples" / "040-127.wav").write_bytes(b"no sound")
    with pytest.raises(InputError, match="is not a kit"):
        Kit.read(path)
    with pytest.raises(InputError, match="not a file that holds a kit"):
        Kit.read(tmp_path / "a.wav")


@pytest.mark.parametrize(
    "notes",
    [
        (), ((60, T), (60, T)), ((128, T),), ((60, []),), ((60, [np.nan]),), ((60, [[0.1]]),),
        ((60, T, 79),), ((60, T, 0), (60, T)), ((60, T, 127, (5, 5)),),
        ((60, T, 127, (0, len(T) + 1)),),
    ],
)  # fmt: skip
def test_what_cannot_be_a_kit(notes):
    with pytest.raises(UsageError):
        Kit(notes, RATE)


def test_shown(tmp_path):
    assert KIT.to_text() == (
        "glass, number 3: 5 notes at 16000 Hz, held while a key is down: C2 E2 A2 C4"
    )
    assert repr(KIT) == f"Kit({KIT.to_text()})"
    assert "<audio" in KIT._repr_html_()
    assert KIT.save(tmp_path / "a.png").stat().st_size > 5000
    sound, rate = soundfile.read(KIT.save(tmp_path / "a.wav"), dtype="int16")
    assert rate == RATE
    hardest = [one.samples for one in KIT.notes if one.velocity == 127]
    assert np.abs(sound - np.concatenate(hardest)).max() <= 1
    assert {"sfz", "wav", "json", "png", "txt"} <= set(KIT.formats())


def test_a_kit_of_before(tmp_path):
    document = KIT.to_json()
    del document["notes"][2]
    for one in document["notes"]:
        del one["velocity"], one["loop"], one["tune"]
    assert Kit.from_json(document) == Kit(LAYERS[:2] + LAYERS[3:], RATE, KIT.name)
    folder = tmp_path / "a samples"
    folder.mkdir()
    KIT.save(tmp_path / "b.sfz")
    (tmp_path / "b samples/036-127.wav").rename(folder / "036.wav")
    sfz = tmp_path / "a.sfz"
    sfz.write_text(
        "// old\n<region> sample=a samples/036.wav lokey=0 hikey=127 pitch_keycenter=36\n"
    )
    assert Kit.read(sfz) == Kit(LAYERS[:1], RATE, "old")
    KIT.save(sfz)  # its samples are a kit's: they are replaced
    assert not (folder / "036.wav").exists()


def test_a_folder_of_other_bytes(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9") / "export.sfz"
    path.parent.mkdir()
    KIT.save(path)
    assert Kit.read(path).notes[0].samples.tolist() == KIT.notes[0].samples.tolist()


def test_names_in_sfz_are_names(tmp_path):
    kit = Kit(((60, np.ones(4, np.int16)),), 16_000, "a <region>")
    path = kit.save(tmp_path / "a lokey=0 <region> $x.sfz")
    [line] = [one for one in path.read_text().splitlines() if one.startswith("<region>")]
    assert line.count("lokey=") == line.count("<region>") == 1
    assert "$" not in line
    assert Kit.read(path) == kit


def test_a_map_names_samples_beside_it(tmp_path):
    (tmp_path / "b").mkdir()
    path = Kit(((60, np.ones(4, np.int16)),), 16_000).save(tmp_path / "a.sfz")
    text = path.read_text().replace("sample=a", "sample=../a")
    (tmp_path / "b/a.sfz").write_text(text)
    with pytest.raises(InputError, match="no file in"):
        Kit.read(tmp_path / "b/a.sfz")
