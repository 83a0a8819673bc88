"""The test kit: every rule finds its breach and no other, and the fixtures do what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from pathlib import Path

import pytest

import groove_core.checks
import groove_core.testing.engines
from groove_core import DrumPattern, LeadSheet, Melody, Report
from groove_core.actions.params import describe
from groove_core.batch.workers import Here, local
from groove_core.checks import RULES, Problem, kit
from groove_core.checks.static import fits_unit
from groove_core.checks.trial import Trial, _Bench
from groove_core.plugins import kinds
from groove_core.plugins.names import KEBAB, kebab
from groove_core.testing import check_engine
from groove_core.values.base import from_json

PLUGIN, ACTIONS, TAB = "plugin.py", "actions.py", "tablature.py"
IMPORT = "from groove_core.hookspecs import"
RENDERERS = "@hookimpl\ndef groove_renderers"
DRAW = "rng = np.random.default_rng([first, index])"
YIELD = "yield DrumPattern(hits, tempo_bpm=tempo_bpm)"
ROWS = "    rows = []"
WRITE = "    path.write_text"


def before(line: str, *lines: str) -> tuple[str, str]:
    """Put lines before the one that begins so."""
    indent = " " * 8 if line == YIELD else ""
    return line, f"\n{indent}".join((*lines, line))


FORGETFUL = """class Forgetful(DrumPattern):
    @classmethod
    def from_json(cls, document):
        return super().from_json({**document, "tempo_bpm": 50.0})

