//! Check mode: what orders accesses, and what does not. Every rule has a case that is right and
//! one that is not.

use crate::common::*;
use ptx_emulator::{Fault, FaultKind, Options};

fn checked(body: &str, grid: u32, block: u32, words: &[u32]) -> Result<Vec<u32>, Fault> {
    run(Options { check: true, ..Options::default() }, &kernel(body), grid, block, words).map(|r| r.0)
}

fn right(body: &str, grid: u32, block: u32, words: &[u32]) -> Vec<u32> {
    checked(body, grid, block, words).unwrap_or_else(|e| panic!("{e}"))
}

fn race(body: &str, grid: u32, block: u32, words: &[u32]) {
    let e = checked(body, grid, block, words).expect_err("a race");
    assert_eq!(e.kind, FaultKind::Race, "{e}");
    assert!(e.what.contains(" at PTX line "), "the other access is named: {e}");
}

/// Each block writes a sum and draws a ticket; the last one adds the sums up.
fn last_block(before: &str, ticket: &str) -> String {
    format!(
        "mov.u32 %r2, %ctaid.x; mov.u32 %r3, %nctaid.x; add.u32 %r4, %r2, 10;
mul.wide.u32 %rd4, %r2, 4; add.s64 %rd4, %rd1, %rd4;
setp.ne.u32 %p1, %r1, 0;
@!%p1 st.global.u32 [%rd4+64], %r4;
{before}
@%p1 bra joined;
{ticket} %r5, [%rd1], 1;
sub.u32 %r6, %r3, 1; setp.eq.u32 %p2, %r5, %r6; selp.u32 %r7, 1, 0, %p2;
st.shared.u32 [sm], %r7;
joined: bar.sync 0;
ld.shared.u32 %r7, [sm]; setp.eq.u32 %p2, %r7, 0; @%p2 ret;
// Another warp than the one that drew the ticket.
setp.ne.u32 %p3, %r1, 32; @%p3 ret;
mov.u32 %r8, 0; mov.u32 %r9, 0;
next: mul.wide.u32 %rd4, %r9, 4; add.s64 %rd4, %rd1, %rd4; ld.global.u32 %r10, [%rd4+64];
add.u32 %r8, %r8, %r10; add.u32 %r9, %r9, 1; setp.lt.u32 %p4, %r9, %r3; @%p4 bra next;
st.global.u32 [%rd1+4], %r8;"
    )
}

#[test]
fn a_fence_and_a_ticket_order_blocks() {
    let words = [0; 32];
    for (before, ticket) in [
        ("membar.gl;", "atom.global.add.u32"),
        ("membar.sys;", "atom.add.u32"),
        ("fence.acq_rel.gpu;", "atom.relaxed.gpu.global.add.u32"),
        ("fence.sc.sys;", "atom.global.inc.u32"),
        ("", "atom.acq_rel.gpu.global.add.u32"),
        ("", "atom.release.gpu.global.add.u32"),
    ] {
        let ticket = ticket.replace("inc.u32", "add.u32");
        let out = right(&last_block(before, &ticket), 5, 64, &words);
        assert_eq!(out[1], 10 + 11 + 12 + 13 + 14, "{before} {ticket}");
    }
    for (before, ticket) in [
        ("", "atom.global.add.u32"),
        ("membar.cta;", "atom.global.add.u32"),
        ("", "atom.relaxed.gpu.global.add.u32"),
        ("", "atom.acq_rel.cta.global.add.u32"),
        ("", "atom.acquire.gpu.global.add.u32"),
    ] {
        race(&last_block(before, ticket), 5, 64, &words);
    }
}

