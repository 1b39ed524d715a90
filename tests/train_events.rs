//! TensorBoard itself reads what `train::events` writes. Needs a Python that has it: `WARPFACE_TENSORBOARD=python3`.

mod common;

use std::process::Command;

use warpface::train::events::Events;

const SCRIPT: &str = r#"
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0, "histograms": 0})
events.Reload()
print(events.Tags()["scalars"], events.Tags()["histograms"])
print([(e.step, e.value) for e in events.Scalars("loss/total")])
h = events.Histograms("weights")[0]
print(h.step, h.histogram_value.num, h.histogram_value.min, h.histogram_value.max, sum(h.histogram_value.bucket))
"#;

#[test]
fn tensorboard_reads_a_run_and_its_resumption() {
    let Some(python) = std::env::var_os("WARPFACE_TENSORBOARD") else {
        return common::skip("tensorboard", "set WARPFACE_TENSORBOARD to a Python that has it");
    };
    let dir = tempfile::tempdir().unwrap();
    let mut first = Events::create(dir.path(), 0).unwrap();
    for step in 0..10 {
        first.scalars(step, &[("loss/total", step as f32), ("learning_rate", 0.05)]).unwrap();
    }
    // A run that goes on from step 6 says the steps 6 to 9 anew.
    let mut resumed = Events::create(dir.path(), 6).unwrap();
    for step in 6..8 {
        resumed.scalars(step, &[("loss/total", 100.0 + step as f32)]).unwrap();
    }
    resumed.histogram(7, "weights", &[-1.0, 0.0, 0.25, 0.25, f32::NAN]).unwrap();
    resumed.flush().unwrap();
    let output = Command::new(python).args(["-c", SCRIPT]).arg(dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let expected = "['loss/total', 'learning_rate'] ['weights']\n\
                    [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.0), (6, 106.0), (7, 107.0)]\n\
                    7 4.0 -1.0 0.25 4.0\n";
    assert_eq!(text, expected, "{}", String::from_utf8_lossy(&output.stderr));
}
