//! What every command shares: the global flags, and opening what they name. Whatever is chosen is said, on stderr.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::fields::flag;
use super::output;
use super::photos::GivenCrops;
use crate::Precision;
use crate::backend::cpu::{ConvAlgorithm, Cpu};
use crate::backend::{Device, Devices};
use crate::error::{Field, message};
use crate::face::{
    AlignMethod, Aligner, Alignment, DetectOptions, Detector, EmbedOptions, Embedder, OpenFacePoints, Reason,
    ShapePredictor, Standardize, Warp,
};
use crate::models::{Mtcnn, embedding_network_of};
use crate::networks::{ModelDef, NetworkSpec};
use crate::train::checkpoint;
use crate::weights::{ModelFacts, TensorMap};
use crate::{Error, Graph, weights};

/// The shape predictor that openface goes by.
const LANDMARKS: &str = "shape_predictor_68_face_landmarks.dat";

/// The flags of every command.
#[derive(Clone, Debug, Args)]
pub struct Globals {
    /// Where to run: auto is cuda, else wgpu on a real GPU, else cpu. cuda:1 is the GPU of this number; detect and embed share
    /// photographs among those of cuda:0,2 or cuda:all
    #[arg(long, global = true, default_value = "auto", value_name = "auto|cpu|wgpu|cuda[:N,..|:all]")]
    pub device: Devices,
    /// Arithmetic of the embedding: f32 is exact; tf32 rounds factors to 11 bits; f16 stores halves, fastest on a GPU;
    /// bf16 has f32's range and 8 bits. Sums are always f32, and so is all of detection. Other than f32: cuda, and on
    /// processors with AVX512-BF16 bf16 without training
    #[arg(long, global = true, default_value_t = Precision::F32, value_name = "f32|tf32|f16|bf16")]
    pub precision: Precision,
    /// Convolutions of the embedding on the CPU: direct takes every product of the definition; auto takes Winograd's minimal
    /// filtering where it is faster, which moves an embedding's values by less than 2e-5
    #[arg(long, global = true, default_value_t = ConvAlgorithm::Auto, value_name = "direct|auto")]
    pub conv: ConvAlgorithm,
    /// Folder of the weight files [default: what WARPFACE_WEIGHTS names, else weights, else the user's data folder, which
    /// `warpface weights` fills]
    #[arg(long, global = true, value_name = "DIR")]
    pub weights: Option<PathBuf>,
    /// Embedding network's file, of any format [default: the best in the weights folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Which network: inception_resnet_v1, inception_resnet_v2, squeezenet, deepface, nn4_small2 or nn4_small2_torch. A file
    /// tells it itself, and one of another network is refused; training from nothing begins with this [default:
    /// inception_resnet_v1]
    #[arg(long, global = true, visible_alias = "network", value_name = "NAME")]
    pub model_def: Option<ModelDef>,
    /// What is done to the pixels first [default: what the model was trained with]
    #[arg(long, global = true, value_name = "fixed|prewhiten|unit")]
    pub standardize: Option<Standardize>,
    /// Threads of the CPU backend and the decoder [default: one for each core]
    #[arg(long, global = true, default_value_t = 0, hide_default_value = true, value_name = "N")]
    pub threads: usize,
    /// Results as JSON on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Take weight files whose content is not what weights/MANIFEST says of their name
    #[arg(long, global = true)]
    pub allow_modified_weights: bool,
}

/// How to look for faces, as flags.
#[derive(Debug, Args)]
pub struct DetectArgs {
    /// Side of the smallest face looked for, in pixels
    #[arg(long, default_value_t = 20, value_name = "PIXELS")]
    min_size: usize,
    /// What P-Net, R-Net and O-Net must reach
    #[arg(long, value_delimiter = ',', default_values_t = [0.6, 0.7, 0.7], value_name = "P,R,O")]
    thresholds: Vec<f32>,
    /// Ratio of a pyramid level to the one before
    #[arg(long, default_value_t = 0.709, value_name = "RATIO")]
    factor: f64,
}

