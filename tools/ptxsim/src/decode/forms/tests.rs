//! Every opcode that is known, with a modifier planted in each place.

use super::*;
use crate::Module;
use crate::code::RegFile;
use crate::decode::names::file_of;

/// A valid statement for each form; where a form has several shapes of operands, for each of those.
const ROWS: &[&str] = &[
    "setp.lo.and.u32 %p1, %r1, %r2, %p2",
    "setp.lt.s64 %p1|%p2, %rd1, %rd2",
    "setp.ne.xor.b16 %p1, %rs1, %rs2, !%p2",
    "setp.neu.or.ftz.f32 %p1, %f1, %f2, %p2",
    "setp.gt.ftz.f16x2 %p1|%p2, %r1, %r2",
    "setp.num.f64 %p1, %fd1, %fd2",
    "setp.eq.bf16x2 %p1|%p2, %r1, %r2",
    "set.hi.u32.u16 %r1, %rs1, %rs2",
    "set.ge.or.s32.s32 %r1, %r2, %r3, %p1",
    "set.eq.f32.b64 %f1, %rd1, %rd2",
    "set.lt.and.ftz.f16.f32 %rs1, %f1, %f2, %p1",
    "set.lt.and.bf16.f32 %rs1, %f1, %f2, %p1",
    "set.le.u32.f64 %r1, %fd1, %fd2",
    "set.ge.ftz.u16.f16 %rs1, %rs2, %rs3",
    "set.nan.bf16.bf16 %rs1, %rs2, %rs3",
    "set.nan.and.ftz.f16x2.f16x2 %r1, %r2, %r3, %p1",
    "set.lt.bf16x2.bf16x2 %r1, %r2, %r3",
    "cvt.sat.u8.s32 %r1, %r2",
    "cvt.rmi.ftz.sat.s16.f32 %rs1, %f1",
    "cvt.rp.ftz.sat.f32.u64 %f1, %rd1",
    "cvt.rni.ftz.sat.f32.f32 %f1, %f2",
    "cvt.rzi.sat.f64.f64 %fd1, %fd2",
    "cvt.rpi.sat.f16.f16 %rs1, %rs2",
    "cvt.rni.bf16.bf16 %rs1, %rs2",
    "cvt.ftz.sat.f32.f16 %f1, %rs1",
    "cvt.sat.f64.f16 %fd1, %rs1",
    "cvt.ftz.f32.bf16 %f1, %rs1",
    "cvt.f64.bf16 %fd1, %rs1",
    "cvt.ftz.sat.f64.f32 %fd1, %f1",
    "cvt.rz.ftz.sat.f32.f64 %f1, %fd1",
    "cvt.rm.ftz.sat.f16.f32 %rs1, %f1",
    "cvt.rm.bf16.f32 %rs1, %f1",
    "cvt.rn.f16.bf16 %rs1, %rs2",
    "cvt.rn.bf16.f16 %rs1, %rs2",
    "cvt.rz.relu.satfinite.bf16.f32 %rs1, %f1",
    "cvt.rn.relu.satfinite.f16x2.f32 %r1, %f1, %f2",
    "cvt.rn.relu.satfinite.e4m3x2.f32 %rs1, %f1, %f2",
    "cvt.rn.satfinite.e5m2x2.f16x2 %rs1, %r1",
    "cvt.rn.relu.f16x2.e5m2x2 %r1, %rs1",
    "cvt.rna.tf32.f32 %r1, %f1",
    "cvt.rz.relu.tf32.f32 %r1, %f1",
    "add.rz.ftz.sat.f32 %f1, %f2, %f3",
    "add.rp.ftz.f32x2 %rd1, %rd2, %rd3",
    "add.rn.ftz.sat.f16x2 %r1, %r2, %r3",
    "add.rz.sat.f32.f16 %f1, %rs1, %f2",
    "sub.rm.ftz.sat.f32 %f1, %f2, %f3",
    "sub.rn.ftz.f32x2 %rd1, %rd2, %rd3",
    "sub.rn.ftz.sat.f16 %rs1, %rs2, %rs3",
    "sub.rp.sat.f32.bf16 %f1, %rs1, %f2",
    "mul.rp.ftz.sat.f32 %f1, %f2, %f3",
    "mul.rz.ftz.f32x2 %rd1, %rd2, %rd3",
    "mul.rn.ftz.sat.f16x2 %r1, %r2, %r3",
    "fma.rz.ftz.sat.f32 %f1, %f2, %f3, %f4",
    "fma.rn.ftz.f32x2 %rd1, %rd2, %rd3, %rd4",
    "fma.rm.sat.f32.f16 %f1, %rs1, %rs2, %f2",
    "mad.rn.ftz.sat.f32 %f1, %f2, %f3, %f4",
    "div.rm.ftz.f32 %f1, %f2, %f3",
    "div.full.ftz.f32 %f1, %f2, %f3",
    "rcp.rz.ftz.f32 %f1, %f2",
    "rcp.approx.ftz.f32 %f1, %f2",
    "sqrt.rp.ftz.f32 %f1, %f2",
    "sqrt.approx.ftz.f32 %f1, %f2",
    "rsqrt.approx.ftz.f32 %f1, %f2",
    "sin.approx.ftz.f32 %f1, %f2",
    "cos.approx.ftz.f32 %f1, %f2",
    "lg2.approx.ftz.f32 %f1, %f2",
    "ex2.approx.ftz.f32 %f1, %f2",
    "ex2.approx.f16x2 %r1, %r2",
    "ex2.approx.ftz.bf16 %rs1, %rs2",
    "tanh.approx.bf16x2 %r1, %r2",
    "min.ftz.NaN.f32 %f1, %f2, %f3",
    "min.f32 %f1, %f2, %f3, %f4",
    "min.ftz.NaN.abs.f32 %f1, %f2, %f3, %f4",
    "min.ftz.NaN.xorsign.abs.f32 %f1, %f2, %f3",
    "min.ftz.NaN.f16 %rs1, %rs2, %rs3",
    "min.ftz.NaN.xorsign.abs.f16x2 %r1, %r2, %r3",
    "min.NaN.bf16 %rs1, %rs2, %rs3",
    "min.NaN.xorsign.abs.bf16x2 %r1, %r2, %r3",
    "max.ftz.NaN.f32 %f1, %f2, %f3, %f4",
    "max.ftz.NaN.abs.f32 %f1, %f2, %f3, %f4",
    "max.ftz.NaN.xorsign.abs.f32 %f1, %f2, %f3",
    "max.ftz.NaN.f16x2 %r1, %r2, %r3",
    "max.ftz.NaN.xorsign.abs.f16 %rs1, %rs2, %rs3",
    "max.NaN.bf16x2 %r1, %r2, %r3",
    "max.NaN.xorsign.abs.bf16 %rs1, %rs2, %rs3",
    "add.cc.u64 %rd1, %rd2, %rd3",
    "addc.cc.s32 %r1, %r2, %r3",
    "sub.cc.s32 %r1, %r2, %r3",
    "subc.cc.u32 %r1, %r2, %r3",
    "mad.lo.cc.u32 %r1, %r2, %r3, %r4",
    "madc.hi.cc.s64 %rd1, %rd2, %rd3, %rd4",
    "abs.ftz.f16 %rs1, %rs2",
    "neg.ftz.f32 %f1, %f2",
    "ld.weak.global.ca.L2::cache_hint.L2::128B.v2.b32 {%r1, %r2}, [%rd1], %rd2",
    "ld.weak.global.L1::evict_last.L2::evict_first.L2::cache_hint.v8.b32 \
     {%r1, %r2, %r3, %r4, %r5, %r6, %r7, %r8}, [%rd1], %rd2",
    "ld.volatile.shared::cta.v4.f32 {%f1, %f2, %f3, %f4}, [%rd1+16]",
    "ld.acquire.gpu.global.u64 %rd1, [%rd2]",
    "ld.mmio.relaxed.sys.global.u8 %rs1, [%rd1]",
    "ld.global.cg.nc.L2::256B.s16 %rs1, [%rd1]",
    "ld.global.nc.L1::no_allocate.L2::256B.s16 %rs1, [%rd1]",
    "ldu.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1]",
    "st.weak.global.wb.L2::cache_hint.v2.f64 [%rd1], {%fd1, %fd2}, %rd2",
    "st.weak.global.L1::evict_first.L2::cache_hint.v2.f64 [%rd1], {%fd1, %fd2}, %rd2",
    "st.volatile.local.b8 [%rd1], %rs1",
    "st.release.sys.global.u32 [%rd1], %r1",
    "st.mmio.relaxed.sys.global.s32 [%rd1], %r1",
    "atom.acq_rel.gpu.global.exch.L2::cache_hint.b64 %rd1, [%rd2], %rd3, %rd4",
    "atom.relaxed.cta.shared::cta.cas.b16 %rs1, [%rd1], %rs2, %rs3",
    "atom.global.add.f64 %fd1, [%rd1], %fd2",
    "atom.global.add.noftz.f16x2 %r1, [%rd1], %r2",
    "atom.relaxed.gpu.global.add.L2::cache_hint.v2.f32 {%f1, %f2}, [%rd1], {%f3, %f4}, %rd2",
    "atom.global.add.noftz.v4.bf16x2 {%r1, %r2, %r3, %r4}, [%rd1], {%r5, %r6, %r7, %r8}",
    "atom.global.add.noftz.v8.f16 {%rs0, %rs1, %rs2, %rs3, %rs4, %rs5, %rs6, %rs7}, [%rd1], \
     {%rs0, %rs1, %rs2, %rs3, %rs4, %rs5, %rs6, %rs7}",
    "atom.shared.inc.u32 %r1, [%rd1], %r2",
    "atom.global.min.s64 %rd1, [%rd2], %rd3",
    "red.release.sys.global.xor.b32 [%rd1], %r1",
    "red.global.add.f32 [%rd1], %f1",
    "red.global.add.noftz.bf16x2 [%rd1], %r1",
    "red.global.add.v4.f32 [%rd1], {%f1, %f2, %f3, %f4}",
    "red.global.add.noftz.v2.f16x2 [%rd1], {%r1, %r2}",
    "red.global.add.noftz.v8.bf16 [%rd1], {%rs0, %rs1, %rs2, %rs3, %rs4, %rs5, %rs6, %rs7}",
    "red.global.dec.u32 [%rd1], %r1",
    "red.global.max.u64 [%rd1], %rd2",
    "cvta.to.shared::cta.u64 %rd1, %rd2",
    "isspacep.param::entry %p1, %rd1",
    "mapa.shared::cluster.u32 %r1, %r2, %r3",
    "membar.gl",
    "fence.acq_rel.gpu",
    "fence.mbarrier_init.release.cluster",
    "fence.proxy.alias",
    "fence.proxy.async.shared::cta",
    "fence.acquire.sync_restrict::shared::cluster.cluster",
    "fence.release.sync_restrict::shared::cta.cluster",
    "fence.proxy.async::generic.acquire.sync_restrict::shared::cluster.cluster",
    "fence.proxy.async::generic.release.sync_restrict::shared::cta.cluster",
    "fence.proxy.tensormap::generic.acquire.sys [%rd1], 128",
    "prefetch.global.L2 [%rd1]",
    "prefetch.global.L2::evict_last [%rd1]",
    "prefetch.tensormap [%rd1]",
    "prefetchu.L1 [%rd1]",
    "discard.global.L2 [%rd1], 128",
    "applypriority.global.L2::evict_normal [%rd1], 128",
    "nanosleep.u32 100",
    "griddepcontrol.wait",
    "pmevent 1",
    "createpolicy.fractional.L2::evict_last.L2::evict_unchanged.b64 %rd1, 1.0",
    "createpolicy.range.global.L2::evict_last.L2::evict_first.b64 %rd1, [%rd2], 64, 128",
    "createpolicy.cvt.L2.b64 %rd1, 7",
    "bra.uni AHEAD",
    "brx.idx.uni %r1, TABLE",
    "call.uni helper, ()",
    "ret.uni",
    "exit",
    "trap",
    "brkpt",
    "bar.cta.sync 0",
    "bar.red.popc.u32 %r1, 0, %p1",
    "bar.red.and.pred %p1, 0, %p2",
    "bar.warp.sync -1",
    "barrier.cta.arrive.aligned 1, 64",
    "barrier.cta.red.popc.aligned.u32 %r1, 0, %p1",
    "barrier.cta.red.or.aligned.pred %p1, 0, %p2",
    "barrier.cluster.arrive.release.aligned",
    "barrier.cluster.wait.acquire.aligned",
    "shfl.sync.bfly.b32 %r1|%p1, %r2, 1, 31, -1",
    "vote.sync.uni.pred %p1, %p2, -1",
    "vote.sync.ballot.b32 %r1, %p1, -1",
    "match.all.sync.b64 %r1|%p1, %rd1, -1",
    "redux.sync.max.s32 %r1, %r2, -1",
    "redux.sync.xor.b32 %r1, %r2, -1",
    "redux.sync.min.abs.NaN.f32 %f1, %f2, -1",
    "activemask.b32 %r1",
    "elect.sync %r1|%p1, -1",
    "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%r1, %r2}, {%r3, %r4, %r5, %r6}, {%r7, %r8}, {%r1, %r2}",
    "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f1, %f2, %f3, %f4}, {%r3, %r4}, {%r7}, {%f1, %f2, %f3, %f4}",
    "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f1, %f2, %f3, %f4}, {%r3, %r4}, {%r7}, {%f1, %f2, %f3, %f4}",
    "mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 {%f1, %f2, %f3, %f4}, {%r3, %r4}, {%r7}, {%f1, %f2, %f3, %f4}",
    "mma.sync.aligned.m16n8k16.row.col.satfinite.s32.u8.s8.s32 {%r1, %r2, %r3, %r4}, {%r5, %r6}, {%r7}, {%r1, %r2, %r3, %r4}",
    "mma.sync.aligned.m16n8k32.row.col.f16.e4m3.e5m2.f16 {%r1, %r2}, {%r3, %r4, %r5, %r6}, {%r7, %r8}, {%r1, %r2}",
    "mma.sync.aligned.m16n8k16.row.col.f32.e5m2.e4m3.f32 {%f1, %f2, %f3, %f4}, {%r3, %r4}, {%r7}, {%f1, %f2, %f3, %f4}",
    "ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r1, %r2}, [%rd1]",
    "stmatrix.sync.aligned.m8n8.x1.trans.shared::cta.b16 [%rd1], {%r1}",
    "movmatrix.sync.aligned.m8n8.trans.b16 %r1, %r2",
    "wgmma.fence.sync.aligned",
    "wgmma.wait_group.sync.aligned 0",
    "wgmma.mma_async.sync.aligned.m64n8k16.f16.f16.f16 {%r1, %r2}, %rd1, %rd2, %p1, 1, 1, 0, 0",
    "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f1, %f2, %f3, %f4}, %rd1, %rd2, %p1, 1, 1, 0, 0",
    "wgmma.mma_async.sync.aligned.m64n8k8.f32.tf32.tf32 {%f1, %f2, %f3, %f4}, %rd1, %rd2, %p1, 1, 1",
    "wgmma.mma_async.sync.aligned.m64n8k32.f16.e4m3.e5m2 {%r1, %r2}, %rd1, %rd2, %p1, 1, -1",
    "wgmma.mma_async.sync.aligned.m64n8k32.satfinite.s32.u8.s8 {%r1, %r2, %r3, %r4}, %rd1, %rd2, %p1",
    "setmaxnreg.inc.sync.aligned.u32 232",
    "cp.async.cg.shared::cta.global.L2::cache_hint.L2::128B [%rd1], [%rd2], 16, %rd3",
    "cp.async.wait_group 1",
    "cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%rd1]",
    "cp.async.bulk.commit_group",
    "cp.async.bulk.wait_group.read 0",
    "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%rd1], [%rd2], %r1, [%rd3], %rd4",
    "cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%rd2], %r1",
    "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%rd1], [%rd2, {%r1, %r2}], [%rd3]",
    "cp.async.bulk.tensor.4d.shared::cta.global.im2col.mbarrier::complete_tx::bytes \
     [%rd1], [%rd2, {%r1, %r2, %r3, %r4}], [%rd3], {%rs1, %rs2}",
    "cp.async.bulk.tensor.1d.global.shared::cta.tile.bulk_group [%rd1, {%r1}], [%rd2]",
    "cp.async.bulk.prefetch.tensor.2d.L2.global.tile [%rd1, {%r1, %r2}]",
    "mbarrier.init.shared::cta.b64 [%rd1], 1",
    "mbarrier.expect_tx.shared.b64 [%rd1], 64",
    "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%rd1], 64",
    "mbarrier.arrive.expect_tx.shared::cta.b64 %rd1, [%rd2], 64",
    "mbarrier.arrive_drop.release.cluster.shared::cluster.b64 _, [%rd2]",
    "mbarrier.arrive.noComplete.shared.b64 %rd1, [%rd2], 1",
    "mbarrier.arrive.noComplete.release.cta.shared::cta.b64 %rd1, [%rd2], 1",
    "mbarrier.try_wait.parity.shared::cta.b64 %p1, [%rd1], 0",
    "mbarrier.test_wait.acquire.cta.shared::cta.b64 %p1, [%rd1], %rd2",
];

