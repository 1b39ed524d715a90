//! What is kept of a run: checkpoints, and a page that tells of it.

use std::path::PathBuf;

use super::run::{Run, TABLE};
use crate::Result;
#[cfg(feature = "report")]
use crate::files;
use crate::train::checkpoint::Named;
use crate::train::observe::Event;
use crate::train::tensors;

impl Run<'_> {
    /// Writes a checkpoint and the page.
    ///
    /// # Errors
    /// A disk that is full, a folder that may not be written.
    pub fn save(&mut self) -> Result<()> {
        self.state.seconds = self.before + self.began.elapsed().as_secs_f64();
        self.state.loss_scale = self.trainer.loss_scale();
        let snapshot = self.trainer.snapshot()?;
        let tensors = tensors::named(self.trainer.parameters(), self.trainer.options(), &snapshot);
        drop(snapshot);
        let table: Vec<u32> = self.table.iter().map(|&image| image as u32).collect();
        let table_dims = [table.len()];
        let mut named: Vec<Named> = tensors.iter().map(|(name, t)| Named::f32(name, t.dims(), t.data())).collect();
        if !table.is_empty() {
            named.push(Named::u32(TABLE, &table_dims, &table));
        }
        self.last_file = self.checkpoints.save(self.state.step, &named, &self.state)?;
        self.write_page()?;
        let file = self.last_file.clone();
        self.tell(Event::Saved { step: self.state.step, file: &file });
        self.pace.pause();
        Ok(())
    }

    /// Ends the run, listing images that could not be decoded; a checkpoint is there already unless nothing was done.
    ///
    /// # Errors
    /// As [`Run::save`].
    pub fn finish(mut self, bad: Vec<String>) -> Result<PathBuf> {
        let new: Vec<String> = bad.into_iter().filter(|line| !self.state.left_out.contains(line)).collect();
        if !new.is_empty() {
            new.iter().for_each(|photograph| self.tell(Event::LeftOut { photograph }));
            self.state.left_out.extend(new);
            self.write_page()?;
        }
        Ok(self.last_file)
    }

    #[cfg(not(feature = "report"))]
    fn write_page(&self) -> Result<()> {
        Ok(())
    }

    #[cfg(feature = "report")]
    fn write_page(&self) -> Result<()> {
        use crate::train::summary::{self, Summary};

        let settings: Vec<(String, String)> = match &self.course.settings {
            serde_json::Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
            _ => Vec::new(),
        };
        let device = self.trainer.device().to_string();
        let page = summary::html(&Summary {
            title: &self.checkpoints.dir().file_name().unwrap_or_default().to_string_lossy(),
            kind: self.course.kind.name(),
            device: &device,
            model: &self.last_file.display().to_string(),
            history: &self.state.history,
            settings: &settings,
            peak_memory: Some(self.trainer.peak_memory()),
            seconds: self.state.seconds,
            left_out: &self.state.left_out,
        });
        files::write(&self.course.page, page)
    }
}

/// A setting as a reader writes it.
#[cfg(feature = "report")]
fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "–".to_owned(),
        // An f32 in JSON has the digits of an f64.
        serde_json::Value::Number(number) => match number.as_f64() {
            Some(wide) if number.is_f64() && f64::from(wide as f32) == wide => (wide as f32).to_string(),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}
