"""groove-core without torch: everything works, and what needs it says what to install."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from groove_core import devices
from groove_core.drums.pattern import DrumPattern
from groove_core.errors import DeviceError, UsageError

ROCK = DrumPattern.from_masks([5, 0, 4, 0, 6, 0, 4, 0] * 4)
without_torch = pytest.mark.skipif(bool(find_spec("torch")), reason="torch is installed")
without_plots = pytest.mark.skipif(bool(find_spec("matplotlib")), reason="matplotlib is installed")


@without_torch
def test_devices_name_the_extra():
    with pytest.raises(DeviceError) as caught:
        devices.resolve("auto")
    assert "groove-core[torch]" in caught.value.hint


@without_torch
def test_doctor_says_how_to_mend_what_is_missing(groove):
    result = groove("doctor")
    assert result.returncode == 0, result.stdout  # an extra that is absent is no fault
    assert "absent" in result.stdout
    assert 'hint for device: pip install "groove-core[torch]"' in result.stdout
    assert groove("info").returncode == 0


@without_plots
def test_plots_name_the_extra(tmp_path):
    with pytest.raises(UsageError) as caught:
        ROCK.save(tmp_path / "beat.png")
    assert "groove-core[plot]" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_beats_are_written_read_and_heard(tmp_path):
    for suffix in ("mid", "json", "txt", "wav"):
        assert ROCK.save(tmp_path / f"beat.{suffix}").stat().st_size > 100
    assert DrumPattern.read(tmp_path / "beat.mid") == ROCK