/// A valid statement for each spelling of the arithmetic tables, by its operands' types.
fn table_rows() -> Vec<String> {
    let name = |file, i: usize| match file {
        RegFile::Pred => format!("%p{i}"),
        RegFile::R32 => format!("%r{i}"),
        RegFile::R64 => format!("%rd{i}"),
    };
    let row = |spelling: &str| {
        let signature = Alu::of(spelling).expect("a spelling of the tables").signature();
        let operands =
            signature.iter().enumerate().map(|(i, (file, ty))| name(if i == 0 { *file } else { file_of(*ty) }, i));
        format!("{spelling} {}", operands.collect::<Vec<_>>().join(", "))
    };
    Alu::spellings().map(row).collect()
}

/// Where [`decoded`] puts its statement.
const LINE: u32 = 5;

/// What loading a kernel with this statement says.
fn decoded(statement: &str) -> Result<(), crate::ParseError> {
    let text = format!(
        ".version 9.0\n.target sm_100a\n.address_size 64\n.func helper() {{ ret; }} .visible .entry k(.param .u64 out) \
         {{ .reg .pred %p<8>; .reg .b16 %rs<8>; .reg .b32 %r<16>; .reg .f32 %f<8>; .reg .b64 %rd<8>; .reg .f64 %fd<8>;\n\
         {statement};\nTABLE: .branchtargets AHEAD;\nAHEAD: ret; }}\n"
    );
    Module::parse("planted", &text).map(|_| ())
}

