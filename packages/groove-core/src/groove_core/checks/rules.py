"""The rules that a plugin is checked against, and how to keep each."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RULES", "Problem"]

RULES = {
    # what a package says of itself
    "registered": (
        "One distribution registers the plugin module in the entry-point group of this API.",
        "Add it to pyproject.toml and install the package again: pip install -e .",
    ),
    "loads": (
        "The plugin module can be imported and its hooks return descriptors.",
        "Run python -c 'import MODULE' with the name of the module and correct what it prints.",
    ),
    "hooks": (
        "Every hook that is implemented exists and has the parameters of its specification.",
        "Compare its name and parameters with those in groove_core.hookspecs.",
    ),
    "api": (
        "The package is made for this plugin API or an older minor version of it.",
        "Give groove_package the API_VERSION you wrote against, or upgrade groove-core.",
    ),
    "name": (
        "One name, in kebab-case, is the entry point, the distribution and the word to type; "
        "those of third parties begin with groove-.",
        "Use the name of the distribution in all three places: groove-tabla.",
    ),
    "summary": (
        "The package and its actions have summaries of one line.",
        "Say in a sentence what it does; people choose by it.",
    ),
    # what an import costs
    "light-import": (
        "Importing the plugin module imports the standard library and groove_core.hookspecs only.",
        "Move the import into the function that needs it, in the module of the actions.",
    ),
    "lazy-import": (
        "Importing the plugin module does not import the modules of its actions.",
        'Name the function in a text, "module:function", and do not import it.',
    ),
    "fast-import": (
        "Importing the plugin module takes little time.",
        "Do nothing at import but define functions; read and compute when an action runs.",
    ),
    # what signatures say
    "action-name": (
        "Actions are called by verbs in kebab-case that are no options of the core.",
        "Rename it in plugin.py: draw, describe, train-melody.",
    ),
    "address": (
        "The function behind every action, data set and renderer exists.",
        "Compare the address in plugin.py with the name of the function.",
    ),
    "docstring": ("Every action has a docstring.", "Its first lines are what --help prints."),
    "checked-calls": (
        "Calls of an action from Python are checked as the command line is.",
        "Decorate the function with groove_core.actions.action.",
    ),
    "signature": (
        "Parameters have types and names that actions can have, and make a JSON schema.",
        "Use bool, int, float, str, Path, Literal or a value; groove_core.actions has the words.",
    ),
    "help": (
        "Every parameter has a help text.",
        'Annotate it: Annotated[int, Opt("beats to draw", min=1, max=64)].',
    ),
    "unit": (
        "The name of a quantity carries its unit, and its Opt says the same.",
        'Let both agree: length_s with unit="s", tempo_bpm with unit="bpm".',
    ),
    "device": (
        "An action that takes a checkpoint takes a device, too.",
        'Add device: Device = "auto", and hand it to groove_core.storage.checkpoints.load.',
    ),
    "range": (
        "A range is not empty, and the default lies in it.",
        "Correct min, max or the default.",
    ),
    "dataset": (
        "Data sets have a name in kebab-case and a licence.",
        'Give the SPDX identifier, or "unknown" with a note in the documentation.',
    ),
    "kind": (
        "A kind of value has a name in kebab-case of its own, a class that says the same name, an "
        "example, and functions that turn it into kinds that are known.",
        "Compare groove_kinds with the class, which derives from groove_core.values.Value.",
    ),
    "renderer": (
        "A renderer adds a file ending that the core does not write itself.",
        "Choose another ending, lower-case and without the dot.",
    ),
    # what happens when it runs
    "runs": (
        "An action works with its defaults on small input, and gives values.",
        "Run it with --debug; raise a GrooveError for what a user can correct.",
    ),
    "errors": (
        "A mistake of the user ends in a GrooveError with a hint, not in a traceback.",
        "Raise InputError or UsageError with a hint; storage.files.check_file checks a path.",
    ),
    "repeatable": (
        "The same options and seed give the same values again.",
        "Take a Seed and draw from numpy.random.default_rng(seed), never from global state.",
    ),
    "seeded": (
        "Another seed gives another result.",
        "Make the generator of random numbers from the seed that was given.",
    ),
    "round-trip": (
        "What was written to JSON or to a file and read again equals what there was.",
        "Let to_json hold everything that from_json needs, and compare the two.",
    ),
    "clean": (
        "An action leaves no file but those of its values, and changes none of its package.",
        "Return values instead of writing files; a cache belongs in groove_core.storage.cache.",
    ),
    "silent": (
        "An action prints nothing: stdout is the result.",
        "Return a Report, or tell people with groove_core.console.note.",
    ),
    "writes": (
        "A renderer writes one file that is not empty, at the path it is given.",
        "Write to the path, and to no other.",
    ),
    "observers": (
        "Observers take every run without an error.",
        "Watch without assuming anything of the package that runs.",
    ),
}
"""By name: what must hold, and what to do where it does not."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that is broken."""

    rule: str
    """One of `RULES`."""
    message: str
    """What breaks it, and where."""
    hint: str = ""
    """What to do (default: the general advice of the rule)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hint", self.hint or RULES[self.rule][1])

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}\n  {self.hint}"
