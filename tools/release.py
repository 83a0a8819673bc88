"""Release one package: version, notes, commit, tag, wheel and a rehearsal of the installation.

    python tools/release.py drum-space --bump minor         # a dry run: says what it would do
    python tools/release.py drum-space --bump minor --go    # commits, tags and builds into dist/
    python tools/release.py drum-space genre-map --rehearse-only
    python tools/release.py drum-space --tag drum-space-v0.2.0   # what CI runs on that tag

All the work is done in a copy first, so a release that stops has changed nothing. A rehearsal
installs the wheel outside the repository, with the lowest core that its bound allows and with
the newest one, runs ``groove plugins --check``, then real actions from ``tool.groove.wheels`` of
the root pyproject.toml.
"""

from __future__ import annotations

import argparse
import ast
import email
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from monorepo import CORE, ROOT, Package, Stop, closure, installed_requires, packages, run, tell
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

KINDS = ("feature", "bugfix", "doc", "removal", "misc")  # of fragments; towncrier's own
FORBIDDEN_IN_WHEELS = re.compile(
    r"^([^/]+/)?(tests|benchmarks|changelog\.d)/|/state\.safetensors$|\.pyc$|/conftest\.py$"
)


# --- versions ------------------------------------------------------------------------------


def next_version(package: Package, bump: str | None, version: str | None) -> str:
    """Give the version to release: the next one, the one asked for, or the one written."""
    old = Version(package.version)
    if bump:
        major, minor, patch = (*old.release, 0, 0)[:3]
        new = {
            "major": f"{major + 1}.0.0",
            "minor": f"{major}.{minor + 1}.0",
            "patch": f"{major}.{minor}.{patch + 1}",
        }[bump]
    else:
        new = version or package.version
    try:
        if str(Version(new)) != new:
            raise InvalidVersion(new)
    except InvalidVersion as error:
        raise Stop(
            f"{new!r} is not a version in its normal form.", "Write it as in 1.2.3 or 1.2.0rc1."
        ) from error
    return new


def tags(package: Package) -> dict[Version, str]:
    """List the versions of a package that have a tag."""
    prefix = f"{package.name}-v"
    names = run(["git", "tag", "--list", f"{prefix}*"], cwd=package.root).split()
    return {Version(name.removeprefix(prefix)): name for name in names}


def check_version(package: Package, version: str) -> Iterator[Stop]:
    """Compare a version with those that were released."""
    known = tags(package)
    hint = f"python tools/release.py {package.name} --bump patch"
    if Version(version) in known:
        yield Stop(f"{package.name} {version} has a tag already.", hint)
    elif known and Version(version) < max(known):
        yield Stop(f"{package.name} {version} is older than {known[max(known)]}.", hint)


def check_tag(package: Package, tag: str) -> Iterator[Stop]:
    """Compare a tag with what is written at it."""
    wanted = f"{package.name}-v{package.version}"
    if tag != wanted:
        yield Stop(
            f"The tag {tag} disagrees with __about__.py, whose version is {package.version}.",
            f"git tag -d {tag}, then tag by python tools/release.py {package.name} --go",
        )
    elif not has_notes(package, package.version):
        yield Stop(
            f"CHANGELOG.md of {package.name} has nothing on {package.version}.",
            f"git tag -d {tag}, then python tools/release.py {package.name} --go collects them",
        )
    if fragments(package):
        yield Stop(
            f"Fragments were left out of the notes: {', '.join(fragments(package))}.",
            f"git tag -d {tag}, then python tools/release.py {package.name} --bump patch --go",
        )


# --- notes ---------------------------------------------------------------------------------


def fragments(package: Package) -> list[str]:
    """List the names of a package's fragments."""
    return sorted(
        path.name
        for path in package.folder.glob("changelog.d/*")
        if not path.name.startswith(".") and path.stem != "README"
    )


def has_notes(package: Package, version: str) -> bool:
    """Say whether the changelog has a heading with a version."""
    text = (package.folder / "CHANGELOG.md").read_text(encoding="utf-8")
    return bool(re.search(rf"^#+ .*(?<![\w.]){re.escape(version)}(?![\w.])", text, re.MULTILINE))