impl DetectArgs {
    /// What results depend on, for a run that resumes.
    pub fn settings(&self) -> Map<String, Value> {
        let settings = [
            ("min_size", json!(self.min_size)),
            ("thresholds", json!(self.thresholds)),
            ("factor", json!(self.factor)),
        ];
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The options they stand for.
    pub fn options(&self) -> Result<DetectOptions> {
        let thresholds = self.thresholds.as_slice().try_into().map_err(|_| {
            Error::invalid(
                Field("thresholds"),
                format!("expected three, as 0.6,0.7,0.7; got {}", self.thresholds.len()),
            )
        })?;
        let options = DetectOptions { min_size: self.min_size, thresholds, factor: self.factor };
        options.check()?;
        Ok(options)
    }
}

/// How faces are cut out, as flags.
#[derive(Debug, Args)]
pub struct AlignArgs {
    /// How faces are cut out: crop takes the box with a margin; similarity turns and scales the photograph so that five
    /// landmarks come to the places they have in ArcFace's crops, affine may skew it too; openface takes three of 68
    /// landmarks, of --landmarks, to their places in OpenFace's mean face [default: as the model was trained, else crop]
    #[arg(long, value_name = "crop|similarity|affine|openface")]
    align: Option<AlignMethod>,
    /// Shape predictor of dlib's that finds the 68 landmarks of --align openface [default:
    /// shape_predictor_68_face_landmarks.dat in the weights folder]
    #[arg(long, value_name = "FILE")]
    landmarks: Option<PathBuf>,
    /// Which landmarks --align openface goes by [default: as the model was trained, else outer-eyes-and-nose]
    #[arg(long, value_name = "outer-eyes-and-nose|inner-eyes-and-bottom-lip")]
    openface_points: Option<OpenFacePoints>,
    /// Arithmetic of similarity, affine and openface: exact is OpenCV 5's, opencv4 that of OpenCV 4, which rounds to 1/32 pixel
    /// [default: exact]
    #[arg(long, value_name = "exact|opencv4")]
    warp: Option<Warp>,
    /// Pixels of the photograph added around the box, half of them on each side, by --align crop [default: 32]
    #[arg(long, value_name = "PIXELS")]
    margin: Option<usize>,
}

impl AlignArgs {
    /// Refuses flags of one method beside another, as far as the flags tell.
    pub fn check(&self) -> Result<()> {
        self.align.map_or(Ok(()), |method| self.check_for(method))
    }

    fn check_for(&self, method: AlignMethod) -> Result<()> {
        let usual = Alignment::default().margin;
        if method != AlignMethod::Crop && self.margin.is_some_and(|margin| margin != usual) {
            let problem = format!("is of the method crop, and {method} goes by landmarks alone; leave it out");
            return Err(Error::invalid(Field("margin"), problem).into());
        }
        if method == AlignMethod::Crop && self.warp.is_some() {
            let problem = message!["is of the methods similarity, affine and openface: name one by ", Field("align")];
            return Err(Error::invalid(Field("warp"), problem).into());
        }
        let of_openface = [
            (self.landmarks.is_some(), Field("landmarks")),
            (self.openface_points.is_some(), Field("openface_points")),
        ];
        match of_openface.into_iter().find(|(given, _)| *given) {
            Some((_, field)) if !matches!(method, AlignMethod::OpenFace(_)) => {
                let problem = message!["is of the method openface: name it by ", Field("align")];
                return Err(Error::invalid(field, problem).into());
            }
            _ => {}
        }
        Ok(())
    }

    /// By which method, where a model was trained so.
    fn method(&self, trained: Option<AlignMethod>) -> AlignMethod {
        match (self.align, trained) {
            // Who names openface alone means the model's landmarks.
            (Some(AlignMethod::OpenFace(points)), Some(AlignMethod::OpenFace(of_model))) => {
                let named = (points != OpenFacePoints::default()).then_some(points);
                AlignMethod::OpenFace(self.openface_points.or(named).unwrap_or(of_model))
            }
            (asked, trained) => match asked.or(trained).unwrap_or_default() {
                AlignMethod::OpenFace(points) => AlignMethod::OpenFace(self.openface_points.unwrap_or(points)),
                method => method,
            },
        }
    }

    /// What they stand for, for crops of `size` or of the method's usual size, where a model was trained so.
    pub fn alignment(&self, size: Option<usize>, trained: Option<AlignMethod>) -> Result<Alignment> {
        let usual = Alignment::default();
        let method = self.method(trained);
        self.check_for(method)?;
        let size = size.unwrap_or(method.usual_size());
        Ok(Alignment {
            size,
            method,
            margin: self.margin.unwrap_or(usual.margin),
            warp: self.warp.unwrap_or(usual.warp),
        })
    }

