"""Values that are written down once, those that can be heard, and pages."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from importlib import resources
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from groove_core.errors import InputError, UsageError
from groove_core.values import Audio, Record, SoundRecord, audio_url, build_page, data_url
from groove_core.values.page import escaped

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mark:
    name: str
    at_s: float


@dataclass(frozen=True, eq=False, repr=False)
class Heard(SoundRecord):
    kind: ClassVar[str] = "heard"
    keys = "name loudest marks curve counts span_s"
    digits: ClassVar = {"curve": 2, "span_s": 1}

    name: str
    curve: Floats
    counts: npt.NDArray[np.int64]
    marks: tuple[Mark, ...] = ()
    span_s: tuple[float, float] = (0.0, 1.0)
    network: object = field(default=None, compare=False)

    @property
    def loudest(self) -> int:
        return int(self.curve.argmax())

    def to_text(self) -> str:
        return f"{self.name} <{self.loudest}>"


def heard(**more) -> Heard:
    marks = [Mark("a", 0.5), Mark("b", 1.25)]
    return Heard("x.wav", [[0.123, 4.567]], [1, 2], marks, (0.04, 9.96), **more)


def test_the_fields_make_the_json_in_the_order_of_the_keys():
    assert list(heard().to_json().items()) == [
        ("kind", "heard"), ("name", "x.wav"), ("loudest", 1),
        ("marks", [{"name": "a", "at_s": 0.5}, {"name": "b", "at_s": 1.25}]),
        ("curve", [[0.12, 4.57]]), ("counts", [1, 2]), ("span_s", [0.0, 10.0]),
    ]  # fmt: skip


def test_what_is_read_equals_what_was_saved(tmp_path):
    one = heard(network=object())
    again = Heard.read(one.save(tmp_path / "a.json"))
    assert again == one
    assert again.network is None
    assert (again.curve.dtype, again.counts.dtype) == (np.float64, np.int64)
    assert again.marks == (Mark("a", 0.5), Mark("b", 1.25))
    assert again.span_s == (0.0, 10.0)
    assert Heard("x.wav", one.curve, [1, 3], one.marks, one.span_s) != one


def test_the_first_line_of_the_text_is_shown():
    assert repr(heard()) == "Heard(x.wav <1>)"


def test_a_document_that_lacks_a_field_is_refused(tmp_path):
    document = heard().to_json()
    del document["curve"]
    with pytest.raises(InputError, match=r"mine.json is not a valid heard: KeyError\('curve'\)"):
        Heard.from_document(document, "mine.json")


def test_a_document_of_an_earlier_version_lacks_what_has_a_default(tmp_path):
    document = heard().to_json()
    del document["marks"]
    assert Heard.from_document(document, "mine.json").marks == ()


def test_all_fields_are_written_where_no_keys_are_named():
    @dataclass(frozen=True, eq=False, repr=False)
    class Plain(Record):
        kind: ClassVar[str] = "plain"
        size: int
        names: tuple[str, ...]

        def to_text(self) -> str:
            return ""

    assert Plain(3, ["a"]).to_json() == {"kind": "plain", "size": 3, "names": ["a"]}


def test_a_sound_is_heard_and_saved_but_is_not_in_the_json(tmp_path):
    sound = Audio(0.5 * np.sin(np.arange(800) / 9), 8000)
    one = heard(sound=sound)
    assert one == heard()
    assert "sound" not in one.to_json()
    assert Audio.read(one.save(tmp_path / "a.wav")).sample_rate == 44_100
    assert one._repr_html_().startswith("<pre>x.wav &lt;1&gt;</pre>")
    assert "<audio" in one._repr_html_()
    assert heard()._repr_html_() == "<pre>x.wav &lt;1&gt;</pre>"
    with pytest.raises(UsageError, match="has no sound") as error:
        heard().save(tmp_path / "b.wav")
    assert "--format wav" in error.value.hint
    assert not (tmp_path / "b.wav").exists()


@pytest.fixture
def parts(tmp_path):
    (tmp_path / "page.html").write_text("<h1><!--TITLE--></h1>\n")
    (tmp_path / "page.css").write_text("h1 { color: red }\n")
    (tmp_path / "one.js").write_text("const one = 1;\n")
    (tmp_path / "two.js").write_text("show(one);\n")
    return tmp_path


def test_a_page_is_whole_and_asks_nothing_of_a_network(parts):
    page = build_page(
        parts,
        title="Beats <& more>",
        scripts=["one.js", "two.js"],
        documents={"facts": {"name": "</script><b>", "half": 0.5}},
        blobs={"bytes": b"\x00\xff"},
    )
    look = (resources.files("groove_core.values") / "look.css").read_text()
    assert page.count("Beats &lt;&amp; more&gt;") == 2
    assert "<!--TITLE-->" not in page
    assert page.index(look) < page.index("h1 { color: red }")  # what is the page's own comes last
    assert page.index("const one") < page.index("show(one)")
    assert "default-src 'none'" in page
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)|https?://""", page)
    # A text does not end the element that holds it.
    assert page.count("</script>") == 4
    [blob] = re.findall(r'id="bytes">(.*)</script>', page)
    assert base64.b64decode(blob) == b"\x00\xff"


def test_a_page_is_the_same_bytes_again(parts):
    options = {"title": "a", "scripts": [], "documents": {"x": {"b": 1, "a": 2}}}
    assert build_page(parts, **options) == build_page(parts, **options)


def test_texts_and_sounds_in_html():
    assert escaped("a <b>\n  c") == "<pre>a &lt;b&gt;\n  c</pre>"
    assert data_url("image/png", b"\x89") == "data:image/png;base64,iQ=="
    sound = Audio(0.5 * np.sin(np.arange(22_050) / 9), 22_050)
    given = sound.samples, sound.sample_rate
    wav, mp3 = audio_url(*given), audio_url(*given, small=True)
    assert wav.startswith("data:audio/wav;base64,UklGR")  # RIFF
    assert mp3.startswith("data:audio/mpeg;base64,")
    assert len(mp3) < len(wav) / 4
