"""Pages of maps, put together; packages test them in a browser."""

from __future__ import annotations

import base64
import gzip
import json
import re

import numpy as np
import pytest

from groove_core.values import AtlasWords, build_atlas, plot_layouts

ARRAYS = {
    "group": np.array([0, 1, 1], np.uint8),
    "codes": np.array([[0.5, 1e-4], [2, 3], [4, 5]], np.float16),
    "likeness": np.array([[0, 1], [2, 3], [-4, 32767]], ">i2"),
}


@pytest.fixture
def page(tmp_path):
    (tmp_path / "matter.js").write_text("const subject = {};\n")

    def page(**document) -> str:
        return build_atlas(
            tmp_path,
            words=AtlasWords("chord", "chords", "key", "keys"),
            lead="What is near sounds alike.",
            scripts=("matter.js",),
            document={"title": "Chords & <more>", "groups": ["</script><b>C"], **document},
            arrays=ARRAYS,
        )

    return page


def element(page: str, name: str) -> str:
    return re.search(rf'<script type="[^"]*" id="{name}">(.*?)</script>', page, re.S)[1]


def test_words_stand_where_they_belong(page):
    text = page()
    assert "<title>Chords &amp; &lt;more&gt;</title>" in text
    assert "Arrow keys go from chord to chord" in text
    assert "<h2>Keys</h2>" in text
    assert "What is near sounds alike." in text
    assert "${" not in text.split("<script")[0]
    document = json.loads(element(text, "document"))
    assert document["groups"] == ["</script><b>C"]
    assert document["words"] == {
        "piece": "chord", "pieces": "chords", "group": "key", "groups": "keys"
    }  # fmt: skip
    # What a package brings stands before the script that starts the page.
    assert text.index("const subject = {}") < text.index("async function start()")


def test_a_word_in_the_title_is_not_filled_in(page):
    assert '<h1 id="title">${piece}</h1>' in page(title="${piece}")


def test_arrays_come_back(page):
    text = page()
    assert page() == text
    blob = gzip.decompress(base64.b64decode(element(text, "blob")))
    for name, section in json.loads(element(text, "document"))["sections"].items():
        assert section["offset"] % 8 == 0
        part = blob[section["offset"] : section["offset"] + section["length"]]
        kind = np.dtype(section["dtype"]).newbyteorder("<")
        found = np.frombuffer(part, kind).reshape(section["shape"])
        np.testing.assert_array_equal(found, ARRAYS[name])


def test_a_picture_shows_groups_and_names_ones_own():
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(1)
    places = {name: rng.uniform(-1, 1, (40, 2)) for name in ("one", "two", "three")}
    group = np.append(np.arange(38) % 2, [2, 2])
    ax = plot_layouts(places, group, ("rock", "funk"), ("mine", "other"))
    assert [panel.get_title() for panel in ax.child_axes] == list(places)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["rock 19", "funk 19"]
    assert {text.get_text() for text in ax.child_axes[0].texts} == {"mine", "other"}
