use std::process::Command;

use super::*;
use crate::Tensor;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Run {
    epoch: u32,
    seed: u64,
}

fn run(step: u64) -> Run {
    Run { epoch: step as u32, seed: u64::MAX }
}

/// Saves weights `[2, 3]` that tell the step, and a counter.
fn save(folder: &Checkpoints, step: u64) -> Result<PathBuf> {
    let weights: Vec<f32> = (0..6).map(|i| step as f32 + i as f32 / 8.0).collect();
    let tensors = [Named::f32("conv/weights", &[2, 3], &weights), Named::u32("counter", &[], &[u32::MAX])];
    folder.save(step, &tensors, &run(step))
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        list(dir).unwrap().iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn latest(folder: &Checkpoints) -> (Option<u64>, Vec<String>) {
    let latest = folder.latest::<Run>().unwrap();
    (latest.checkpoint.map(|checkpoint| checkpoint.step), latest.passed_over)
}

#[test]
fn what_is_saved_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Checkpoints::open(dir.path().join("new/run"), 3).unwrap();
    assert_eq!(latest(&folder), (None, vec![]));
    let path = save(&folder, 12).unwrap();
    let checkpoint = folder.latest::<Run>().unwrap().checkpoint.unwrap();
    assert_eq!((checkpoint.step, &checkpoint.run, &checkpoint.path), (12, &run(12), &path));
    let weights = Tensor::new([2, 3], vec![12.0, 12.125, 12.25, 12.375, 12.5, 12.625]);
    let empty: [usize; 0] = [];
    assert_eq!(checkpoint.tensors["conv/weights"], Stored::F32(weights.clone()));
    assert_eq!(checkpoint.tensors["counter"], Stored::U32(Tensor::new(&empty[..], vec![u32::MAX])));
    assert_eq!(read::<Run>(&path).unwrap().step, 12);
    // The tensors file alone is a weights file like any other.
    let map = crate::weights::load(&path).unwrap();
    assert_eq!(map.get("conv/weights", [2, 3]).unwrap(), weights);
}

#[test]
fn only_the_newest_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Checkpoints::open(dir.path(), 2).unwrap();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    // Interrupted between its two files.
    fs::write(dir.path().join("step-00000001.safetensors"), "").unwrap();
    for step in [9, 10, 100_000_000] {
        save(&folder, step).unwrap();
    }
    let expected = ["step-00000010", "step-100000000"]
        .iter()
        .flat_map(|stem| [format!("{stem}.json"), format!("{stem}.safetensors")]);
    assert_eq!(names(dir.path()), ["notes.txt".to_owned()].into_iter().chain(expected).collect::<Vec<_>>());
    assert_eq!(latest(&folder).0, Some(100_000_000));
    // One run at a time.
    let message = Checkpoints::open(dir.path(), 1).unwrap_err().to_string();
    assert!(message.contains("another run is writing to it"), "{message}");
    drop(folder);
    // A run that went back deletes neither what it has just written nor what came after.
    let folder = Checkpoints::open(dir.path(), 1).unwrap();
    save(&folder, 50).unwrap();
    assert_eq!(folder.steps().unwrap().into_keys().collect::<Vec<_>>(), [50, 100_000_000]);
}

#[test]
fn damage_of_every_kind_is_passed_over_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Checkpoints::open(dir.path(), 9).unwrap();
    let path = save(&folder, 1).unwrap();
    save(&folder, 2).unwrap();
    let files = [folder.file(2, "safetensors"), folder.file(2, "json")];
    for file in &files {
        let whole = fs::read(file).unwrap();
        for length in 0..whole.len() {
            fs::write(file, &whole[..length]).unwrap();
            let (step, passed) = latest(&folder);
            assert_eq!((step, passed.len()), (Some(1), 1), "{} cut to {length}: {passed:?}", file.display());
            assert!(passed[0].contains(file.to_str().unwrap()), "{passed:?}");
        }
        fs::write(file, &whole).unwrap();
    }
    // One bit; another save's tensors; no tensors; no JSON.
    let whole = fs::read(&files[0]).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for content in [flipped, fs::read(&path).unwrap()] {
        fs::write(&files[0], content).unwrap();
        let (step, passed) = latest(&folder);
        assert!(step == Some(1) && passed[0].contains("SHA-256"), "{passed:?}");
    }
    fs::remove_file(&files[0]).unwrap();
    assert!(matches!(latest(&folder), (Some(1), passed) if passed[0].contains("cannot read")));
    fs::write(&files[0], &whole).unwrap();
    assert_eq!(latest(&folder).0, Some(2));
    fs::remove_file(&files[1]).unwrap();
    assert!(matches!(latest(&folder), (Some(1), passed) if passed[0].contains("no .json")));
    // A JSON that points elsewhere.
    fs::rename(folder.file(1, "json"), &files[1]).unwrap();
    let text = fs::read_to_string(&files[1]).unwrap().replace("step-00000001.s", "../step-00000001.s");
    fs::write(&files[1], text).unwrap();
    assert!(matches!(latest(&folder), (None, passed) if passed[0].contains("not a file beside it")));
}

