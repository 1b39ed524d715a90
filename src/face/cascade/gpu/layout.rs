//! What a chunk of photographs looks like on the device: tables of photographs, levels and taps, and the jobs.

use bytemuck::{Pod, Zeroable};

use super::params;
use crate::face::DetectOptions;
use crate::face::cascade::{Level, levels};
use crate::image::{AreaResize, AreaTable, Method, Rgb8};

/// Pixels of a cell, and between neighbouring cells.
const CELL: usize = 12;
const STRIDE: usize = 2;
/// Rows of cells of a strip, at least: a strip sees ten rows of pixels beyond its own, which are computed again.
const STRIP: usize = 16;

/// A stretch of the lists of boxes; `Segment` of the shaders.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Segment {
    pub first: u32,
    pub capacity: u32,
}

/// A photograph; `Image` of the shaders.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Image {
    w: u32,
    h: u32,
    pixels: u32,
    first_level: u32,
    levels: u32,
    first: u32,
}

/// A tap of the pyramid; `Tap` of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Tap {
    source: u32,
    weight: f32,
}

/// Photographs that run together; those of one size side by side.
#[derive(Default)]
pub(super) struct Chunk {
    pub pixels: Vec<u8>,
    pub images: Vec<Image>,
    pub segments: Vec<Segment>,
    pub image_segments: Vec<Segment>,
    pub taps: Vec<Tap>,
    pub corners: Vec<[i32; 2]>,
    /// Slots of all lists.
    pub slots: usize,
    groups: Vec<Group>,
}

/// Photographs of one size.
struct Group {
    first: usize,
    count: usize,
    size: [usize; 2],
    levels: Vec<LevelTables>,
}

/// A level, and where its tables begin.
struct LevelTables {
    level: Level,
    /// The shader's method and factors.
    method: [u32; 3],
    taps: [u32; 2],
    corners: [u32; 2],
}

/// P-Net's cells along an axis of a level: convolutions shrink by 2 + 2 + 2 cells, the pool halves, rounding up.
fn cells(extent: usize) -> usize {
    (extent - 2).div_ceil(2) - 4
}

impl Chunk {
    /// Lays out photographs; a level's list has room for one in `cells_per_slot` of its cells.
    pub fn new(images: &[&Rgb8], options: &DetectOptions, cells_per_slot: usize) -> Chunk {
        let mut chunk = Chunk::default();
        chunk.pixels.reserve(images.iter().map(|image| image.data().len()).sum::<usize>() + 4);
        for image in images {
            let size = [image.width(), image.height()];
            match chunk.groups.last_mut().filter(|group| group.size == size) {
                Some(group) => group.count += 1,
                None => chunk.add_group(size, options),
            }
            let group = chunk.groups.last().expect("just added");
            let (first, first_level) = (chunk.slots, chunk.segments.len());
            for tables in &group.levels {
                let cells = cells(tables.level.width) * cells(tables.level.height);
                // A few cells of a small level may well all be candidates.
                let capacity = cells.min(cells / cells_per_slot + 64);
                chunk.segments.push(Segment { first: chunk.slots as u32, capacity: capacity as u32 });
                chunk.slots += capacity;
            }
            chunk.images.push(Image {
                w: size[0] as u32,
                h: size[1] as u32,
                pixels: chunk.pixels.len() as u32,
                first_level: first_level as u32,
                levels: group.levels.len() as u32,
                first: first as u32,
            });
            let capacity = (chunk.slots - first) as u32;
            chunk.image_segments.push(Segment { first: first as u32, capacity });
            chunk.pixels.extend_from_slice(image.data());
        }
        // Bytes are read as words.
        chunk.pixels.resize(chunk.pixels.len().next_multiple_of(4), 0);
        chunk
    }

    fn add_group(&mut self, [w, h]: [usize; 2], options: &DetectOptions) {
        let tables = levels(w, h, options).into_iter().map(|level| {
            let mut tables = LevelTables { level, method: [1, 1, 1], taps: [0; 2], corners: [0; 2] };
            match AreaResize::new((w, h), (level.width, level.height)).method() {
                Method::Block { x, y } => tables.method = [1, *y as u32, *x as u32],
                Method::Area { x, y } => {
                    tables.method[0] = 0;
                    tables.taps = [x, y].map(|axis| self.add_taps(axis));
                }
                // Levels never grow, nor are they empty.
                Method::Copy | Method::Linear { .. } | Method::Nothing => {}
            }
            tables.corners = [level.width, level.height].map(|extent| self.add_corners(cells(extent), level.scale));
            tables
        });
        let levels = tables.collect();
        self.groups.push(Group { first: self.images.len(), count: 1, size: [w, h], levels });
    }

