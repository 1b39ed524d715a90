//! Ctrl-C: the first asks for a checkpoint and an end, the second ends at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{Error, Result};

/// How often an end was asked for.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// Whether someone asked training to end: by Ctrl-C, or by the system (SIGTERM, SIGHUP).
#[derive(Clone, Copy, Debug)]
pub struct Interrupt(());

impl Interrupt {
    /// Listens from now on, in the whole process. Calling it again does no harm.
    ///
    /// # Errors
    /// If the system refuses, or something else in this process listens already.
    pub fn install() -> Result<Self> {
        static INSTALLED: Mutex<bool> = Mutex::new(false);
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if !*installed {
            ctrlc::set_handler(asked).map_err(|e| Error::invalid("Ctrl-C", format!("cannot listen for it: {e}")))?;
            *installed = true;
        }
        Ok(Interrupt(()))
    }

    /// Whether to end after the step at hand.
    pub fn requested(&self) -> bool {
        ASKED.load(Ordering::Relaxed) > 0
    }
}

fn asked() {
    match ASKED.fetch_add(1, Ordering::Relaxed) {
        0 => eprintln!("ending after this step, with a checkpoint; once more ends at once"),
        // What a shell reports of a command that Ctrl-C ended.
        _ => std::process::exit(130),
    }
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
            let interrupt = Interrupt::install().and_then(|_| Interrupt::install()).unwrap();
            assert!(!interrupt.requested());
            println!("\nlistening");
            while !interrupt.requested() {
                std::thread::sleep(Duration::from_millis(5));
            }
            println!("\nasked");
            std::thread::sleep(Duration::from_secs(60));
            return;
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "train::interrupt::tests::the_first_ctrl_c_asks_and_the_second_ends"])
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