    /// What cuts faces out so, with the landmarks that it needs.
    pub fn open(&self, alignment: Alignment, globals: &Globals) -> Result<Aligner> {
        let aligner = Aligner::new(alignment);
        if !matches!(alignment.method, AlignMethod::OpenFace(_)) {
            return Ok(aligner);
        }
        let path = self.landmarks.clone().unwrap_or_else(|| globals.weights_file(LANDMARKS));
        if !path.is_file() {
            let what = if path.exists() { "is no file" } else { "is not here" };
            let problem = message![
                what,
                ", and faces are cut out by openface here: `warpface weights --landmarks` fetches dlib's shape predictors, ",
                Field("landmarks"),
                " names one of 68 points, ",
                Field("align"),
                " another method"
            ];
            return Err(Error::weights(&path, problem).into());
        }
        weights::verify(&path, globals.allow_modified_weights)?;
        let predictor = ShapePredictor::load(&path)?;
        eprintln!("landmarks: {} ({})", path.display(), output::count(predictor.points(), "point"));
        Ok(aligner.with_landmarks(predictor)?)
    }

    /// What cuts faces out for a model; tells of another method than it was trained with. `aligned` are folders of crops,
    /// where photographs are crops already.
    pub fn aligner(&self, model: &Model, globals: &Globals, aligned: Option<&[PathBuf]>) -> Result<Aligner> {
        let trained = model.embedder.trained_align();
        let alignment = self.alignment(Some(model.embedder.size()), trained)?;
        let (used, why) = match aligned {
            None => (Some(alignment.method), "as asked".to_owned()),
            Some(folders) => {
                let found = folders.iter().find_map(|folder| Some((AlignMethod::of_crops(folder)?, folder)));
                (
                    found.map(|(method, _)| method),
                    found.map(|(_, folder)| format!("in {}", folder.display())).unwrap_or_default(),
                )
            }
        };
        if let (Some(trained), Some(used)) = (trained, used)
            && trained != used
        {
            let path = model.path.display();
            eprintln!("warning: {path} was trained on faces cut out by {trained}; these are by {used}, {why}");
        }
        match aligned {
            // Crops that are there need no landmarks.
            Some(_) => Ok(Aligner::new(alignment)),
            None => self.open(alignment, globals),
        }
    }
}

/// How pictures that are crops already become the network's input, as flags.
#[derive(Debug, Args)]
pub struct CropArgs {
    /// Side of the network's input, in pixels [default: what the model was trained with, else what its
    /// network is defined for]
    #[arg(long, value_name = "PIXELS")]
    image_size: Option<usize>,
    /// Rescale crops of another size. By default their middle is taken, or black added around, as the original does
    #[arg(long)]
    resize: bool,
}

impl CropArgs {
    /// Whether crops of another size are rescaled.
    pub fn resize(&self) -> bool {
        self.resize
    }

    /// Refuses rescaling where faces are cut out in the right size anyway.
    pub fn check(&self, aligned: bool) -> Result<()> {
        if self.resize && !aligned {
            let problem = message!["is for crops; give ", Field("aligned"), " too"];
            return Err(Error::invalid(Field("resize"), problem).into());
        }
        Ok(())
    }

    /// Pictures brought to the size of this model.
    pub fn given(&self, model: &Model) -> GivenCrops {
        GivenCrops::new(model.embedder.size(), self.resize)
    }
}

/// An embedder, and what is known of its file.
pub struct Model {
    /// The embedder.
    pub embedder: Embedder,
    /// The file.
    pub path: PathBuf,
}

impl Globals {
    /// Opens the device.
    pub fn open_device(&self) -> Result<Device> {
        if self.device.are_several() {
            let problem = "names several GPUs, and this command runs on one, as cuda:0; detect and embed take several";
            return Err(Error::invalid(Field("device"), problem).into());
        }
        Ok(self.open_devices()?.remove(0).1)
    }

