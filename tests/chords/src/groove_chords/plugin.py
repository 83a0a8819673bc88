"""What groove-chords tells Groove about itself."""

from groove_core.hookspecs import Action, Kind, Package, hookimpl


@hookimpl
def groove_package():
    return Package(name="groove-chords", api=(1, 1), summary="Chord charts.")


@hookimpl
def groove_kinds():
    chart = "groove_chords.chart:Chart"
    return [
        Kind(
            name="chord-chart",
            value=chart,
            summary="one chord a bar",
            becomes={"score": f"{chart}.to_score"},
            example="groove_chords.chart:tiny_chart",
        )
    ]


@hookimpl
def groove_generators():
    return [Action("sample", "groove_chords.actions:sample", "Write a chart.")]


@hookimpl
def groove_trainers():
    return [Action("train", "groove_chords.actions:train", "Learn from charts.")]
