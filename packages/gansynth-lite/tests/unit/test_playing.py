"""Scores played: by sines, where the sound must be known, and by a small network."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pytest
import soundfile
import torch

from gansynth_lite import controllers, playing
from gansynth_lite.envelope import ATTACK_S, HARMONICS, SIZE, TIMES_S
from gansynth_lite.families import FAMILIES
from gansynth_lite.holding import held
from gansynth_lite.layout import LAYOUTS, Layout, hz
from gansynth_lite.model import GANSynth
from gansynth_lite.parallel import side_by_side
from gansynth_lite.playing import Path, render, slerp
from groove_core.errors import InputError, UsageError
from groove_core.render.soundfont import TAIL_S
from groove_core.values import Score, Track

LAYOUT = LAYOUTS["small"]
RATE = 16_000
TICKS = 1000
"""In a second."""
ORGAN = Path(torch.ones(1, 1, 4))


@dataclass
class Sines:
    """Plays two partials; the first number of an instrument is the loss per second."""

    layout: object = LAYOUT
    code: int = 4
    low: int = 24
    high: int = 84
    calls: list = field(default_factory=list)

    def __call__(self, w, pitch, generator=None, frames=None):
        self.calls.append((pitch.tolist(), frames))
        t = torch.arange(self.layout.samples) / self.layout.sample_rate
        turns = hz(pitch)[:, None] * t
        fall = torch.exp(-(w[:, :1] - 1) * t)
        sounds = 0.5 * fall * ((2 * math.pi * turns).sin() + 0.3 * (4 * math.pi * turns).sin())
        return self.layout.to_pictures(sounds)[..., :frames]


def score(*tracks, **more):
    one_second = np.array([[0, 1_000_000]])
    return Score(tuple(tracks), ticks_per_quarter=TICKS, tempos=one_second, **more)


def track(*notes, **more):
    return Track(np.array(notes), **more)


def played(*notes, instruments=ORGAN, **more):
    """Render notes of (start, duration, pitch, velocity) in ms at the model's rate, in mono."""
    return render(score(track(*notes, **more)), Sines(), instruments, sample_rate=RATE).samples[0]


def frequency(sound, start_s, end_s):
    cut = sound[int(start_s * RATE) : int(end_s * RATE)]
    spectrum = np.abs(np.fft.rfft(cut * np.hanning(len(cut)), 8 * RATE))
    return float(spectrum.argmax() / 8)