fn all_rows() -> impl Iterator<Item = String> {
    ROWS.iter().map(|row| row.to_string()).chain(table_rows())
}

fn modifiers(opcode: &str) -> Vec<&str> {
    opcode.split('.').skip(1).collect()
}

#[test]
fn every_form_has_a_statement_that_is_decoded() {
    for row in all_rows() {
        decoded(&row).unwrap_or_else(|error| panic!("{error}"));
    }
    for form in FORMS {
        let (head, rest) = form.split_once(' ').unwrap_or((form, ""));
        let covered = ROWS.iter().any(|row| {
            let opcode = row.split(' ').next().unwrap_or_default();
            opcode.split('.').next() == Some(head) && fit(&elements(rest), &modifiers(opcode)).is_ok()
        });
        assert!(covered, "no row for the form `{form}`");
    }
}

#[test]
fn a_planted_modifier_is_an_error_that_names_it_and_its_line() {
    for row in all_rows() {
        let (opcode, operands) = row.split_once(' ').unwrap_or((&row, ""));
        let parts: Vec<&str> = opcode.split('.').collect();
        for at in 1..=parts.len() {
            let mut parts = parts.clone();
            parts.insert(at, "planted");
            let error = decoded(&format!("{} {operands}", parts.join("."))).expect_err(&row);
            assert_eq!(error.line, LINE, "{error}");
            assert!(error.message.starts_with("unknown instruction"), "{error}");
            assert!(error.message.ends_with("`.planted` is not known there"), "{error}");
        }
    }
}

