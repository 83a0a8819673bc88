"""Answer on a GPU what no CPU can: the same results, and how fast.

    python tools/gpu.py              # everything, in ten minutes
    python tools/gpu.py --only tests

The tests marked ``gpu`` compare every action with the CPU and train for an epoch. The benchmarks
time training and playing at the size that a CPU is too slow for.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from monorepo import ROOT, Stop, tell

LIMIT_S = 600.0

PARTS = {
    "tests": [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"],
    "notes": [
        sys.executable, "benchmarks/notes.py", "--size", "full", "--device", "cuda", "--compile",
    ],
}  # fmt: skip


def name_of_gpu() -> str | None:
    """Return the name of the GPU that torch would compute on; None where there is none."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def main(arguments: list[str] | None = None) -> int:
    """Run the parts one after the other; 0 if all of them succeed in time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, help="part to run (default: all of them)")
    only = parser.parse_args(arguments).only
    name = name_of_gpu()
    if name is None:
        raise Stop(
            "There is no GPU that torch can use.",
            "Run this on a machine with one; hatch run test needs none.",
        )
    end_s = time.monotonic() + LIMIT_S
    for part, command in PARTS.items():
        if only not in (None, part):
            continue
        print(f"{part} on {name}", flush=True)
        try:
            left_s = max(1.0, end_s - time.monotonic())
            code = subprocess.run(command, cwd=ROOT, timeout=left_s, check=False).returncode
        except subprocess.TimeoutExpired as error:
            raise Stop(
                f"The {part} did not end within the ten minutes that all parts have.",
                f"python tools/gpu.py --only {part} gives them all of the time.",
            ) from error
        if code:
            raise Stop(f"The {part} failed with {code}.", "See above.")
    return 0


if __name__ == "__main__":
    sys.exit(tell(main))
