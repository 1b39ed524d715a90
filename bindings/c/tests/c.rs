//! The library as programs in C meet it: compiled, linked, run, and watched by valgrind and AddressSanitizer where they are.
//! `WARPFACE_REQUIRE=cc,valgrind,asan` turns what is missing into a failure.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn root() -> PathBuf {
    here().join("../..")
}

/// Says that something does not run, and why; fails instead if it is required.
fn skip(what: &str, why: &str) {
    let list = std::env::var("WARPFACE_REQUIRE").unwrap_or_default();
    assert!(!list.split(',').any(|name| name.trim() == what), "{what} is required, but: {why}");
    eprintln!("SKIPPED: {what}: {why}");
}

fn has(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        skip(program, "it is not installed");
    }
    there
}

/// A library that was built with the tests, beside them.
fn library(suffix: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap();
    let found = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libwarpface_c") && name.ends_with(suffix)
    });
    // Of earlier builds there may be others.
    let newest = found.max_by_key(|path| path.metadata().and_then(|file| file.modified()).unwrap());
    newest.unwrap_or_else(|| panic!("no libwarpface_c{suffix} in {}", folder.display()))
}

#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{out}\n{err}");
    out.into_owned()
}

/// A folder as `make install` leaves it, with links in place of copies.
fn installed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["libwarpface.so", "libwarpface.so.0"] {
        std::os::unix::fs::symlink(library(".so"), folder.path().join(name)).unwrap();
    }
    std::os::unix::fs::symlink(library(".a"), folder.path().join("libwarpface.a")).unwrap();
    folder
}

const STRICT: [&str; 5] = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"];

/// Compiles an example against what is installed.
fn compile(installed: &Path, example: &str, more: &[&str]) -> PathBuf {
    let program = installed.join(format!("{example}{}", more.concat().replace(['/', '='], "")));
    let mut cc = Command::new("cc");
    cc.args(STRICT).args(["-g", "-D_POSIX_C_SOURCE=200809L"]).args(more).arg("-I").arg(here());
    cc.arg(here().join("examples").join(format!("{example}.c"))).arg("-o").arg(&program);
    cc.arg("-L").arg(installed).arg("-lwarpface").args(["-lm", "-lpthread"]);
    cc.arg(format!("-Wl,-rpath,{}", installed.display()));
    succeeds(&mut cc);
    program
}

/// Weights and photographs, or a loud skip.
fn photographs() -> Option<(PathBuf, Vec<PathBuf>)> {
    let folder = |name: &str, beside: &str| std::env::var_os(name).map_or_else(|| root().join(beside), PathBuf::from);
    let weights = folder("WARPFACE_WEIGHTS", "weights");
    let samples = weights.join("five-people");
    let people = if samples.is_dir() { samples } else { folder("WARPFACE_SHARED", "../shared").join("lfw_color") };
    for path in [weights.join("det1.npy"), weights.join("graph_final.pb"), people.clone()] {
        if !path.exists() {
            skip("weights", &format!("{} is not there", path.display()));
            return None;
        }
    }
    let found = warpface::image::collect(&[people]).images;
    let mut photographs: Vec<PathBuf> = found.into_iter().step_by(7).take(3).collect();
    // One without a face, and one that is none.
    photographs.push(root().join("tests/golden/image/decode/png_rgb.png"));
    photographs.push(root().join("bindings/c/Cargo.toml"));
    Some((weights, photographs))
}

/// What the example should print, by the library itself.
fn expected(weights: &Path, photographs: &[PathBuf]) -> String {
    use warpface::face::{DetectOptions, EmbedOptions, align, choose};
    use warpface::vectors::search::squared_distance;
    let device = warpface::Device::cpu(1).unwrap();
    let detector = warpface::Detector::load(&device, weights, &DetectOptions::default()).unwrap();
    let embedder = warpface::Embedder::load(&device, weights.join("graph_final.pb"), EmbedOptions::default()).unwrap();
    let (mut text, mut first) = (String::new(), None);
    for path in photographs {
        let Ok(photo) = warpface::image::decode(path) else { continue };
        let faces = detector.detect_one(&photo).unwrap();
        text += &format!("{}: {} faces\n", path.display(), faces.len());
        let Some(face) = choose(&faces, photo.width(), photo.height()).map(|i| faces[i]) else { continue };
        // Told by their bits below: 17 digits are enough for each.
        text += &format!("  {:?} score {:?}\n", face.bounds, face.score);
        let crop = align(&photo, &face, &embedder.alignment()).unwrap().unwrap();
        let values = embedder.embed_one(&crop).unwrap();
        match &first {
            None => {
                text += &format!("  the first, {} values\n", values.len());
                first = Some(values);
            }
            Some(first) => text += &format!("  distance {}\n", squared_distance(first, &values)),
        }
    }
    text
}

