//! The cascade on the CPU: photographs side by side, each through pyramid, P-Net, R-Net and O-Net.

mod proposals;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::{Cascade, Level, Proposal, candidates, levels};
use crate::backend::cpu::{ConvAlgorithm, Cpu, CpuExecutable, CpuModule};
use crate::face::{DetectOptions, Face};
use crate::image::{AreaResize, Rgb8};
use crate::models::Mtcnn;
use crate::ops::BoxPad;
use crate::{Result, Shape};
use proposals::{Band, Proposer};

/// Crops that R-Net and O-Net take at once.
const CROPS: usize = 16;
/// Plans kept for different numbers of crops.
const PLANS: usize = 256;

/// A module and its plans, by input shape.
struct Network {
    module: CpuModule,
    plans: Mutex<HashMap<[usize; 4], Arc<CpuExecutable>>>,
}

impl Network {
    fn plan(&self, shape: [usize; 4]) -> Result<Arc<CpuExecutable>> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(&shape) {
            return Ok(plan.clone());
        }
        if plans.len() >= PLANS {
            plans.clear();
        }
        let plan = Arc::new(self.module.executable(&[Shape::from(shape)], false)?);
        plans.insert(shape, plan.clone());
        Ok(plan)
    }
}

/// The detection cascade on the CPU.
pub struct CpuCascade {
    cpu: Cpu,
    options: DetectOptions,
    pnet: Proposer,
    rnet: Network,
    onet: Network,
}

impl CpuCascade {
    /// The cascade of these networks.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for a proposal network that is no chain of layers.
    pub fn new(cpu: Cpu, networks: &Mtcnn, options: &DetectOptions) -> Result<Self> {
        // Boxes are the original's: each network's scores decide what the next one sees.
        let cpu = cpu.conv(ConvAlgorithm::Direct);
        let load = |graph: &Arc<crate::Graph>| -> Result<Network> {
            Ok(Network { module: cpu.module(graph.clone())?, plans: Mutex::default() })
        };
        let pnet = Proposer::new(&cpu, &networks.pnet, options.thresholds[0])?;
        let (rnet, onet) = (load(&networks.rnet)?, load(&networks.onet)?);
        Ok(CpuCascade { cpu, options: *options, pnet, rnet, onet })
    }

    fn detect_one(&self, image: &Rgb8) -> Result<Vec<Face>> {
        let boxes = candidates::propose(&self.proposals(image));
        let refined = self.crops(&self.rnet, image, &boxes, 24)?;
        let [scores, offsets] = [0, 1].map(|i| refined.iter().map(move |outputs| outputs[i].as_slice()));
        let (scores, offsets): (Vec<f32>, Vec<[f32; 4]>) = (faces(scores), rows(offsets));
        let boxes = candidates::refine(&boxes, &scores, &offsets, &self.options);
        let output = self.crops(&self.onet, image, &boxes, 48)?;
        let [scores, offsets, points] = [0, 1, 2].map(|i| output.iter().map(move |outputs| outputs[i].as_slice()));
        Ok(candidates::finish(&boxes, &faces(scores), &rows(offsets), &rows(points), &self.options))
    }

    /// P-Net's candidates level by level, each column by column as the original lists them.
    fn proposals(&self, image: &Rgb8) -> Vec<(Level, Vec<Proposal>)> {
        let levels = levels(image.width(), image.height(), &self.options);
        let photo = self.pnet.photo(image);
        let bands = self.pnet.bands(&levels);
        let of_band = |band: &Band| self.pnet.proposals(&photo, &levels[band.level], band);
        let found: Vec<Vec<Proposal>> = bands.par_iter().map(of_band).collect();
        let mut of_levels: Vec<(Level, Vec<Proposal>)> = levels.iter().map(|level| (*level, Vec::new())).collect();
        bands.iter().zip(found).for_each(|(band, found)| of_levels[band.level].1.extend(found));
        for (_, found) in &mut of_levels {
            found.sort_by_key(|proposal| (proposal.cell[1], proposal.cell[0]));
        }
        of_levels
    }

    /// A network's outputs on the crops of `boxes`, each resized to `size` squared; a few crops at a time.
    fn crops(&self, network: &Network, image: &Rgb8, boxes: &[[i64; 4]], size: usize) -> Result<Vec<Vec<Vec<f32>>>> {
        let run = |boxes: &[[i64; 4]]| {
            let plan = network.plan([boxes.len(), size, size, 3])?;
            let fill = |inputs: &mut [&mut [f32]]| {
                for (b, to) in boxes.iter().zip(inputs[0].chunks_exact_mut(size * size * 3)) {
                    crop(image, *b, size, to);
                }
            };
            Ok(plan.run_in_place(fill, |outputs| outputs.iter().map(|y| y.to_vec()).collect()))
        };
        boxes.par_chunks(CROPS).map(run).collect()
    }
}

impl Cascade for CpuCascade {
    fn detect(&self, images: &[&Rgb8]) -> Result<Vec<Vec<Face>>> {
        self.cpu.pool().install(|| images.par_iter().map(|image| self.detect_one(image)).collect())
    }
}

/// Levels, 0 to 255, become `(level - CENTRE) * SCALE`. Scaling by a power of two is exact.
const CENTRE: f32 = 127.5;
const SCALE: f32 = 0.0078125;

/// Levels as the networks take them.
fn normalize(pixels: impl Iterator<Item = f32>, to: &mut [f32]) {
    to.iter_mut().zip(pixels).for_each(|(to, x)| *to = (x - CENTRE) * SCALE);
}

/// The box's crop, black outside the photograph, resized to `size` squared and normalized.
fn crop(image: &Rgb8, b: [i64; 4], size: usize, to: &mut [f32]) {
    let pad = BoxPad { width: image.width(), height: image.height() };
    let [dy, _, dx, _, y, ey, x, ex, w, h] = pad.apply(b.map(|x| x as f64)).map(|x| x as i64);
    if w < 1 || h < 1 {
        return normalize(std::iter::repeat(0.0), to);
    }
    let (w, h) = (w as usize, h as usize);
    let mut patch = vec![0.0f32; w * h * 3];
    if ex >= x {
        let columns = (ex - x + 1) as usize * 3;
        for row in y..=ey {
            let from = &image.row(row as usize - 1)[(x as usize - 1) * 3..][..columns];
            let at = (((row - y + dy) as usize - 1) * w + dx as usize - 1) * 3;
            patch[at..at + columns].iter_mut().zip(from).for_each(|(to, &x)| *to = x.into());
        }
    }
    AreaResize::new((w, h), (size, size)).f32(&patch, 3, to);
    to.iter_mut().for_each(|x| *x = (*x - CENTRE) * SCALE);
}

/// The probability of a face from rows of two.
fn faces<'a>(outputs: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
    outputs.flat_map(|y| y.chunks_exact(2).map(|row| row[1])).collect()
}

/// Rows of `N` values.
fn rows<'a, const N: usize>(outputs: impl Iterator<Item = &'a [f32]>) -> Vec<[f32; N]> {
    outputs.flat_map(|y| y.chunks_exact(N).map(|row| std::array::from_fn(|i| row[i]))).collect()
}
