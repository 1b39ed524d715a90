//! A network's plan in the simulator: what each step's launches ask for.

use std::sync::Arc;

use anyhow::{Context, Result};
use ptxsim::profile::{Occupancy, Resources};
use warpface::backend::cuda::Cuda;
use warpface::graph::{Region, Step};
use warpface::models::seeded_network;
use warpface::networks::NetworkSpec;
use warpface::{Device, Precision, Shape, Tensor};

use crate::cards::Card;
use crate::simulated::{Counted, Simulated};

/// What a step of a plan asks for.
pub struct CountedStep {
    /// The node's name.
    pub name: String,
    /// Its launches.
    pub launches: Vec<Launched>,
    /// Floating-point operations of its definition.
    pub flops: u64,
    /// Bytes of its weights, and of its other inputs and its output, each once.
    pub bytes: [u64; 2],
}

/// A launch, and how a multiprocessor holds its blocks.
pub struct Launched {
    /// What it asks for.
    pub counted: Counted,
    /// How many blocks a multiprocessor holds.
    pub occupancy: Occupancy,
}

/// What a network is counted for.
#[derive(Clone, Copy)]
pub struct Asked {
    /// The network.
    pub network: NetworkSpec,
    /// Images.
    pub batch: usize,
    /// In which precision.
    pub precision: Precision,
}

/// Runs the network's plan in the simulator, as the card's compute capability has it. With several images, some blocks stand
/// for the others.
pub fn count(asked: Asked, card: &Card, registers: &Resources) -> Result<Vec<CountedStep>> {
    count_by(asked, card, registers, asked.batch > 1)
}

fn count_by(asked: Asked, card: &Card, registers: &Resources, samples: bool) -> Result<Vec<CountedStep>> {
    let driver = Arc::new(Simulated::counting(card.capability, samples));
    let device = Device::from_backend(Cuda::with_driver(driver.clone(), None)?);
    let graph = Arc::new(seeded_network(asked.network, 0)?);
    let side = asked.network.side;
    let shape = Shape::from([asked.batch, side, side, 3]);
    let executable = device.backend().load_in(graph.clone(), asked.precision)?.plan(std::slice::from_ref(&shape))?;
    let crops = Tensor::<f32>::new(shape.clone(), vec![0.0; shape.elements()]);
    executable.profile(&[crops.data()])?;
    let plan = executable.plan();
    let steps = plan.steps.iter().zip(driver.take_steps());
    steps
        .map(|(step, launches)| {
            let launches = launches.into_iter().map(|counted| launched(counted, card, registers));
            Ok(CountedStep {
                name: graph.nodes()[step.node.index()].name.clone(),
                launches: launches.collect::<Result<_>>()?,
                flops: step.flops,
                bytes: bytes(step, asked.precision),
            })
        })
        .collect()
}

fn launched(counted: Counted, card: &Card, registers: &Resources) -> Result<Launched> {
    let Counted { file, profile } = &counted;
    let of_thread = registers.registers(file, &profile.kernel, card.capability);
    let of_thread = of_thread.with_context(|| format!("RESOURCES.md has no row of {file} and {}", profile.kernel))?;
    let occupancy = Occupancy::of(card.capability, profile.threads, of_thread, profile.shared_bytes);
    let occupancy = occupancy.with_context(|| format!("nothing is known of {:?}", card.capability))?;
    anyhow::ensure!(occupancy.blocks > 0, "{}: no multiprocessor of {} holds a block", profile.kernel, card.title);
    Ok(Launched { counted, occupancy })
}

