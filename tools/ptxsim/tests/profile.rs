//! Each counter is shown something planted: a conflict of known degree, a stride, a loop that waits.

mod common;
use common::kernel;
use ptxsim::profile::{Class, Counts, Global, Profile, Shared};
use ptxsim::{Checks, Launch, Machine, Module, Options};

/// The profile of [`kernel`]'s body in `grid` blocks of `threads`; input and output have 8192 words.
fn profile_of(body: &str, grid: u32, threads: u32) -> Profile {
    let module = Module::parse("test", &kernel(body)).unwrap();
    let machine = Machine::new(Options { checks: Checks::NONE, budget: 1 << 20, ..Options::default() });
    let [from, to] = [0; 2].map(|_| machine.alloc(4 << 13).unwrap());
    machine.fill(from, 7, 1 << 13).unwrap();
    let args = [from.to_le_bytes(), to.to_le_bytes()].concat();
    let launch = Launch { grid: [grid, 1, 1], block: [threads, 1, 1], shared: 0, args: &args };
    machine.profile(&module, "k", &launch).unwrap()
}

fn profile(body: &str) -> Profile {
    profile_of(body, 1, 32)
}

/// A body that begins with a base in shared memory, `%r2`, and `%r4` at `stride` bytes a thread behind it.
fn shared(stride: u32, body: &str) -> String {
    format!(".shared .align 16 .b8 s[16384]; mov.u32 %r2, s; mad.lo.u32 %r4, %r1, {stride}, %r2;\n{body}")
}

/// The counts of the only line that holds `text`.
fn line<'a>(profile: &'a Profile, text: &str) -> &'a Counts {
    let found: Vec<_> = profile.lines.values().filter(|line| line.text.contains(text)).collect();
    assert_eq!(found.len(), 1, "{text}");
    &found[0].counts
}

fn passes(wavefronts: u64, ideal: u64) -> Shared {
    Shared { requests: 1, wavefronts, ideal }
}

#[test]
fn conflicts_of_words() {
    // 2-way, 8-way, 32-way; an odd stride has none; one word for all is one pass.
    for (stride, degree) in [(4, 1), (8, 2), (32, 8), (128, 32), (132, 1), (0, 1)] {
        let profile = profile(&shared(stride, "st.shared.u32 [%r4], 7;\nld.shared.u32 %r5, [%r4];"));
        assert_eq!(line(&profile, "st.shared").shared_stores, passes(degree, 1), "{stride}");
        assert_eq!(line(&profile, "ld.shared").shared_loads, passes(degree, 1), "{stride}");
        assert_eq!(profile.total.conflicts(), 2 * (degree - 1));
        assert_eq!(profile.class(Class::SharedLoad), 1);
    }
}

#[test]
fn conflicts_of_wide_accesses() {
    // By half warps and quarter warps: 2 and 4 passes are the least.
    for (stride, v2, v4) in [(16, [4, 2], [4, 4]), (32, [8, 2], [8, 4]), (128, [32, 2], [32, 4]), (144, [4, 2], [4, 4])]
    {
        let body = "ld.shared.v2.u32 {%r5, %r6}, [%r4];\nld.shared.v4.u32 {%r7, %r8, %r9, %r10}, [%r4];";
        let profile = profile(&shared(stride, body));
        assert_eq!(line(&profile, "v2").shared_loads, passes(v2[0], v2[1]), "{stride}");
        assert_eq!(line(&profile, "v4").shared_loads, passes(v4[0], v4[1]), "{stride}");
    }
    // Half of the lanes: half of the passes.
    let few = "setp.lt.u32 %p1, %r1, 16;\n@%p1 ld.shared.v4.u32 {%r7, %r8, %r9, %r10}, [%r4];";
    assert_eq!(line(&profile(&shared(16, few)), "v4").shared_loads, passes(2, 2));
    // None: an instruction, but no request.
    let none = profile(&shared(16, "setp.gt.u32 %p1, %r1, 99;\n@%p1 ld.shared.u32 %r7, [%r4];"));
    assert_eq!(line(&none, "ld.shared"), &Counts { executed: 1, ..Counts::default() });
}

