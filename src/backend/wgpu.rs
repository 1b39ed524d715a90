//! stub
#![allow(missing_docs)]
#[derive(Debug)]
pub struct Gpu;
impl Gpu {
    pub fn new() -> crate::Result<Gpu> {
        Err(crate::Error::device("wgpu", "no"))
    }
}
impl super::Backend for Gpu {
    fn info(&self) -> super::DeviceInfo {
        todo!()
    }
    fn load(&self, _: std::sync::Arc<crate::Graph>) -> crate::Result<std::sync::Arc<dyn super::Module>> {
        todo!()
    }
    fn cascade(
        &self,
        _: &crate::models::Mtcnn,
        _: &crate::face::DetectOptions,
    ) -> crate::Result<Box<dyn crate::face::Cascade>> {
        todo!()
    }
}