    /// Opens the devices, at least one, each with the name that it is chosen by.
    pub fn open_devices(&self) -> Result<Vec<(String, Device)>> {
        let devices = self.device.open_or(|| Ok(Cpu::new(self.threads)?.conv(self.conv)))?;
        for (name, device) in &devices {
            device.backend().check(self.precision).map_err(|error| error.of_device(name))?;
            let number = name.split_once(':').map(|(_, number)| format!(" {number}")).unwrap_or_default();
            eprintln!("device{number}: {device}, precision {}", self.precision);
        }
        if self.threads != 0 && devices[0].1.info().kind != "cpu" {
            // Beside a GPU the host decodes and standardizes on rayon's pool; it may be there from an earlier call.
            let _ = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build_global();
        }
        Ok(devices)
    }

    /// Opens the detector.
    pub fn open_detector(&self, device: &Device, options: &DetectOptions) -> Result<Detector> {
        Ok(Detector::new(device, &self.read_detector()?, options)?)
    }

    /// Opens the detector on each device.
    pub fn open_detectors(&self, devices: &[(String, Device)], options: &DetectOptions) -> Result<Vec<Detector>> {
        let networks = self.read_detector()?;
        let open = |(name, device): &(String, Device)| {
            Detector::new(device, &networks, options).map_err(|error| error.of_device(name))
        };
        Ok(devices.iter().map(open).collect::<Result<_, _>>()?)
    }

    /// The networks of the detector.
    pub fn read_detector(&self) -> Result<Mtcnn> {
        let folder = self.weights_with(|folder| weights::mtcnn::files(folder).is_ok());
        Ok(Mtcnn::load(folder, self.allow_modified_weights)?)
    }

    /// The folder of weights that has what is looked for, else the first that is looked into.
    fn weights_with(&self, has: impl Fn(&Path) -> bool) -> PathBuf {
        weights::folder::find(self.weights.as_deref(), has)
    }

    /// The weights file of this name, which may be missing.
    pub fn weights_file(&self, name: &str) -> PathBuf {
        self.weights_with(|folder| folder.join(name).exists()).join(name)
    }

    /// Opens the embedding model, for crops of the size that is asked for.
    pub fn open_model(&self, device: &Device, crops: &CropArgs) -> Result<Model> {
        Ok(self.open_models(&[(device.info().kind.to_owned(), device.clone())], crops)?.remove(0))
    }

    /// Opens the embedding model on each device, for crops of the size that is asked for.
    pub fn open_models(&self, devices: &[(String, Device)], crops: &CropArgs) -> Result<Vec<Model>> {
        let path = self.model_path()?;
        let load = |(name, device): &(String, Device)| {
            let options = EmbedOptions::default()
                .precision(self.precision)
                .standardize(self.standardize)
                .size(crops.image_size)
                .model_def(self.model_def)
                .allow_modified_weights(self.allow_modified_weights);
            let embedder = Embedder::load(device, &path, options).map_err(|error| error.of_device(name))?;
            Ok(Model { embedder, path: path.clone() })
        };
        let models = devices.iter().map(load).collect::<Result<Vec<Model>>>()?;
        if let Some(Model { embedder, path }) = models.first() {
            tell(embedder, path);
        }
        Ok(models)
    }

    /// The model's file: the one asked for, else the best there is.
    fn model_path(&self) -> Result<PathBuf> {
        let best = || Ok(weights::folder::best_model(self.weights.as_deref())?);
        self.model.clone().map_or_else(best, Ok)
    }

    /// Reads the model's weights with batch norms apart, and what is known of its input: the file asked for, else the best
    /// there is; `average` takes the moving averages of a checkpoint of training.
    pub fn read_unfolded(&self, average: bool) -> Result<(PathBuf, weights::network::Unfolded, ModelFacts)> {
        let (map, facts) = self.read_map(average)?;
        let read = weights::network::unfolded(&map)?;
        weights::network::require(&map, read.network.def, self.model_def)?;
        let known = facts.or(ModelFacts::default().model_def(Some(read.network.def)));
        Ok((map.path, read, known))
    }

    /// As [`Globals::read_unfolded`], its graph of inference, for crops of the size that it was trained with, else of the
    /// usual one.
    pub fn read_graph(&self, average: bool) -> Result<(PathBuf, Graph, NetworkSpec, ModelFacts)> {
        let (map, mut facts) = self.read_map(average)?;
        let (graph, network) = embedding_network_of(&map, |network| {
            facts = facts.or(network.facts());
            facts.image_size
        })?;
        weights::network::require(&map, network.def, self.model_def)?;
        Ok((map.path, graph, network, facts))
    }

