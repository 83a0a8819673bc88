"""A type checker agrees with what the READMEs and pages show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).resolve().parents[2]
PATHS = """
from pathlib import Path

import drum_space
import gansynth_lite
import genre_map
import groove_vae
import melody_rnn
import music_recsys
import music_vae

{calls}
"""
CALLS = """\
drum_space.vary("beat.mid")
drum_space.interpolate(Path("a.mid"), "b.mid")
drum_space.encode("folder")
drum_space.encode(["a.mid", Path("b.mid")])
drum_space.train(data="folder", into=Path("models"))
gansynth_lite.render("song.mid", instrument="tone.wav")
gansynth_lite.train("notes")
genre_map.classify(["a.wav"])
genre_map.explain(Path("a.wav"))
groove_vae.compare("played.wav", Path("programmed.mid"))
groove_vae.fingerprint("folder")
melody_rnn.extend("C4 E4 G4 -", bars=4)
melody_rnn.fill(Path("song.mid"), bars="5-8")
melody_rnn.trace(["one.mid", Path("two.mid")])
melody_rnn.adapt("songs", minutes=10)
music_recsys.rate("song.mp3", 4)
music_recsys.learn(ratings="ratings.csv")
music_recsys.recommend("songs", count=3)
music_vae.interpolate("one.mid", Path("two.mid"), bars_a="9-24")
music_vae.sample(like="songs", key="F#m")
music_vae.encode(["one.mid", Path("two.mid")])
music_vae.map(place="songs")
music_vae.adapt("songs", model="mel-16bar")
"""
WRONG = {
    'drum_space.vary("beat.mid", count="4")': 'Argument "count" to "vary"',
    'drum_space.vary("beat.mid", size=4)': 'Unexpected keyword argument "size"',
    'melody_rnn.vary("song.mid", keep="chords")': 'Argument "keep" to "vary"',
    'music_vae.shift("song.mid", attribute="speed")': 'Argument "attribute" to "shift"',
    'music_recsys.rate("song.mp3")': 'Missing positional argument "rating"',
    'groove_vae.compare("a.wav", measure="mean")': 'Argument "measure" to "compare"',
}


def snippets(folder: Path) -> list[Path]:
    """Write the Python of each page and README that is run as one module."""
    import check_readme

    written = []
    for page in (*check_readme.readmes(ROOT), *sorted(ROOT.glob("docs/pages/**/*.md"))):
        shown = [
            step.text
            for step in check_readme.steps(page.read_text())
            if step.language == "python" and not step.skipped
        ]
        if shown:
            name = re.sub(r"\W", "_", str(page.relative_to(ROOT).with_suffix("")))
            written.append(folder / f"{name}.py")
            written[-1].write_text("\n".join(shown))
    return written


@pytest.mark.slow  # without a cache
def test_types_agree_with_what_is_shown(tmp_path):
    calls = tmp_path / "calls.py"
    calls.write_text(PATHS.format(calls=CALLS + "\n".join(WRONG)))
    files = [*snippets(tmp_path), calls]
    assert len(files) > 10
    # With the settings and the cache of `hatch run types`.
    settings = ["--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary",
                "--cache-dir", str(ROOT / ".mypy_cache")]  # fmt: skip
    out, err, _ = api.run([*settings, *map(str, files)])
    assert not err
    # A message from the cache names the folder of the run that it was first told in.
    told = [
        re.sub(r"^.*?(\w+\.py:)", r"\1", line) for line in out.splitlines() if ": error:" in line
    ]
    expected = [line for line in told if line.startswith("calls.py")]
    assert len(expected) == len(WRONG)
    for line, message in zip(expected, WRONG.values(), strict=True):
        assert message in line
    assert [line for line in told if line not in expected] == []
