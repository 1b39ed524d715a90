//! MTCNN's networks, the embedding model, and each definition with drawn weights; inputs copied in and outputs out.

mod common;

use std::sync::Arc;

use common::{Bench, clock};
use warpface::Precision;
use warpface::models::{Mtcnn, embedding_network, seeded_network};
use warpface::networks::{ModelDef, NetworkSpec};
use warpface::{Error, Graph, Tensor, weights};

fn main() {
    common::main("models", |bench| {
        let batch = bench.batch();
        for def in ModelDef::ALL {
            let graph = Arc::new(seeded_network(NetworkSpec::new(def), 0).expect("published crops"));
            let side = def.crop();
            model(bench, &format!("{def} batch 1"), &graph, [1, side, side, 3]);
            model(bench, &format!("{def} batch {batch}"), &graph, [batch, side, side, 3]);
        }
        if let Some((folder, model_file)) = common::weights() {
            let mtcnn = Mtcnn::load(&folder, false).expect("published weights");
            let facenet = facenet(&model_file).expect("published weights");
            // Detection runs in f32 whatever the embedding's precision.
            if bench.precision() == Precision::F32 {
                model(bench, "pnet 150x150", &mtcnn.pnet, [1, 150, 150, 3]);
                model(bench, &format!("rnet batch {batch}"), &mtcnn.rnet, [batch, 24, 24, 3]);
                model(bench, &format!("onet batch {batch}"), &mtcnn.onet, [batch, 48, 48, 3]);
            }
            model(bench, "facenet batch 1", &facenet, [1, 160, 160, 3]);
            model(bench, &format!("facenet batch {batch}"), &facenet, [batch, 160, 160, 3]);
        }
    });
}

fn facenet(file: &std::path::Path) -> Result<Arc<Graph>, Error> {
    let file = weights::load(file)?;
    Ok(Arc::new(embedding_network(&weights::embedding_network(&file)?)?))
}

fn model(bench: &mut Bench, name: &str, graph: &Arc<Graph>, input: [usize; 4]) {
    let executable = match bench.load(graph.clone()).and_then(|m| m.plan(&[input.into()])) {
        Ok(executable) => executable,
        Err(error) => return bench.skip(name, error),
    };
    let x = Tensor::filler(input).into_data();
    let work = bench.work(executable.plan());
    bench.case(name, 1, Some(work), || clock(|| executable.run(&[&x]).expect("planned for this input")));
}