"""
WATCH = "@hookimpl\ndef groove_run_finished(run, result):\n    result['place']\n\n"
ODD = "    from groove_core.errors import InputError\n    raise InputError('odd', hint='{}')"
Breach = tuple[str, str, str, list[tuple[str, str]]]
STATIC: dict[str, Breach] = {
    # what is done: the rules it breaks, what is said of it, the file, and the changes
    "heavy import": ("light-import", "numpy", PLUGIN, [before(IMPORT, "import numpy")]),
    "eager import": (
        "light-import lazy-import", "imports groove_tabla.actions", PLUGIN,
        [before(IMPORT, "from groove_tabla.actions import sample")],
    ),
    "slow import": ("fast-import", "50 at most", PLUGIN, [before(IMPORT, "sum(range(10**7))")]),
    "import fails": ("loads", "missing_one", PLUGIN, [before(IMPORT, "import missing_one")]),
    "misspelt hook": ("hooks", "groove_gen'", PLUGIN, [("groove_generators", "groove_gen")]),
    "too new": ("api", "made for plugin API 1.99", PLUGIN, [("api=(1, 2)", "api=(1, 99)")]),
    "two of a name": ("loads", "two actions", PLUGIN, [('"describe"', '"sample"')]),
    "name of an action": ("action-name", "'Draw_it'", PLUGIN, [('"sample"', '"Draw_it"')]),
    "no such action": ("address", "sampel", PLUGIN, [("actions:sample", "actions:sampel")]),
    "no summary": ("summary", "sample has no summary", PLUGIN, [("Draw new beats.", "")]),
    "kind of the core": (
        "kind", "score is a kind of groove-core", PLUGIN,
        [('name="groove-tabla-rhythm"', 'name="score"')],
    ),
    "kind of another name": (
        "kind", "calls itself 'rhythm'", "values.py", [('"groove-tabla-rhythm"', '"rhythm"')],
    ),
    "becomes what is unknown": (
        "kind", "becomes 'drums', which no", PLUGIN, [('{"drum-pattern"', '{"drums"')],
    ),
    "known ending": ("renderer", "drum-pattern as .mid", PLUGIN, [('"tab"', '"mid"')]),
    "no docstring": (
        "docstring", "describe", ACTIONS,
        [before('    """Measure', "    beats = beats")],
    ),
    "not decorated": ("checked-calls", "sample", ACTIONS, [("@action\ndef sample", "def sample")]),
    "no help": ("help", "sample --count", ACTIONS, [('"beats to draw"', '""')]),
    "default out of range": ("range", "--count: its default 0", ACTIONS, [("] = 4", "] = 0")]),
    "empty range": ("range", "--bars", ACTIONS, [("min=1, max=16", "min=17, max=16")]),
    "no unit": ("unit", "--tempo-bpm has no unit", ACTIONS, [('unit="bpm", ', "")]),
    "weights on the CPU only": (
        "device", "sample takes a checkpoint", ACTIONS,
        [before("    seed: Seed", "    at: Annotated[str, Opt('x', role='checkpoint')] = '',")],
    ),
    "option of the core": (
        "signature", "out is an option", ACTIONS, [before("    density:", "    out: int = 0,")],
    ),
    "default of another type": ("signature", "'much'", ACTIONS, [("] = 0.5", "] = 'much'")]),
}  # fmt: skip
RUNNING: dict[str, Breach] = {
    "observer": ("observers", "KeyError", PLUGIN, [before(RENDERERS, WATCH)]),
    "unseeded": ("repeatable", "sample", ACTIONS, [("([first, index])", "()")]),
    "seed without effect": ("seeded", "1, 2, 3, 4", ACTIONS, [("[first, index]", "index")]),
    "file beside the output": (
        "clean", "debug.txt in the current folder", ACTIONS,
        [before(YIELD, "open('debug.txt', 'w').close()")],
    ),
    "file in the home": (
        "clean", "state in GROOVE_HOME", ACTIONS,
        [before(YIELD, "import os", "open(os.environ['GROOVE_HOME'] + '/state', 'w').close()")],
    ),
    "file in the package": (
        "clean", "state in its own package", ACTIONS,
        [before(YIELD, "open(__file__.replace('actions.py', 'state'), 'w').close()")],
    ),
    "two files": (
        "writes", "tiny.log beside it", TAB,
        [before(WRITE, "    path.with_suffix('.log').touch()")],
    ),
    "no file": ("writes", "writes nothing", TAB, [(WRITE, "    (lambda *_, **__: 0)")]),
    "forgetful kind": (
        "round-trip", "to_json and from_json", "values.py",
        [('document["steps"]', 'document["steps"][1:]')],
    ),
    "kind that breaks": (
        "kind", "raises ZeroDivisionError", "values.py",
        [('"""Return the rhythm as it is written."""', "1 / 0")],
    ),
    "forgetful value": (
        "round-trip", "to_json and from_json", ACTIONS,
        [before("VOICES =", FORGETFUL), (YIELD, YIELD.replace("DrumPattern", "Forgetful"))],
    ),
    "no value": ("runs", "not a value", ACTIONS, [(YIELD, "yield 3")]),
    "crash": ("runs", "raises ZeroDivisionError", ACTIONS, [(YIELD, "1 / 0")]),
    "traceback": (
        "errors", "a file that does not exist raises FileNotFoundError", ACTIONS,
        [("list[DrumPattern]", "Path"), before("import numpy", "from pathlib import Path"),
         before(ROWS, "    open(beats)", "    beats = []")],
    ),
    "no hint": ("errors", "odd without a hint", ACTIONS, [before(ROWS, ODD.format(""))]),
    "print": ("silent", "prints 'hello'", ACTIONS, [before(YIELD, "print('hello')")]),
}  # fmt: skip
BREACHES = STATIC | RUNNING

CHECK_ALL = """
import importlib, json, sys
from groove_core.checks import kit
from groove_core.plugins import kinds
from groove_core.render import soundfont
from groove_core.testing import examine
sound = kit.tiny_audio()
soundfont.render = lambda score: sound  # half of the time; no breach is about what is heard
found = {}
for line in sys.stdin:
    name, folder, run = json.loads(line)
    sys.path[0] = folder
    for module in [m for m in sys.modules if m.partition(".")[0] == "groove_tabla"]:
        del sys.modules[module]
    importlib.invalidate_caches()
    examined = examine("groove-tabla", run=run)
    found[name] = [[p.rule, p.message, p.hint] for p in examined.problems]
print(json.dumps(found))
"""


def copy_of(site: Path, folder: Path, *edits: tuple[str, str, str]) -> Path:
    """Copy the installed package and edit its files."""
    shutil.copytree(site, folder, ignore=shutil.ignore_patterns("__pycache__", "bin"))
    for file, old, new in edits:
        path = folder / "groove_tabla" / file
        text = path.read_text("utf-8")
        assert old in text, (file, old)
        path.write_text(text.replace(old, new), "utf-8")
    return folder


