"""What flows between packages: audio, scores, drum patterns, reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.values.audio import *
    from groove_core.values.base import *
    from groove_core.values.chords import *
    from groove_core.values.leadsheet import *
    from groove_core.values.lines import *
    from groove_core.values.melody import *
    from groove_core.values.page import *
    from groove_core.values.pitches import *
    from groove_core.values.plots import *
    from groove_core.values.records import *
    from groove_core.values.results import *
    from groove_core.values.score import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        audio="Audio AudioInfo",
        base="Value from_json",
        chords="QUALITIES Chord",
        leadsheet="LeadSheet",
        lines="choose_track extract_melodies longest_melody skyline",
        melody="HOLD MARKER OFF Melody",
        page="audio_url build_page data_url escaped",
        pitches="key_name key_sharps note_name parse_note_name pitch_class transpose_sharps",
        plots="INK PALETTE envelope new_axes panel plot_melody plot_text save_png sheet",
        records="Record SoundRecord",
        results="Cell Codes Estimate Report",
        score="MAX_HOURS Score Track",
    )
