//! Ctrl-C: the first asks for a checkpoint and an end, the second ends at once.

use std::sync::OnceLock;

use crate::error::Error;
use crate::train::Stop;

/// The flag of this process's run.
static STOP: OnceLock<Stop> = OnceLock::new();

/// A flag that is set once someone asks training to end: by Ctrl-C, or by the system (SIGTERM, SIGHUP). Listens from now
/// on, in the whole process; calling it again does no harm.
///
/// # Errors
/// If the system refuses, or something else in this process listens already.
pub fn listen() -> crate::Result<Stop> {
    if let Some(stop) = STOP.get() {
        return Ok(stop.clone());
    }
    let stop = STOP.get_or_init(Stop::default);
    ctrlc::set_handler(asked).map_err(|e| Error::invalid("Ctrl-C", format!("cannot listen for it: {e}")))?;
    Ok(stop.clone())
}

fn asked() {
    let stop = STOP.get_or_init(Stop::default);
    if stop.requested() {
        // What a shell reports of a command that Ctrl-C ended.
        std::process::exit(i32::from(crate::cli::INTERRUPTED));
    }
    stop.request();
    eprintln!("ending after this step, with a checkpoint; once more ends at once");
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;

    /// A process of its own gets the signals: this test's program again, for this test alone.
    #[test]
    fn the_first_ctrl_c_asks_and_the_second_ends() {
        const CHILD: &str = "WARPFACE_TEST_INTERRUPT";
        if std::env::var_os(CHILD).is_some() {
            let stop = listen().and_then(|_| listen()).unwrap();
            assert!(!stop.requested());
            println!("\nlistening");
            while !stop.requested() {
                std::thread::sleep(Duration::from_millis(5));
            }
            println!("\nasked");
            std::thread::sleep(Duration::from_secs(60));
            return;
        }
        let test = "cli::train::interrupt::tests::the_first_ctrl_c_asks_and_the_second_ends";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", test])
            .env(CHILD, "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(std::result::Result::ok);
        for expected in ["listening", "asked"] {
            assert!(lines.any(|line| line == expected), "the child never said {expected}");
            assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        }
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}