#[test]
fn shared_memory_by_generic_addresses() {
    let body = "cvta.shared.u64 %rd6, 0;\ncvt.u64.u32 %rd7, %r4;\nadd.u64 %rd6, %rd6, %rd7;\nld.u32 %r5, [%rd6];";
    let profile = profile(&shared(8, body));
    assert_eq!(line(&profile, "ld.u32").shared_loads, passes(2, 1));
    assert_eq!(line(&profile, "ld.u32").loads, Global::default());
}

#[test]
fn rows_of_matrices() {
    let body = "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r5, %r6, %r7, %r8}, [%r4];\n\
        ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r9}, [%r4];";
    for (stride, degree) in [(16, 1), (32, 2), (128, 8), (144, 1)] {
        let profile = profile(&shared(stride, body));
        assert_eq!(line(&profile, "x4").shared_loads, passes(4 * degree, 4), "{stride}");
        assert_eq!(line(&profile, "x1").shared_loads, passes(degree, 1), "{stride}");
    }
}

#[test]
fn atomics_follow_each_other() {
    let body = |to| format!("st.shared.u32 [%r4], 0;\nred.shared.add.u32 [{to}], 1;");
    assert_eq!(line(&profile(&shared(4, &body("%r2"))), "red.shared").shared_atomics, passes(32, 1));
    assert_eq!(line(&profile(&shared(4, &body("%r4"))), "red.shared").shared_atomics, passes(1, 1));
    let global = profile("st.global.u32 [%rd5], 0;\nred.global.add.u32 [%rd5], 1;");
    assert_eq!(line(&global, "red.global").atomics, Global { requests: 1, sectors: 4, ideal: 4 });
}

#[test]
fn strides_in_global_memory() {
    // Words 1, 2, 8 and 32 apart, and from within a sector.
    for (stride, offset, sectors) in [(4, 0, 4), (8, 0, 8), (32, 0, 32), (128, 0, 32), (4, 4, 5), (4, 28, 5), (0, 0, 1)]
    {
        let ideal = if stride == 0 { 1 } else { 4 };
        let address = format!("mul.wide.u32 %rd6, %r1, {stride}; add.u64 %rd7, %rd1, %rd6; add.u64 %rd8, %rd2, %rd6;");
        let body = format!("{address}\nld.global.u32 %r5, [%rd7+{offset}];\nst.global.u32 [%rd8+{offset}], %r5;");
        let profile = profile(&body);
        let expected = Global { requests: 1, sectors, ideal };
        assert_eq!(line(&profile, "ld.global").loads, expected, "{stride} {offset}");
        assert_eq!(line(&profile, "st.global").stores, expected, "{stride} {offset}");
        assert_eq!([profile.total.bytes_in(), profile.total.bytes_out()], [32 * sectors; 2]);
        assert_eq!(profile.total.sector_efficiency(), ideal as f64 / sectors as f64);
    }
}

#[test]
fn loads_that_a_block_repeats() {
    // Two warps, which load the same 128 bytes twice each: four sectors of each block are new.
    let body = "and.b32 %r2, %r1, 31; mul.wide.u32 %rd6, %r2, 4; add.u64 %rd7, %rd1, %rd6;\n\
        ld.global.u32 %r5, [%rd7];\nld.global.nc.u32 %r6, [%rd7];";
    let profile = profile_of(body, 3, 64);
    assert_eq!(profile.total.loads, Global { requests: 12, sectors: 48, ideal: 48 });
    assert_eq!(profile.distinct_loads, 12);
    assert_eq!((profile.blocks, profile.warps), (3, 6));
}

#[test]
fn asynchronous_copies_have_two_sides() {
    let body = "mul.wide.u32 %rd6, %r1, 32; add.u64 %rd7, %rd1, %rd6;\n\
        cp.async.cg.shared.global [%r4], [%rd7], 16;\ncp.async.wait_all;";
    let profile = profile(&shared(32, body));
    let counts = line(&profile, "cp.async.cg");
    assert_eq!(counts.copies, Global { requests: 1, sectors: 32, ideal: 16 });
    assert_eq!(counts.shared_stores, passes(8, 4));
    assert_eq!((profile.class(Class::CopyAsync), profile.class(Class::Barrier)), (1, 1));
    // Lanes that fill with zeros read nothing.
    let partly = "mul.wide.u32 %rd6, %r1, 16; add.u64 %rd7, %rd1, %rd6; setp.lt.u32 %p1, %r1, 8;\n\
        selp.u32 %r6, 16, 0, %p1;\ncp.async.cg.shared.global [%r4], [%rd7], 16, %r6;\ncp.async.wait_all;";
    assert_eq!(
        line(&self::profile(&shared(16, partly)), "cp.async.cg").copies,
        Global { requests: 1, sectors: 4, ideal: 4 }
    );
}

