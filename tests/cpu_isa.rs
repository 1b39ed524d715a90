//! `WARPFACE_ISA`, through the real binary.

use std::process::{Command, Output};

use warpface::backend::cpu::Isa;

fn devices(isa: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warpface"));
    command.args(["devices", "--json"]).env("WARPFACE_ISA", isa).output().unwrap()
}

/// What `devices` says of the CPU.
fn cpu(isa: &str) -> String {
    let output = devices(isa);
    String::from_utf8(output.stdout).unwrap().lines().next().unwrap().to_owned()
}

#[test]
fn it_lowers_the_choice_and_devices_prints_it() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        let line: serde_json::Value = serde_json::from_str(&cpu(isa.name())).unwrap();
        assert_eq!(line["driver"], isa.to_string());
        let limits = line["limits"].as_array().unwrap();
        assert!(limits.iter().any(|limit| limit[0] == "instruction set" && limit[1] == isa.name()), "{line}");
    }
    assert!(cpu("").contains(Isa::detect().name()), "empty is not given");
}

#[test]
fn a_name_that_is_none_or_not_here_is_refused_by_name() {
    assert!(cpu("sse2").contains("WARPFACE_ISA") && cpu("sse2").contains("avx512bf16"));
    for isa in Isa::ALL.into_iter().filter(|isa| !isa.is_available()) {
        assert!(cpu(isa.name()).contains(&isa.to_string()), "{isa}");
    }
}
