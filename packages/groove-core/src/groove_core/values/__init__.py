"""What flows between packages: audio, scores, drum patterns, reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.values.atlas.building import *
    from groove_core.values.atlas.picture import *
    from groove_core.values.base import *
    from groove_core.values.chords import *
    from groove_core.values.keys import *
    from groove_core.values.melodies.extraction import *
    from groove_core.values.melodies.leadsheet import *
    from groove_core.values.melodies.line import *
    from groove_core.values.melodies.melody import *
    from groove_core.values.melodies.plots import *
    from groove_core.values.page import *
    from groove_core.values.pitches import *
    from groove_core.values.plots import *
    from groove_core.values.records import *
    from groove_core.values.results import *
    from groove_core.values.scores.score import *
    from groove_core.values.sound.audio import *
    from groove_core.values.sound.embedding import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        **{
            "atlas.building": "GRID AtlasWords build_atlas",
            "atlas.picture": "plot_layouts",
            "base": "Value from_json",
            "chords": "QUALITIES Chord",
            "keys": "find_key",
            "melodies.extraction": "choose_track extract_melodies is_melody longest_melody skyline",
            "melodies.leadsheet": "LeadSheet",
            "melodies.line": "DEFAULT_VELOCITY HOLD OFF Line",
            "melodies.melody": "Melody",
            "melodies.plots": "plot_melody",
            "page": "assemble_page build_page data_url escaped",
            "pitches": "key_name key_sharps note_name parse_note_name pitch_class transpose_sharps",
            "plots": "INK PALETTE envelope new_axes panel plot_text save_png sheet",
            "records": "Record SoundRecord",
            "results": "Cell Codes Estimate Message Report",
            "scores.score": "MAX_HOURS Score Track",
            "sound.audio": "Audio AudioInfo",
            "sound.embedding": "audio_url mp3",
        },
    )
