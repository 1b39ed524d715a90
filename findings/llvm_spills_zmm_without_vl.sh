#!/usr/bin/env bash
# LLVM keeps sums of 512 bits in memory within a loop, with 12 of 32 registers free, if their lanes are added after it.
#
# Version: rustc 1.95.0 (LLVM 22.1.2), x86-64, -O, target feature avx512f.
# Expected: sixteen accumulators, four factors and a fifth fit into the 32 registers that avx512f has; what is done with the
#     accumulators once the loop has ended does not change where they are within it.
# Behaviour: with _mm512_reduce_add_ps behind the loop an accumulator is loaded from the stack, added to and stored in every
#     turn, and zmm16 to zmm31 hold factors alone. The reduction takes a register's halves, and without avx512vl instructions on
#     halves reach only the first sixteen; the accumulators are given that class as a whole, the loop included. With avx512vl,
#     or with the accumulators stored behind the loop and reduced elsewhere, nothing is on the stack.
#     A store and a load are then in a chain of sums: products of filters on such tiles ran at 162 GFLOP/s on two cores of a
#     Zen 5, and at 195 to 210 with the sums stored.
# Fails if that changes. Needs rustc 1.95.0.
set -euo pipefail
rustc --version | grep -q '^rustc 1\.95\.0 ' || { echo "needs rustc 1.95.0, found $(rustc --version)"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/tile.rs" <<'RUST'
#![crate_type = "lib"]
use std::arch::x86_64::*;

#[inline(always)]
unsafe fn tile(x: *const f32, w: *const f32, k: usize, to: *mut f32, finish: unsafe fn(__m512, *mut f32)) {
    let mut acc = [[_mm512_setzero_ps(); 4]; 4];
    for at in 0..k {
        let mut filters = [_mm512_setzero_ps(); 4];
        for o in 0..4 {
            filters[o] = _mm512_loadu_ps(w.add((o * k + at) * 16));
        }
        for image in 0..4 {
            let x = _mm512_loadu_ps(x.add((image * k + at) * 16));
            for o in 0..4 {
                acc[image][o] = _mm512_fmadd_ps(x, filters[o], acc[image][o]);
            }
        }
    }
    for i in 0..16 {
        finish(acc[i / 4][i % 4], to.add(i * 16));
    }
}

#[inline(always)]
unsafe fn reduced(acc: __m512, to: *mut f32) {
    *to = _mm512_reduce_add_ps(acc)
}

#[inline(always)]
unsafe fn stored(acc: __m512, to: *mut f32) {
    _mm512_storeu_ps(to, acc)
}

macro_rules! of {
    ($name:ident, $features:literal, $finish:ident) => {
        #[no_mangle]
        #[target_feature(enable = $features)]
        pub unsafe fn $name(x: *const f32, w: *const f32, k: usize, to: *mut f32) {
            tile(x, w, k, to, $finish)
        }
    };
}
of!(reduced_with_f, "avx512f", reduced);
of!(reduced_with_vl, "avx512f,avx512vl", reduced);
of!(stored_with_f, "avx512f", stored);
RUST
rustc -O --emit asm -o "$work/tile.s" "$work/tile.rs"
# Accesses of 512 bits to the stack within a function.
spills() {
    awk -v name="$1:" '$0 == name {on = 1} /^\.Lfunc_end/ {on = 0} on && /rsp\).*zmm|zmm.*rsp\)/ {n++} END {print n + 0}' "$work/tile.s"
}
found="$(spills reduced_with_f) $(spills reduced_with_vl) $(spills stored_with_f)"
echo "accesses to the stack: reduced with avx512f, with avx512vl, stored with avx512f: $found"
[[ $found == "5 0 0" ]] || { echo "expected 5 0 0"; exit 1; }
