"""Collections of single notes as users have them, made up in small."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from gansynth_lite.classifier import NoteClassifier
from gansynth_lite.families import FAMILIES, family_of_program
from gansynth_lite.lessons import Lesson
from gansynth_lite.model import GANSynth
from gansynth_lite.notes import BY_HASH, FULL_SCALE, Notes, fitted, groups, split, split_as_learnt
from gansynth_lite.pitch import hz, note_name
from gansynth_lite.recordings import pitch_of_name, settled
from gansynth_lite.rendered import program_name
from gansynth_lite.sources import open_notes
from groove_core.errors import InputError, UsageError
from groove_core.storage import Cache, checkpoints

RATE = 16_000
SMALL = {"sample_rate": RATE, "samples": 8_000}


def tone(pitch, seconds=0.6, rate=RATE, level=0.5):
    time_s = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * hz(float(pitch)) * time_s
    return level * (np.sin(phase) + 0.5 * np.sin(2 * phase)) / 1.5


def write(path, pitch, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(pitch, **options), options.get("rate", RATE))


def nsynth(folder, rows):
    """Write notes of (family, source, number, pitch, velocity) as NSynth is."""
    table = {}
    for family, source, number, pitch, velocity in rows:
        instrument = f"{family}_{source}_{number:03d}"
        name = f"{instrument}-{pitch:03d}-{velocity:03d}"
        write(folder / "audio" / f"{name}.wav", pitch)
        table[name] = {
            "note_str": name, "pitch": pitch, "velocity": velocity, "sample_rate": RATE,
            "instrument": number, "instrument_str": instrument, "instrument_family_str": family,
            "instrument_source_str": source,
        }  # fmt: skip
    (folder / "examples.json").write_text(json.dumps(table))


ROWS = [
    *(("keyboard", "acoustic", 1, pitch, velocity) for pitch in (23, 24, 60, 84, 85)
      for velocity in (50, 100)),
    *(("flute", "acoustic", 2, pitch, 75) for pitch in (70, 71)),
    *(("organ", "electronic", 3, pitch, 100) for pitch in (40, 41, 42)),
    ("bass", "synthetic", 4, 33, 25),
]  # fmt: skip


def test_nsynth_is_its_acoustic_notes_of_the_pitches_asked_for(tmp_path):
    nsynth(tmp_path, ROWS)
    notes = open_notes(tmp_path, **SMALL)
    counts = notes.counts()
    assert counts["sources"] == {"acoustic": 8}  # the first GANSynth trained on another subset
    assert counts["families"] == {"flute": 2, "keyboard": 6}
    assert counts["pitches"] == [24, 84]
    assert counts["velocities"] == {"100": 3, "50": 3, "75": 2}
    assert counts["instruments"] == 3
    assert notes.instrument_names == (
        "flute_acoustic_002 v75", "keyboard_acoustic_001 v100", "keyboard_acoustic_001 v50",
    )  # fmt: skip
    assert (notes.source, notes.license, notes.sample_rate) == ("nsynth", "CC-BY-4.0", RATE)
    assert json.loads(json.dumps(counts)) == counts


@pytest.mark.parametrize(
    ("subset", "sources"),
    [
        ("electronic", {"electronic": 3}),
        ("synthetic", {"synthetic": 1}),
        ("all", {"acoustic": 8, "electronic": 3, "synthetic": 1}),
    ],
)
def test_other_subsets_are_what_they_say(tmp_path, subset, sources):
    nsynth(tmp_path, ROWS)
    assert open_notes(tmp_path, subset=subset, **SMALL).counts()["sources"] == sources


def test_nsynth_s_parts_are_one_collection(tmp_path):
    nsynth(tmp_path / "nsynth-train", ROWS[:8])
    nsynth(tmp_path / "nsynth-valid", ROWS[8:])
    assert len(open_notes(tmp_path, **SMALL)) == 8
    some = open_notes(tmp_path, velocities=[50], families=["keyboard"], **SMALL)
    assert set(some.velocities) == {50}
    assert len(some) == 3


def test_a_subset_that_is_not_there_and_a_table_of_something_else_are_said(tmp_path):
    nsynth(tmp_path, ROWS[:4])
    with pytest.raises(InputError, match="'electronic'"):
        open_notes(tmp_path, subset="electronic", **SMALL)
    for content in ("[1]", '{"a": {}}', '{"a": {"velocity": "loud"}}'):
        (tmp_path / "examples.json").write_text(content)
        with pytest.raises(InputError, match="not NSynth's table"):
            open_notes(tmp_path, **SMALL)


def test_missing_sound_of_nsynth_is_said(tmp_path, capsys):
    nsynth(tmp_path, ROWS)
    (tmp_path / "audio" / "flute_acoustic_002-070-075.wav").unlink()
    notes = open_notes(tmp_path, **SMALL)
    assert notes.dropped == {"broken": 1}
    assert "left out, broken: 1 files" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "pitch"),
    [
        ("piano_C#4_v2", 61), ("A1v10", 33), ("Bb2", 46), ("Fs4", 66), ("Dsharp3", 51),
        ("m060", 60), ("x midi 61", 61), ("62", 62), ("guitar_acoustic_001-063-100", 63),
        ("violin_A4_1_forte_arco", 69), ("Piano.ff.Bb4", 70), ("piano_a4", 69),
    ],
)  # fmt: skip
def test_the_name_says_the_pitch_whatever_it_sounds(tmp_path, capsys, name, pitch):
    write(tmp_path / f"{name}.wav", 50)
    assert open_notes(tmp_path, **SMALL).pitches.tolist() == [pitch]
    assert "measured" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["take 3", "C4B4", "v60", "H4", "x60", "ab", "loop_e"])
def test_other_names_leave_it_to_measurement(tmp_path, capsys, name):
    write(tmp_path / f"{name}.wav", 52)
    assert open_notes(tmp_path, **SMALL).pitches.tolist() == [52]
    assert "of 1 notes do not say their pitch" in capsys.readouterr().err


def test_folders_are_instruments_and_families(tmp_path):
    for name in ("flute/C4v1", "flute/C4v2", "Synth Lead/moog/C4", "my box/C4", "C4"):
        write(tmp_path / f"{name}.wav", 60)
    notes = open_notes(tmp_path, **SMALL)
    names = [notes.instrument_names[i] for i in notes.instruments]
    families = [FAMILIES[i] if i >= 0 else "" for i in notes.families]
    assert sorted(zip(names, families, strict=True)) == [
        ("Synth Lead/moog", "synth_lead"), ("flute v1", "flute"), ("flute v2", "flute"),
        ("my box", ""), (tmp_path.name, ""),
    ]  # fmt: skip
    assert notes.counts()["families"] == {"flute": 2, "synth_lead": 1, "unknown": 2}
    assert len(open_notes(tmp_path, families=["flute"], **SMALL)) == 2


def test_rates_channels_and_lengths_become_one(tmp_path):
    write(tmp_path / "A3.wav", 57, rate=44_100, seconds=2.0)
    write(tmp_path / "A4.flac", 69, rate=8_000, seconds=0.2, level=0.01)
    left = tone(81, seconds=0.5)
    soundfile.write(tmp_path / "A5.wav", np.stack([left, 0 * left], axis=1), RATE)
    notes = open_notes(tmp_path, **SMALL)
    assert notes.samples.shape == (3, 8_000)
    assert notes.samples.dtype == np.int16
    assert (np.abs(notes.samples.astype(int)).max(axis=1) == FULL_SCALE).all()
    assert notes.samples[0, -1] == 0  # faded out
    assert np.abs(notes.samples[0, -200:-160]).max() > 10_000
    assert not notes.samples[1, 3_300:].any()  # padded
    spectrum = np.abs(np.fft.rfft(notes.samples, axis=1)).argmax(axis=1) * RATE / 8_000
    assert spectrum == pytest.approx([220, 440, 880], abs=3)


def test_silence_before_a_recorded_note_is_cut_off(tmp_path):
    late = np.concatenate([1e-4 * np.ones(RATE), tone(60)])
    soundfile.write(tmp_path / "C4.wav", late, RATE)
    made = open_notes(tmp_path, **SMALL).samples[0]
    assert np.abs(made[:60].astype(int)).max() < 1_000
    assert np.abs(made[80:200].astype(int)).max() > 20_000


def test_what_is_of_no_use_is_left_out_and_said(tmp_path, capsys):
    write(tmp_path / "C4.wav", 60)
    write(tmp_path / "C8.wav", 108)
    write(tmp_path / "D4.wav", 62, level=1e-4)
    (tmp_path / "E4.wav").write_bytes(b"RIFF but nothing of the kind")
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "noise.wav", rng.uniform(-0.5, 0.5, RATE), RATE)
    notes = open_notes(tmp_path, **SMALL)
    assert notes.pitches.tolist() == [60]
    assert notes.dropped == {
        "not of pitch 24 to 84": 1, "silent": 1, "broken": 1, "without a pitch": 1,
    }  # fmt: skip
    said = capsys.readouterr().err
    assert "left out, broken: 1 files, the first is" in said
    assert "noise.wav" in said


def test_a_folder_without_any_note_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "noise.wav", rng.uniform(-0.5, 0.5, RATE), RATE)
    with pytest.raises(InputError, match="no note of pitch 24 to 84") as caught:
        open_notes(tmp_path, **SMALL)
    assert "piano_C#4.wav" in caught.value.hint
    (tmp_path / "noise.wav").unlink()
    with pytest.raises(InputError, match="holds no"):
        open_notes(tmp_path, **SMALL)
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(InputError, match="neither a folder nor a soundfont"):
        open_notes(tmp_path / "a.txt", **SMALL)
    with pytest.raises(InputError, match="does not exist"):
        open_notes(tmp_path / "none", **SMALL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": 80, "high": 70}, {"low": -1}, {"samples": 100}, {"sample_rate": 100},
        {"velocities": [0]}, {"families": ["flutes"]}, {"subset": "accoustic"},
    ],
)  # fmt: skip
def test_wrong_options_are_refused(tmp_path, wrong):
    write(tmp_path / "C4.wav", 60)
    with pytest.raises(UsageError):
        open_notes(tmp_path, **{**SMALL, **wrong})


def test_the_cache_gives_the_same_notes_until_files_change(tmp_path, monkeypatch):
    folder, cache = tmp_path / "flute", Cache(tmp_path / "cache")
    write(folder / "C4v3.wav", 60)
    write(folder / "D4.wav", 62, level=1e-4)
    first = open_notes(folder, cache=cache, **SMALL)
    with monkeypatch.context() as patch:
        patch.setattr("gansynth_lite.recordings._collected", None)
        again = open_notes(folder, cache=cache, **SMALL)
    assert again.counts() == first.counts()
    for key in ("samples", "pitches", "families", "instruments", "velocities", "makers"):
        np.testing.assert_array_equal(getattr(again, key), getattr(first, key))
    for key in ("family_names", "instrument_names", "source", "name", "license", "dropped"):
        assert getattr(again, key) == getattr(first, key)
    write(folder / "E4.wav", 64)
    assert len(open_notes(folder, cache=cache, **SMALL)) == 2


def test_many_notes_are_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr("gansynth_lite.notes.IN_MEMORY_BYTES", 10_000)
    for pitch in (60, 62, 64):
        write(tmp_path / f"{note_name(pitch)}.wav", pitch)
    notes = open_notes(tmp_path, **SMALL)
    assert isinstance(notes.samples.base, np.memmap)
    assert (np.abs(notes.samples.astype(int)).max(axis=1) == FULL_SCALE).all()


def some_notes(pitches, instruments, names):
    count = len(pitches)
    return Notes(
        samples=np.arange(count, dtype=np.int16)[:, None], pitches=np.array(pitches, dtype=int),
        families=np.zeros(count, int), instruments=np.array(instruments, dtype=int),
        velocities=np.full(count, 100), family_names=FAMILIES, instrument_names=tuple(names),
        sample_rate=RATE, source="folder", name="made up", license="none",
    )  # fmt: skip


NAMES = [f"{base} v{velocity}" for base in ("a", "b", "c") for velocity in (50, 127)]


@given(st.lists(st.tuples(st.integers(24, 84), st.integers(0, 5)), min_size=1, max_size=200))
def test_a_split_covers_all_and_shares_nothing(rows):
    pitches, instruments = zip(*rows, strict=True)
    parts = split(some_notes(pitches, instruments, NAMES))
    assert list(parts) == ["train", "validation", "test"]
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(rows)))
    groups = [{(pitches[i], instruments[i] // 2) for i in part} for part in parts.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))


def test_a_split_has_80_10_and_10_percent_and_no_note_changes_sides():
    rows = [(pitch, number) for pitch in range(24, 85) for number in range(6)]
    notes = some_notes(*zip(*rows, strict=True), NAMES)
    parts = split(notes)
    assert [round(len(part) / len(notes), 1) for part in parts.values()] == [0.8, 0.1, 0.1]
    assert set(notes.only(parts["test"]).instruments) == set(range(6))
    kept = np.arange(0, len(notes), 2)  # the lower velocity of each
    for part, fewer in split(notes.only(kept)).items():
        np.testing.assert_array_equal(kept[fewer], np.intersect1d(parts[part], kept))


def test_what_a_card_remembers_divides_again_and_is_refused():
    rows = [(pitch, number) for pitch in range(24, 85) for number in range(6)]
    notes = some_notes(*zip(*rows, strict=True), NAMES)
    parts = split(notes)
    card = {"name": "mine", "data": BY_HASH.card(groups(notes), parts)}
    for part, again in split_as_learnt(notes, card).items():
        np.testing.assert_array_equal(again, parts[part])
    with pytest.raises(InputError, match="mine was trained on this data: .*a, 24"):
        split_as_learnt(notes.only(parts["train"]), card)
    strangers = replace(notes, name="another", source="soundfont")
    for part, again in split_as_learnt(strangers, card).items():
        np.testing.assert_array_equal(again, split(strangers)[part])


def test_notes_that_come_after_a_training_are_learnt_by_the_next():
    rows = [(pitch, number) for pitch in range(24, 85) for number in range(6)]
    notes = some_notes(*zip(*rows, strict=True), NAMES)
    first = notes.only(notes.instruments < 4)
    card = {"name": "mine", "data": BY_HASH.card(groups(first), split(first))}
    lesson = Lesson.of(notes, start=(None, card))
    new = notes.instruments >= 4
    assert new[lesson.parts["train"]].sum() > new.sum() / 2
    assert 0 < new[lesson.parts["test"]].sum() < new.sum() / 4
    for part, before in split(first).items():
        kept = np.flatnonzero(~new)[before]
        np.testing.assert_array_equal(np.intersect1d(lesson.parts[part], kept), kept)


def test_a_training_that_learns_again_learns_nothing_new():
    rows = [(pitch, number) for pitch in range(24, 85) for number in range(6)]
    notes = some_notes(*zip(*rows, strict=True), NAMES)
    first = notes.only(notes.instruments < 4)
    order = np.random.default_rng(1).permutation(61)[first.pitches - 24]
    parts = {name: np.flatnonzero(order // 21 == i) for i, name in enumerate(split(first))}
    card = {"name": "mine", "data": BY_HASH.card(groups(first), parts)}
    lesson = Lesson.of(notes, start=(None, card), again=True)
    old = np.flatnonzero(notes.instruments < 4)
    for part in ("train", "validation"):
        np.testing.assert_array_equal(lesson.parts[part], old[parts[part]])
    new = np.flatnonzero(notes.instruments >= 4)
    np.testing.assert_array_equal(lesson.parts["test"], np.union1d(old[parts["test"]], new))
    # Without it, most of what was measured by is learnt.
    assert len(Lesson.of(notes, start=(None, card)).parts["train"]) > len(lesson.parts["train"])


def test_a_judge_learns_from_none_of_the_notes_that_it_judges_by():
    rows = [(pitch, number) for pitch in range(24, 85) for number in range(6)]
    notes = some_notes(*zip(*rows, strict=True), NAMES)
    # As if the model had been divided by another rule.
    order = np.random.default_rng(1).permutation(61)[notes.pitches - 24]
    parts = {name: np.flatnonzero(order // 21 == i) for i, name in enumerate(split(notes))}
    card = {"name": "mine", "data": BY_HASH.card(groups(notes), parts)}
    for part, mine in Lesson.beside(notes, (None, card)).parts.items():
        np.testing.assert_array_equal(mine, parts[part])
    for part, mine in Lesson.beside(notes, None).parts.items():
        np.testing.assert_array_equal(mine, split(notes)[part])


def test_the_shipped_weights_know_what_they_learnt_from():
    programs = [program for program in range(128) if family_of_program(program)]
    rows = [(pitch, number) for number in range(len(programs)) for pitch in range(24, 85)]
    names = tuple(f"{program_name(program)} v90" for program in programs)
    notes = replace(some_notes(*zip(*rows, strict=True), names), source="soundfont")
    for name in ("notes", "classifier"):
        card = checkpoints.load(
            "gansynth-lite", name, {"notes": GANSynth, "classifier": NoteClassifier}[name]
        )[1]
        parts = split_as_learnt(replace(notes, name="FluidR3_GM.sf2"), card)
        # The cards count 5,969 pitches of instruments; the others were never heard.
        assert [len(parts[part]) for part in ("train", "validation")] == [4775, 597]
        assert len(parts["test"]) == 597 + len(rows) - 5969
        assert split_as_learnt(replace(notes, name="other.sf2"), card)["train"].size > 4775


def test_the_card_says_which_weights_were_divided_by_a_permutation():
    """Trainings of today divide by a hash; the shipped weights' list is of before."""
    for name in ("notes", "classifier"):
        learnt = checkpoints.read_card(checkpoints.find("gansynth-lite", name).path)["data"][
            "learnt"
        ]
        assert learnt["rule"] == "a permutation of all pitches of instruments, seed 0"
    notes = some_notes([60, 61, 62], [0, 1, 2], NAMES)
    today = BY_HASH.card(groups(notes), split(notes))["learnt"]
    assert "rule" not in today
    assert today["seed"] == 0
    assert today["shares"] == [0.8, 0.1, 0.1]