/// Modifiers of other instructions are as unknown as those of none, and so is one given twice.
#[test]
fn a_modifier_of_another_instruction_is_unknown() {
    for row in all_rows() {
        let (opcode, operands) = row.split_once(' ').unwrap_or((&row, ""));
        let parts: Vec<&str> = opcode.split('.').collect();
        for at in 1..=parts.len() {
            for other in ["col", "bulk_group", parts[parts.len() - 1]] {
                let mut parts = parts.clone();
                parts.insert(at, other);
                let error = decoded(&format!("{} {operands}", parts.join("."))).expect_err(&row);
                assert_eq!(error.line, LINE, "{error}");
            }
        }
    }
}

/// The assembler takes modifiers in any order, and so do we; but for types and spaces, whose order says which is whose.
#[test]
fn modifiers_are_put_in_order() {
    for (written, expected) in [
        ("atom.global.gpu.acq_rel.add.f32", "atom.acq_rel.gpu.global.add.f32"),
        ("atom.global.add.gpu.u32", "atom.gpu.global.add.u32"),
        ("ld.global.v2.ca.u32", "ld.global.ca.v2.u32"),
        ("setp.and.lt.u32", "setp.lt.and.u32"),
        ("add.ftz.rn.f32", "add.rn.ftz.f32"),
        ("cvt.rn.satfinite.relu.f16.f32", "cvt.rn.relu.satfinite.f16.f32"),
        ("redux.sync.max.NaN.abs.f32", "redux.sync.max.abs.NaN.f32"),
        ("mul.s32.wide", "mul.wide.s32"),
    ] {
        assert_eq!(in_order(written).unwrap(), expected, "{written}");
        assert_eq!(in_order(expected).unwrap(), expected);
    }
}