/// Bytes of weights and of the other values, each moved once.
fn bytes(step: &Step, precision: Precision) -> [u64; 2] {
    let mut out = [0; 2];
    for view in step.inputs.iter().chain([&step.output]) {
        let stored =
            if view.keep_f32 { 4 * view.shape.elements() as u64 } else { precision.stored(view.shape.elements()) };
        out[usize::from(!matches!(view.region, Region::Param(_)))] += stored;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptxsim::Profile;
    use ptxsim::profile::Class;
    use ptxsim::profile::sample::WHOLE;
    use std::path::Path;
    use warpface::networks::{ModelDef, Width};

    fn registers() -> Resources {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kernels/ptx/RESOURCES.md");
        Resources::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn profiles(asked: Asked, card: &Card, samples: bool) -> Vec<(String, Profile)> {
        let steps = count_by(asked, card, &registers(), samples).unwrap();
        let launches = steps.into_iter().flat_map(|step| {
            let named = move |launched: Launched| (step.name.clone(), launched.counted.profile);
            step.launches.into_iter().map(named)
        });
        launches.collect()
    }

    fn near(what: &str, [whole, sampled]: [u64; 2]) {
        let off = (sampled as f64 / whole.max(1) as f64 - 1.0).abs();
        assert!(whole == sampled || off <= 0.05, "{what}: {whole} in all, {sampled} by the sample");
    }

    /// What a sample of the blocks tells is what all of them ask for: products on tensor cores, passes over shared memory and
    /// barriers to the last, and what hangs on an image's borders within a twentieth.
    fn compare(asked: Asked, card: &Card) {
        let [whole, sampled] = [false, true].map(|samples| profiles(asked, card, samples));
        assert_eq!(whole.len(), sampled.len());
        let mut stood_for = 0;
        for ((name, whole), (_, sampled)) in whole.iter().zip(&sampled) {
            let what = format!("{name}: {} {:?}", whole.kernel, whole.grid);
            assert_eq!((whole.blocks, whole.warps), (sampled.blocks, sampled.warps), "{what}");
            assert_eq!(whole.total.tensor, sampled.total.tensor, "{what}");
            assert_eq!(whole.total.shared(), sampled.total.shared(), "{what}");
            assert_eq!(whole.total.bulk_shared_bytes, sampled.total.bulk_shared_bytes, "{what}");
            for class in [Class::Mma, Class::Wgmma, Class::MatrixMove, Class::Bulk, Class::Barrier] {
                assert_eq!(whole.class(class), sampled.class(class), "{what}: {class}");
            }
            near(&what, [whole, sampled].map(Profile::instructions));
            for (whole, sampled) in whole.total.global().into_iter().zip(sampled.total.global()) {
                near(&what, [whole.sectors, sampled.sectors]);
            }
            if whole.grid.iter().all(|&extent| extent <= WHOLE) {
                assert_eq!(whole, sampled, "{what}");
            } else {
                stood_for += 1;
            }
        }
        // Some launches are large enough for the comparison to mean something.
        assert!(stood_for > 0);
    }

    fn narrow(def: ModelDef) -> NetworkSpec {
        let side = if def.is_openface() { 96 } else { 80 };
        NetworkSpec::new(def).width(Width::of_stem(4).unwrap()).side(side)
    }

    /// A precision for each kind of kernel, on a card that has it.
    fn narrow_samples(defs: &[ModelDef]) {
        for &def in defs {
            for (precision, card) in [(Precision::F16, "h100"), (Precision::F32, "a100"), (Precision::Tf32, "rtx4090")]
            {
                let asked = Asked { network: narrow(def), batch: 2, precision };
                compare(asked, Card::named(card).unwrap());
            }
        }
    }

    #[test]
    fn a_sample_of_facenet_is_the_whole() {
        narrow_samples(&[ModelDef::InceptionResnetV1]);
    }

    /// What other networks have besides: local convolutions, and normalization and pools of Torch.
    #[test]
    fn a_sample_of_other_networks_is_the_whole() {
        narrow_samples(&[ModelDef::Squeezenet, ModelDef::DeepFace, ModelDef::Nn4Small2]);
    }

    /// Kernels of full width: TMA and `wgmma` take channels by eights.
    #[test]
    #[ignore = "long: a whole network at batch 2"]
    fn a_sample_of_a_whole_network_is_the_whole() {
        let network = NetworkSpec::new(ModelDef::InceptionResnetV1);
        for (precision, card) in [(Precision::F16, "h100"), (Precision::F16, "a100"), (Precision::F32, "h100")] {
            compare(Asked { network, batch: 2, precision }, Card::named(card).unwrap());
        }
    }

    /// The products that the kernels make are those of the definition, and what fills their tiles.
    #[test]
    fn products_are_those_of_the_layers() {
        let asked = Asked { network: narrow(ModelDef::InceptionResnetV1), batch: 1, precision: Precision::F16 };
        let steps = count(asked, Card::named("h100").unwrap(), &registers()).unwrap();
        let convolutions =
            steps.iter().filter(|step| step.launches.iter().any(|l| !l.counted.profile.total.tensor.is_empty()));
        let mut count = 0;
        for step in convolutions {
            let made: u64 = step.launches.iter().flat_map(|l| l.counted.profile.total.tensor.values()).sum();
            assert!(2 * made >= step.flops, "{}: {made} products for {} operations", step.name, step.flops);
            assert!(step.bytes[0] > 0 && step.bytes[1] > 0, "{}", step.name);
            count += 1;
        }
        assert!(count > 100);
    }
}