def check_notes(package: Package, version: str) -> Iterator[Stop]:
    """See that there is something to say about a version, once."""
    found = fragments(package)
    create = f"towncrier create --dir packages/{package.name} NAME.feature.md"
    for name in found:
        if not any(kind in name.split(".")[1:] for kind in KINDS):
            yield Stop(
                f"changelog.d/{name} is of no known kind and would be left out.",
                f"Rename it to NAME.KIND.md, where KIND is one of {', '.join(KINDS)}.",
            )
    if has_notes(package, version):
        if found:
            yield Stop(
                f"CHANGELOG.md has {version} already, and fragments lie beside it.",
                f"python tools/release.py {package.name} --bump patch",
            )
    elif not found:
        yield Stop(f"{package.name} has no fragment: nothing to say about {version}.", create)


def collect_notes(package: Package, folder: Path, version: str) -> None:
    """Collect the fragments in ``folder``, the package or a copy of it, into the changelog."""
    if not has_notes(package, version):
        run(
            [sys.executable, "-m", "towncrier", "build", "--yes", "--dir", folder, "--name",
             package.name, "--version", version],
            cwd=folder,
        )  # fmt: skip


def check_news_since(package: Package, reference: str) -> Iterator[Stop]:
    """Ask for a fragment where the code of a package changed since a commit."""
    where = f"packages/{package.name}"
    changed = run(
        ["git", "diff", "--name-only", f"{reference}...HEAD", "--", f"{where}/src",
         f"{where}/pyproject.toml", f"{where}/changelog.d", f"{where}/CHANGELOG.md"],
        cwd=package.root,
    ).splitlines()  # fmt: skip
    told = [name for name in changed if "/changelog.d/" in name or name.endswith("CHANGELOG.md")]
    if changed and not told:
        yield Stop(
            f"{package.name} changed without a fragment.",
            f"towncrier create --dir {where} NAME.feature.md"
            " (or .misc.md where no user would notice)",
        )


# --- bounds --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Core:
    """A version of the core that there is: a tag, or the one of the workspace."""

    version: Version
    api: tuple[int, int]
    tag: str | None

    def __str__(self) -> str:
        return f"{CORE} {self.version}" + ("" if self.tag else " (of the workspace)")


def _api_of_core(text: str) -> tuple[int, int]:
    found = re.search(r"^API_VERSION = \((\d+), (\d+)\)", text, re.MULTILINE)
    if not found:
        raise Stop("hookspecs.py of the core has no API_VERSION.", "Write API_VERSION = (1, 0).")
    return int(found[1]), int(found[2])


def cores(root: Path) -> list[Core]:
    """List all versions of the core, the workspace's last."""
    core = Package(root, CORE)
    hookspecs = "packages/groove-core/src/groove_core/hookspecs.py"
    released = [
        Core(version, _api_of_core(run(["git", "show", f"{tag}:{hookspecs}"], cwd=root)), tag)
        for version, tag in sorted(tags(core).items())
    ]
    api = _api_of_core((root / hookspecs).read_text(encoding="utf-8"))
    return [*released, Core(Version(core.version), api, None)]


def declared_api(package: Package) -> tuple[int, int]:
    """Read the API version that a package declares, without importing it."""
    path = package.source / "plugin.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "api":
            major, minor = ast.literal_eval(node.value)
            return int(major), int(minor)
    raise Stop(f"{path.name} of {package.name} declares no API.", "Package(..., api=(1, 0), ...)")


