//! `mma.sync`, `ldmatrix`, `stmatrix`, `movmatrix`.

use super::*;
use ptxsim::num::{Format, Rounding, Saturation};

const MMA: &str = include_str!("../kernels/mma.ptx");
const LDMATRIX: &str = include_str!("../kernels/ldmatrix.ptx");

/// Runs one `mma.sync` on registers [register][lane].
fn mma(opcode: &str, a: &[[u32; 32]], b: &[[u32; 32]], c: &[[u32; 32]]) -> Vec<u32> {
    let list = |name: char, count: usize| {
        let names: Vec<_> = (0..count).map(|i| format!("%{name}{i}")).collect();
        format!("{{{}}}", names.join(", "))
    };
    let [la, lb, lc, ld] = [('a', a.len()), ('b', b.len()), ('c', c.len()), ('d', c.len())].map(|(n, k)| list(n, k));
    let load = |name: char, from: usize, count: usize| -> String {
        (0..count).map(|i| format!("ld.global.u32 %{name}{i}, [%p{from}+{}];\n", i * 128)).collect()
    };
    let loads = load('a', 0, a.len()) + &load('b', 1, b.len()) + &load('c', 2, c.len());
    let stores: String = (0..c.len()).map(|i| format!("st.global.u32 [%p3+{}], %d{i};\n", i * 128)).collect();
    let instruction = format!("{opcode} {ld}, {la}, {lb}, {lc};");
    let module = kernel(MMA, &[("LOADS", &loads), ("\tINSTRUCTION", &instruction), ("STORES", &stores)]);
    let mut bench = Bench::new();
    for operand in [a, b, c] {
        bench.input(operand);
    }
    let out = bench.output::<[u32; 32]>(c.len());
    bench.run(&module, "mma", 32).unwrap();
    bench.read(out, 32 * c.len())
}

/// The matrix a[i][l] = i + 2 l (mod 5), b[l][j] = 3 l + j (mod 7), c = 1, whose product is computed by integers.
fn product(i: usize, j: usize, k: usize) -> i32 {
    1 + (0..k).map(|l| a_at(i, l) * b_at(l, j)).sum::<i32>()
}

fn a_at(i: usize, l: usize) -> i32 {
    ((i + 2 * l) % 5) as i32
}

fn b_at(l: usize, j: usize) -> i32 {
    ((3 * l + j) % 7) as i32 - 3
}

/// Places the matrices for elements of `per` to a register, by the layouts' formulas.
fn check(opcode: &str, k: usize, per: usize, format: Option<Format>, integers: bool) {
    let encode = |x: i32| match format {
        Some(format) => format.encode(f64::from(x), Rounding::NearestEven, Saturation::default()),
        None => x as u8 as u32,
    };
    let bits = 32 / per;
    let mut a = vec![[0u32; 32]; k / per / 2];
    let mut b = vec![[0u32; 32]; k / per / 4];
    for l in 0..k {
        let (word, part) = (l / per, l % per);
        for i in 0..16 {
            a[word / 4 * 2 + i / 8][i % 8 * 4 + word % 4] |= encode(a_at(i, l)) << (part * bits);
        }
        for j in 0..8 {
            b[word / 4][j * 4 + word % 4] |= encode(b_at(l, j)) << (part * bits);
        }
    }
    let one = if integers { 1 } else { 1f32.to_bits() };
    let d = mma(opcode, &a, &b, &[[one; 32]; 4]);
    for lane in 0..32 {
        for r in 0..4 {
            let (i, j) = (lane / 4 + 8 * (r / 2), lane % 4 * 2 + r % 2);
            let got = d[r * 32 + lane];
            let got = if integers { got as i32 } else { f32::from_bits(got) as i32 };
            assert_eq!(got, product(i, j, k), "{opcode} ({i}, {j})");
        }
    }
}

#[test]
fn products() {
    check("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", 16, 2, Some(Format::F16), false);
    check("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", 8, 2, Some(Format::F16), false);
    check("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", 16, 2, Some(Format::BF16), false);
    check("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32", 8, 2, Some(Format::BF16), false);
    check("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", 8, 1, Some(Format::TF32), false);
    check("mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32", 4, 1, Some(Format::TF32), false);
    check("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32", 32, 4, None, true);
    check("mma.sync.aligned.m16n8k16.row.col.satfinite.s32.s8.s8.s32", 16, 4, None, true);
}

#[test]
fn f16_accumulators() {
    // Every element 1: each sum is k + 1.
    let d = mma(
        "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16",
        &[[0x3c00_3c00; 32]; 4],
        &[[0x3c00_3c00; 32]; 2],
        &[[0x3c00_3c00; 32]; 2],
    );
    assert_eq!(d, [0x4c40_4c40; 64]);
}

#[test]
fn an_unknown_shape_is_a_parse_error() {
    let text = MMA
        .replace("LOADS", "")
        .replace("STORES", "")
        .replace("INSTRUCTION", "mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%a0}, {%a1}, {%a2}, {%a3};");
    assert!(Module::parse("test", &text).unwrap_err().to_string().contains("m8n8k4"));
}

#[test]
fn a_part_of_a_warp_cannot_multiply() {
    let text = LDMATRIX
        .replace("movmatrix", "@%p0 movmatrix")
        .replace("mov.u32 %r0, %laneid;", ".reg .pred %p<1>;\n\tmov.u32 %r0, %laneid;\n\tsetp.ne.u32 %p0, %r0, 3;");
    let mut bench = Bench::new();
    bench.input(&[0u8; 512]);
    bench.output::<u32>(320);
    assert_fault(bench.run(&kernel(&text, &[]), "ldmatrix", 32), FaultKind::DivergentBarrier, &["movmatrix"]);
}

#[test]
fn matrices_in_and_out_of_shared_memory() {
    let input: Vec<u16> = (0..256).collect();
    let mut bench = Bench::new();
    bench.input(&input);
    let out = bench.output::<u16>(640);
    bench.run(&kernel(LDMATRIX, &[]), "ldmatrix", 32).unwrap();
    let out: Vec<u16> = bench.read(out, 640);
    // Matrix m, row r, column c is number 64 m + 8 r + c.
    for lane in 0..32 {
        for i in 0..2 {
            let (r, c) = (lane / 4, lane % 4 * 2 + i);
            let at = |register: usize| usize::from(out[register * 64 + lane * 2 + i]);
            for m in 0..4 {
                assert_eq!(at(m), 64 * m + 8 * r + c);
            }
            assert_eq!(at(4), 64 + 8 * c + r, ".trans");
            assert_eq!(at(5), 64 + 8 * r + c, "movmatrix undoes .trans");
        }
    }
    // stmatrix.trans: each matrix transposed.
    for m in 0..4 {
        for (r, c) in (0..8).flat_map(|r| (0..8).map(move |c| (r, c))) {
            assert_eq!(usize::from(out[384 + 64 * m + 8 * r + c]), 64 * m + 8 * c + r);
        }
    }
}

#[test]
fn a_misaligned_row() {
    let mut bench = Bench::new();
    bench.input(&[0u8; 512]);
    bench.output::<u32>(320);
    let module = kernel(LDMATRIX, &[("%r11}, [%r2]", "%r11}, [%r2+8]")]);
    assert_fault(bench.run(&module, "ldmatrix", 32), FaultKind::Misaligned, &["ldmatrix"]);
}