def levels(sound, start_s, end_s, window_s=0.05):
    cut = sound[int(start_s * RATE) : int(end_s * RATE)]
    size = int(window_s * RATE)
    blocks = cut[: len(cut) // size * size].reshape(-1, size)
    return 20 * np.log10(np.sqrt((blocks**2).mean(axis=1)) + 1e-9)


def level(sound, start_s, end_s):
    return float(levels(sound, start_s, end_s, end_s - start_s)[0])


def test_pitches_onsets_and_length():
    sound = played((0, 400, 69, 100), (1000, 400, 60, 100))
    assert len(sound) == round((1.4 + TAIL_S) * RATE)
    assert frequency(sound, 0.05, 0.35) == pytest.approx(440, abs=0.5)
    assert frequency(sound, 1.05, 1.35) == pytest.approx(261.63, abs=0.5)
    loud = np.flatnonzero(np.abs(sound[: int(1.2 * RATE)]) > 0.05)
    second = loud[np.argmax(np.diff(loud)) + 1]
    assert second == pytest.approx(RATE, abs=0.005 * RATE)
    assert not sound[int(0.71 * RATE) : int(0.99 * RATE)].any()  # release is over
    assert np.abs(sound).max() == pytest.approx(10 ** (-1 / 20), abs=1e-4)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_length_at_any_rate(rate):
    audio = render(score(track((0, 333, 60, 90))), Sines(), ORGAN, sample_rate=rate)
    assert audio.sample_rate == rate
    assert audio.samples.shape == (2, round((0.333 + TAIL_S) * rate))


def test_velocity():
    sound = played((0, 400, 69, 127), (1000, 400, 69, 64))
    ratio = level(sound, 0.1, 0.35) - level(sound, 1.1, 1.35)
    assert ratio == pytest.approx(40 * np.log10(127 / 64), abs=0.1)


def test_notes_beyond_the_range_are_said(capsys):
    sound = played((0, 400, 21, 100), (1000, 400, 100, 100), (2000, 400, 60, 100))
    assert "2 of 3 notes are beyond C1 to C6" in capsys.readouterr().err
    assert frequency(sound, 0.05, 0.35) == pytest.approx(float(hz(torch.tensor(33.0))), abs=1)
    assert frequency(sound, 1.05, 1.35) == pytest.approx(float(hz(torch.tensor(76.0))), abs=1)
    assert frequency(sound, 2.05, 2.35) == pytest.approx(261.63, abs=1)


@pytest.mark.parametrize("pitch", range(0, 128, 7))
def test_transposed_into_the_range(pitch):
    player = Sines(low=50, high=61)
    render(score(track((0, 100, pitch, 100))), player, ORGAN, sample_rate=RATE)
    [([used], _)] = player.calls
    assert 50 <= used <= 61
    assert (used - pitch) % 12 == 0


def test_a_pedal_holds():
    controls = np.array([[100, 64, 127], [1500, 64, 0]])
    notes = (0, 300, 60, 100), (2500, 100, 72, 1)
    with_pedal, without = played(*notes, controls=controls), played(*notes)
    assert level(with_pedal, 1.2, 1.45) > -20
    assert level(without, 0.7, 1.45) < -80
    assert level(with_pedal, 1.9, 2.4) < -80


def test_a_reset_frees_pedal_expression_and_bend():
    controls = np.array([[0, 7, 64], [0, 11, 20], [100, 64, 127], [1000, 121, 0]])
    notes = (0, 300, 60, 100), (1500, 300, 69, 100), (2500, 100, 72, 1)
    sound = played(*notes, controls=controls, pitch_bends=np.array([[0, 0], [600, 8191]]))
    assert level(sound, 0.7, 0.95) > -60
    assert level(sound, 1.4, 1.5) < -80
    assert frequency(sound, 1.55, 1.75) == pytest.approx(440, abs=1)
    louder = level(sound, 1.55, 1.75) - level(sound, 0.05, 0.25)
    assert louder == pytest.approx(40 * np.log10(127 / 20), abs=0.3)


@pytest.mark.parametrize(("told", "silent_s"), [(120, 0.55), (123, 1.35), (126, 1.35)])
def test_all_keys_can_be_released_and_all_sound_stopped(told, silent_s):
    controls = np.array([[100, 64, 127], [500, told, 0], [1000, 64, 0]])
    sound = played((0, 2000, 60, 100), (2500, 100, 72, 1), controls=controls)
    assert level(sound, 0.3, 0.49) > -30
    assert level(sound, silent_s + 0.3, 2.4) < -80


def test_a_key_struck_again_ends_what_it_held():
    controls = np.array([[0, 64, 127]])
    sound = played((0, 100, 60, 127), (500, 100, 60, 20), (1000, 100, 90, 1), controls=controls)
    soft = 40 * np.log10(127 / 20)
    assert level(sound, 0.3, 0.45) - level(sound, 0.6, 0.75) == pytest.approx(soft, abs=0.3)


def test_bends_move_the_pitch():
    bends = np.array([[0, 0], [400, 8191]])
    sound = played((0, 700, 69, 100), pitch_bends=bends)
    assert frequency(sound, 0.05, 0.38) == pytest.approx(440, abs=1)
    assert frequency(sound, 0.45, 0.7) == pytest.approx(440 * 2 ** (2 / 12), abs=1.5)


def test_a_bend_that_stays_is_generated():
    controls = np.array([[0, 101, 0], [0, 100, 0], [0, 6, 12]])
    player = Sines()
    notes = track((500, 400, 60, 100), pitch_bends=np.array([[100, 4096]]), controls=controls)
    render(score(notes), player, ORGAN, sample_rate=RATE)
    assert player.calls[0][0] == [66.0]


def test_the_range_of_bends_is_what_was_told_last():
    controls = np.array(
        [
            [0, 101, 0], [0, 100, 0], [0, 6, 12], [0, 101, 127], [0, 100, 127],
            [0, 6, 5],  # of no parameter
            [0, 99, 0], [0, 98, 0], [0, 6, 7],  # of another parameter
            [500, 101, 0], [500, 100, 0], [500, 38, 50],  # half a semitone more
        ]
    )  # fmt: skip
    sound = played(
        (0, 400, 57, 100), (500, 400, 57, 100),
        pitch_bends=np.array([[0, 8191]]), controls=controls,
    )  # fmt: skip
    assert frequency(sound, 0.05, 0.38) == pytest.approx(440, abs=1)
    assert frequency(sound, 0.55, 0.88) == pytest.approx(440 * 2 ** (0.5 / 12), abs=1)


def test_volume_expression_and_pan():
    controls = np.array([[0, 7, 127], [0, 10, 127], [1000, 7, 64], [1000, 10, 1], [2000, 11, 64]])
    notes = [(at, 400, 69, 100) for at in (0, 1000, 2000)]
    left, right = render(
        score(track(*notes, controls=controls)), Sines(), ORGAN, sample_rate=RATE
    ).samples
    assert level(left, 0.1, 0.35) < -80
    assert level(right, 1.1, 1.35) < -80
    step = 40 * np.log10(127 / 64)
    assert level(right, 0.1, 0.35) - level(left, 1.1, 1.35) == pytest.approx(step, abs=0.1)
    assert level(left, 1.1, 1.35) - level(left, 2.1, 2.35) == pytest.approx(step, abs=0.1)


def test_volume_may_change_within_a_note():
    controls = np.array([[0, 7, 127], [350, 7, 64]])
    sound = played((0, 700, 69, 100), controls=controls)
    step = 40 * np.log10(127 / 64)
    assert level(sound, 0.1, 0.3) - level(sound, 0.4, 0.6) == pytest.approx(step, abs=0.1)


@pytest.mark.parametrize("pitch", [36, 57, 84])
def test_long_notes_go_on_evenly(pitch):
    sound = played((0, 8000, pitch, 100))
    along = levels(sound, 0.1, 7.9, 0.25)
    assert np.ptp(along) < 0.5
    assert frequency(sound, 5, 7.5) == pytest.approx(float(hz(torch.tensor(pitch))), rel=1e-3)
    # Clicks would be heard far above the partials.
    cut = sound[int(0.5 * RATE) : int(7.5 * RATE)]
    spectrum = np.abs(np.fft.rfft(cut * np.hanning(len(cut)))) ** 2
    assert spectrum[len(spectrum) // 2 :].sum() < 1e-7 * spectrum.sum()


@pytest.mark.parametrize("loss", [0.5, 2.0, 8.0])
def test_long_notes_go_on_falling(loss):
    w = torch.tensor([[[1.0 + loss, 0.0]]])
    sound = played((0, 8000, 57, 100), (9000, 100, 60, 100), instruments=Path(w))
    along = levels(sound, 0.1, 4.0, 0.2)
    along = along[along > -70]
    assert (np.diff(along) < 0.1).all()
    fall = 0.2 * loss * 20 / math.log(10)
    assert np.median(-np.diff(along)) == pytest.approx(fall, rel=0.1)


def test_bins_of_a_lobe_do_not_drift_apart():
    torch.manual_seed(0)
    picture = Sines()(torch.ones(1, 4), torch.tensor([60.0]))
    picture[:, 1] += 0.03 * torch.randn(1, LAYOUT.bins, 1)  # as a network might draw it
    sound = LAYOUT.to_samples(held(picture, 500, LAYOUT))[0].numpy()
    assert np.ptp(levels(sound, 1.0, 7.5, 0.1)) < 1.5


def test_held_in_the_smallest_picture():
    layout = Layout(n_fft=64, frames=8)
    longer = held(torch.rand(1, 2, layout.bins, 8) - 0.5, 50, layout)
    assert longer.shape == (1, 2, layout.bins, 50)
    assert longer.isfinite().all()


def test_held_in_mels():
    layout = Layout(n_fft=512, frames=64, scale="mel")
    t = torch.arange(layout.samples) / RATE
    picture = layout.to_pictures(0.5 * (2 * math.pi * 440 * t).sin()[None])
    sound = layout.to_samples(held(picture, 500, layout))[0].numpy()
    assert frequency(sound, 1.0, 3.5) == pytest.approx(440, rel=0.01)


def test_held_keeps_the_beginning():
    picture = torch.rand(2, 2, LAYOUT.bins, LAYOUT.frames) - 0.5
    longer = held(picture, 200, LAYOUT)
    assert longer.shape == (2, 2, LAYOUT.bins, 200)
    kept = int(0.9 * LAYOUT.held_s * RATE / LAYOUT.hop_samples)
    assert torch.equal(longer[..., :kept], picture[..., :kept])


def test_what_sounds_the_same_is_generated_once():
    player = Sines()
    notes = [(250 * i, 200, 60 + i % 3, 40 + i) for i in range(30)]
    render(score(track(*notes), track(*notes)), player, ORGAN, sample_rate=RATE)
    assert sorted(p for pitches, _ in player.calls for p in pitches) == [60.0, 61.0, 62.0]
    assert all(frames < LAYOUT.frames for _, frames in player.calls)


def test_many_voices_do_not_clip():
    notes = [(0, 500, pitch, 127) for pitch in range(128)]
    drums = track((0, 100, 38, 127), is_drum=True)
    audio = render(score(track(*notes), track(*notes), drums), Sines(), ORGAN)
    assert np.isfinite(audio.samples).all()
    assert audio.peak == pytest.approx(10 ** (-1 / 20), abs=1e-4)


def test_drums_are_mixed_in():
    tone, beat = track((0, 400, 60, 100)), track((1000, 100, 38, 100), is_drum=True)
    audio = render(score(tone, beat), Sines(), ORGAN, sample_rate=RATE)
    first, second = (np.abs(audio.samples[:, at : at + 9600]).max() for at in (0, 16_000))
    assert second / first == pytest.approx(10 ** (playing.DRUMS_DB / 20), rel=0.02)


def test_drums_alone(capsys):
    audio = render(score(track((0, 100, 38, 100), is_drum=True)), Sines(), ORGAN)
    assert "only drums" in capsys.readouterr().err
    assert audio.samples.shape == (2, round((0.1 + TAIL_S) * 44_100))
    assert audio.peak == pytest.approx(10 ** (-1 / 20), abs=1e-4)


def test_what_cannot_be_played():
    with pytest.raises(InputError, match="no notes in this score"):
        render(score(track()), Sines(), ORGAN)
    with pytest.raises(InputError, match="lasts 60 minutes"):
        render(score(track((3_600_000 - 100, 100, 60, 100))), Sines(), ORGAN)
    with pytest.raises(UsageError, match="less than an octave"):
        render(score(track((0, 100, 60, 100))), Sines(low=60, high=70), ORGAN)


def test_stuck_keys_end(monkeypatch):
    monkeypatch.setattr(controllers, "LONGEST_S", 2.0)
    sound = played((0, 5000, 60, 100))
    assert level(sound, 1.5, 1.9) > -20
    assert level(sound, 2.4, 5.5) < -80


def test_notes_may_have_no_length():
    sound = played((0, 0, 60, 100), (0, 0, 60, 90), (500, 1, 60, 100))
    assert np.isfinite(sound).all()
    assert level(sound, 0.0, 0.1) > -30


def test_a_network_plays():
    torch.manual_seed(0)
    model = GANSynth(asdict(LAYOUT), FAMILIES, width=4, most=16).eval()
    for name, weights in model.named_parameters():
        if name.endswith("loudness"):
            torch.nn.init.ones_(weights)  # of noise
    keys = torch.randn(2, 3, model.code)
    piece = score(
        *(track(*((300 * i, 350, 40 + 5 * i, 90) for i in range(8))) for _ in range(2)),
        track((0, 3000, 50, 60), (500, 10, 70, 100)),
    )
    path = Path(torch.cat([keys, keys[:1]]), every_s=1.0, steps=4)
    first, again = (render(piece, model, path, seed=3, sample_rate=RATE) for _ in range(2))
    assert first == again
    assert first != render(piece, model, path, seed=4, sample_rate=RATE)
    assert first.peak == pytest.approx(10 ** (-1 / 20), abs=1e-4)
    refined = render(piece, model, path, seed=3, sample_rate=RATE, refine=2)
    assert refined.samples.shape == first.samples.shape


def test_slerp():
    torch.manual_seed(0)
    a, b = torch.nn.functional.normalize(torch.randn(2, 5, 128), dim=-1) * math.sqrt(128)
    at = torch.linspace(0, 1, 5)
    way = slerp(a, b, at)
    assert torch.allclose(way[0], a[0], atol=1e-5)
    assert torch.allclose(way[-1], b[-1], atol=1e-5)
    assert torch.allclose(way.square().mean(dim=1), torch.ones(5), atol=1e-5)
    assert torch.allclose(slerp(a, a, at), a, atol=1e-5)
    one, other = a[:1].expand(5, -1), b[:1].expand(5, -1)
    turns = torch.nn.functional.cosine_similarity(slerp(one, other, at), one).clamp(-1, 1).acos()
    assert torch.allclose(turns.diff(), turns[-1] / 4 * torch.ones(4), atol=1e-4)
    assert slerp(a, -a, at).isfinite().all()


def test_a_path_stops_at_its_keys():
    torch.manual_seed(0)
    keys = torch.nn.functional.normalize(torch.randn(2, 3, 8), dim=-1)
    path = Path(keys, every_s=10.0, steps=4)
    at = path(1, np.array([0.0, 10.0, 20.0, 99.0]))
    assert torch.allclose(at, keys[1][[0, 1, 2, 2]], atol=1e-6)
    nearby = path(0, np.array([4.0, 5.0, 6.0]))
    assert torch.equal(nearby[0], nearby[1])
    assert torch.equal(nearby[1], nearby[2])
    still = replace(path, keys=keys[:1, :1], every_s=math.inf)
    assert torch.allclose(still(7, np.array([0.0, 1e5])), keys[0, :1].expand(2, -1))


def seen_by_a_new_thread() -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("end", ["exhausted", "abandoned", "broken"])
def test_the_caller_keeps_its_number_of_threads(threads, end):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = []

        def make(index: int) -> int:
            found.append(torch.get_num_threads())
            torch.ones(64, 64) @ torch.ones(64, 64)
            found.append(torch.get_num_threads())
            if end == "broken" and index == 5:
                raise InputError("No sound.", hint="Try another.")
            return index

        made = side_by_side(make, 8)
        for wanted in range(5):
            assert next(made) == wanted
            assert torch.get_num_threads() == seen_by_a_new_thread() == threads
        if end == "exhausted":
            assert list(made) == [5, 6, 7]
        elif end == "abandoned":
            del made
        else:
            with pytest.raises(InputError, match="No sound"):
                next(made)
        assert torch.get_num_threads() == seen_by_a_new_thread() == threads
        assert set(found) == {1}
    finally:
        torch.set_num_threads(before)


def test_nothing_is_made_of_nothing():
    assert not list(side_by_side(str, 0))


def test_stems_add_up_to_the_mix(tmp_path):
    """Sample by sample, also in files of 16 bits."""
    drums = track((0, 100, 36, 100), (500, 100, 38, 100), is_drum=True)
    piece = score(track((0, 400, 69, 100), name="Lead: 1/2"), track((0, 900, 48, 60)), drums)
    mix = render(piece, Sines(), ORGAN, sample_rate=RATE, stems=True)
    assert [one.name for one in mix.stems] == ["01 Lead 12", "02 track", "03 drums"]
    mix.save(tmp_path / "song.wav")
    files = sorted((tmp_path / "song stems").iterdir())
    assert [one.stem for one in files] == [one.name for one in mix.stems]
    numbers = [soundfile.read(one, dtype="int16")[0].astype(int) for one in files]
    assert np.array_equal(sum(numbers), soundfile.read(tmp_path / "song.wav", dtype="int16")[0])
    plain = render(piece, Sines(), ORGAN, sample_rate=RATE)
    loudest = np.abs(mix.samples).max() / np.abs(plain.samples).max()
    assert np.abs(mix.samples - loudest * plain.samples).max() < 1e-4
    assert loudest == pytest.approx(1, abs=1e-3)


def test_the_cost_is_told_before(capsys):
    notes = track((0, 400, 60, 100), (500, 400, 60, 90), (1000, 400, 62, 90))
    render(score(notes), Sines(), ORGAN, sample_rate=RATE, announce=True)
    assert "Notes to draw: 2, for 3 of the score; about 1 seconds." in capsys.readouterr().err


def test_an_envelope_is_heard_at_any_pitch_and_length():
    """20 dB less after a second and no more behind it, for short and for held notes."""
    body = torch.zeros(len(HARMONICS), len(TIMES_S))
    body[:, torch.tensor(TIMES_S) >= 0.7] = -20.0
    own = torch.cat([torch.ones(4), body.flatten(), torch.zeros(len(ATTACK_S))])
    for length in (900, 3000):
        for pitch in (57, 70):
            sound = played((0, length, pitch, 100), instruments=Path(own[None, None], code=4))
            steady = np.diff(levels(sound, 0.85, length / 1000 - 0.02))
            assert np.abs(steady).max(initial=0) < 1.5  # nothing jumps
            fallen = level(sound, 0.1, 0.3) - level(sound, length / 1000 - 0.1, length / 1000)
            assert fallen == pytest.approx(20, abs=1.5)
    plain = Path(torch.ones(1, 1, 4))
    zeros = Path(torch.cat([torch.ones(4), torch.zeros(SIZE)])[None, None], code=4)
    note = (0, 900, 57, 100)
    assert np.array_equal(played(note, instruments=plain), played(note, instruments=zeros))


def test_envelopes_are_mixed_evenly():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 1, 4 + SIZE, generator=generator)
    w = slerp(a, b, torch.tensor([0.25]), 4)
    assert torch.allclose(w[:, :4], slerp(a[:, :4], b[:, :4], torch.tensor([0.25])))
    assert torch.allclose(w[:, 4:], 0.75 * a[:, 4:] + 0.25 * b[:, 4:], atol=1e-6)
