use crate::*;
use std::collections::BTreeMap;
use std::path::Path;
#[derive(Clone, Debug)]
pub struct ConvWeights {
    pub w: Tensor,
    pub b: Tensor,
    pub alpha: Option<Tensor>,
}
pub type DenseWeights = ConvWeights;
pub struct PNet {
    pub conv1: ConvWeights,
    pub conv2: ConvWeights,
    pub conv3: ConvWeights,
    pub conv4_1: ConvWeights,
    pub conv4_2: ConvWeights,
}
pub struct RNet {
    pub conv1: ConvWeights,
    pub conv2: ConvWeights,
    pub conv3: ConvWeights,
    pub conv4: ConvWeights,
    pub conv5_1: ConvWeights,
    pub conv5_2: ConvWeights,
}
pub struct ONet {
    pub conv1: ConvWeights,
    pub conv2: ConvWeights,
    pub conv3: ConvWeights,
    pub conv4: ConvWeights,
    pub conv5: ConvWeights,
    pub conv6_1: ConvWeights,
    pub conv6_2: ConvWeights,
    pub conv6_3: ConvWeights,
}
pub struct InceptionResnetV1 {
    pub convs: BTreeMap<String, ConvWeights>,
    pub bottleneck: DenseWeights,
}
pub struct TensorMap;
pub fn verify(_: &Path, _: bool) -> Result<Option<&'static Entry>> {
    todo!()
}
pub fn load(_: &Path) -> Result<TensorMap> {
    todo!()
}
pub fn pnet(_: &TensorMap) -> Result<PNet> {
    todo!()
}
pub fn rnet(_: &TensorMap) -> Result<RNet> {
    todo!()
}
pub fn onet(_: &TensorMap) -> Result<ONet> {
    todo!()
}
pub fn inception_resnet_v1(_: &TensorMap) -> Result<InceptionResnetV1> {
    todo!()
}
pub struct Entry {
    pub name: String,
    pub standardize: Option<crate::ops::Standardize>,
}
