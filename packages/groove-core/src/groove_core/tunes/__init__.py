"""Songs as tunes to learn from, what is copied of them, and melodies put back into songs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.tunes.annotations import *
    from groove_core.tunes.cutting import *
    from groove_core.tunes.finding import *
    from groove_core.tunes.grouping import *
    from groove_core.tunes.measures import *
    from groove_core.tunes.passages import *
    from groove_core.tunes.performing import *
    from groove_core.tunes.quotations import *
    from groove_core.tunes.reading import *
    from groove_core.tunes.sets import *
    from groove_core.tunes.songs import *
    from groove_core.tunes.stretches import *
    from groove_core.tunes.takes import *
    from groove_core.tunes.tracing import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        annotations="annotated",
        cutting="FINE GRIDS METRES cut",
        finding="Finder Match Pairs",
        grouping="BY_TUNE group_by_parts group_tunes windows",
        measures="HISTOGRAMS MEASURES ONE_NOTE STILL_BARS Measurable Sheet is_stuck mean_of_known",
        passages="Passage first_gap with_bars",
        performing="accented performed phrases",
        quotations="Quotation bars_text draw_quotations",
        reading="Song find_songs open_tunes read_tunes",
        sets="Head Tune TuneSet",
        songs="Place Spans marked spans_of written_spans",
        stretches="NOTES Stream Stretches copied_share",
        takes="Take",
        tracing="Phrase Trace Tracer",
    )
