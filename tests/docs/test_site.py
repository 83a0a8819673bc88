"""The site builds without a warning, leads nowhere wrong, says everything, opens from a disk."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import groove_core.errors
from groove_core.actions import describe
from groove_core.hookspecs import GrooveHooks
from groove_core.plugins import kinds, loader

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(p.parent.name for p in ROOT.glob("packages/*/pyproject.toml"))
PLUGINS = [name for name in PACKAGES if name not in ("groove-core", "groove-ray", "groove-studio")]
"""Those with actions."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


def test_it_builds_strictly_and_every_link_leads_somewhere(site):
    assert not site.problems, "\n".join(site.problems)


def test_broken_links_anchors_and_pictures_are_found(tmp_path):
    import offline

    (tmp_path / "a.html").write_text(
        '<h1 id="here"></h1><a href="b.html">b</a><a href="#there">c</a><a href="#here">d</a>'
        '<img src="no.png"><script src="https://example.org/x.js"></script>'
        '<a href="https://example.org">e</a>'
    )
    assert offline.check(tmp_path) == [
        "a.html: b.html does not exist",
        "a.html: there is no place #there",
        "a.html: no.png does not exist",
        "a.html: loads https://example.org/x.js, which is not in the site",
    ]


def test_links_that_lead_out_of_readmes_are_found():
    from composing import Site

    site = Site({"index.md": "[a](nowhere.md) `[b](c.md)`\n\n```\n[d](e.md)\n```\n"}, {})
    assert "`[b](c.md)`" in site.rendered("index.md")
    assert site.problems == ["docs/pages/index.md: nowhere.md does not exist"]


def test_every_page_is_in_the_navigation(site):
    config = tomllib.loads((ROOT / "docs/zensical.toml").read_text())

    def named(entry):
        if isinstance(entry, str):
            return [entry]
        values = entry.values() if isinstance(entry, dict) else entry
        return [page for value in values for page in named(value)]

    listed = named(config["project"]["nav"])
    pages = ROOT / "docs/pages"
    there = [path.relative_to(pages).as_posix() for path in pages.rglob("*.md")]
    assert sorted(listed) == sorted(there)


def test_every_package_has_its_pages(site):
    import reference

    assert sorted(reference.PACKAGES) == sorted(PLUGINS)
    for package in PLUGINS:
        for page in ("index", "options", "source", "card"):
            assert len(site.page(f"packages/{package}/{page}.md")) > 500
        assert "<audio" in site.page(f"packages/{package}/index.md")
        assert ".png)" in site.page(f"packages/{package}/index.md")


def test_every_hook_and_descriptor_is_documented(site):
    from groove_core import hookspecs

    text = site.page("reference/hooks.md")
    for name, hook in inspect.getmembers(GrooveHooks, inspect.isfunction):
        assert f"### {name}\n" in text
        assert inspect.getdoc(hook) in text
    for name in hookspecs.__all__:
        kind = getattr(hookspecs, name)
        if inspect.isclass(kind) and name != "GrooveHooks":
            part = site.section("reference/hooks.md", name.lower())
            assert all(f"| `{field}` |" in part for field in kind.__dataclass_fields__), name


def test_every_command_and_option_is_documented(site):
    import reference

    names = dict(reference.commands())
    # Not the same walk twice: what the command line itself lists.
    listed = subprocess.run(
        [sys.executable, "-m", "groove_core", "--help"],
        capture_output=True, text=True, env={**os.environ, "COLUMNS": "100"},
    ).stdout  # fmt: skip
    words = re.findall(r"^  (\w+)  ", listed.partition("Commands:")[2], re.MULTILINE)
    assert len(words) >= 8
    assert {f"groove {word}" for word in words} <= set(names)
    for name, command in names.items():
        part = site.section("reference/cli.md", name.replace(" ", "-"))
        for param in command.params:
            for flag in param.opts if param.param_type_name == "option" else ():
                assert f"`{flag}`" in part, (name, flag)