def python(code: str, site: Path, *, cwd: Path | None = None, given: str = ""):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, input=given,
        env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(tabla, tmp_path_factory):
    """Check a copy of the package for every breach; in one process, since starting is slow."""
    root = tmp_path_factory.mktemp("breaches")
    lines = []
    for name, (_, _, file, changes) in BREACHES.items():
        edits = [(file, old, new) for old, new in changes]
        folder = copy_of(tabla[1], root / name.replace(" ", "-"), *edits)
        lines.append(json.dumps([name, str(folder), name in RUNNING]))
    result = python(CHECK_ALL, root, given="\n".join(lines))
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("breach", BREACHES)
def test_every_breach_is_named_with_its_rule(found, breach):
    rules, said = BREACHES[breach][:2]
    assert {rule for rule, _, _ in found[breach]} == {*rules.split()}, found[breach]
    assert said in " ".join(message for _, message, _ in found[breach])
    assert all(hint for _, _, hint in found[breach])


def test_all_breaches_are_told_at_once(tabla, tmp_path):
    chosen = [BREACHES[name] for name in ("heavy import", "no help", "unseeded", "two files")]
    edits = [(file, *change) for _, _, file, changes in chosen for change in changes]
    code = "from groove_core.testing import check_plugin; check_plugin('groove-tabla', run=True)"
    result = python(code, copy_of(tabla[1], tmp_path / "site", *edits))
    assert "AssertionError: groove-tabla breaks 4 rules of plugins:\n- " in result.stderr
    for rule in ("light-import", "help", "repeatable", "writes"):
        assert f"\n- {rule}: " in result.stderr
        assert f"\n  {RULES[rule][1]}\n" in result.stderr


CHECK_OFTEN = """
import json, sys
from groove_core.errors import UsageError
from groove_core.plugins import kinds
from groove_core.testing import check_plugin
for options in json.loads(sys.stdin.read()):
    try:
        checked = check_plugin("groove_tabla.plugin", **options)
        print(json.dumps([sorted(checked.actions), sorted(checked.ran), checked.skipped]))
    except UsageError as error:
        print(json.dumps(error.hint))
"""


def test_what_is_not_run_is_listed(tabla, tmp_path):
    site = copy_of(tabla[1], tmp_path / "site", (PLUGIN, "groove_analyzers", "groove_trainers"))
    kit.tiny_beat().save(tmp_path / "beat.mid")
    options = [
        {},
        {"run": True, "skip": ["sample"]},
        {"run": True, "skip": ["sample"], "arguments": {"describe": {"beats": "beat.mid"}}},
        {"run": True, "arguments": {"sampel": {}}},
    ]
    result = python(CHECK_OFTEN, site, cwd=tmp_path, given=json.dumps(options))
    assert result.returncode == 0, result.stderr
    static, without, given, unknown = map(json.loads, result.stdout.splitlines())
    extra = ["drum-pattern as .tab", "groove-tabla-rhythm"]
    actions = ["describe", "sample"]
    assert static == [actions, [], dict.fromkeys(actions, "nothing was to be run")]
    hint = "trainers take long; arguments={'describe': {...}} tries it"
    assert without == [actions, extra, {"sample": "left out", "describe": hint}]
    assert given == [actions, ["describe", *extra], {"sample": "left out"}]
    assert unknown == "Did you mean sample?"


def test_what_an_action_refuses_is_listed(tabla, tmp_path):
    """Two bars may be too little for it; but what needs no file has no excuse."""
    refusal = ODD.format("Give another.")
    edits = [(ACTIONS, *before(line, refusal)) for line in (ROWS, "    first = ")]
    found = python(CHECK_ALL, tmp_path, given=json.dumps(
        ["odd", str(copy_of(tabla[1], tmp_path / "site", *edits)), True]
    ))  # fmt: skip
    assert json.loads(found.stdout)["odd"] == [
        ["runs", "sample fails: odd Give another.", RULES["runs"][1]]
    ]


def test_names_are_checked(site):
    code = "from groove_core.testing import examine; print(*examine('good').problems)"
    shown = python(code, site("groove-good")).stdout
    assert "'good' does not begin with 'groove-'" in shown
    assert "its distribution 'groove-good'" in shown


