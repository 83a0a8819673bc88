"""Style libraries of MMA (Musical MIDI Accompaniment) and the genre each belongs to.

A library is one file of MMA's ``lib`` folder and holds several grooves: a rhythm section's
parts for one style. Libraries that belong to two of the ten genres (country blues, pop rock)
or to none (tango, polka) are left out.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from groove_core.errors import InputError

__all__ = ["LIBRARIES", "Groove", "find_grooves"]

LIBRARIES: dict[str, str] = {
    "blues": "stdlib: blues blues128 blues68 boggiewoggie fastblues shuffleboggie slowblues, "
    "casio: blues shuffleboogie, zoom: blues blues34 blues68",
    "classical": "stdlib: 68march arpeggio44 arpeggio68 arpeggiowaltz bwmarch hymn lullaby march "
    "slowbolero stringballad vienesewaltz, casio: germanmarch march1 serenade",
    "country": "stdlib: bluegrass countryswing countrywaltz hillcountry slowcountry westernswing, "
    "kara: kwestballad, yamaha: western, zoom: cntry country",
    "disco": "stdlib: boneym, casio: 8beatdance dance1 dance2 dancepop1 dancepop2 dancepop3 "
    "discosoul house, zoom: dance house",
    "hiphop": "alexis: hiphop, casio: hip-hop mellowrb modernrb triphop, zoom: hiphop rnb trip",
    "jazz": "stdlib: bebop bigband charleston descendingjazz dixie easyswing evansish "
    "fastjazzwaltz fastswing gypsyjazz jazz-54 jazzcombo jazzguitar jazzwaltz mellowjazz "
    "modernjazz modernjazzwaltz nitejazz slowjazz swing, casio: fastbigband jazzcombo jazzwaltz "
    "middlebigband modernjazz slowbigband slowswing swing, yamaha: jazzGrtrio jazzbasie "
    "jazzbouncy jazzswing jazztrio jazzwaltz, zoom: jazz jazz04",
    "metal": "casio: heavymetal, pflib: metal1 metal2, zoom: hrk mtl punk thr",
    "pop": "stdlib: 8beat popballad, casio: 60spop 80spop 8beatpop1 8beatpop2 8beatpop3 "
    "electricpop pop popballad popshuffle1 popshuffle2 popwaltz soulpop worldpop, zoom: pop",
    "reggae": "stdlib: ska, zoom: reggae ska",
    "rock": "stdlib: 50srock 60srock basicrock bubblerock folkrock rock-128 rockballad rockwaltz "
    "softrock, casio: 60srock digitalrock rock1 rock2 shufflerock slowrock, "
    "kara: K50s_rock, pflib: rock1 slowrock, zoom: rock rock34",
}
"""Which libraries belong to a genre: ``folder: file file, folder: ...``."""

_DEFINITION = re.compile(r"^\s*DefGroove\s+(\S+)", re.IGNORECASE | re.MULTILINE)
_PITCHED = re.compile(
    r"^\s*(?:Begin\s+)?(?:Bass|Chord|Walk|Arpeggio|Scale|Plectrum|Melody|Solo|Aria)\b",
    re.IGNORECASE | re.MULTILINE,
)
_PASSING = re.compile(
    r"intro|fill|break|count\d*$|end(?:ing)?[A-D\d]*$|\d(?:F[A-D]+|E)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, order=True)
class Groove:
    """A groove of a style library."""

    genre: str
    library: str
    """Folder and file, such as ``stdlib/ska``."""
    name: str
    drums_only: bool

    @property
    def address(self) -> str:
        """How MMA finds it."""
        return f"{self.library}:{self.name}"


def _folder() -> Path:
    """Find the folder of the libraries."""
    program = shutil.which("mma")
    if program:
        for base in (Path("/usr/share/mma"), Path(program).resolve().parent):
            if (base / "lib" / "stdlib").is_dir():
                return base / "lib"
    raise InputError(
        "MMA (Musical MIDI Accompaniment) is not installed.",
        hint="sudo apt install mma, or see https://www.mellowood.ca/mma",
    )


def find_grooves() -> list[Groove]:
    """Find the grooves of the ten genres that are installed, without intros, fills and endings.

    Raises
    ------
    InputError
        If MMA is not installed.
    """
    folder = _folder()
    found: dict[str, Groove] = {}
    for genre, text in LIBRARIES.items():
        for part in text.split(", "):
            where, _, names = part.partition(": ")
            for name in names.split():
                path = folder / where / f"{name}.mma"
                if not path.is_file():  # another version of MMA
                    continue
                source = path.read_text(encoding="utf-8", errors="replace")
                drums_only = _PITCHED.search(source) is None
                for groove in _DEFINITION.findall(source):
                    if not _PASSING.search(groove):
                        one = Groove(genre, f"{where}/{name}", groove, drums_only)
                        found.setdefault(one.address.lower(), one)
    return sorted(found.values())
