//! The binary, run.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Exit codes, as `--help` documents them.
pub const DONE: i32 = 0;
pub const NOTHING: i32 = 1;
pub const USAGE: i32 = 2;
pub const PARTLY: i32 = 3;

pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn of(output: Output) -> Run {
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(!err.contains("panicked"), "{err}");
        let out = String::from_utf8(output.stdout).unwrap();
        Run { code: output.status.code().unwrap_or_else(|| panic!("killed: {}\n{err}", output.status)), out, err }
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Run {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Every line of stdout, which must be JSON.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.out.lines().map(parse).collect()
    }

    /// Checks that stderr says each of these.
    #[track_caller]
    pub fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.err.contains(word), "`{word}` is not in stderr:\n{}", self.err);
        }
    }
}

pub fn command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let program = env!("CARGO_BIN_EXE_warpface");
    let mut command = Command::new(program);
    // Where the tests' weights are is no choice of the program's.
    command.args(args).env_remove("WARPFACE_WEIGHTS").env_remove("WARPFACE_PYTHON");
    command
}

pub fn warpface<S: AsRef<OsStr>>(args: &[S]) -> Run {
    Run::of(command(args).output().unwrap())
}

/// A command on the CPU with these weights.
pub fn with(weights: &Path, args: &[&str]) -> Run {
    let globals = ["--device", "cpu", "--weights", weights.to_str().unwrap()];
    warpface(&[args, &globals].concat())
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
