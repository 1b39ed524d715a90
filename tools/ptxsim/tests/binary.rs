//! The program itself: what it prints, writes and returns, and what it says to what it cannot use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A kernel with a structure, a buffer in, a buffer out: `y[i] = x[i] * factor`.
const PTX: &str = ".version 8.0\n.target sm_75\n.address_size 64\n\
    .visible .entry times(.param .align 8 .b8 p[16], .param .u64 x, .param .u64 y)\n{\n\
    .reg .pred %p<2>; .reg .b32 %r<4>; .reg .b64 %rd<6>; .reg .f32 %f<3>; .reg .f64 %fd<2>;\n\
    ld.param.u32 %r1, [p]; ld.param.f64 %fd1, [p+8]; ld.param.u64 %rd1, [x]; ld.param.u64 %rd2, [y];\n\
    mov.u32 %r2, %tid.x; setp.ge.u32 %p1, %r2, %r1; @%p1 ret;\n\
    mul.wide.u32 %rd3, %r2, 4; add.s64 %rd4, %rd1, %rd3; add.s64 %rd5, %rd2, %rd3;\n\
    ld.global.f32 %f1, [%rd4]; cvt.rn.f32.f64 %f2, %fd1; mul.f32 %f1, %f1, %f2;\n\
    st.global.f32 [%rd5], %f1; ret;\n}\n";

/// A directory of one test, with the kernel and `x.npy`: 1, 2, 3.
fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("times.ptx"), PTX).unwrap();
    fs::write(path.join("x.npy"), npy("<f4", "3,", bytemuck::cast_slice(&[1f32, 2.0, 3.0]))).unwrap();
    path
}

