//! The cascade on the CPU: photographs side by side, each through pyramid, P-Net, R-Net and O-Net.

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

/// Input values of a strip of a pyramid level: with P-Net's widest activation, ten channels, it stays in a
/// second-level cache of half a megabyte.
const STRIP: usize = 32 * 1024;
/// Rows of input that one row of P-Net's output sees.
const FIELD: usize = 12;
/// Crops that R-Net and O-Net take at once.
const CROPS: usize = 16;
/// Plans kept for strips of different sizes.
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
    pnet: Network,
    rnet: Network,
    onet: Network,
}

impl CpuCascade {
    /// The cascade of these networks.
    ///
    /// # Errors
    /// None today; the networks are packed in host memory.
    pub fn new(cpu: Cpu, networks: &Mtcnn, options: &DetectOptions) -> Result<Self> {
        // Boxes are the original's: each network's scores decide what the next one sees.
        let cpu = cpu.conv(ConvAlgorithm::Direct);
        let load = |graph: &Arc<crate::Graph>| -> Result<Network> {
            Ok(Network { module: cpu.module(graph.clone())?, plans: Mutex::default() })
        };
        let (pnet, rnet, onet) = (load(&networks.pnet)?, load(&networks.rnet)?, load(&networks.onet)?);
        Ok(CpuCascade { cpu, options: *options, pnet, rnet, onet })
    }

    fn detect_one(&self, image: &Rgb8) -> Result<Vec<Face>> {
        let levels = levels(image.width(), image.height(), &self.options);
        let found: Result<Vec<(Level, Vec<Proposal>)>> =
            levels.par_iter().map(|level| Ok((*level, self.proposals(image, level)?))).collect();
        let boxes = candidates::propose(&found?);
        let refined = self.crops(&self.rnet, image, &boxes, 24)?;
        let [scores, offsets] = [0, 1].map(|i| refined.iter().map(move |outputs| outputs[i].as_slice()));
        let (scores, offsets): (Vec<f32>, Vec<[f32; 4]>) = (faces(scores), rows(offsets));
        let boxes = candidates::refine(&boxes, &scores, &offsets, &self.options);
        let output = self.crops(&self.onet, image, &boxes, 48)?;
        let [scores, offsets, points] = [0, 1, 2].map(|i| output.iter().map(move |outputs| outputs[i].as_slice()));
        Ok(candidates::finish(&boxes, &faces(scores), &rows(offsets), &rows(points), &self.options))
    }

    /// P-Net's candidates in one level, column by column as the original lists them.
    fn proposals(&self, image: &Rgb8, level: &Level) -> Result<Vec<Proposal>> {
        let (w, h) = (level.width, level.height);
        let mut pixels = vec![0; w * h * 3];
        AreaResize::new((image.width(), image.height()), (w, h)).u8(image.data(), 3, &mut pixels);
        // Convolutions shrink by 2 + 2 + 2 rows of cells, the pool halves, rounding up.
        let rows_out = (h - 2).div_ceil(2) - 4;
        let step = (STRIP / (3 * w) / 2).max(8);
        let mut found = Vec::new();
        for from in (0..rows_out).step_by(step) {
            let to = (from + step).min(rows_out);
            // The last strip takes what is left, so that the pool meets the true border.
            let rows_in = if to == rows_out { h - 2 * from } else { 2 * (to - from - 1) + FIELD };
            let plan = self.pnet.plan([1, rows_in, w, 3])?;
            let strip = &pixels[2 * from * w * 3..][..rows_in * w * 3];
            let fill = |inputs: &mut [&mut [f32]]| normalize(strip.iter().map(|&x| f32::from(x)), inputs[0]);
            plan.run_in_place(fill, |outputs| {
                let columns = outputs[0].len() / 2 / (to - from);
                for (cell, probability) in outputs[0].chunks_exact(2).enumerate() {
                    if probability[1] >= self.options.thresholds[0] {
                        let (row, column) = (cell / columns, cell % columns);
                        let offsets =
                            |column: usize| std::array::from_fn(|i| outputs[1][(row * columns + column) * 4 + i]);
                        found.push(Proposal {
                            cell: [from + row, column],
                            score: probability[1],
                            offsets: offsets(column),
                            mirrored: offsets(columns - 1 - column),
                        });
                    }
                }
            });
        }
        found.sort_by_key(|proposal| (proposal.cell[1], proposal.cell[0]));
        Ok(found)
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

/// Pixels, 0 to 255, as the networks take them. Scaling by a power of two is exact.
fn normalize(pixels: impl Iterator<Item = f32>, to: &mut [f32]) {
    to.iter_mut().zip(pixels).for_each(|(to, x)| *to = (x - 127.5) * 0.0078125);
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
    to.iter_mut().for_each(|x| *x = (*x - 127.5) * 0.0078125);
}

/// The probability of a face from rows of two.
fn faces<'a>(outputs: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
    outputs.flat_map(|y| y.chunks_exact(2).map(|row| row[1])).collect()
}

/// Rows of `N` values.
fn rows<'a, const N: usize>(outputs: impl Iterator<Item = &'a [f32]>) -> Vec<[f32; N]> {
    outputs.flat_map(|y| y.chunks_exact(N).map(|row| std::array::from_fn(|i| row[i]))).collect()
}