#[test]
fn bulk_copies_are_rows() {
    let body = shared(
        0,
        ".shared .align 8 .b8 bar[8]; mov.u32 %r3, bar; setp.eq.u32 %p1, %r1, 0;\n\
         @%p1 mbarrier.init.shared.b64 [%r3], 1;\n@%p1 fence.mbarrier_init.release.cluster;\n\
         @%p1 mbarrier.arrive.expect_tx.shared.b64 %rd9, [%r3], 256;\n\
         add.u64 %rd7, %rd1, 16;\n\
         @%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%rd7], 256, [%r3];\n\
         bar.warp.sync -1;\nWAIT:\nmbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0;\n@!%p2 bra WAIT;",
    );
    let profile = profile(&body);
    let counts = line(&profile, "cp.async.bulk");
    // 256 bytes from the middle of a sector on.
    assert_eq!(counts.bulk_loads, Global { requests: 1, sectors: 9, ideal: 8 });
    assert_eq!(counts.bulk_shared_bytes, 256);
    assert_eq!(profile.class(Class::Bulk), 1);
    // The wait was asked more than once, and is one.
    assert_eq!(line(&profile, "try_wait").executed, 1);
    assert_eq!(line(&profile, "bra WAIT").executed, 1);
}

/// Warp 0 arrives late; warp 1 asks again and again, in a loop that counts its tries.
#[test]
fn rounds_of_a_wait_are_not_counted() {
    let late = |work: u32| {
        format!(
            ".shared .align 8 .b8 bar[8]; mov.u32 %r3, bar; setp.eq.u32 %p1, %r1, 0;\n\
             @%p1 mbarrier.init.shared.b64 [%r3], 1;\nbar.sync 0;\nsetp.ge.u32 %p2, %r1, 32; mov.u32 %r5, 0;\n\
             @%p2 bra WAIT;\nmov.u32 %r6, 0;\n\
             WORK: add.u32 %r6, %r6, 1; setp.lt.u32 %p3, %r6, {work}; @%p3 bra WORK;\n\
             @%p1 mbarrier.arrive.shared.b64 %rd9, [%r3];\nbra.uni END;\n\
             WAIT:\nmbarrier.try_wait.parity.shared.b64 %p4, [%r3], 0;\n@%p4 bra END;\n\
             add.u32 %r5, %r5, 1;\nbra.uni WAIT;\nEND:\nbar.sync 0;"
        )
    };
    let [soon, later] = [2, 20_000].map(|work| profile_of(&late(work), 1, 64));
    for profile in [&soon, &later] {
        assert_eq!(line(profile, "try_wait").executed, 1);
        assert_eq!(line(profile, "@%p4 bra END").executed, 1);
        assert!(profile.lines.values().all(|line| !line.text.contains("add.u32 %r5") || line.counts.executed == 0));
        // Once by each warp and each time, whoever waited.
        let barriers = profile.lines.values().filter(|line| line.text.contains("bar.sync"));
        assert!(barriers.map(|line| line.counts.executed).eq([2, 2]));
    }
    assert_eq!(soon.class(Class::Barrier), later.class(Class::Barrier));
    assert_eq!(later.class(Class::Control) - soon.class(Class::Control), 20_000 - 2);
}

#[test]
fn what_is_done_between_questions_counts() {
    // The warp asks once, is told no, and works for longer than a loop around a wait takes.
    let work = "add.u32 %r5, %r5, 1;\n".repeat(100);
    let body = format!(
        ".shared .align 8 .b8 bar[8]; mov.u32 %r3, bar; mov.u32 %r5, 0; setp.eq.u32 %p1, %r1, 0;\n\
         @%p1 mbarrier.init.shared.b64 [%r3], 1;\nbar.sync 0;\n\
         mbarrier.test_wait.parity.shared.b64 %p4, [%r3], 0;\n{work}"
    );
    let profile = profile(&body);
    let added: u64 =
        profile.lines.values().filter(|line| line.text == "add.u32 %r5, %r5, 1;").map(|l| l.counts.executed).sum();
    assert_eq!(added, 100);
    assert_eq!(line(&profile, "test_wait").executed, 1);
}

