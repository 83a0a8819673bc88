"""Check that a training can be interrupted: what plugin authors with networks run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from groove_core.learning import Run, Step, Training, trained
from groove_core.learning import loop as loops

__all__ = ["check_resume"]

T = TypeVar("T", bound=Training[Any, Any, Any])


def check_resume(kind: type[T], settings: Any, data: Any, folder: Path, *, seed: int = 1) -> T:
    """Check that a training that was interrupted half-way ends as an unbroken one.

    Parameters
    ----------
    kind : subclass of Training
    settings
        With two epochs or more.
    data
        What `kind` takes.
    folder : path
        For the states of two trainings.

    Returns
    -------
    Training
        The unbroken one.

    Raises
    ------
    AssertionError
        If weights or losses differ.
    """

    class Interrupted(kind):  # type: ignore[misc, valid-type]
        def learn(self, batch: torch.Tensor, step: Step) -> dict[str, torch.Tensor]:
            if step.done >= 0.5:
                raise KeyboardInterrupt
            found: dict[str, torch.Tensor] = super().learn(batch, step)
            return found

    whole = trained(kind, settings, data, Run(seed, folder=folder / "whole"))
    broken = Run(seed, folder=folder / "broken")
    every_s, loops.STORE_EVERY_S = loops.STORE_EVERY_S, 0.0
    try:
        trained(Interrupted, settings, data, broken)
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError("the training was over before it could be interrupted")
    finally:
        loops.STORE_EVERY_S = every_s
    resumed = trained(kind, settings, data, replace(broken, resume=True))
    assert resumed.history == whole.history, "the losses differ"
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), f"{name} differs"
    return whole
