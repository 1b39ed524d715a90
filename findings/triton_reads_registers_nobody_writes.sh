#!/usr/bin/env bash
# Triton's PTX reads registers that nothing writes, when it converts to eight-bit floats fewer at a time than its sequence does.
#
# Version: triton 3.9.0.
# Expected: PTX of a compiler reads what an instruction before wrote, so a checker for uninitialised reads may be strict.
# Behaviour: a kernel that stores f32 as float8e5, compiled for 128 threads,
#     for compute capability 8.0, where the sequence converts four, reads 3 registers that no instruction writes if a thread
#     has one element, 2 if it has two, none if it has four;
#     for 9.0, where cvt.rn.satfinite.e5m2x2.f32 converts two, 1 if it has one, none otherwise.
#     The results of these are not used, so the stored values are right; NVIDIA's assembler takes it without a word.
# So a simulator or sanitizer that stops at an uninitialised register stops at right code of Triton's.
# Fails if that changes. Needs python3 with pip and venv on Linux; no GPU.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps triton==3.9.0
cat >"$work/kernel.py" <<'PYTHON'
import triton
import triton.language as tl


@triton.jit
def narrow(x, y, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at).to(tl.float8e5))
PYTHON
cat >"$work/check.py" <<'PYTHON'
import os, re, sys

work = os.path.dirname(os.path.abspath(__file__))
os.environ["TRITON_CACHE_DIR"], os.environ["TRITON_DEFAULT_FP_FUSION"] = f"{work}/cache", "1"
import kernel, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource


def unwritten(ptx):
    """Registers that instructions read, and none has as its destination, with the first line that reads each."""
    written, read = set(), {}
    for line in ptx.splitlines():
        line = line.split("//")[0].strip().lstrip("{ ").rstrip("; }")
        found = re.match(r"(?:@!?(%\w+)\s+)?([a-z][\w.]*)\s+(.*)", line)
        if not found:
            continue
        guard, opcode, operands = found.groups()
        target = "" if re.match(r"st\.|bra", opcode) else re.match(r"\{[^}]*\}?|[^,]+", operands)[0]
        written |= set(re.findall(r"%[a-z]+\d+", target))
        for register in re.findall(r"%[a-z]+\d+", (guard or "") + operands[len(target):]):
            read.setdefault(register, line)
    return {register: line for register, line in read.items() if register not in written}


changed = False
for capability, as_seen in [(80, [3, 2, 0]), (90, [1, 0, 0])]:
    for elements, count in zip([1, 2, 4], as_seen):
        aligned = {(i,): [["tt.divisibility", 16]] for i in range(2)}
        kinds = {"x": "*fp32", "y": "*fp8e5", "BLOCK": "constexpr"}
        block = {"BLOCK": 128 * elements}
        source = ASTSource(fn=kernel.narrow, signature=kinds, constexprs=block, attrs=aligned)
        ptx = triton.compile(source, target=GPUTarget("cuda", capability, 32)).asm["ptx"]
        found = unwritten(ptx)
        print(f"compute capability {capability}, {elements} a thread:", found or "each register that is read is written")
        changed |= len(found) != count
sys.exit("this behaviour has changed" if changed else 0)
PYTHON
"$work/venv/bin/python" "$work/check.py"