#[test]
fn products_of_one_warp() {
    let zero = "mov.b32 %r5, 0; mov.b32 %f1, 0f00000000;";
    let mma = |shape: &str, a: &str, b: &str| {
        format!("{zero}\nmma.sync.aligned.{shape} {{%f2, %f3, %f4, %f5}}, {a}, {b}, {{%f1, %f1, %f1, %f1}};")
    };
    let four = "{%r5, %r5, %r5, %r5}";
    let half = profile(&mma("m16n8k16.row.col.f32.f16.f16.f32", four, "{%r5, %r5}"));
    assert_eq!(half.total.tensor, [("f16", 16 * 8 * 16)].into());
    assert_eq!(half.class(Class::Mma), 1);
    let tf32 = profile_of(&mma("m16n8k8.row.col.f32.tf32.tf32.f32", four, "{%r5, %r5}"), 1, 64);
    assert_eq!(tf32.total.tensor, [("tf32", 2 * 16 * 8 * 8)].into());
}

/// A warpgroup's product of 64 x 16 by 16 x 32, in every swizzling: of the layouts that `wgmma` takes, none has conflicts.
#[test]
fn operands_of_a_warpgroup() {
    let registers: Vec<String> = (2..18).map(|i| format!("%f{i}")).collect();
    let zero: String = registers.iter().map(|f| format!("mov.b32 {f}, 0f00000000; ")).collect();
    let list = registers.join(", ");
    // Swizzle, and the steps to the next 16 bytes of k and to the next eight rows.
    for (mode, leading, stride) in [(0, 1024, 128), (1, 16, 1024), (2, 16, 512), (3, 16, 256)] {
        let bits = (leading / 16u64) << 16 | (stride / 16) << 32 | mode << 62;
        let body = |a: &str, transposed: &str| {
            shared(
                16,
                &format!(
                    ".shared .align 1024 .b8 t[9216]; mov.u32 %r5, t; shr.u32 %r5, %r5, 4; cvt.u64.u32 %rd8, %r5;\n\
                     {zero}\nmov.b64 %rd9, {bits}; or.b64 %rd9, %rd9, %rd8; setp.eq.u32 %p1, %r1, %r1;\n\
                     wgmma.fence.sync.aligned;\n\
                     wgmma.mma_async.sync.aligned.m64n32k16.f32.f16.f16 {{{list}}}, {a}, %rd9, %p1, 1, 1, {transposed};\n\
                     wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;"
                ),
            )
        };
        let both = profile_of(&body("%rd9", "0, 0"), 1, 128);
        assert_eq!(both.total.tensor, [("f16", 64 * 32 * 16)].into());
        // 2 KB of A and 1 KB of B, 128 bytes a pass.
        assert_eq!(both.total.operands, passes(24, 24), "{mode}");
        assert_eq!((both.class(Class::Wgmma), both.total.wavefronts()), (4, 24));
        let one = profile_of(&body("{%r5, %r5, %r5, %r5}", "0"), 1, 128);
        assert_eq!(one.total.operands, passes(8, 8), "{mode}");
    }
}

#[test]
fn statements_are_counted_once() {
    // Several instructions of the simulator's, one of PTX each.
    let body = "mov.u32 %r5, 1;\nmov.b64 {%r6, %r7}, %rd1;\nadd.cc.u32 %r8, %r5, %r5;\naddc.u32 %r9, %r5, %r5;";
    let profile = profile(body);
    for text in ["mov.b64", "add.cc", "addc"] {
        assert_eq!(line(&profile, text).executed, 1, "{text}");
    }
    assert_eq!(profile.class(Class::Constant), 2);
    assert_eq!(profile.instructions(), profile.total.executed);
}