def test_the_command(tabla, tmp_path, groove):
    site = str(tabla[1])
    good = groove("plugins", "check", "groove-tabla", "--json", path=site)
    assert good.returncode == 0, good.stderr
    document = json.loads(good.stdout)
    assert document["ok"]
    assert document["problems"] == []
    assert sorted(document["ran"]) == [
        "describe", "drum-pattern as .tab", "groove-tabla-rhythm", "sample",
    ]  # fmt: skip
    broken = copy_of(tabla[1], tmp_path / "site", (ACTIONS, '"beats to draw"', '""'))
    shown = groove("plugins", "check", "groove-tabla", "--no-run", path=str(broken))
    assert shown.returncode == 3
    assert shown.stdout.startswith("help: sample --count has no help\n")
    assert shown.stderr.startswith("error: groove-tabla 0.1.0 breaks: help.\nhint: Annotate it")
    shown = groove("plugins", "--json", "check", "groove-tabla", "--skip", "sample", path=site)
    assert json.loads(shown.stdout)["skipped"] == {"sample": "left out"}
    unknown = groove("plugins", "check", "groove-tabel", path=site)
    assert unknown.returncode == 3
    assert "Did you mean groove-tabla?" in unknown.stderr
    assert groove("plugins", "chek").returncode == 2


FIXTURES = """
import os
from pathlib import Path

import pytest

from groove_core import Audio, DrumPattern, LeadSheet, Melody, Score


def test_files_hold_the_values(
    tiny_audio, tiny_beat, tiny_melody, tiny_line, tiny_lead_sheet,
    audio_file, beat_file, melody_file, lead_sheet_file,
):
    assert DrumPattern.read(beat_file) == tiny_beat
    assert tiny_beat.bars == 2
    assert Score.read(melody_file) == tiny_melody
    assert tiny_melody.duration_s == 4.0
    assert Melody.read(melody_file) == tiny_line
    assert LeadSheet.read(lead_sheet_file) == tiny_lead_sheet
    assert (len(tiny_lead_sheet.chords), tiny_lead_sheet.pickup) == (2, 2)
    assert abs(Audio.read(audio_file).samples - tiny_audio.samples).max() < 1e-4
    assert tiny_audio.duration_s == 1.0
    assert 0.4 < tiny_audio.peak <= 0.5


def test_home_and_folder_are_empty(groove_home, tmp_path):
    assert Path(os.environ["GROOVE_HOME"]) == groove_home
    assert not list(groove_home.iterdir())
    assert Path.cwd() == tmp_path


def test_the_command_and_its_runs(groove, runs, beat_file):
    made = groove("run", "groove-tabla", "describe", beat_file, "--json", "--quiet")
    assert (made.code, made.stderr) == (0, "")
    assert made.document["result"]["kind"] == "report"
    assert runs.finished == [made.document]
    assert not Path("groove-out").exists()
    made = groove("run", "groove-tabla", "sample", "--count", 1, "--format", "mid")
    assert "sample-001" in made.stdout
    assert "seed" in made.stderr
    Path("blocked").mkdir()
    Path("blocked/sample-001.txt").touch()
    made = groove("run", "groove-tabla", "sample", "--out", "blocked", "--format", "mid")
    assert made.code == 2
    with pytest.raises(AssertionError, match="exists already"):
        made.document
    assert [run.action for run in runs.started] == ["describe", "sample"]


def test_failed_runs(groove, runs, monkeypatch):
    monkeypatch.setattr("groove_tabla.actions.even", lambda *_, **__: 1 / 0)
    assert groove("run", "groove-tabla", "sample").code == 1
    ((run, error),) = runs.failed
    assert run.package == "groove-tabla"
    assert isinstance(error, ZeroDivisionError)
    assert runs.finished == []
"""


def test_fixtures(tabla, tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["groove_core.testing.fixtures"]\n')
    (tmp_path / "test_fixtures.py").write_text(FIXTURES)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tabla[1]), "PYTEST_ADDOPTS": ""},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert "4 passed" in result.stdout


def test_the_kit_is_saved_and_read(tmp_path):
    files = kit.write(tmp_path)
    assert files.keys() == kit.examples().keys() >= set(kinds.core_kinds())
    for kind, value in kit.examples().items():
        assert value.kind == kind
        assert from_json(value.to_json()) == value
        if kind != "audio":  # a file of it has 16 bits
            assert type(value).read(files[kind]) == value
    assert [track.is_drum for track in kit.tiny_song().tracks] == [True, False]


