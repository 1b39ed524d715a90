"""Compiles kernels by Triton and by a new NVRTC, runs them in ptxsim, and compares the results with numpy's.

Prints a line for each kernel and target. Fails if one is neither right nor known to hold what is not simulated.
"""

import argparse
import os
import sys
from pathlib import Path

TARGETS = (75, 80, 90, 100, 120)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ptxsim", type=Path, required=True, help="the simulator's program")
    parser.add_argument("--kernels", type=Path, required=True, help="the project's kernels/")
    parser.add_argument("--work", type=Path, required=True, help="where files go")
    parser.add_argument("--targets", type=int, nargs="+", default=TARGETS, help="compute capabilities, such as 90")
    arguments = parser.parse_args()
    # Read when Triton is imported: nothing is to be kept in the user's home.
    os.environ["TRITON_CACHE_DIR"] = str(arguments.work / "triton-cache")
    os.environ["TRITON_DEFAULT_FP_FUSION"] = "1"
    import by_nvrtc
    import by_triton

    bad = count = beyond = 0
    for target in arguments.targets:
        for case in (*by_triton.cases(target), *by_nvrtc.cases(target, arguments.kernels)):
            folder = arguments.work / f"{target}" / case.compiler.split()[0] / case.kernel.replace(" ", "_")
            said = case.run(arguments.ptxsim, folder)
            count += 1
            if case.beyond and "is not simulated" in said:
                beyond += 1
            elif said != "right":
                bad += 1
                said = f"FAILED: {said} ({folder})"
            print(f"{case.compiler:13} {case.kernel:24} compute {target:3}  {short(said)}", flush=True)
    print(f"{count - bad - beyond} of {count} right, {beyond} not simulated, {bad} failed")
    return 1 if bad else 0


def short(said):
    """A message without the line of PTX that it quotes."""
    name, found, rest = said.partition("is not simulated: ")
    return f"{name}{found}{rest.split(': `')[0]}" if found else said


if __name__ == "__main__":
    sys.exit(main())