    /// Where each cell's taps start, relative to the axis, then the taps.
    fn add_taps(&mut self, axis: &AreaTable) -> u32 {
        let first = self.taps.len() as u32;
        let mut next = axis.len() as u32 + 1;
        for d in 0..=axis.len() {
            self.taps.push(Tap { source: next, weight: 0.0 });
            next += if d < axis.len() { axis.taps(d).len() as u32 } else { 0 };
        }
        let taps = (0..axis.len()).flat_map(|d| axis.taps(d));
        self.taps.extend(taps.map(|tap| Tap { source: tap.source, weight: tap.weight }));
        first
    }

    /// First and last pixel in the photograph of each cell along an axis: f64 decides where they are cut.
    fn add_corners(&mut self, cells: usize, scale: f64) -> u32 {
        let first = self.corners.len() as u32;
        let to_photo = |pixel: usize| (pixel as f64 / scale).trunc() as i32;
        self.corners.extend((0..cells).map(|cell| [to_photo(STRIDE * cell + 1), to_photo(STRIDE * cell + CELL)]));
        first
    }

    /// The jobs of all levels, each of at most about `most` pixels.
    pub fn jobs(&self, most: usize) -> Vec<Job<'_>> {
        let mut jobs = Vec::new();
        for group in &self.groups {
            for (index, tables) in group.levels.iter().enumerate() {
                let Level { width, height, .. } = tables.level;
                let (images_step, rows_step) = match most / (width * height) {
                    0 => (1, ((most / width).saturating_sub(CELL) / STRIDE + 1).max(STRIP)),
                    images => (images, cells(height)),
                };
                for first in (0..group.count).step_by(images_step) {
                    let images = images_step.min(group.count - first);
                    for from in (0..cells(height)).step_by(rows_step) {
                        let to = (from + rows_step).min(cells(height));
                        // The last strip takes what is left, so that the pool meets the true border.
                        let rows = match to == cells(height) {
                            true => height - STRIDE * from,
                            false => STRIDE * (to - from - 1) + CELL,
                        };
                        let first_image = group.first + first;
                        jobs.push(Job { chunk: self, group, tables, index, first_image, images, from, to, rows });
                    }
                }
            }
        }
        jobs
    }
}

/// Rows of one level of a few photographs of one size.
pub(super) struct Job<'a> {
    chunk: &'a Chunk,
    group: &'a Group,
    tables: &'a LevelTables,
    /// Which level.
    index: usize,
    first_image: usize,
    images: usize,
    /// Rows of cells.
    from: usize,
    to: usize,
    /// Rows of pixels.
    rows: usize,
}

impl Job<'_> {
    /// P-Net's input.
    pub fn shape(&self) -> [usize; 4] {
        [self.images, self.rows, self.tables.level.width, 3]
    }

    /// Pixels of the input.
    pub fn pixels(&self) -> usize {
        self.images * self.rows * self.tables.level.width
    }

    /// Cells of the output.
    pub fn cells(&self) -> usize {
        self.images * (self.to - self.from) * cells(self.tables.level.width)
    }

    /// All but where the input begins.
    pub fn pyramid(&self) -> params::Pyramid {
        let [method, factor_y, factor_x] = self.tables.method;
        params::Pyramid {
            h: self.group.size[1] as u32,
            w: self.group.size[0] as u32,
            pixels: self.chunk.images[self.first_image].pixels,
            rows: self.rows as u32,
            columns: self.tables.level.width as u32,
            first_row: (STRIDE * self.from) as u32,
            images: self.images as u32,
            method,
            factor_y,
            factor_x,
            taps_x: self.tables.taps[0],
            taps_y: self.tables.taps[1],
            ..Default::default()
        }
    }

    /// All but the threshold and where the outputs begin.
    pub fn collect(&self) -> params::CollectCells {
        params::CollectCells {
            rows: (self.to - self.from) as u32,
            columns: cells(self.tables.level.width) as u32,
            first_row: self.from as u32,
            level_rows: cells(self.tables.level.height) as u32,
            images: self.images as u32,
            corners_x: self.tables.corners[0],
            corners_y: self.tables.corners[1],
            segment: self.chunk.images[self.first_image].first_level + self.index as u32,
            levels: self.group.levels.len() as u32,
            ..Default::default()
        }
    }
}
