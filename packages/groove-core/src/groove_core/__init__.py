"""Groove: small packages that analyse and make music.

`groove_core` defines what flows between them (audio, scores, drum patterns),
how a package plugs in, and the ``groove`` command. Names are resolved when they
are first used, so that importing the package costs next to nothing.

>>> import groove_core
>>> groove_core.drums.DrumPattern is groove_core.DrumPattern
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.__about__ import __version__ as __version__
from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core import actions as actions
    from groove_core import batch as batch
    from groove_core import data as data
    from groove_core import drums as drums
    from groove_core import dsp as dsp
    from groove_core import learning as learning
    from groove_core import plugins as plugins
    from groove_core import render as render
    from groove_core import storage as storage
    from groove_core import testing as testing
    from groove_core import values as values
    from groove_core.actions.runs import run as run
    from groove_core.drums.pattern import DrumPattern as DrumPattern
    from groove_core.errors import CheckpointError as CheckpointError
    from groove_core.errors import DeviceError as DeviceError
    from groove_core.errors import GrooveError as GrooveError
    from groove_core.errors import InputError as InputError
    from groove_core.errors import PluginError as PluginError
    from groove_core.errors import UsageError as UsageError
    from groove_core.values.chords import Chord as Chord
    from groove_core.values.melodies.leadsheet import LeadSheet as LeadSheet
    from groove_core.values.melodies.melody import Melody as Melody
    from groove_core.values.results import Codes as Codes
    from groove_core.values.results import Report as Report
    from groove_core.values.scores.score import Score as Score
    from groove_core.values.scores.score import Track as Track
    from groove_core.values.sound.audio import Audio as Audio
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        "actions", "batch", "data", "drums", "dsp", "learning", "plugins", "render", "storage",
        "testing", "values",
        actions="run",
        drums="DrumPattern",
        errors="CheckpointError DeviceError GrooveError InputError PluginError UsageError",
        values="Audio Chord Codes LeadSheet Melody Report Score Track",
    )  # fmt: skip
