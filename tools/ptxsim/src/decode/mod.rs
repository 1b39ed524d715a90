//! The tree to code: names to numbers, opcodes to operations, branches to indices.

mod arithmetic;
mod carry;
mod control;
mod flow;
mod forms;
mod memory;
mod names;
mod statement;

pub use names::{Decoder, Wrong};

use crate::code::{Code, Entry, Module, Param};
use crate::error::ParseError;
use crate::syntax::ast::{self, Item, Space, Variable};
use crate::syntax::parser;
use names::{Layout, slots};
use std::sync::atomic::{AtomicU64, Ordering};

/// Reads and decodes a whole PTX file.
pub fn module(name: &str, text: &str) -> Result<Module, ParseError> {
    let lines: Vec<String> = text.lines().map(str::to_string).collect();
    let located = |(line, message): (u32, String)| ParseError {
        module: name.to_string(),
        line,
        text: lines.get((line as usize).wrapping_sub(1)).map_or(String::new(), |s| excerpt(s.trim())),
        message,
    };
    let file = parser::parse(text).map_err(located)?;
    if file.target.is_empty() {
        return Err(located((1, "there is no .target: this is no PTX".to_string())));
    }
    let layout = Layout::new(&file);
    let mut functions = Vec::new();
    let mut entries = Vec::new();
    for (index, function) in file.functions.iter().enumerate() {
        let code = function_code(&file, &layout, function).map_err(located)?;
        if function.entry {
            entries.push(entry(function, &layout, index, &code));
        }
        functions.push(code);
    }
    static IDS: AtomicU64 = AtomicU64::new(0);
    let memory = |v: &&Variable| matches!(v.space, Space::Global | Space::Const);
    // Constants and globals inside functions have names of their own.
    let inner = file.functions.iter().flat_map(|f| {
        f.variables.iter().filter(memory).map(|v| Variable { name: format!("{}::{}", f.name, v.name), ..v.clone() })
    });
    let globals = file.variables.iter().filter(memory).cloned().chain(inner).collect();
    Ok(Module {
        name: name.to_string(),
        target: file.target.clone(),
        version: file.version.clone(),
        entries,
        functions,
        globals,
        lines,
        id: IDS.fetch_add(1, Ordering::Relaxed),
    })
}

/// A line for a message: its beginning, if it is long.
fn excerpt(line: &str) -> String {
    match line.char_indices().nth(200) {
        Some((end, _)) => format!("{} ..", &line[..end]),
        None => line.to_string(),
    }
}

fn entry(function: &ast::Function, layout: &Layout, index: usize, code: &Code) -> Entry {
    let (offsets, bytes) = slots(&function.params, 0);
    let params = function.params.iter().zip(offsets).map(|(p, slot)| Param {
        name: p.name.clone(),
        offset: slot.offset as usize,
        size: p.size,
        align: p.align,
    });
    Entry {
        name: function.name.clone(),
        params: params.collect(),
        params_bytes: bytes as usize,
        max_threads: function.max_threads,
        required_threads: function.required_threads,
        min_blocks: function.min_blocks,
        shared_bytes: layout.shared_bytes(&function.name),
        local_bytes: code.frame as usize,
        code: index,
    }
}

fn function_code(file: &ast::File, layout: &Layout, function: &ast::Function) -> Result<Code, (u32, String)> {
    let mut decoder = Decoder::new(file, layout, function);
    for item in &function.body {
        match item {
            Item::Label(scope, name) => decoder.label(*scope, name),
            Item::Statement(statement) => {
                decoder.enter(statement);
                statement::decode(&mut decoder, statement).map_err(|wrong| (statement.line, wrong))?;
            }
        }
    }
    decoder.finish()
}