def allowed(package: Package) -> tuple[Core, Core]:
    """Give the lowest and the newest core that a package allows.

    Raises
    ------
    Stop
        If the bound on the core is missing, too low, or allows no core that there is.
    """
    every = cores(package.root)
    newest = every[-1]
    bounds = [r.specifier for r in package.requirements if canonicalize_name(r.name) == CORE]
    if not bounds:
        raise Stop(
            f"{package.name} does not depend on {CORE}.",
            f'dependencies = ["{CORE}>={newest.version},<1"] in its pyproject.toml',
        )
    bound = bounds[0]
    for more in bounds[1:]:
        bound &= more
    kinds = {one.operator for one in bound}
    if not {">=", "<"} <= kinds:
        raise Stop(
            f"{package.name} needs {CORE}{bound}: without a floor and a ceiling.",
            f"{CORE}>={newest.version},<{newest.version.major + 1}: the ceiling is the next API"
            " break.",
        )
    floor = max(Version(one.version) for one in bound if one.operator == ">=")
    api = declared_api(package)
    able = [core for core in every if core.api[0] == api[0] and core.api >= api]
    if not able:
        raise Stop(
            f"{package.name} declares API {api[0]}.{api[1]}, which no {CORE} has.",
            f"api={newest.api} in plugin.py",
        )
    oldest = min(core.version for core in able)
    if floor < oldest:
        raise Stop(
            f"{package.name} allows {CORE} {floor}, but API {api[0]}.{api[1]}, which it declares,"
            f" came with {oldest}.",
            f"Raise the floor in packages/{package.name}/pyproject.toml to {CORE}>={oldest}.",
        )
    fitting = [core for core in every if bound.contains(core.version, prereleases=True)]
    if newest not in fitting:
        raise Stop(
            f"{package.name} needs {CORE}{bound}, which shuts out {newest}.",
            f"Widen the bound in packages/{package.name}/pyproject.toml.",
        )
    return min(fitting, key=lambda core: core.version), newest


def check_bounds(package: Package) -> Iterator[Stop]:
    """See that a package depends on the core alone, within bounds that hold."""
    siblings = set(packages(package.root)) - {CORE, package.name}
    for one in package.requirements:
        if canonicalize_name(one.name) in siblings:
            yield Stop(
                f"{package.name} depends on its sibling {one.name}.",
                f"Move what both need into {CORE}, or pass values by file.",
            )
    if package.name != CORE:
        try:
            allowed(package)
        except Stop as stop:
            yield stop


def check_tree(package: Package) -> Iterator[Stop]:
    """See that what would be released is committed."""
    dirty = run(["git", "status", "--porcelain", "--", "."], cwd=package.root).splitlines()
    if dirty:
        some = ", ".join(line[3:] for line in dirty[:3]) + (" ..." if len(dirty) > 3 else "")
        yield Stop(
            f"The tree has changes that are not committed: {some}.",
            "git commit or git stash them first.",
        )


# --- building ------------------------------------------------------------------------------