#[test]
fn a_fence_covers_what_its_thread_has_seen() {
    // All threads write, thread 0 has the fence: only after a barrier does it know of them.
    let body = |between: &str| {
        format!(
            "mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mad.lo.u32 %r4, %r2, %r3, %r1;
mul.wide.u32 %rd4, %r4, 4; add.s64 %rd4, %rd1, %rd4; st.global.u32 [%rd4+64], %r4;
{between}
setp.ne.u32 %p1, %r1, 0; @%p1 bra done;
membar.gl; atom.global.add.u32 %r5, [%rd1], 1;
setp.ne.u32 %p2, %r5, 1; @%p2 bra done;
ld.global.u32 %r6, [%rd1+100]; ld.global.u32 %r6, [%rd1+228]; st.global.u32 [%rd1+4], %r6;
done:"
        )
    };
    assert_eq!(right(&body("bar.sync 0;"), 2, 64, &[0; 160])[1], 41);
    race(&body("bar.warp.sync -1;"), 2, 64, &[0; 160]);
    assert_eq!(right(&body("bar.warp.sync -1;"), 2, 32, &[0; 160])[1], 41);
    race(&body(""), 2, 32, &[0; 160]);
    // A write after the fence is not covered.
    let late = "mov.u32 %r2, %ctaid.x; setp.ne.u32 %p1, %r2, 0; @%p1 bra reader;
FIRST st.global.u32 [%rd1+8], 5; SECOND atom.global.add.u32 %r3, [%rd1], 1; ret;
reader: atom.global.add.u32 %r3, [%rd1], 1; ld.global.u32 %r4, [%rd1+8];";
    right(&late.replace("FIRST", "").replace("SECOND", "membar.gl;"), 2, 1, &[0; 4]);
    race(&late.replace("FIRST", "membar.gl;").replace("SECOND", ""), 2, 1, &[0; 4]);
}

#[test]
fn flags_hand_over_from_block_to_block() {
    // Each block adds to what the one before it left: what the first wrote reaches the third.
    let chain = |store: &str, load: &str| {
        format!(
            "mov.u32 %r2, %ctaid.x; setp.ne.u32 %p1, %r2, 0; mul.wide.u32 %rd4, %r2, 4; add.s64 %rd4, %rd1, %rd4;
@%p1 {load} %r3, [%rd4+28];
@!%p1 st.global.u32 [%rd1], 7;
setp.eq.u32 %p2, %r2, 2; @%p2 ld.global.u32 %r4, [%rd1];
@%p2 st.global.u32 [%rd1+4], %r4;
{store} [%rd4+32], 1;"
        )
    };
    for (store, load) in [
        ("membar.gl; st.volatile.global.u32", "ld.volatile.global.u32"),
        ("membar.gl; st.relaxed.gpu.global.u32", "ld.acquire.gpu.u32"),
        ("st.release.gpu.global.u32", "ld.acquire.gpu.global.u32"),
    ] {
        assert_eq!(right(&chain(store, load), 3, 1, &[0; 16])[1], 7, "{store}");
    }
    for (store, load) in [
        ("st.volatile.global.u32", "ld.volatile.global.u32"),
        ("membar.gl; st.global.u32", "ld.acquire.gpu.global.u32"),
        ("st.release.gpu.global.u32", "ld.global.u32"),
        ("st.release.cta.global.u32", "ld.acquire.gpu.global.u32"),
    ] {
        race(&chain(store, load), 3, 1, &[0; 16]);
    }
}

#[test]
fn flags_between_warps_of_a_block() {
    // Warp 1 waits in a loop for warp 0.
    let body = |fence: &str| {
        format!(
            "setp.eq.u32 %p4, %r1, 0; @%p4 st.shared.u32 [sm], 0; bar.sync 0; setp.lt.u32 %p1, %r1, 32; @!%p1 bra wait;
@%p4 st.shared.u32 [sm+16], 9; @%p4 {fence} @%p4 atom.shared.exch.b32 %r2, [sm], 1; ret;
wait: atom.shared.or.b32 %r3, [sm], 0; setp.eq.u32 %p2, %r3, 0; @%p2 bra wait;
ld.shared.u32 %r4, [sm+16]; st.global.u32 [%rd3], %r4;"
        )
    };
    assert_eq!(right(&body("membar.cta;"), 1, 64, &[0; 64])[40], 9);
    race(&body("mov.u32 %r5, 0;"), 1, 64, &[0; 64]);
}