def test_a_card_without_a_list_cannot_say_what_was_learnt(capsys):
    notes = some_notes([60, 61, 62], [0, 1, 2], NAMES)
    assert sum(map(len, split_as_learnt(notes, {"name": "old", "data": {}}).values())) == 3
    assert "old does not say what it learnt from" in capsys.readouterr().err


def test_some_of_the_notes_are_notes():
    notes = some_notes([60, 61, 62], [0, 1, 2], NAMES)
    for which in ([0, 2], np.array([True, False, True])):
        some = notes.only(which)
        assert some.samples[:, 0].tolist() == [0, 2]
        assert some.pitches.tolist() == [60, 62]
        assert some.instruments.tolist() == [0, 2]
    assert notes.only([]).counts()["pitches"] == []


def test_fitting_scales_cuts_and_pads():
    assert fitted(np.full(100, 1e-4, np.float32), 50, RATE) is None
    assert fitted(np.zeros(0, np.float32), 50, RATE) is None
    made = fitted(np.array([0.1, -0.2], np.float32), 4, RATE)
    assert made.tolist() == pytest.approx([16_384, -32_767, 0, 0], rel=0.01)
    square = np.resize(np.repeat(np.array([1, -1], np.float32), 4), 1_000)
    long = fitted(square, 500, RATE)
    assert (np.abs(long[:340]) > 0.95 * FULL_SCALE).all()
    rumble = fitted(np.ones(RATE, np.float32) + 0.1 * np.resize(square, RATE), RATE, RATE)
    assert abs(rumble[RATE // 2 : -RATE // 4].mean()) < 0.01 * FULL_SCALE
    assert long[-1] == 0


def test_an_instrument_that_is_called_like_a_note_fools_nobody(tmp_path):
    for pitch in (60, 62, 64):
        write(tmp_path / "grand" / f"Yamaha C7 - {note_name(pitch)}.wav", pitch)
        write(tmp_path / "organ" / f"Hammond B3 {pitch - 59:02d}.wav", pitch)
        write(tmp_path / "pad" / f"pad_{note_name(pitch - 12)}.wav", pitch)  # middle C is C3
    notes = open_notes(tmp_path, **SMALL)
    assert notes.pitches.tolist() == [60, 62, 64] * 3


@pytest.mark.parametrize(
    ("name", "pitch"),
    [
        ("Yamaha C7 - C4", 60), ("Hammond B3 C4", 60), ("Studio B1 take C4", 60), ("A#3", 58),
        ("Bb2", 46), ("Rhodes MK1 A2 v3", 45), ("piano_060_C4", 60), ("060", 60),
        ("D-50 pad", None),
    ],
)  # fmt: skip
def test_the_last_note_of_a_name_is_its_pitch(name, pitch):
    assert pitch_of_name(name) == pitch


def test_names_hold_where_half_of_them_are_heard():
    assert settled([60, 62, 64, 65], [60, 62, 71, None]) == [60, 62, 64, 65]
    assert settled([60, None, 64], [72, 74, 76]) == [72, 74, 76]
    assert settled([59, 59, 59], [60.2, 64.0, 67.0]) == [60.2, 64.0, 67.0]
    assert settled([], []) == []