def copy_tree(package: Package, target: Path) -> Path:
    """Copy what git knows of a package, and new files, but nothing that git ignores."""
    where = f"packages/{package.name}"
    listed = run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", where],
        cwd=package.root,
    )
    for name in filter(None, listed.split("\0")):
        if (package.root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(package.root / name, target / name)
    return target / where


def hatchling(folder: Path, target: str, out: Path) -> Path:
    """Build the sdist or the wheel of a folder, without an index."""
    out.mkdir(parents=True, exist_ok=True)
    run([sys.executable, "-m", "hatchling", "build", "-t", target, "-d", out.resolve()], cwd=folder)
    return next(out.glob("*.whl" if target == "wheel" else "*.tar.gz"))


def build(folder: Path, out: Path) -> tuple[Path, Path]:
    """Build the sdist of a folder, and the wheel from that sdist, as users of it would."""
    sdist = hatchling(folder, "sdist", out)
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(sdist) as archive:
            archive.extractall(unpacked, filter="data")
        wheel = hatchling(next(Path(unpacked).iterdir()), "wheel", out)
    return wheel, sdist


def build_core(root: Path, core: Core, out: Path) -> Path:
    """Build the wheel of one version of the core, if that was not done already."""
    if not out.exists():
        with tempfile.TemporaryDirectory() as work:
            if core.tag:
                archive = Path(work) / "core.tar"
                run(["git", "archive", "-o", archive, core.tag, f"packages/{CORE}"], cwd=root)
                with tarfile.open(archive) as stored:
                    stored.extractall(work, filter="data")
            else:
                copy_tree(Package(root, CORE), Path(work))
            return hatchling(Path(work) / "packages" / CORE, "wheel", out)
    return next(out.glob("*.whl"))


def check_wheel(package: Package, wheel: Path, version: str) -> None:
    """See that a wheel has what it should, and nothing else.

    Raises
    ------
    Stop
        If the version is another, files are missing or too many, or it is too large.
    """
    names = zipfile.ZipFile(wheel).namelist()
    [info] = {name.split("/")[0] for name in names if name.split("/")[0].endswith(".dist-info")}
    settings = f"tool.groove.wheels.{package.name} of the root pyproject.toml"
    found = email.message_from_bytes(zipfile.ZipFile(wheel).read(f"{info}/METADATA"))["Version"]
    if found != version:
        raise Stop(
            f"{wheel.name} has version {found}, not {version}.", "version comes from __about__.py"
        )
    extra = [
        name
        for name in names
        if name.split("/")[0] not in (package.module, info) or FORBIDDEN_IN_WHEELS.search(name)
    ]
    if extra:
        raise Stop(
            f"{wheel.name} carries what it should not: {', '.join(extra[:5])}.",
            "Remove it, or exclude it in tool.hatch.build.targets.wheel.",
        )
    wanted = ["py.typed", *package.settings.get("carries", [])]
    missing = [one for one in wanted if f"{package.module}/{one}" not in names]
    if missing:
        raise Stop(
            f"{wheel.name} misses {', '.join(missing)}.",
            f"Put it into src/{package.module}/, or correct {settings}.",
        )
    if not any(name.startswith(f"{info}/licenses/") for name in names):
        raise Stop(
            f"{wheel.name} has no licence.", 'license-files = ["LICENSE"], and the file beside it'
        )
    limit = package.settings.get("limit_mb")
    if limit and wheel.stat().st_size > limit * 1e6:
        raise Stop(
            f"{wheel.name} has {wheel.stat().st_size / 1e6:.1f} MB, above {limit}.",
            f"Make it smaller, or raise limit_mb in {settings}.",
        )


# --- rehearsal -----------------------------------------------------------------------------


def _bin(environment: Path) -> Path:
    return environment / ("Scripts" if os.name == "nt" else "bin")


def _python(environment: Path) -> Path:
    # pip wants the whole name, which Windows lets others leave out.
    return _bin(environment) / ("python.exe" if os.name == "nt" else "python")


def _requires(wheel: Path) -> list[str]:
    archive = zipfile.ZipFile(wheel)
    [name] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
    return email.message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []


def make_environment(folder: Path, wheels: list[Path]) -> Path:
    """Install wheels into an environment of their own, without an index.

    The wheels are installed by pip. Everything else that they ask for, and nothing beyond, is
    linked in from the environment that runs this: a download of torch for each rehearsal would
    take minutes, and a view of the whole environment would hide a dependency that nobody
    declared, and show the editable packages of the workspace.
    """
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    run(
        [sys.executable, "-m", "pip", "--python", _python(folder), "install", "-q", "--no-deps",
         "--no-index", "--no-compile", *wheels],
        cwd=folder,
        env={"PIP_CONSTRAINT": ""},
    )  # fmt: skip
    ours = {str(canonicalize_name(w.name.split("-")[0])): _requires(w) for w in wheels}

    def requires(name: str) -> list[str]:
        return ours[name] if name in ours else installed_requires(name)

    site = next(
        folder.glob("lib/python*/site-packages" if os.name != "nt" else "Lib/site-packages")
    )
    for name in closure(ours, requires).keys() - ours.keys():
        distribution = metadata.distribution(name)
        tops = {PurePosixPath(file).parts[0] for file in distribution.files or []}
        for top in tops - {"..", "__pycache__"}:
            source = Path(str(distribution.locate_file(top)))
            if source.exists() and not (site / top).exists():
                (site / top).symlink_to(source, target_is_directory=source.is_dir())
    return folder


def make_full_environment(folder: Path, wheels: list[Path], constraints: Path) -> Path:
    """Install wheels and, from an index, all that they ask for."""
    venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    pinned = ["-c", str(constraints)] if constraints.exists() else []
    run([_python(folder), "-m", "pip", "install", "-q", *pinned, *wheels], cwd=folder)
    return folder


def in_environment(environment: Path, command: str | list[str], cwd: Path) -> str:
    """Run a command of an environment, with no trace of the environment that runs this."""
    words = shlex.split(command) if isinstance(command, str) else command
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV", "GROOVE_"))}
    done = subprocess.run(
        [_bin(environment) / words[0], *words[1:]],
        cwd=cwd,
        env={**kept, "PYTHONNOUSERSITE": "1", "GROOVE_HOME": str(cwd / "home"), "COLUMNS": "100",
             "PATH": f"{_bin(environment)}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )  # fmt: skip
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise Stop(f"`{' '.join(words)}` ended with {done.returncode}:\n{end}", "")
    return done.stdout


def rehearse(
    package: Package, wheel: Path, core: Path | None, work: Path, *, full: bool = False
) -> None:
    """Install a wheel with a core, outside the repository, and use it."""
    work.mkdir(parents=True)
    wheels = [wheel] if core is None else [wheel, core]
    if full:
        environment = make_full_environment(work / "venv", wheels, package.root / "constraints.txt")
    else:
        environment = make_environment(work / "venv", wheels)
    cwd = work / "empty"
    cwd.mkdir()
    listed = json.loads(
        in_environment(environment, ["groove", "plugins", "--check", "--json"], cwd)
    )
    wanted = {} if package.name == CORE else {package.name: wheel.name.split("-")[1]}
    found = {row["name"]: row["version"] for row in listed["plugins"]}
    if found != wanted:
        raise Stop(f"`groove plugins` lists {found} instead of {wanted}.", "")
    for command in package.settings.get("smoke", []):
        in_environment(environment, command, cwd)


def rehearse_both(
    package: Package, wheel: Path, work: Path, built: Path, *, full: bool
) -> Iterator[str]:
    """Rehearse with the lowest and the newest core, telling what was done.

    Raises
    ------
    Stop
        If it does not work; where only the lowest core fails, the floor is too low.
    """
    if not package.settings.get("smoke"):
        raise Stop(
            f"There is no action to try {package.name} with.",
            f'[tool.groove.wheels.{package.name}] smoke = ["groove run ..."] in the root '
            "pyproject.toml",
        )
    if package.name == CORE:
        yield from _rehearse(package, wheel, None, work, built, full)
        return
    lowest, newest = allowed(package)
    yield from _rehearse(package, wheel, newest, work, built, full)
    if lowest == newest:
        yield f"{package.name}: no core older than that is allowed"
        return
    try:
        yield from _rehearse(package, wheel, lowest, work, built, full)
    except Stop as stop:
        raise Stop(
            f"The floor of {package.name} is too low: it works with {newest}, but not with"
            f" {lowest}, which its bound allows. {stop.message}",
            f"Raise the floor in packages/{package.name}/pyproject.toml above"
            f" {lowest.version}, or do without what that core lacks.",
        ) from stop


def _rehearse(
    package: Package, wheel: Path, core: Core | None, work: Path, built: Path, full: bool
) -> Iterator[str]:
    started = time.monotonic()
    place = work / (f"core-{core.tag or 'workspace'}" if core else "alone")
    carried = build_core(package.root, core, built / place.name) if core else None
    try:
        rehearse(package, wheel, carried, place, full=full)
    except Stop as stop:
        raise Stop(
            f"The wheel of {package.name} does not work{f' with {core}' if core else ''}."
            f" {stop.message}",
            stop.hint or "Correct the package; nothing was released.",
        ) from stop
    finally:
        shutil.rmtree(place / "venv", ignore_errors=True)
    took = time.monotonic() - started
    yield f"{package.name}: works{f' with {core}' if core else ''} ({took:.0f} s)"


# --- all of it -----------------------------------------------------------------------------


def write_version(folder: Path, module: str, version: str) -> None:
    """Write a version into ``__about__.py``."""
    path = folder / "src" / module / "__about__.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        re.sub(r'^__version__ = ".*"$', f'__version__ = "{version}"', text, flags=re.MULTILINE),
        encoding="utf-8",
    )


def release(package: Package, options: argparse.Namespace, built: Path) -> None:
    """Take one package through all steps; changes the repository at the end, with ``--go``."""
    name = package.name
    plain = options.rehearse_only or options.tag
    version = package.version if plain else next_version(package, options.bump, options.version)
    problems = list(check_bounds(package))
    if options.tag:
        problems += check_tag(package, options.tag)
    elif not plain:
        problems += [*check_version(package, version), *check_notes(package, version)]
        dirty = list(check_tree(package))
        if options.go:
            problems += dirty
        elif dirty:
            print(f"note: {dirty[0].message} --go would stop here.", file=sys.stderr)
    if problems:
        *first, last = problems
        for stop in first:
            print(f"error: {stop.message}\nhint: {stop.hint}", file=sys.stderr)
        raise last

    with tempfile.TemporaryDirectory(prefix="groove-release-") as temporary:
        work = Path(temporary).resolve()
        copy = copy_tree(package, work / "tree")
        if not plain:
            write_version(copy, package.module, version)
            collect_notes(package, copy, version)
            notes = (copy / "CHANGELOG.md").read_text(encoding="utf-8")
            old = (package.folder / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
            change = version if version == package.version else f"{package.version} -> {version}"
            print(f"{name} {change}; the notes:\n")
            print("\n".join(f"    {x}" for x in notes.splitlines() if x not in old).rstrip() + "\n")
        wheel, sdist = build(copy, work / "dist")
        for file in (wheel, sdist):
            print(f"{name}: built {file.name}, {file.stat().st_size / 1e6:.2f} MB")
        check_wheel(package, wheel, version)
        for line in rehearse_both(package, wheel, work / "rehearsal", built, full=options.full):
            print(line, flush=True)
        if options.go:
            publish_here(package, version)
        if options.go or options.out:
            out = options.out or package.root / "dist"
            out.mkdir(parents=True, exist_ok=True)
            for file in (wheel, sdist):
                shutil.copy2(file, out)
            print(f"{name}: {wheel.name} and {sdist.name} are in {out}")
    if not plain and not options.go:
        print(f"{name}: a dry run; with --go it would commit, and tag {name}-v{version}")


def publish_here(package: Package, version: str) -> None:
    """Commit version and notes, and tag the commit. Pushing the tag is left to a person."""
    tag = f"{package.name}-v{version}"
    where = f"packages/{package.name}"
    hint = f"git checkout HEAD -- {where} gives back what there was; correct it and run this again."
    write_version(package.folder, package.module, version)
    collect_notes(package, package.folder, version)
    run(["git", "add", "--all", "--", where], cwd=package.root, hint=hint)
    if run(["git", "status", "--porcelain", "--", where], cwd=package.root):
        run(["git", "commit", "-q", "-m", f"{package.name} {version}"], cwd=package.root, hint=hint)
    run(["git", "tag", "-a", tag, "-m", f"{package.name} {version}"], cwd=package.root, hint=hint)
    print(f"{package.name}: committed and tagged; `git push origin HEAD {tag}` releases it")


def main(arguments: list[str] | None = None) -> int:
    """Release, rehearse or check packages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packages", nargs="+", metavar="PACKAGE", help="or all, to rehearse")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--bump", choices=("patch", "minor", "major"), help="the next version")
    which.add_argument("--version", help="this version; without either, the one that is written")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--go", action="store_true", help="commit, tag and build into dist/")
    what.add_argument("--rehearse-only", action="store_true", help="build and try what there is")
    what.add_argument("--tag", help="build and try what was tagged; stop if anything disagrees")
    what.add_argument(
        "--news-since", metavar="COMMIT", help="only ask for fragments of what changed since"
    )
    parser.add_argument("--full", action="store_true", help="rehearse with a real installation")
    parser.add_argument("--out", type=Path, help="folder for wheel and sdist")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository, if another")
    options = parser.parse_args(arguments)

    every = packages(options.root.resolve())
    names = list(every) if options.packages == ["all"] else options.packages
    for name in names:
        if name not in every:
            raise Stop(f"There is no package {name!r}.", f"One of {', '.join(every)}.")
    if options.news_since:
        stops = [s for name in names for s in check_news_since(every[name], options.news_since)]
        for stop in stops:
            print(f"error: {stop.message}\nhint: {stop.hint}", file=sys.stderr)
        return int(bool(stops))
    if len(names) > 1 and not options.rehearse_only:
        raise Stop("One package is released at a time.", "Name one, or add --rehearse-only.")
    with tempfile.TemporaryDirectory(prefix="groove-cores-") as built:
        for name in names:
            release(every[name], options, Path(built))
    return 0


if __name__ == "__main__":
    sys.exit(tell(main))
