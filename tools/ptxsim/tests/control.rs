//! Divergence, loops, calls, barriers, and lanes that speak with each other.

mod common;
use common::{bytes, kernel, output, run_text};
use ptxsim::{Checks, Launch, Machine, Module, Options};

#[test]
fn lanes_part_and_meet() {
    // Each lane loops as often as its number says; behind the loop all are together again.
    let out = output(
        "mov.u32 %r2, 0; mov.u32 %r3, 0;
         LOOP: setp.ge.u32 %p1, %r2, %r1; @%p1 bra DONE; add.u32 %r3, %r3, %r2; add.u32 %r2, %r2, 1;
         and.b32 %r4, %r2, 1; setp.eq.u32 %p2, %r4, 0; @%p2 bra LOOP; add.u32 %r3, %r3, 100; bra.uni LOOP;
         DONE: activemask.b32 %r5; popc.b32 %r6, %r5; mad.lo.u32 %r3, %r6, 100000, %r3; st.global.u32 [%rd5], %r3;",
        &[],
        32,
    );
    for (n, &got) in (0u32..).zip(&out[..32]) {
        assert_eq!(got, 3_200_000 + n * n.saturating_sub(1) / 2 + n.div_ceil(2) * 100, "lane {n}");
    }
}

#[test]
fn lanes_that_leave_early() {
    let out = output(
        "st.global.u32 [%rd5], 7; and.b32 %r2, %r1, 1; setp.eq.u32 %p1, %r2, 1; @%p1 ret; activemask.b32 %r3; st.global.u32 [%rd5], %r3;",
        &[],
        32,
    );
    assert_eq!(out[0], 0x5555_5555);
    assert_eq!(out[1], 7);
}

#[test]
fn a_table_of_branches() {
    let out = output(
        "TABLE: .branchtargets A, B, C; rem.u32 %r2, %r1, 3; brx.idx %r2, TABLE;
         A: mov.u32 %r3, 10; bra.uni END; B: mov.u32 %r3, 20; bra.uni END; C: mov.u32 %r3, 30;
         END: st.global.u32 [%rd5], %r3;",
        &[],
        6,
    );
    assert_eq!(out[..6], [10, 20, 30, 10, 20, 30]);
}

#[test]
fn functions_recurse_with_frames_of_their_own() {
    let function = ".func (.param .b32 r) fact(.param .b32 n) { .reg .b32 %r<8>; .reg .pred %p<2>;
        ld.param.u32 %r1, [n]; setp.gt.u32 %p1, %r1, 1; @%p1 bra MORE; st.param.b32 [r], 1; ret;
        MORE: sub.u32 %r2, %r1, 1; { .param .b32 a; st.param.b32 [a], %r2; .param .b32 b; call.uni (b), fact, (a); ld.param.b32 %r3, [b]; }
        mul.lo.u32 %r4, %r3, %r1; st.param.b32 [r], %r4; ret; }\n";
    let body = "{ .param .b32 a; st.param.b32 [a], %r1; .param .b32 b; call (b), fact, (a); ld.param.b32 %r2, [b]; } st.global.u32 [%rd5], %r2;";
    let text = kernel(body).replace(".visible", &format!("{function}.visible"));
    let run = run_text(&text, &[], [1, 1, 1], 8, Checks::ALL);
    run.result.unwrap();
    assert_eq!(run.out[..8], [1, 1, 2, 6, 24, 120, 720, 5040]);
}

#[test]
fn a_barrier_orders_warps() {
    let out = output(
        ".shared .align 4 .b8 s[512]; mov.u32 %r2, s; shl.b32 %r3, %r1, 2; add.u32 %r4, %r2, %r3; st.shared.u32 [%r4], %r1;
         bar.sync 0; xor.b32 %r5, %r3, 256; add.u32 %r6, %r2, %r5; ld.shared.u32 %r7, [%r6]; st.global.u32 [%rd5], %r7;
         setp.lt.u32 %p1, %r1, 40; barrier.sync 1; bar.red.popc.u32 %r8, 0, %p1; st.global.u32 [%rd2+512], %r8;",
        &[],
        128,
    );
    assert!((0..128).all(|i| out[i as usize] == i ^ 64));
    assert_eq!(out[128], 40);
}

#[test]
fn producers_arrive_and_consumers_wait() {
    let out = output(
        ".shared .align 4 .b8 s[128]; mov.u32 %r2, s; and.b32 %r9, %r1, 31; shl.b32 %r3, %r9, 2; add.u32 %r4, %r2, %r3; setp.ge.u32 %p1, %r1, 32; @%p1 bra PRODUCE;
         bar.sync 1, 64; ld.shared.u32 %r5, [%r4]; st.global.u32 [%rd5], %r5; ret;
         PRODUCE: add.u32 %r6, %r9, 5; st.shared.u32 [%r4], %r6; bar.arrive 1, 64;",
        &[],
        64,
    );
    assert!((0..32).all(|i| out[i as usize] == i + 5));
}

