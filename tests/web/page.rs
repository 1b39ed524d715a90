//! The package's page: two photographs, a verdict; and what it says without weights.

use serde_json::json;

use crate::browser::Browser;
use crate::common::{shared, weights};
use crate::files::halves;

#[test]
fn two_photographs_are_compared_on_the_page() {
    let files = ["det1.npy", "det2.npy", "det3.npy", "facenet_keras.h5"];
    let (Some(browser), Some(weights), Some(photos)) = (Browser::find(), weights(&files), shared("lfw_color")) else {
        return;
    };
    halves(&weights.join("facenet_keras.h5"), &browser.folder.path().join("facenet.safetensors"));
    let names = ["Ariel_Sharon_0001.jpg", "Ariel_Sharon_0002.jpg"].map(|name| format!("/photos/Ariel_Sharon/{name}"));
    let serve = json!({ "/weights/": weights, "/photos/": photos });
    let open = "warpface/page/index.html?detector=/weights/&embedder=/t/facenet.safetensors";
    let page = browser.run("page", json!({ "photos": names }), json!({ "open": open, "serve": serve }));
    let told = |what: &str| page.result[what].as_str().unwrap().to_owned();
    assert_eq!(told("answer"), "The same person", "{}\n{}", page.result, page.said);
    assert!(told("numbers").contains("distance 0.35"), "{}", told("numbers"));
    assert!(told("origin").contains("unproved for this model"), "{}", told("origin"));
    assert!(told("intro").contains("nothing leaves it. Ready, on "), "{}", told("intro"));
    assert_eq!(page.result["shapes"], json!([[1, 5], [1, 5]]), "boxes and landmarks");
    assert!(page.result["scale"].as_i64().unwrap() <= 0, "the page is wider than its window");
}

#[test]
fn the_page_says_what_it_lacks() {
    let (Some(browser), Some(photos)) = (Browser::find(), shared("lfw_color")) else { return };
    let open = "warpface/page/index.html?detector=/t/absent/&embedder=/t/absent.safetensors";
    let more = json!({ "open": open, "serve": { "/photos/": photos } });
    let photo = "/photos/Ariel_Sharon/Ariel_Sharon_0001.jpg";
    let page = browser.run("page", json!({ "photos": [photo], "wait": 2000 }), more);
    let intro = page.result["intro"].as_str().unwrap();
    assert!(intro.contains("absent") && intro.contains("404"), "{intro}");
    assert!(page.result["told"].as_str().unwrap().contains("404"), "{}", page.result);
}
