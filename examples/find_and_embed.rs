//! Finds the face that a photograph is about, cuts it out, and embeds it:
//! `cargo run --release --example find_and_embed -- weights photo.jpg`.

use std::path::Path;

use warpface::face::{DetectOptions, EmbedOptions, align, choose};
use warpface::{Detector, Device, DeviceKind, Embedder, image};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, photo] = arguments.as_slice() else { return Err("usage: find_and_embed WEIGHTS PHOTO".into()) };
    let weights = Path::new(weights);

    let device = Device::open(DeviceKind::Auto, 0)?;
    let detector = Detector::load(&device, weights, &DetectOptions::default())?;
    let embedder = Embedder::load(&device, weights.join("graph_final.pb"), EmbedOptions::default())?;

    let photo = image::decode(photo)?;
    let faces = detector.detect_one(&photo)?;
    println!("{} faces on {device}", faces.len());
    let chosen = choose(&faces, photo.width(), photo.height()).map(|i| &faces[i]);
    if let Some(face) = chosen
        && let Some(crop) = align(&photo, face, &embedder.alignment())?
    {
        let embedding = embedder.embed_one(&crop)?;
        println!("{} values, the first {:?}", embedding.len(), &embedding[..4]);
    }
    Ok(())
}