fn npy(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn run(directory: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ptxsim"));
    command.current_dir(directory).args(arguments.split(' ')).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn lists_and_runs() {
    let directory = directory("runs");
    let list = run(&directory, "times.ptx");
    assert_eq!(list.status.code(), Some(0));
    assert!(said(&list).contains("times (static shared 0 bytes") && said(&list).contains("8 bytes  y"), "{list:?}");
    let done = run(&directory, "times.ptx times --args u32:3,f64:-0.5 in:x.npy out:f32:3 --stats");
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(said(&done).contains("1 ld.global.f32") && said(&done).contains("1 blocks"), "{}", said(&done));
    let written = fs::read(directory.join("arg2.npy")).unwrap();
    assert!(written.len().is_multiple_of(4) && written[..128].ends_with(b"\n"));
    assert_eq!(written[128..], *bytemuck::cast_slice::<f32, u8>(&[-0.5, -1.0, -1.5]));
    // What it writes it reads.
    let again = run(&directory, "times.ptx times --args u32:3,f64:2 inout:arg2.npy out:f32:4");
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert!(said(&again).contains("arg2.npy: some of it was never written"), "{}", said(&again));
    assert_eq!(fs::read(directory.join("arg1.npy")).unwrap(), written);
}

#[test]
fn profiles() {
    let directory = directory("profiles");
    let table = "| file | kernel | threads | registers |\n|---|---|---|---|\n| times.ptx | times | 32 | 40 |\n";
    fs::write(directory.join("table.md"), table).unwrap();
    let arguments = "times.ptx times --args u32:3,f64:-0.5 in:x.npy out:f32:3 --profile";
    let done = run(&directory, &format!("{arguments} --resources table.md"));
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    for part in [
        "global loads                      1          1.0 a warp",
        "global loads                      1 requests            1 sectors, at best 1: 32 bytes",
        "holds 32 blocks: 32 of 64 warps at 40 registers, bounded by the number of blocks",
        "times: 1 blocks, ",
    ] {
        assert!(said(&done).contains(part), "{part}: {}", said(&done));
    }
    fs::write(directory.join("other.md"), table.replace("| times |", "| other |")).unwrap();
    for (arguments, message) in [
        ("--resources none.md", "none.md: "),
        ("--resources times.ptx", "times.ptx: there is no table of registers"),
        ("--resources other.md", "other.md: it has no row of times.ptx and times"),
    ] {
        let output =
            run(&directory, &format!("times.ptx times --args u32:3,f64:1 in:x.npy out:f32:3 --profile {arguments}"));
        assert_eq!(output.status.code(), Some(2), "{arguments}: {}", said(&output));
        assert!(said(&output).contains(message), "{arguments}: {}", said(&output));
    }
}

#[test]
fn faults_are_one() {
    let directory = directory("faults");
    let fault = run(&directory, "times.ptx times --args u32:4,f64:1 in:x.npy out:f32:4");
    assert_eq!(fault.status.code(), Some(1));
    for part in ["out of bounds", "kernel times", "line 10: ld.global", "thread [3, 0, 0]"] {
        assert!(said(&fault).contains(part), "{part}: {}", said(&fault));
    }
    let refused = run(&directory, "times.ptx times --capability 7.0 --args u32:3,f64:1 in:x.npy out:f32:3");
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("sm_75 on a device of 7.0"), "{}", said(&refused));
}

#[test]
fn useless_input_is_two() {
    let directory = directory("useless");
    let x = fs::read(directory.join("x.npy")).unwrap();
    let mut state = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(10_000_000)
    .collect();
    let printable: Vec<u8> = noise.iter().map(|byte| b' ' + byte % 95).collect();
    for (name, contents) in [
        ("noise.ptx", &noise[..]),
        ("printable.ptx", &printable),
        ("empty.ptx", b""),
        ("prose.ptx", b"Dear reader,\n"),
        ("cut.ptx", &PTX.as_bytes()[..500]),
        ("cut.npy", &x[..x.len() - 1]),
        ("head.npy", &x[..30]),
        ("long.npy", &[&x[..], b"more"].concat()),
        ("noise.npy", &noise[..1000]),
        ("big_endian.npy", &npy(">f4", "3,", &[0; 12])),
        ("complex.npy", &npy("<c8", "3,", &[0; 24])),
        ("huge.npy", &npy("<f4", "1099511627776, 1099511627776", &[0; 12])),
        ("negative.npy", &npy("<f4", "-3,", &[0; 12])),
        (
            "columns.npy",
            &String::from_utf8_lossy(&npy("<f4", "1, 3", &[0; 12])[10..]).replace("False", "True ").into_bytes(),
        ),
    ] {
        let head = if name == "columns.npy" { &npy("<f4", "1, 3", &[])[..10] } else { &[] };
        fs::write(directory.join(name), [head, contents].concat()).unwrap();
    }
    let cases = [
        ("nothing.ptx", "nothing.ptx: "),
        (".", ".: "),
        ("noise.ptx", "no text"),
        ("printable.ptx", "printable.ptx:1: "),
        ("empty.ptx", "no PTX"),
        ("prose.ptx", "prose.ptx:1: `Dear` is no directive known here"),
        ("cut.ptx", "cut.ptx:"),
        ("times.ptx other", "no kernel `other` in times.ptx, which has times"),
        ("times.ptx times", "takes 3 arguments, not 0"),
        ("times.ptx times --args X in:x.npy", "takes 3 arguments, not 2"),
        ("times.ptx times --args u32:3 in:x.npy out:f32:3", "has 4 bytes, where `p` takes 16"),
        ("times.ptx times --args X in:none.npy out:f32:3", "argument 1 `in:none.npy`: "),
        ("times.ptx times --args X in:cut.npy out:f32:3", "are 12 bytes, but 11 follow"),
        ("times.ptx times --args X in:head.npy out:f32:3", "ends within its header"),
        ("times.ptx times --args X in:long.npy out:f32:3", "are 12 bytes, but 16 follow"),
        ("times.ptx times --args X in:noise.npy out:f32:3", "no .npy file"),
        ("times.ptx times --args X in:big_endian.npy out:f32:3", "numpy type >f4 is none of"),
        ("times.ptx times --args X in:complex.npy out:f32:3", "numpy type <c8 is none of"),
        ("times.ptx times --args X in:huge.npy out:f32:3", "beyond all memory"),
        ("times.ptx times --args X in:negative.npy out:f32:3", "`-3` in the shape"),
        ("times.ptx times --args X in:columns.npy out:f32:3", "columns come first"),
        ("times.ptx times --args X in:x.npy out:f33:3", "type `f33` is none of"),
        ("times.ptx times --args X in:x.npy out:f32:18446744073709551615", "beyond all memory"),
        ("times.ptx times --args X in:x.npy out:f32:1000000000000000", "no memory for"),
        ("times.ptx times --args X in:x.npy out:f32", "`out:TYPE:COUNT` expected"),
        ("times.ptx times --args u32:-3,f64:1 in:x.npy out:f32:3", "-3 is no u32"),
        ("times.ptx times --args u32:3,f64: in:x.npy out:f32:3", "``: "),
        ("times.ptx times --args 3 in:x.npy out:f32:3", "expected"),
        ("times.ptx times --args é:3 in:x.npy out:f32:3", "type `é` is none of"),
        ("times.ptx times --capability nine --args X in:x.npy out:f32:3", "two numbers"),
        ("times.ptx times --out-dir none --args X in:x.npy out:f32:3", "none/arg2.npy"),
        ("times.ptx times --grid 1,2,3,4", "at most three numbers"),
        ("times.ptx times --check everything", "none of uninitialised"),
    ];
    for (arguments, message) in cases {
        let output = run(&directory, &arguments.replace('X', "u32:3,f64:1"));
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {said}");
        assert!(said.contains(message), "{arguments}: {said}");
        assert!(said.len() < 1000, "{arguments}: {} bytes of words", said.len());
    }
}
