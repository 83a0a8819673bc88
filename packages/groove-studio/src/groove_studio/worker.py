"""A process that works for the studio: one request a line comes in, events go out as lines.

The server starts ``python -m groove_studio.worker`` for each package and keeps it, so that a
second run finds everything imported. Ending a job means ending this process and what it started.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from groove_core import console
from groove_core.errors import GrooveError, InputError, UsageError, of_system
from groove_core.plugins import loader
from groove_core.storage.files import dump_json

__all__ = ["main"]

Tell = Callable[..., None]
SHOWN = 20_000
"""Characters of the text of a value that the page shows; all are in the files."""
OWN_VIEWER = {"audio", "codes", "drum-pattern", "lead-sheet", "melody", "report", "score", "take"}
"""Kinds that the page draws itself: no picture is made of them until one is asked for."""
LARGE = {"audio"}
"""Kinds whose JSON is larger than their file."""
POINTS = 300
"""Of a curve of losses."""
BUG = "Run it in a terminal with --debug, and report what it prints."


def facts(tell: Tell) -> None:
    """Tell what viewers need."""
    from groove_core.drums import DRUMS
    from groove_core.render.soundfont import find_soundfont
    from groove_core.values import PALETTE

    soundfont = None
    with contextlib.suppress(InputError):
        soundfont = str(find_soundfont())
    tell("facts", drums=[drum.name for drum in DRUMS], drum_notes=[drum.note for drum in DRUMS],
         palette=PALETTE, soundfont=soundfont)  # fmt: skip


def load(tell: Tell, package: str) -> None:
    """Load a package, to see whether that can be done at all."""
    loader.load(package)


def forms(tell: Tell, package: str) -> None:
    """Tell what a package offers."""
    plugin = loader.load(package)
    viewers = {kind.name: _viewer(kind.viewer) for kind in plugin.kinds if kind.viewer}
    tell("package", package=_forms_of(plugin), viewers=viewers)


def _viewer(address: str) -> str | None:
    """Find a viewer ``module:name.js`` beside its module, which is not imported."""
    import importlib.util

    module, _, name = address.partition(":")
    with contextlib.suppress(ImportError, ValueError):
        found = importlib.util.find_spec(module)
        if found is not None and found.origin and re.fullmatch(r"[\w-]+\.js", name):
            return str(Path(found.origin).with_name(name))
    return None


def _forms_of(plugin: loader.Plugin) -> dict[str, Any]:
    from groove_core.plugins import kinds

    every = [kind.name for kind, _ in kinds.every()]
    actions = []
    for action in plugin.actions.values():
        one = {"name": action.name, "summary": action.summary, "role": plugin.roles[action.name]}
        try:
            actions.append(one | _form(plugin, action.run, every))
        except Exception as error:  # of one action; the others are still of use
            told = error if isinstance(error, GrooveError) else None
            actions.append(one | {
                "error": told.message if told else f"{type(error).__name__}: {error}",
                "hint": told.hint if told else f"pip install --upgrade {plugin.source.name}",
            })  # fmt: skip
    return {
        "name": plugin.package.name,
        "version": plugin.source.version,
        "summary": plugin.package.summary,
        "actions": actions,
        "viewers": {kind.name: True for kind in plugin.kinds if kind.viewer},
    }


def _form(plugin: loader.Plugin, run: str, every: list[str]) -> dict[str, Any]:
    from groove_core.actions.params import describe, json_schema
    from groove_core.cli.run import help_of

    function = loader.resolve(run, owner=plugin.source)
    schema = json_schema(function)
    for param in describe(function):
        one = schema["properties"][param.name]
        one |= {"flag": param.flag, "many": param.many, "optional": param.optional}
        if param.is_value:
            one["takes"] = [k for k in every if any(kind.takes(k) for kind in param.kinds)]
            one["endings"] = sorted({end for kind in param.kinds for end in kind.suffixes})
            one["typed"] = any(
                "typed" in vars(k) for kind in param.kinds for k in kind.__mro__[:-3]
            )
        if param.opt.names or param.opt.role == "checkpoint":
            one["named"] = True
    return {"schema": schema, "help": help_of(function, "")}


def choices(tell: Tell, package: str) -> None:
    """Tell what can be named in the actions of a package: genres, styles, checkpoints."""
    from groove_core.actions.naming import choices_of

    tell("choices", package=package, choices=choices_of(loader.load(package)))


def run(
    tell: Tell, package: str, action: str, options: dict[str, Any], folder: str, view: str,
    texts: list[str],
) -> None:  # fmt: skip
    """Run an action; `texts` names the options that spell a value out instead of naming a file."""
    from groove_core.actions import runs
    from groove_core.actions.params import describe

    plugin = loader.load(package)
    function = loader.resolve(plugin.action(action).run, owner=plugin.source)
    for param in describe(function):
        if param.name in texts:
            options[param.name] = _typed(param, str(options[param.name]))
    if plugin.roles[action] == "trainer":
        console.listen(_listener(tell, Losses(package)))
    started = runs.start(package, action, options, out=folder)
    tell("started", seed=started.run.seed, device=started.run.device)
    written = 0
    for name, value in started.values:
        files = [Path(file) for file in started.run.files[written:]]
        written = len(started.run.files)
        tell("value", name=name, **_kept(value, name, files, Path(view)))
    tell("ended", failed=(started.document or {}).get("failed", []))


class Losses:
    """Follows the ``metrics.jsonl`` of the training that a package runs in this folder.

    Parameters
    ----------
    package : str
    """

    def __init__(self, package: str) -> None:
        from groove_core.storage.checkpoints import MODELS

        self.folder, self.seen_ns = Path(MODELS, package), time.time_ns()

    def new(self) -> dict[str, list[float]] | None:
        """Return the epochs and the losses so far, thinned out; None if there are no new ones."""
        found = [(path.stat().st_mtime_ns, path) for path in self.folder.glob("*/metrics.jsonl")]
        changed_ns, path = max(found, default=(0, Path()))
        if changed_ns <= self.seen_ns:
            return None
        self.seen_ns = changed_ns
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        rows = [*rows[: -1 : -(-len(rows) // POINTS)], rows[-1]]
        return {name: [row[name] for row in rows] for name in rows[0]}


def _typed(param: Any, text: str) -> Any:
    for kind in param.kinds:
        if (value := kind.typed(text)) is not None:
            return value
    raise UsageError(f"{param.name} cannot be {text!r}.", hint="Drop a file on it, or pick one.")


def _kept(value: Any, name: str, files: list[Path], view: Path) -> dict[str, Any]:
    """Write what the page needs of a value beside its files, and describe it."""
    found = {file.suffix[1:]: str(file) for file in files}
    wanted = [] if value.kind in LARGE else ["json"]
    # A second name of MIDI; and notes that only drums play are not set as MusicXML.
    unwanted = {"midi", *(["musicxml"] if value.kind == "drum-pattern" else [])}
    formats = {*value.formats()} - unwanted
    wanted += ["wav"] if "wav" in formats else []
    wanted += ["mid"] if "mid" in formats else []
    wanted += [] if value.kind in OWN_VIEWER or "html" in found else ["png"]
    for ending in wanted:
        if ending not in found:
            with contextlib.suppress(UsageError):  # matplotlib or a soundfont is missing
                found[ending] = str(value.save(view / f"{name}.{ending}"))
    return {
        "kind": value.kind,
        "files": found,
        "formats": sorted({*formats, "json", "txt", "png"}),
        "source": found.get("wav" if value.kind in LARGE else "json"),
        "text": value.to_text()[:SHOWN],
    }


def bring(tell: Tell, path: str, name: str, view: str) -> None:
    """Read a file that someone brought: as a value, or as a file that options can name."""
    from groove_core.plugins import kinds

    file = Path(path)
    ending = file.suffix.lower()[1:]
    value: Any = None
    if ending == "json":
        from groove_core.storage.files import read_json

        document = read_json(file)
        if isinstance(document, dict) and isinstance(document.get("kind"), str):
            value = kinds.class_of(document["kind"]).from_document(document, name)
    else:
        order = ["score", "audio", *(kind.name for kind, _ in kinds.every())]
        for kind in map(kinds.class_of, order):
            if ending in kind.suffixes:
                value = kind.read(file)
                break
    if value is None:
        tell("value", name=name, kind="file", files={ending or "bin": path}, formats=[],
             source=path, text=f"{name}, {file.stat().st_size:,} bytes")  # fmt: skip
    else:
        tell("value", name=name, **_kept(value, name, [file], Path(view)))
    tell("ended", failed=[])


def change(tell: Tell, document: Any, name: str, view: str) -> None:
    """Take a value as the page has changed it."""
    from groove_core.plugins import kinds

    kind = document.get("kind") if isinstance(document, dict) else None
    value = kinds.class_of(str(kind)).from_document(document, "The edit")
    tell("value", name=name, **_kept(value, name, [], Path(view)))
    tell("ended", failed=[])


def hear(tell: Tell, document: dict[str, Any], path: str) -> None:
    """Write the sound of a value as the page has changed it."""
    from groove_core.plugins import kinds

    kinds.class_of(str(document.get("kind"))).from_document(document, "The edit").save(path)


def write(tell: Tell, source: str, kind: str, name: str, ending: str, folder: str) -> None:
    """Write a value in another format; ``stems`` are a sound file for each track."""
    from dataclasses import replace

    from groove_core.plugins import kinds

    value = kinds.class_of(kind).read(source)
    if ending != "stems":
        tell("file", path=str(value.save(Path(folder) / f"{name}.{ending}")))
        return
    score = value if kind == "score" else value.to_score()
    for number, track in enumerate(score.tracks, 1):
        called = "".join(c if c.isalnum() else "-" for c in track.name or "track").strip("-")
        alone = replace(score, tracks=(track,), source=None)
        tell("file", path=str(alone.save(Path(folder) / f"{name}-{number}-{called}.wav")))


TASKS: dict[str, Callable[..., None]] = {
    "facts": facts, "load": load, "forms": forms, "choices": choices, "run": run,
    "bring": bring, "change": change, "hear": hear, "write": write,
}  # fmt: skip


def main() -> None:
    """Serve requests until there are no more."""
    # What libraries print must not come between the events.
    own = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(2, 1)
    os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")
    with contextlib.suppress(OSError):  # where memory ends, Linux ends this rather than the server
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for request in _requests():
        tell = _teller(own, request.pop("id"))
        task = TASKS[request.pop("task")]
        console.listen(_listener(tell))
        try:
            task(tell, **request)
            tell("done")
        except Exception as error:
            known = of_system(error) or error
            if isinstance(known, GrooveError):
                tell("failed", message=known.message, hint=known.hint, code=known.exit_code)
            else:
                traceback.print_exc()
                message = f"This is a bug: {type(error).__name__}: {error}"
                tell("failed", message=message, hint=BUG, code=1)


def _requests() -> Iterator[dict[str, Any]]:
    """Read ahead: when the server has gone, this process must go, whatever it is doing."""
    waiting: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            waiting.put(line)
        _leave()

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield json.loads(waiting.get())


def _leave() -> None:
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # what it has started, too
    os._exit(0)


def _teller(stream: TextIO, job: str) -> Tell:
    lock = threading.Lock()

    def tell(event: str, **about: Any) -> None:
        line = dump_json({"id": job, "event": event, **about}, indent=None)
        with lock:
            stream.write(line)
            stream.flush()

    return tell


def _listener(
    tell: Tell, losses: Losses | None = None
) -> Callable[[str, int | None, int | None], None]:
    last = 0.0

    def listen(text: str, done: int | None, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if done is None:
            tell("note", text=text)
        elif now - last > 0.1 or done in (0, total):
            last = now
            new = losses.new() if losses else None
            tell("progress", text=text, done=done, total=total, **({"losses": new} if new else {}))

    return listen


if __name__ == "__main__":
    main()
