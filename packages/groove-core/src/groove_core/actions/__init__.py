"""A signature becomes a command line, a Python function, a JSON schema and a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.actions.binding import *
    from groove_core.actions.inputs import *
    from groove_core.actions.params import *
    from groove_core.actions.runs import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        binding="action bind draw_seed files_of",
        inputs="Inputs Tally each given leave_out names tally",
        params="Checkpoint DataPath Device Devices DrumTrack Engine Into Jobs License Minutes Opt "
        "Param Readable Restart Resume Seed Strategy checkpoint_of describe json_schema "
        "markdown_table result_kind",
        runs="RESULT_SCHEMA Run run start",
    )
