#!/usr/bin/env bash
# ptxas takes the modifiers of a PTX instruction in any order, although the manual gives one for each instruction.
#
# Version: nvidia-cuda-nvcc 13.5.37 (ptxas).
# Expected: the syntax of PTX is setp.CmpOp.BoolOp.type, ld.ss.cop.vec.type and atom.scope.space.op.type; anything else
#     should be a syntax error, so that what the assembler takes can be used as a test of what is PTX.
# Behaviour: a kernel with setp.and.lt.u32, ld.global.v2.ca.u32 and atom.global.add.gpu.u32, and one with the types first,
#     assemble to the very bytes of the kernel that is written as the manual says. Only ld.global.v2.ca brings a warning
#     ("Vector Type not specified properly"), ld.v2.u32.ca.global none. A modifier that is none for the instruction, as in
#     setp.lt.and.cta.u32, is an error.
# So a reader of PTX that demands the manual's order refuses what NVIDIA's assembler runs, and generators that mix the order
# up go unnoticed.
# Fails if that changes. Needs python3 with pip and venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps nvidia-cuda-nvcc==13.5.37
cat >"$work/check.py" <<'PYTHON'
import glob, subprocess, sys

work = sys.argv[1]
ptxas = glob.glob(f"{work}/venv/lib/python3*/site-packages/nvidia/cu13/bin/ptxas")[0]
KERNEL = """.version 8.5
.target sm_80
.address_size 64
.visible .entry count(.param .u64 p)
{{
    .reg .b64 %rd<3>;
    .reg .b32 %r<5>;
    .reg .pred %odd, %less;
    ld.param.u64 %rd1, [p];
    cvta.to.global.u64 %rd2, %rd1;
    mov.u32 %r4, %tid.x;
    setp.ne.u32 %odd, %r4, 0;
    {load} {{%r1, %r2}}, [%rd2];
    {compare} %less, %r1, %r2, %odd;
    @%less {add} %r3, [%rd2], 1;
    ret;
}}
"""


def assemble(name, compare, load, add):
    source, made = f"{work}/{name}.ptx", f"{work}/{name}.cubin"
    with open(source, "w") as file:
        file.write(KERNEL.format(compare=compare, load=load, add=add))
    run = subprocess.run([ptxas, "-arch=sm_80", source, "-o", made], capture_output=True, text=True)
    said = (run.stdout + run.stderr).replace(work, "").strip()
    print(f"{name:7} {compare}  {load}  {add}: {'assembled' if run.returncode == 0 else 'refused'}", said)
    return open(made, "rb").read() if run.returncode == 0 else None, said


manual, _ = assemble("manual", "setp.lt.and.u32", "ld.global.ca.v2.u32", "atom.gpu.global.add.u32")
mixed, warned = assemble("mixed", "setp.and.lt.u32", "ld.global.v2.ca.u32", "atom.global.add.gpu.u32")
types, quiet = assemble("types", "setp.u32.lt.and", "ld.v2.u32.ca.global", "atom.add.u32.global.gpu")
wrong, _ = assemble("wrong", "setp.lt.and.cta.u32", "ld.global.ca.v2.u32", "atom.gpu.global.add.u32")
print("the same bytes:", manual == mixed == types)
as_seen = manual is not None and manual == mixed == types and "Vector Type" in warned and not quiet and wrong is None
sys.exit(0 if as_seen else "this behaviour has changed")
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work"