#[test]
fn what_is_missing_is_said_too() {
    for (opcode, message) in [
        ("redux.sync.max", "a modifier is missing"),
        ("redux.max.f32", "a modifier is missing"),
        ("redux.sync.add.f32", "`.f32` is not known there"),
        ("max.NaN.NaN.f32", "`.NaN` is not known there"),
        ("shl.s32", "`.s32` is not known there"),
        ("cvt.f16.f32", "a modifier is missing"),
        ("cvt.rn.f32.f64.f64", "`.f64` is not known there"),
        ("mma.sync.aligned.m16n8k16.row.col.f16.f16.f32.f32", "`.f32` is not known there"),
        ("cp.async.ca.global.shared", "`.shared` is not known there"),
        ("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64", "`.m8n8k4` is not known there"),
        ("wgmma.mma_async.sync.aligned.m64nk16.f32.f16.f16", "`.m64nk16` is not known there"),
        ("frobnicate.b32", "unknown instruction `frobnicate.b32`"),
        ("pack.b16", "unknown instruction `pack.b16`"),
    ] {
        let message_of = in_order(opcode).expect_err(opcode);
        assert!(message_of.ends_with(message), "{message_of}");
    }
}

#[test]
fn what_is_not_simulated_is_called_so() {
    for (opcode, _) in NOT_SIMULATED {
        let error = decoded(&format!("{opcode}.alloc.b32 [%rd1], 64")).expect_err(opcode);
        assert!(error.line == LINE && error.message.contains("is not simulated: "), "{error}");
    }
}

/// A set's name that is written wrong would be a modifier that nothing has.
#[test]
fn the_list_names_sets_that_there_are() {
    for form in FORMS {
        for name in form.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or_default()) {
            assert!(SETS.iter().any(|set| set.0 == name), "`{name}` in `{form}`");
        }
    }
    for (name, _) in SETS {
        assert!(FORMS.iter().any(|form| form.contains(&format!("{{{name}}}"))), "`{name}` is in no form");
    }
}