#[test]
fn a_warp_barrier_orders_the_lanes_of_its_mask() {
    // Each lane reads what another one wrote. Lanes below 16 and the others have barriers apart.
    let body = |partner: u32, low: &str, high: &str| {
        format!(
            "mov.u32 %r9, sm; mad.lo.u32 %r3, %r1, 4, %r9; st.shared.u32 [%r3], %r1;
setp.lt.u32 %p1, %r1, 16; @!%p1 bra high;
{low} bra both;
high: {high}
both: xor.b32 %r4, %r1, {partner}; mad.lo.u32 %r4, %r4, 4, %r9; ld.shared.u32 %r5, [%r4];
st.global.u32 [%rd3], %r5;"
        )
    };
    let (low, high) = ("bar.warp.sync 0xffff;", "bar.warp.sync 0xffff0000;");
    let out = right(&body(3, low, high), 1, 32, &[0; 32]);
    assert_eq!(out, (0..32).map(|k| k ^ 3).collect::<Vec<u32>>());
    race(&body(16, low, high), 1, 32, &[0; 32]);
    race(&body(3, low, "mov.u32 %r5, 0;"), 1, 32, &[0; 32]);
    race(&body(3, "mov.u32 %r5, 0;", high), 1, 32, &[0; 32]);
    // One after another they order all: through lane 15 and 16, which are in both.
    let chain = |second: &str| {
        format!(
            "mov.u32 %r9, sm; setp.eq.u32 %p1, %r1, 0; @%p1 st.shared.u32 [%r9], 5;
setp.lt.u32 %p2, %r1, 16; @%p2 bar.warp.sync 0xffff; setp.ge.u32 %p3, %r1, 15; @%p3 bar.warp.sync {second};
setp.eq.u32 %p4, %r1, 31; @%p4 ld.shared.u32 %r4, [%r9]; @%p4 st.global.u32 [%rd1], %r4;"
        )
    };
    assert_eq!(right(&chain("0xffff8000"), 1, 32, &[0; 32])[0], 5);
    race(
        &chain("0xffff8000")
            .replace("setp.ge.u32 %p3, %r1, 15;", "setp.ge.u32 %p3, %r1, 16;")
            .replace("0xffff8000", "0xffff0000"),
        1,
        32,
        &[0; 32],
    );
}

#[test]
fn stores_whose_lanes_go_to_different_spaces() {
    // Even lanes store to shared memory, odd ones to global memory, all by one instruction.
    let body = |shift: u32| {
        format!(
            "cvta.shared.u64 %rd4, sm; shr.u32 %r2, %r1, {shift}; mul.wide.u32 %rd5, %r2, 4;
and.b32 %r3, %r1, 1; setp.eq.u32 %p1, %r3, 0; selp.u64 %rd6, %rd4, %rd1, %p1; add.s64 %rd6, %rd6, %rd5;
st.u32 [%rd6], %r1;
ld.u32 %r4, [%rd6]; st.global.u32 [%rd3+512], %r4;"
        )
    };
    let out = right(&body(0), 1, 64, &[0; 192]);
    assert_eq!(out[128..], (0..64).collect::<Vec<u32>>());
    assert_eq!((out[0], out[1], out[63]), (0, 1, 63));
    // Lanes 0 and 2 at one place in shared memory.
    race(&body(2), 1, 64, &[0; 192]);
    // In the global half alone: lanes 1 and 3.
    let global = body(2).replace(
        "st.u32 [%rd6], %r1;",
        "setp.gt.u32 %p2, %r1, 3; @%p2 ret; @%p1 add.s64 %rd6, %rd6, %rd2; st.u32 [%rd6], %r1;",
    );
    race(&global, 1, 64, &[0; 192]);
}

#[test]
fn both_sides_of_a_race_have_places() {
    let body = ".loc 1 10 3\nst.global.u32 [%rd1], %r3;\n.loc 1 12 1\nst.global.u32 [%rd1], %r4;";
    let source =
        kernel(&format!("mov.u32 %r3, %ctaid.x; add.u32 %r3, %r3, 5; add.u32 %r4, %r3, 50;\n{body}"))
            + "\n.file 1 \"add.cu\"";
    let e = run(Options { check: true, ..Options::default() }, &source, 2, 1, &[0; 4]).unwrap_err();
    assert_eq!((e.kind, e.block, e.source.as_deref()), (FaultKind::Race, [1, 0, 0], Some("add.cu:10:3")));
    assert!(
        e.what.contains("unordered write by block 0 at PTX line") && e.what.contains("(add.cu:12:1)"),
        "{e}"
    );
}