def test_there_are_small_melodies_and_lead_sheets_to_try_actions_on(tmp_path):
    def sing(sheet: LeadSheet, tune: Melody, either: Melody | DrumPattern) -> Report: ...

    bench = _Bench(None, Trial(), tmp_path, kit.write(tmp_path), tmp_path, {})
    options, lacking = bench._options("sing", describe(sing))
    assert lacking == []
    assert LeadSheet.read(options["sheet"]) == kit.tiny_lead_sheet()
    assert Melody.read(options["tune"]) == Melody.read(options["either"]) == kit.tiny_line()


@pytest.mark.parametrize(
    ("name", "unit", "fits"),
    [
        ("length_s", "s", True), ("every_s", "seconds", True), ("length_s", "", False),
        ("length_s", "ms", False), ("length", "s", False), ("gap_ms", "ms", True),
        ("tempo_bpm", "bpm", True), ("tempo_bpm", "", False), ("tempo", "bpm", False),
        ("cutoff_hz", "Hz", True), ("sample_rate", "Hz", True), ("sample_rate", "", False),
        ("learning_rate", "", True), ("bars", "bars", True), ("bars", "", False),
        ("stride_bars", "bars", True), ("count", "", True), ("every", "semitones", True),
        ("hits_per_s", "", True), ("steps", "", True),
    ],
)  # fmt: skip
def test_names_carry_units(name, unit, fits):
    assert fits_unit(name, unit) is fits


def test_every_rule_is_used_and_says_what_to_do():
    folder = Path(groove_core.checks.__file__).parent
    source = "\n".join(p.read_text("utf-8") for p in folder.glob("*.py"))
    used = set(re.findall(r'(?:Problem|problem)\(\s*"([a-z-]+)"', source)) | {"api", "registered"}
    assert used == set(RULES)
    for rule, (holds, hint) in RULES.items():
        assert KEBAB.fullmatch(rule)
        assert holds.endswith(".")
        assert hint
    assert str(Problem("help", "x has no help")).startswith("help: x has no help\n  Annotate")


def test_kebab():
    assert kebab("  Groove__Tablā 2 ") == "groove-tabla-2"
    assert kebab("808 鼓") == ""


def test_the_kit_needs_no_pytest(tmp_path):
    code = (
        "import sys, groove_core.testing, groove_core.checks.trial; print('pytest' in sys.modules)"
    )
    assert python(code, tmp_path).stdout == "False\n"


# Engines


class Threads:
    """An engine that does what it should, except for `wrong`."""

    def __init__(self, job, wrong=""):
        self.call, self.wrong = job.call, wrong
        self.window = 16
        self.pool = ThreadPoolExecutor(9 if wrong == "too many" else job.jobs)
        self.running, self.done = {}, []

    def submit(self, number, path):
        if self.wrong == "waits":
            time.sleep(0.1)
        self.running[self.pool.submit(self.call, path)] = number

    def collect(self, *, wait):
        done, _ = wait_for(self.running, None if wait else 0, return_when=FIRST_COMPLETED)
        back = [(self.running.pop(one), one.result()) for one in done]
        if self.wrong == "twice":
            self.done += back
            return self.done[-2:]
        if self.wrong == "numbers":
            return [(number + 100, text) for number, text in back]
        if self.wrong == "words":
            return [(number, text.replace("InputError", "Error")) for number, text in back]
        return back

    def close(self):
        if self.wrong != "left":
            self.pool.shutdown(cancel_futures=self.wrong != "all")


def test_an_engine_in_this_process_passes():
    check_engine(lambda job: Here(job.call), isolates=False)


def test_the_engine_of_this_computer_passes():
    check_engine(local)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("twice", "Two answers to"),
        ("numbers", "which it was not asked"),
        ("words", "instead of"),
        ("waits", "submit waits"),
        ("too many", "files at a time, and jobs=2"),
        ("left", "It goes on after close"),
        ("all", "did all that was left"),
        ("window", "is not an Engine"),
    ],
)
def test_what_is_wrong_with_an_engine_is_found(wrong, message, monkeypatch):
    if wrong == "all":  # twenty files of a second
        monkeypatch.setattr(groove_core.testing.engines, "LIMIT_S", 0.1)

    def opened(job):
        engine = Threads(job, wrong)
        if wrong == "window":
            del engine.window
        return engine

    with pytest.raises(AssertionError, match=message):
        check_engine(opened, isolates=False)
