"""Files, folders, caches and checkpoints on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groove_core.lazy import lazy

if TYPE_CHECKING:
    from groove_core.storage.archives import *
    from groove_core.storage.cache import *
    from groove_core.storage.checkpoints import Stored as Stored
    from groove_core.storage.files import *
    from groove_core.storage.folders import *
    from groove_core.storage.locks import *
    from groove_core.storage.tables import *
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        archives="read_arrays read_members write_arrays zip_members",
        cache="Cache Stats cache_folder",
        checkpoints="Stored",
        files="atomic_path beside check_file check_writable dump_json file_sha256 in_script "
        "kept_reason printable read_json sweep sweep_below write_bytes write_text writing",
        folders="RESULT Found find_files is_hidden is_map list_files",
        locks="locked taken_over",
        tables="csv_text member read_rows read_table unescaped",
    )
