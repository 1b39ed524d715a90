//! What is asked: wrong flags, precisions, devices and plans.

use super::*;

#[test]
fn usage() {
    for args in [&[][..], &["--nonsense"], &["detect"], &["--device", "toaster", "devices"], &["compare", "one.jpg"]] {
        let run = warpface(args).expect(USAGE);
        assert_eq!(run.out, "", "{args:?}");
    }
    for args in [&["--help"][..], &["--version"], &["detect", "--help"]] {
        warpface(args).expect(DONE);
    }
    assert!(warpface(&["--help"]).out.contains("Exit codes: 0"));
    let wrong = [("--factor", "2"), ("--min-size", "3"), ("--thresholds", "0.6,0.7,7"), ("--thresholds", "0.6,0.7")];
    for (flag, value) in wrong {
        let run = warpface(&["detect", "--device", "cpu", flag, value, text(&decode("png_rgb.png"))]).expect(USAGE);
        run.says(&[flag]);
    }
    let picture = decode("png_rgb.png");
    warpface(&["detect", "--device", "cpu", "--threads", "99999", text(&picture)]).expect(USAGE).says(&["--threads"]);
}

#[test]
fn precision_is_checked_by_name_and_by_device() {
    let picture = decode("png_rgb.png");
    let run = warpface(&["detect", "--device", "cpu", "--precision", "f8", text(&picture)]).expect(USAGE);
    run.says(&["--precision", "f8", "bf16"]);
    for device in ["cpu", "wgpu"] {
        let run = warpface(&["detect", "--device", device, "--precision", "f16", text(&picture)]).expect(NOTHING);
        assert_eq!(run.out, "");
        // A machine without a GPU has no wgpu to refuse it.
        if device == "cpu" || !run.err.contains("Vulkan") {
            run.says(&[device, "runs in f32", "--precision f16", "--device cuda"]);
        }
    }
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    with(&weights, &["detect", text(&picture)]).expect(DONE).says(&["device: cpu", "precision f32"]);
    let bytes = |precision: &str, what: &str| {
        let run = with(&weights, &["plan", "onet", "--json", "--precision", precision]).expect(DONE);
        assert_eq!(run.json()[0]["precision"], precision);
        run.json()[0][what].as_u64().unwrap()
    };
    for what in ["param_bytes", "arena_bytes"] {
        assert_eq!(bytes("f16", what) * 2, bytes("f32", what), "{what}");
        assert_eq!(bytes("tf32", what), bytes("f32", what), "{what}");
    }
}

#[test]
fn devices() {
    let run = warpface(&["devices", "--json"]).expect(DONE);
    let kinds: Vec<Value> = run.json().iter().map(|line| line["kind"].clone()).collect();
    assert_eq!(kinds, ["cpu", "wgpu", "cuda"]);
    for line in run.json() {
        assert!(line["name"].is_string() || line["missing"].is_string(), "{line}");
    }
    let run = warpface(&["detect", "--device", "cuda", text(&decode("png_rgb.png"))]).expect(NOTHING);
    run.says(&["cuda", "--device"]);
    assert_eq!(run.out, "");
}

#[test]
fn plan_counts_what_openfaces_definitions_have() {
    for network in ["nn4_small2", "nn4_small2_torch"] {
        let line = warpface(&["plan", network, "--json"]).expect(DONE).json().remove(0);
        let count = |which: &str| line["definition"][which].as_u64().unwrap();
        assert_eq!(count("trained"), 3_733_968);
        assert_eq!(count("trained") + count("statistics"), 3_743_280);
        assert_eq!(line["input"], serde_json::json!([1, 96, 96, 3]));
    }
}

#[test]
fn plan_tells_before_anything_runs() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    for network in ["pnet", "rnet", "onet", "facenet"] {
        assert!(!with(&weights, &["plan", network, "--json"]).expect(DONE).json().is_empty());
    }
    assert!(with(&weights, &["plan", "pnet"]).expect(DONE).out.contains("conv4-2"));
}