#[test]
fn lanes_speak() {
    let out = output(
        "shfl.sync.bfly.b32 %r2|%p1, %r1, 1, 31, -1; shfl.sync.down.b32 %r3|%p2, %r1, 4, 31, -1; selp.u32 %r4, 1, 0, %p2;
         shfl.sync.idx.b32 %r5, %r1, 3, 0x181f, -1; shfl.sync.up.b32 %r10, %r1, 1, 0, -1; setp.lt.u32 %p3, %r1, 5; vote.sync.ballot.b32 %r6, %p3, -1; redux.sync.add.u32 %r7, %r1, -1;
         and.b32 %r8, %r1, 1; match.any.sync.b32 %r9, %r8, -1;
         mad.lo.u32 %r2, %r3, 100, %r2; mad.lo.u32 %r2, %r4, 10000, %r2; mad.lo.u32 %r2, %r5, 100000, %r2; st.global.u32 [%rd5], %r2;
         st.global.u32 [%rd2+128], %r6; st.global.u32 [%rd2+132], %r7; setp.eq.u32 %p4, %r1, 1; @%p4 st.global.u32 [%rd2+136], %r9; @%p4 st.global.u32 [%rd2+140], %r10;",
        &[],
        32,
    );
    for n in 0..32u32 {
        let (down, valid) = if n + 4 < 32 { (n + 4, 1) } else { (n, 0) };
        assert_eq!(out[n as usize], (n ^ 1) + 100 * down + 10_000 * valid + 100_000 * (n / 8 * 8 + 3), "lane {n}");
    }
    assert_eq!(out[32..36], [31, 496, 0xaaaa_aaaa, 0]);
}

#[test]
fn atomics_count_every_lane_of_every_block() {
    // Results come back in any order, but all of them; from the other words the last value is read at the end.
    let counts = [0, 0, 5, 0, u32::MAX, 0, 0xff, 0, 7, 0];
    let body = "atom.global.add.u32 %r2, [%rd2], 1; mul.wide.u32 %rd6, %r2, 4; add.s64 %rd7, %rd2, %rd6; st.global.u32 [%rd7+40], 1;
        red.global.max.s32 [%rd2+4], %r1; atom.global.cas.b32 %r4, [%rd2+8], 5, 9; setp.eq.u32 %p1, %r4, 5; selp.u32 %r5, 1, 0, %p1; red.global.add.u32 [%rd2+12], %r5;
        red.global.min.u32 [%rd2+16], %r1; red.global.or.b32 [%rd2+20], %r1; red.global.and.b32 [%rd2+24], %r1; red.global.xor.b32 [%rd2+28], %r1;
        atom.global.inc.u32 %r6, [%rd2+32], 9; atom.global.exch.b32 %r7, [%rd2+36], 3;";
    let module = Module::parse("test", &kernel(body)).unwrap();
    let machine = Machine::new(Options::default());
    let buffer = machine.alloc(4 * 202).unwrap();
    machine.write(buffer, bytes(&counts)).unwrap();
    let args = [buffer.to_le_bytes(), buffer.to_le_bytes()].concat();
    machine.launch(&module, "k", &Launch { grid: [3, 1, 1], block: [64, 1, 1], shared: 0, args: &args }).unwrap();
    let mut words = [0u32; 202];
    machine.read(buffer, bytemuck::cast_slice_mut(&mut words)).unwrap();
    // 192 threads; 7 goes up to 9 and round again every ten: 7 + 192 = 199.
    assert_eq!(words[..10], [192, 63, 9, 1, 0, 63, 0, 0, 199 % 10, 3]);
    assert_eq!(words[10..], [1; 192]);
}

#[test]
fn generic_addresses_find_their_space() {
    let out = output(
        ".shared .align 4 .b8 s[128]; .local .align 4 .b8 l[16]; mov.u64 %rd6, s; cvta.shared.u64 %rd7, %rd6; add.s64 %rd7, %rd7, %rd3; st.u32 [%rd7], %r1;
         mov.u64 %rd8, l; cvta.local.u64 %rd9, %rd8; st.u32 [%rd9+4], %r1; ld.local.u32 %r2, [%rd8+4]; setp.lt.u32 %p1, %r1, 16;
         selp.b64 %rd10, %rd7, %rd4, %p1; ld.u32 %r3, [%rd10]; add.u32 %r4, %r2, %r3; st.global.u32 [%rd5], %r4; isspacep.shared %p2, %rd7; @!%p2 trap;",
        &[1000; 32],
        32,
    );
    assert!((0..32).all(|i| out[i as usize] == if i < 16 { 2 * i } else { i + 1000 }));
}