@pytest.mark.parametrize("package", PLUGINS)
def test_every_action_and_option_is_documented(site, package):
    plugin = loader.load(package)
    assert plugin.actions
    everything = site.section("reference/cli.md", "groove-run")
    for action in plugin.actions.values():
        part = site.section(f"packages/{package}/options.md", action.name)
        assert f"[{action.name}](../packages/{package}/options.md#{action.name})" in everything
        for param in describe(loader.resolve(action.run)):
            assert f"| `{param.flag}` | " in part
            assert param.opt.help.partition("||")[0] in part


def test_every_environment_variable_is_documented(site):
    text = site.page("reference/environment.md")
    found = set()
    for path in ROOT.glob("packages/*/src/**/*.py"):
        found |= set(re.findall(r"\bGROOVE_[A-Z_]+\b", path.read_text()))
    assert "GROOVE_HOME" in found
    assert set(re.findall(r"^\| `(GROOVE_\w+)`", text, re.MULTILINE)) == found


def test_every_kind_of_value_and_every_error_is_documented(site):
    import reference

    text = site.page("reference/values.md")
    for classes in reference.value_classes().values():
        for kind in classes:
            assert f"| `{kind.kind}` | `{kind.__name__}` |" in text
    assert all(f"| `{kind}` |" in text for kind in kinds.core_kinds())
    text = site.page("reference/errors.md")
    for name in groove_core.errors.__all__:
        kind = getattr(groove_core.errors, name)
        if inspect.isclass(kind) and name != "GrooveError":
            assert f"| {kind.exit_code} | `{name}` |" in text


def test_every_public_name_of_the_core_is_documented(site):
    import api
    import reference

    text = "".join(site.page(f"reference/api/{group}.md") for group in reference.GROUPS)
    missing = [
        f"{module.name}.{node.name}"
        for module in api.public_modules("groove-core")
        if module.name not in reference.INTERNAL
        for node in module.defined()
        if hasattr(node, "name") and not re.search(rf"^### {node.name}\b", text, re.MULTILINE)
    ]
    assert not missing


def test_everything_measured_is_shown(site):
    text = site.page("results.md")
    for path in ROOT.glob("packages/*/measured/*"):
        if path.suffix in (".json", ".txt"):
            assert f"### {path.stem}\n" in text


def test_nothing_tells_of_the_machine_that_wrote_it(site):
    for path in (site.folder / "work/pages").rglob("*.md"):
        found = re.findall(r"/(?:work|home|root|tmp|Users)/\S*", path.read_text())
        assert not found, (path.name, found)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_shows_it_from_a_disk_and_searches(site):
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        elsewhere, errors = [], []
        page.on("request", lambda r: elsewhere.append(r.url) if r.url[:4] == "http" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        for name in ("packages/genre-map/index.html", "results.html", "reference/cli.html"):
            page.goto((site.folder / "site" / name).as_uri())
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, f"{name} is {wide} wide on a telephone"
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto((site.folder / "site/index.html").as_uri())
        page.wait_for_function("[...document.images].every(i => i.complete && i.naturalWidth)")
        page.keyboard.press("Control+k")
        page.keyboard.type("humanize")
        page.wait_for_selector("a[href*='groove-vae/options.html?h=']", timeout=20_000)
        browser.close()
    assert not elsewhere
    assert not errors


def test_the_contributors_page_names_files_and_rooms_that_are_there():
    page = (ROOT / "docs/pages/contributing.md").read_text("utf-8")
    core = ROOT / "packages/groove-core/src/groove_core"
    changes = page.partition("## Ten changes")[2]
    files = re.findall(r"`(packages/[\w/.-]+)`", changes)
    assert len(re.findall(r"^\| (?!change|---)", changes, re.MULTILINE)) == 10
    assert [file for file in files if not (ROOT / file).is_file()] == []
    for file in re.findall(r"`([a-z]+/[a-z]+\.py)`", page):
        assert (core / file).is_file(), file
    rooms = page.partition("| room |")[2].partition("\n\n")[0]
    named = {name for row in re.findall(r"^\| (`.*?) \|", rooms, re.MULTILINE)
             for name in re.findall(r"`(\w+)`", row)}  # fmt: skip
    there = {p.stem for p in core.iterdir() if (p / "__init__.py").is_file() or p.suffix == ".py"}
    assert named == {name for name in there if not name.startswith("__")}