    /// The model's file, and what is known of its input.
    fn read_map(&self, average: bool) -> Result<(TensorMap, ModelFacts)> {
        let path = self.model_path()?;
        let entry = weights::verify(&path, self.allow_modified_weights)?;
        let map = weights::load(&path)?;
        let facts = ModelFacts::default().standardize(self.standardize).or(checkpoint::facts(&map, entry));
        Ok((if average { map.averaged()? } else { map }, facts))
    }

    /// The model's graph, and which network it is: the file asked for, else the best there is. Its side is that of the
    /// crops that it was trained with, where that is known, or `size`.
    pub fn read_model(&self, size: Option<usize>) -> Result<(PathBuf, Graph, NetworkSpec)> {
        let path = self.model_path()?;
        weights::verify(&path, self.allow_modified_weights)?;
        let map = weights::load(&path)?;
        let trained = checkpoint::facts(&map, None).image_size;
        let (graph, network) = embedding_network_of(&map, |_| size.or(trained))?;
        weights::network::require(&map, network.def, self.model_def)?;
        Ok((path, graph, network))
    }

    /// Size of the crops that the model or the definition asked for takes, and how they are cut out; none where neither is
    /// named.
    pub fn crops_of_model(&self) -> Result<Option<(usize, Option<AlignMethod>)>> {
        let (Some(path), def) = (&self.model, self.model_def) else {
            return Ok(self.model_def.map(|def| (def.crop(), def.alignment())));
        };
        let map = weights::load(path)?;
        let facts = checkpoint::facts(&map, weights::verify(path, true)?);
        let (_, network) = embedding_network_of(&map, |_| facts.image_size)?;
        weights::network::require(&map, network.def, def)?;
        Ok(Some((network.side, facts.align.or_else(|| network.def.alignment()))))
    }
}

/// Tells of a model, on stderr.
fn tell(embedder: &Embedder, path: &Path) {
    let why = match embedder.standardize_reason() {
        Reason::Asked => "as asked",
        Reason::Trained => "as it was trained",
        Reason::Guessed => "a guess",
    };
    let (dim, standardize) = (embedder.dim(), embedder.standardize());
    let size = crop_size(embedder);
    eprintln!("model: {} ({dim}-d; {size}; {standardize} standardization, {why})", path.display());
    if embedder.standardize_reason() == Reason::Guessed {
        eprintln!("{}", ModelFacts::warning(path, standardize, dim).with_names(flag));
    }
}

/// The size of a model's crops, and why.
fn crop_size(embedder: &Embedder) -> String {
    let (size, trained) = (embedder.size(), embedder.trained_size());
    match (embedder.size_reason(), trained) {
        (Reason::Asked, Some(trained)) if trained != size => {
            format!("crops of {size} pixels, as asked; it was trained with {trained}")
        }
        (Reason::Asked, _) => format!("crops of {size} pixels, as asked"),
        (Reason::Trained, _) => format!("crops of {size} pixels, as it was trained"),
        (Reason::Guessed, _) => format!("crops of {size} pixels, the usual size; --image-size changes it"),
    }
}

/// A progress bar with rate and time left on a terminal; nothing when stderr is piped.
pub fn progress(len: usize, what: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} eta {eta}");
    ProgressBar::new(len as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(what)
}

/// Refuses a folder that cannot be made, before long work: makes it, and takes away what was not there.
pub fn check_folder(path: &Path) -> Result<()> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    let made = create_folder(path);
    // From the inside out; what another process put something in stays.
    missing.into_iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
    made
}

/// Refuses a file that cannot be written, as far as its folder tells.
pub fn check_file(path: &Path, field: &'static str) -> Result<()> {
    if path.is_dir() {
        let problem = format!("{} is a folder: name a file", path.display());
        return Err(Error::invalid(Field(field), problem).into());
    }
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(Ok(()), check_folder)
}

/// Creates a folder with its parents.
pub fn create_folder(path: &Path) -> Result<()> {
    Ok(std::fs::create_dir_all(path).map_err(Error::io(path, "create"))?)
}
