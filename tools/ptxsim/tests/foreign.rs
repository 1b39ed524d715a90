//! What other compilers write: Triton, and NVRTC for compute capability 10 and 12. Each number is known by hand.

mod common;
use common::run_text;
use ptxsim::{Checks, Module};

/// `.ptr .align` is the alignment of what the parameter points to.
#[test]
fn an_attribute_of_the_pointee_moves_no_parameter() {
    let text = ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry k(\n\
                .param .u64 .ptr .global .align 16 in,\n.param .u64 .ptr .align 1 out)\n{\n\
                .reg .b32 %r<4>; .reg .b64 %rd<8>;\n\
                ld.param.b64 %rd1, [in]; ld.param.b64 %rd2, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd3, %r1, 4;\n\
                add.s64 %rd4, %rd1, %rd3; add.s64 %rd5, %rd2, %rd3; ld.global.b32 %r2, [%rd4];\n\
                add.s32 %r3, %r2, 100; st.global.b32 [%rd5], %r3; ret;\n}\n";
    let run = run_text(text, &[1, 2, 3], [1, 1, 1], 3, Checks::ALL);
    run.result.unwrap();
    assert_eq!(run.out[..3], [101, 102, 103]);

    let params = "(.param .u32 n, .param .u64 .ptr .shared .align 64 a, .param .u32 .ptr .const .align 8 b, \
                  .param .align 16 .b8 s[20], .param .u8 c, .param .u64 .ptr .align 4096 d)";
    let text = format!(".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry k{params}\n{{ ret; }}\n");
    let module = Module::parse("k", &text).unwrap();
    let params = &module.entry("k").unwrap().params;
    let places: Vec<_> = params.iter().map(|p| (p.offset, p.size, p.align)).collect();
    assert_eq!(places, [(0, 4, 4), (8, 8, 8), (16, 4, 4), (32, 20, 16), (52, 1, 1), (56, 8, 8)]);
    for wrong in [".param .u64 .ptr .align 3 a", ".param .u64 .ptr .align a"] {
        let text = format!(".version 9.0\n.target sm_90\n.visible .entry k({wrong})\n{{ ret; }}\n");
        assert!(Module::parse("k", &text).is_err(), "{wrong}");
    }
}