#[test]
fn chosen_blocks_are_those_of_a_whole_launch() {
    // Each block does as many rounds as its number.
    let body = "mov.u32 %r6, %ctaid.x; mov.u32 %r7, 0;\nL: setp.ge.u32 %p1, %r7, %r6;\n@%p1 bra END;\n\
        add.u32 %r7, %r7, 1;\nbra.uni L;\nEND:";
    let module = Module::parse("test", &kernel(body)).unwrap();
    let machine = Machine::new(Options { budget: 1 << 20, ..Options::default() });
    let launch = Launch { grid: [4, 1, 1], block: [32, 1, 1], shared: 0, args: &[0; 16] };
    let whole = machine.profile(&module, "k", &launch).unwrap();
    let rounds = |profile: &Profile| line(profile, "add.u32 %r7").executed;
    assert_eq!(rounds(&whole), 6);
    let chosen = |blocks: &[u64]| machine.profile_blocks(&module, "k", &launch, blocks).unwrap();
    assert_eq!(rounds(&chosen(&[1, 3])), 4);
    let mut sum = chosen(&[0, 3]);
    sum.add_scaled(&chosen(&[1]), 1);
    sum.add_scaled(&chosen(&[2]), 1);
    assert_eq!(sum, whole);
    let mut twice = chosen(&[1]);
    twice.add_scaled(&chosen(&[2]), 2);
    assert_eq!(rounds(&twice), 5);
    let fault = machine.profile_blocks(&module, "k", &launch, &[4]).unwrap_err();
    assert!(fault.message.contains("block 4 of a grid of 4"), "{fault}");
}

#[test]
fn a_sample_is_the_whole_where_blocks_within_are_alike() {
    // The first and the last block of each axis do more.
    let edge = |axis: &str| {
        format!(
            "mov.u32 %r6, %ctaid.{axis}; mov.u32 %r7, %nctaid.{axis}; sub.u32 %r7, %r7, 1;\n\
             setp.eq.u32 %p1, %r6, 0; setp.eq.or.u32 %p1, %r6, %r7, %p1; mov.u32 %r8, 0;\n\
             @!%p1 bra IN_{axis};\nadd.u32 %r8, %r8, 1;\nld.global.u32 %r9, [%rd4];\nIN_{axis}:"
        )
    };
    let body = ["x", "y", "z"].map(edge).join("\n");
    let module = Module::parse("test", &kernel(&body)).unwrap();
    let machine = Machine::new(Options { checks: Checks::NONE, ..Options::default() });
    let from = machine.alloc(4 << 13).unwrap();
    let args = [from.to_le_bytes(), from.to_le_bytes()].concat();
    for grid in [[3, 2, 1], [50, 1, 1], [40, 13, 20]] {
        let launch = Launch { grid, block: [64, 1, 1], shared: 0, args: &args };
        let whole = machine.profile(&module, "k", &launch).unwrap();
        assert_eq!(machine.profile_sample(&module, "k", &launch).unwrap(), whole, "{grid:?}");
    }
    let empty = Launch { grid: [0, 1, 1], block: [64, 1, 1], shared: 0, args: &args };
    assert!(machine.profile_sample(&module, "k", &empty).unwrap_err().message.contains("empty"));
}

#[test]
fn a_profile_changes_no_result() {
    let body = "ld.global.u32 %r5, [%rd4];\nadd.u32 %r5, %r5, %r1;\nst.global.u32 [%rd5], %r5;";
    let module = Module::parse("test", &kernel(body)).unwrap();
    let results = [false, true].map(|profiled| {
        let machine = Machine::new(Options::default());
        let [from, to] = [0; 2].map(|_| machine.alloc(128).unwrap());
        machine.fill(from, 5, 32).unwrap();
        let args = [from.to_le_bytes(), to.to_le_bytes()].concat();
        let launch = Launch { grid: [1; 3], block: [32, 1, 1], shared: 0, args: &args };
        let instructions = match profiled {
            true => machine.profile(&module, "k", &launch).unwrap().instructions(),
            false => machine.launch(&module, "k", &launch).unwrap().instructions,
        };
        let mut out = [0; 128];
        machine.read(to, &mut out).unwrap();
        (instructions, out)
    });
    assert_eq!(results[0], results[1]);
}

#[test]
fn faults_are_found_while_profiled() {
    for body in ["ld.global.u32 %r2, [%rd4+1];", "mov.u64 %rd6, -1;\nld.global.u8 %r2, [%rd6];"] {
        let module = Module::parse("test", &kernel(body)).unwrap();
        let machine = Machine::new(Options::default());
        let launch = Launch { grid: [1; 3], block: [32, 1, 1], shared: 0, args: &[0; 16] };
        assert!(machine.profile(&module, "k", &launch).unwrap_err().text.contains("ld.global"));
    }
}
