"""The core's own plugin: its kinds of values and its renderers, as any package names its own."""

from __future__ import annotations

from groove_core.hookspecs import API_VERSION, Kind, Package, Renderer, hookimpl

__all__: list[str] = []


@hookimpl
def groove_package() -> Package:
    """Introduce the core."""
    return Package(name="groove-core", api=API_VERSION, summary="Values, rendering and files.")


@hookimpl
def groove_kinds() -> list[Kind]:
    """List what flows between packages."""
    kit = "groove_core.checks.kit"
    beat = "groove_core.drums.pattern:DrumPattern"
    line = "groove_core.values.melodies.melody:Melody"
    sheet = "groove_core.values.melodies.leadsheet:LeadSheet"
    take = "groove_core.tunes.takes:Take"
    return [
        Kind(
            name="audio",
            value="groove_core.values.sound.audio:Audio",
            summary="sound",
            example=f"{kit}:tiny_audio",
        ),
        Kind(
            name="codes",
            value="groove_core.values.results:Codes",
            summary="points of a latent space",
            example=f"{kit}:tiny_codes",
        ),
        Kind(
            name="drum-pattern",
            value=beat,
            summary="a beat on a grid of sixteenths",
            becomes={"score": f"{beat}.to_score"},
            example=f"{kit}:tiny_beat",
        ),
        Kind(
            name="lead-sheet",
            value=sheet,
            summary="a melody with chords and words",
            becomes={"melody": f"{sheet}.to_melody", "score": f"{sheet}.to_score"},
            example=f"{kit}:tiny_lead_sheet",
        ),
        Kind(
            name="melody",
            value=line,
            summary="one line of notes on a grid",
            becomes={"lead-sheet": f"{sheet}.of_melody", "score": f"{line}.to_score"},
            example=f"{kit}:tiny_line",
        ),
        Kind(
            name="report",
            value="groove_core.values.results:Report",
            summary="a table of measurements",
            example=f"{kit}:tiny_report",
        ),
        Kind(
            name="score",
            value="groove_core.values.scores.score:Score",
            summary="notes of any number of instruments",
            becomes={
                "drum-pattern": f"{beat}.from_score",
                "lead-sheet": f"{sheet}.from_score",
                "melody": f"{line}.from_score",
            },
            example=f"{kit}:tiny_song",
        ),
        Kind(
            name="take",
            value=take,
            summary="a melody that a network wrote",
            becomes={
                "lead-sheet": f"{take}.alone",
                "melody": f"{take}.to_melody",
                "score": f"{take}.to_score",
            },
            example=f"{kit}:tiny_take",
        ),
        Kind(
            name="trace",
            value="groove_core.tunes.tracing:Trace",
            summary="what a melody quotes of known tunes",
            example=f"{kit}:tiny_trace",
        ),
        Kind(
            name="tune-set",
            value="groove_core.tunes.sets:TuneSet",
            summary="tunes to learn from, in parts of a split",
            example=f"{kit}:tiny_tunes",
        ),
    ]


@hookimpl
def groove_renderers() -> list[Renderer]:
    """Play what has notes; beats so that they loop."""
    return [
        Renderer(kind="score", suffix="wav", run="groove_core.render.soundfont:save_wav"),
        Renderer(kind="drum-pattern", suffix="wav", run="groove_core.render.loops:save_loop"),
    ]