#[test]
fn leftovers_of_an_interrupted_save_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Checkpoints::open(dir.path(), 2).unwrap();
    save(&folder, 1).unwrap();
    let before = names(dir.path());
    fs::write(dir.path().join("step-00000002.safetensors.partial"), "half").unwrap();
    assert_eq!(latest(&folder), (Some(1), vec![]));
    drop(folder);
    Checkpoints::open(dir.path(), 2).unwrap();
    assert_eq!(names(dir.path()), before);
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Checkpoints::open(dir.path(), 2).unwrap();
    // Whoever may write everywhere is still stopped by a folder in the file's place.
    fs::create_dir(dir.path().join("step-00000005.json")).unwrap();
    let message = save(&folder, 5).unwrap_err().to_string();
    assert!(message.contains("step-00000005.json: cannot save the checkpoint"), "{message}");
    assert!(message.contains("earlier checkpoints are intact"), "{message}");
    assert!(names(dir.path()).iter().all(|name| !name.ends_with(".partial")));
    drop(dir);
    let message = save(&folder, 6).unwrap_err().to_string();
    assert!(message.contains("choose a folder that can be written"), "{message}");
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(Checkpoints::open(file.path().join("sub"), 1).is_err());
}

#[test]
fn senseless_tensors_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Checkpoints::open(dir.path(), 2).unwrap();
    let two = [Named::f32("a", &[1], &[0.0]), Named::u32("a", &[1], &[0])];
    assert!(folder.save(1, &two, &0).unwrap_err().to_string().contains("two tensors are called `a`"));
    let short = [Named::f32("a", &[2, 2], &[0.0])];
    assert!(folder.save(1, &short, &0).unwrap_err().to_string().contains("shape [2, 2] has 1 values"));
    assert!(names(dir.path()).is_empty());
}

/// This test's program again, for this one test, with a folder to work in.
#[cfg(unix)]
fn again(command: &str, test: &str, dir: &Path) -> Command {
    let mut child = Command::new("sh");
    child.args(["-c", &format!("{command} exec \"$0\" \"$@\"")]).arg(std::env::current_exe().unwrap());
    child.args(["--exact", "--nocapture", &format!("train::record::checkpoint::tests::{test}")]).env(FOLDER, dir);
    child
}

const FOLDER: &str = "WARPFACE_TEST_CHECKPOINTS";

/// The system's own refusal to write on: the test runs itself again where files may not grow beyond some kilobytes.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_earlier_checkpoints_intact() {
    if let Some(dir) = std::env::var_os(FOLDER) {
        let folder = Checkpoints::open(Path::new(&dir), 1).unwrap();
        save(&folder, 1).unwrap();
        let before = names(Path::new(&dir));
        let large = vec![0.5; 100_000];
        let message = folder.save(2, &[Named::f32("large", &[100_000], &large)], &run(2)).unwrap_err().to_string();
        assert!(message.contains("make room, keep fewer checkpoints"), "{message}");
        assert_eq!((names(Path::new(&dir)), latest(&folder)), (before, (Some(1), vec![])));
        println!("refused as expected");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // 64 blocks of 512 or 1024 bytes; without the trap, the process would be ended instead of refused.
    let limits = "trap '' XFSZ; ulimit -f 64;";
    let output = again(limits, "a_full_disk_leaves_earlier_checkpoints_intact", dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("refused as expected"), "{text}{output:?}");
}

#[cfg(unix)]
#[test]
fn killed_at_any_moment_it_loses_nothing_that_was_saved() {
    use std::io::{BufRead, BufReader};
    use std::time::Duration;

    if let Some(dir) = std::env::var_os(FOLDER) {
        let folder = Checkpoints::open(Path::new(&dir), 2).unwrap();
        let first = folder.latest::<Run>().unwrap().checkpoint.map_or(0, |checkpoint| checkpoint.step);
        for step in first + 1.. {
            let values = vec![step as f32; 300_000];
            folder.save(step, &[Named::f32("large", &[300_000], &values)], &run(step)).unwrap();
            println!("\nsaved {step}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for delay in [3, 7, 12, 20, 31] {
        let mut child = again("", "killed_at_any_moment_it_loses_nothing_that_was_saved", dir.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(std::result::Result::ok);
        let mut saved = |line: String| line.strip_prefix("saved ").and_then(|step| step.parse::<u64>().ok());
        last = lines.by_ref().find_map(&mut saved).unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        last = lines.filter_map(saved).last().unwrap_or(last);
        let folder = Checkpoints::open(dir.path(), 2).unwrap();
        let checkpoint = folder.latest::<Run>().unwrap().checkpoint.unwrap();
        assert!(checkpoint.step >= last, "{} after {last}", checkpoint.step);
        let Stored::F32(values) = &checkpoint.tensors["large"] else { panic!("floats were saved") };
        assert!(values.data().iter().all(|&x| x == checkpoint.step as f32));
    }
    assert!(last > 5, "{last} saves in all");
}