/// Words, with numbers as their bits.
fn bits(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || "[],".contains(c)).filter(|word| !word.is_empty());
    let number = |word: &str| match word.parse::<f64>() {
        Ok(x) if word.contains('.') && word.len() > 12 => format!("{:016x}", x.to_bits()),
        Ok(x) => format!("{:08x}", (x as f32).to_bits()),
        Err(_) => word.to_owned(),
    };
    words.map(number).collect()
}

#[test]
fn the_header_is_what_cbindgen_makes() {
    let config = cbindgen::Config::from_file(here().join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new().with_crate(here()).with_config(config).generate().unwrap();
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).unwrap();
    let path = here().join("warpface.h");
    if std::env::var("WARPFACE_HEADER").is_ok_and(|what| what == "write") {
        fs::write(&path, &text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == kept, "warpface.h is not what the sources say; WARPFACE_HEADER=write writes it anew");
}

#[test]
fn photographs_give_what_the_library_gives() {
    let (true, Some((weights, photographs))) = (has("cc"), photographs()) else { return };
    let installed = installed();
    let program = compile(installed.path(), "faces", &[]);
    let mut run = Command::new(&program);
    run.arg(&weights).arg(weights.join("graph_final.pb")).args(&photographs);
    let printed = succeeds(&mut run);
    assert_eq!(bits(&printed), bits(&expected(&weights, &photographs)), "{printed}");
    assert!(printed.matches("distance").count() == 2, "{printed}");
    // What cannot be opened is told in the library's words.
    let output = Command::new(&program).args(["nowhere", "nothing.pb", "x.jpg"]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && words.contains("nowhere"), "{words}");
}

#[test]
fn a_graph_gives_what_its_reference_gives() {
    if !has("cc") {
        return;
    }
    use warpface::ops::{Activation, Conv2d, L2Normalize, MaxPool2d, Padding};
    let installed = installed();
    let printed = succeeds(&mut Command::new(compile(installed.path(), "three_ops", &[])));
    let mut graph = warpface::Graph::new();
    let x = graph.input("x");
    let filters = (0..4 * 3 * 3 * 2).map(|i| (i % 7) as f32 / 7.0 - 0.4).collect();
    let w = graph.param("w", warpface::Tensor::new([4, 3, 3, 2], filters));
    let b = graph.param("b", warpface::Tensor::new([4], vec![0.1; 4]));
    let y = graph.op("conv", Conv2d::new(Padding::Same).activation(Activation::Relu), &[x, w, b]);
    let y = graph.op("pool", MaxPool2d { kernel: [2, 2], stride: [2, 2], padding: Padding::Valid }, &[y]);
    let y = graph.op("norm", L2Normalize { epsilon: 1e-10 }, &[y]);
    graph.output(y);
    let input = warpface::Tensor::new([1, 6, 6, 2], (0..72).map(|i| (i as f32).sin()).collect());
    let expected = graph.reference(&[input]).unwrap().remove(0);
    let found: Vec<f32> = printed.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(found.len(), expected.data().len());
    for (a, b) in found.iter().zip(expected.data()) {
        assert!((a - b).abs() < 1e-5, "{found:?}");
    }
}

#[test]
fn no_memory_is_lost_or_misused() {
    if !has("cc") {
        return;
    }
    let installed = installed();
    let (three, sound) = (compile(installed.path(), "three_ops", &[]), "--error-exitcode=9");
    let plain = succeeds(&mut Command::new(&three));
    if has("valgrind") {
        // Valgrind knows no AVX-512.
        let mut run = Command::new("valgrind");
        run.args(["--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite", sound]).arg(&three);
        let watched = succeeds(run.env("WARPFACE_ISA", "portable"));
        assert_eq!(watched.lines().count(), plain.lines().count());
    }
    if !asan(installed.path()) {
        return skip("asan", "the compiler has no AddressSanitizer");
    }
    let sanitized = compile(installed.path(), "three_ops", &["-fsanitize=address"]);
    assert_eq!(succeeds(&mut Command::new(sanitized)), plain);
    let Some((weights, photographs)) = photographs() else { return };
    let mut run = Command::new(compile(installed.path(), "faces", &["-fsanitize=address"]));
    let printed = succeeds(run.arg(&weights).arg(weights.join("graph_final.pb")).args(&photographs));
    assert_eq!(printed.matches("distance").count(), 2, "{printed}");
}

/// Whether the compiler makes programs with AddressSanitizer that run.
fn asan(folder: &Path) -> bool {
    let (source, program) = (folder.join("asan.c"), folder.join("asan"));
    fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let made = Command::new("cc").arg("-fsanitize=address").arg(&source).arg("-o").arg(&program).output();
    made.is_ok_and(|made| made.status.success()) && Command::new(program).status().is_ok_and(|run| run.success())
}

#[test]
fn what_makes_no_sense_is_an_error() {
    if !has("cc") {
        return;
    }
    let installed = installed();
    succeeds(&mut Command::new(compile(installed.path(), "wrong", &[])));
    // The static library, too, and in C++ the header.
    let program = installed.path().join("wrong_static");
    let mut cc = Command::new("cc");
    cc.args(STRICT).arg("-I").arg(here()).arg(here().join("examples/wrong.c")).arg("-o").arg(&program);
    cc.arg(installed.path().join("libwarpface.a")).args(["-lpthread", "-lm", "-ldl", "-lrt", "-lutil"]);
    succeeds(&mut cc);
    succeeds(&mut Command::new(program));
    if has("c++") {
        let source = installed.path().join("header.cpp");
        fs::write(&source, "#include \"warpface.h\"\nint main() { return warpface_version() == nullptr; }\n").unwrap();
        let mut cpp = Command::new("c++");
        cpp.args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-I"]).arg(here()).arg(&source);
        succeeds(&mut cpp);
    }
}

/// README's lines for C, as they stand there, but for the build.
#[test]
fn readme_runs() {
    let (true, true, Some((weights, photographs))) = (has("cc"), has("make"), photographs()) else { return };
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let block = text.split("### From C\n\n```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(block.lines().count() <= 5, "{block}");
    let folder = tempfile::tempdir().unwrap();
    let link = |from: &Path, name: &str| std::os::unix::fs::symlink(from, folder.path().join(name)).unwrap();
    link(&root().canonicalize().unwrap().join("bindings"), "bindings");
    link(&weights.canonicalize().unwrap(), "weights");
    for (path, name) in photographs.iter().zip(["a.jpg", "b.jpg"]) {
        link(&path.canonicalize().unwrap(), name);
    }
    fs::create_dir(folder.path().join("built")).unwrap();
    link(&library(".so"), "built/libwarpface_c.so");
    link(&library(".a"), "built/libwarpface_c.a");
    let mut shell = Command::new("sh");
    shell.args(["-ec", block]).current_dir(folder.path()).env("CARGO", "true");
    let printed = succeeds(shell.env("BUILT", folder.path().join("built")));
    assert!(printed.matches("distance").count() == 1 && printed.contains("a.jpg: "), "{printed}");
    let config = fs::read_to_string(folder.path().join("c/lib/pkgconfig/warpface.pc")).unwrap();
    assert!(
        config.contains("-lwarpface") && config.contains(env!("CARGO_PKG_VERSION")) && !config.contains('@'),
        "{config}"
    );
    // Who runs the program finds the library by the name that it was linked with.
    let needed = Command::new("readelf").arg("-d").arg(folder.path().join("faces")).output();
    if let Ok(needed) = needed {
        assert!(String::from_utf8_lossy(&needed.stdout).contains("libwarpface.so.0"));
    }
}
