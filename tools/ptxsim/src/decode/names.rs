//! What the names of a function stand for.

use crate::code::{ALWAYS, Address, Code, Constant, END, Inst, Op, Operand, Reg, RegFile, Slot, Special};
use crate::exec::table::{Alu, Cold};
use crate::syntax::ast::{self, Space, Statement, Type, Variable};
use std::collections::{HashMap, HashSet};

/// What is wrong with a statement.
pub type Wrong = String;

/// Places for variables one after the other, and where they end.
pub fn slots(variables: &[Variable], from: u32) -> (Vec<Slot>, u32) {
    let mut end = from;
    let place = |v: &Variable| {
        let offset = end.next_multiple_of((v.align as u32).max(1));
        end = offset + v.size as u32;
        Slot { offset, size: v.size as u32 }
    };
    (variables.iter().map(place).collect(), end)
}

/// Where each function's shared variables lie, by function and name; functions that are not kernels share one layout, which every
/// kernel begins with.
pub struct Layout {
    offsets: HashMap<(String, String), u32>,
    bytes: HashMap<String, u32>,
}

impl Layout {
    /// Lays out a file's shared variables. A variable outside of functions belongs to those that name it.
    pub fn new(file: &ast::File) -> Self {
        let mut layout = Self { offsets: HashMap::new(), bytes: HashMap::new() };
        let outer: Vec<&Variable> = file.variables.iter().filter(|v| v.space == Space::Shared && !v.external).collect();
        let align =
            file.variables.iter().filter(|v| v.space == Space::Shared && v.external).map(|v| v.align as u32).max();
        let mut common = 0;
        let mut shared_outer = HashSet::new();
        for function in file.functions.iter().filter(|f| !f.entry) {
            let named = names(function);
            let own = function.variables.iter().filter(|v| v.space == Space::Shared);
            for variable in own.chain(outer.iter().copied().filter(|v| named.contains(v.name.as_str()))) {
                if outer.iter().any(|o| std::ptr::eq(*o, variable)) && !shared_outer.insert(variable.name.clone()) {
                    continue;
                }
                common = layout.place(&function.name, variable, common);
            }
        }
        // A variable of the common part is the same one wherever it is named.
        for function in &file.functions {
            for name in &shared_outer {
                let found = layout.offsets.iter().find(|((_, n), _)| n == name).map(|(_, o)| *o);
                if let Some(offset) = found {
                    layout.offsets.insert((function.name.clone(), name.clone()), offset);
                }
            }
        }
        for function in file.functions.iter().filter(|f| f.entry) {
            let named = names(function);
            let mut end = common;
            let own = function.variables.iter().filter(|v| v.space == Space::Shared && !v.external);
            let others =
                outer.iter().copied().filter(|v| named.contains(v.name.as_str()) && !shared_outer.contains(&v.name));
            for variable in own.chain(others) {
                end = layout.place(&function.name, variable, end);
            }
            if let Some(align) = align {
                end = end.next_multiple_of(align.max(1));
            }
            layout.bytes.insert(function.name.clone(), end);
        }
        layout
    }

    fn place(&mut self, function: &str, variable: &Variable, from: u32) -> u32 {
        let offset = from.next_multiple_of((variable.align as u32).max(1));
        self.offsets.insert((function.to_string(), variable.name.clone()), offset);
        offset + variable.size as u32
    }

    /// Static shared memory of a kernel.
    pub fn shared_bytes(&self, kernel: &str) -> usize {
        self.bytes.get(kernel).copied().unwrap_or(0) as usize
    }

    fn offset(&self, function: &str, variable: &str) -> Option<u32> {
        self.offsets.get(&(function.to_string(), variable.to_string())).copied()
    }
}

/// Every name a function's operands hold.
fn names(function: &ast::Function) -> HashSet<&str> {
    fn walk<'a>(operand: &'a ast::Operand, out: &mut HashSet<&'a str>) {
        match operand {
            ast::Operand::Name(name) | ast::Operand::Not(name) => {
                out.insert(name);
            }
            ast::Operand::Address { base, more, .. } => {
                walk(base, out);
                more.iter().for_each(|o| walk(o, out));
            }
            ast::Operand::Vector(all) | ast::Operand::List(all) => all.iter().for_each(|o| walk(o, out)),
            ast::Operand::Pair(a, b) => {
                walk(a, out);
                walk(b, out);
            }
            ast::Operand::Int(_) | ast::Operand::F32(_) | ast::Operand::F64(_) => {}
        }
    }
    let mut out = HashSet::new();
    for item in &function.body {
        if let ast::Item::Statement(statement) = item {
            statement.operands.iter().for_each(|o| walk(o, &mut out));
        }
    }
    out
}

/// A branch whose label may come later: the instruction, which of its targets, the scope and name.
struct Pending {
    inst: usize,
    way: usize,
    scope: usize,
    label: String,
    line: u32,
}

/// Decodes a function. Instructions that others write find here what their operands are: [`Decoder::source`],
/// [`Decoder::target`], [`Decoder::address`], [`Decoder::registers`].
pub struct Decoder<'a> {
    pub(super) file: &'a ast::File,
    pub(super) function: &'a ast::Function,
    layout: &'a Layout,
    code: Code,
    registers: HashMap<(usize, &'a str), Operand>,
    constants: HashMap<(RegFile, Constant), Operand>,
    /// Variables in the frame, by index in the function's list.
    frame: HashMap<usize, u32>,
    labels: HashMap<(usize, String), u32>,
    pending: Vec<Pending>,
    scope: usize,
    line: u32,
    /// Whether the statement has emitted nothing yet.
    first: bool,
    opcode: String,
    guard: Option<(String, bool)>,
    carry: Option<Operand>,
}

/// The file that holds values of a type.
pub fn file_of(ty: Type) -> RegFile {
    match ty {
        Type::Pred => RegFile::Pred,
        Type::B64 | Type::U64 | Type::S64 | Type::F32x2 | Type::F64 => RegFile::R64,
        _ => RegFile::R32,
    }
}

impl<'a> Decoder<'a> {
    pub(super) fn new(file: &'a ast::File, layout: &'a Layout, function: &'a ast::Function) -> Self {
        let mut code = Code { name: function.name.clone(), ..Code::default() };
        let mut registers = HashMap::new();
        for (index, scope) in function.scopes.iter().enumerate() {
            for (name, ty) in &scope.registers {
                registers.insert((index, name.as_str()), fresh(&mut code, file_of(*ty)));
            }
        }
        let mut frame = HashMap::new();
        for (index, variable) in function.variables.iter().enumerate() {
            if matches!(variable.space, Space::Local | Space::Param) {
                let offset = code.frame.next_multiple_of((variable.align as u32).max(1));
                frame.insert(index, offset);
                code.frame = offset + variable.size as u32;
            }
        }
        if !function.entry {
            (code.params, code.frame) = slots(&function.params, code.frame);
            (code.returns, code.frame) = slots(&function.returns, code.frame);
        }
        // So that frames of calls begin aligned for anything.
        code.frame = code.frame.next_multiple_of(16);
        Self {
            file,
            function,
            layout,
            code,
            registers,
            constants: HashMap::new(),
            frame,
            labels: HashMap::new(),
            pending: Vec::new(),
            scope: 0,
            line: 0,
            first: true,
            opcode: String::new(),
            guard: None,
            carry: None,
        }
    }

    pub(super) fn label(&mut self, scope: usize, name: &str) {
        self.labels.insert((scope, name.to_string()), self.code.insts.len() as u32);
    }

    /// Turns to a statement: its scope, line and guard are those of what is emitted.
    pub(super) fn enter(&mut self, statement: &Statement) {
        self.scope = statement.scope;
        self.line = statement.line;
        self.first = true;
        self.opcode.clone_from(&statement.opcode);
        self.guard = statement.guard.clone();
    }

    /// Adds an instruction under the statement's guard.
    pub fn emit(&mut self, op: Op) -> Result<(), Wrong> {
        let (guard, negated) = match self.guard.clone() {
            None => (ALWAYS, false),
            Some((name, negated)) => (
                self.find_register(&name)
                    .filter(|r| r.file == RegFile::Pred)
                    .ok_or(format!("`{name}` is no predicate"))?
                    .index,
                negated,
            ),
        };
        let first = std::mem::take(&mut self.first);
        self.code.insts.push(Inst { guard, negated, first, op, line: self.line });
        self.code.opcodes.push(self.opcode.clone());
        Ok(())
    }

    /// Notes that way `way` of the instruction to be emitted next goes to `label`.
    pub(super) fn branch_to(&mut self, way: usize, label: &str) {
        let (inst, scope, line) = (self.code.insts.len(), self.scope, self.line);
        self.pending.push(Pending { inst, way, scope, label: label.to_string(), line });
    }

    /// Scopes from the statement's outwards.
    fn outwards(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(from), |&s| self.function.scopes.get(s).and_then(|s| s.parent))
    }

    fn find_register(&self, name: &str) -> Option<Operand> {
        self.outwards(self.scope).find_map(|s| self.registers.get(&(s, name)).copied())
    }

    fn find_variable(&self, name: &str) -> Option<(usize, &'a Variable)> {
        let index = self.outwards(self.scope).find_map(|s| self.function.scopes[s].variables.get(name).copied())?;
        Some((index, &self.function.variables[index]))
    }

    /// The labels of a `.branchtargets`.
    pub(super) fn branch_targets(&self, name: &str) -> Option<Vec<String>> {
        self.outwards(self.scope).find_map(|s| self.function.scopes[s].targets.get(name).cloned())
    }

    /// A register that no name stands for.
    pub fn scratch(&mut self, file: RegFile) -> Operand {
        fresh(&mut self.code, file)
    }

    /// The predicate that is the function's carry: no call keeps it.
    pub(super) fn carry(&mut self) -> Operand {
        *self.carry.get_or_insert_with(|| fresh(&mut self.code, RegFile::Pred))
    }

    /// A register with this constant.
    pub fn constant(&mut self, file: RegFile, constant: Constant) -> Operand {
        if let Some(found) = self.constants.get(&(file, constant.clone())) {
            return *found;
        }
        let operand = fresh(&mut self.code, file);
        self.code.constants.push((operand, constant.clone()));
        self.constants.insert((file, constant), operand);
        operand
    }

    /// A 32-bit register with this number.
    pub fn number(&mut self, value: u32) -> Reg {
        self.constant(RegFile::R32, Constant::Bits(value.into())).index
    }

    /// What a variable's name means: its space and its address there.
    fn symbol(&self, name: &str, offset: i64) -> Option<(Space, Constant)> {
        if let Some((index, variable)) = self.find_variable(name) {
            return Some(match variable.space {
                Space::Shared => (Space::Shared, self.shared(name, offset)?),
                Space::Local | Space::Param => {
                    (Space::Local, Constant::Local(i64::from(*self.frame.get(&index)?) + offset))
                }
                space => (space, Constant::Symbol(format!("{}::{name}", self.function.name), offset)),
            });
        }
        let lists = [(&self.function.params, &self.code.params), (&self.function.returns, &self.code.returns)];
        if self.function.entry {
            let (places, _) = slots(&self.function.params, 0);
            if let Some(i) = self.function.params.iter().position(|p| p.name == name) {
                return Some((Space::Param, Constant::Bits((i64::from(places[i].offset) + offset) as u64)));
            }
        } else {
            for (variables, places) in lists {
                if let Some(i) = variables.iter().position(|p| p.name == name) {
                    return Some((Space::Local, Constant::Local(i64::from(places[i].offset) + offset)));
                }
            }
        }
        let variable = self.file.variables.iter().find(|v| v.name == name)?;
        Some(match variable.space {
            Space::Shared if variable.external => {
                // All dynamic arrays begin at the same place, behind the static ones.
                (Space::Shared, Constant::Dynamic(offset))
            }
            Space::Shared => (Space::Shared, self.shared(name, offset)?),
            space => (space, Constant::Symbol(name.to_string(), offset)),
        })
    }

    fn shared(&self, name: &str, offset: i64) -> Option<Constant> {
        let at = self.layout.offset(&self.function.name, name)?;
        Some(Constant::Bits((i64::from(at) + offset) as u64))
    }

    /// Caller's offset of a `.param` variable in its frame.
    pub(super) fn frame_offset(&self, name: &str) -> Option<u32> {
        self.find_variable(name).and_then(|(index, _)| self.frame.get(&index).copied())
    }

    /// The register that an instruction writes; `_` is one that nobody reads.
    pub fn target(&mut self, operand: &ast::Operand, file: RegFile) -> Result<Operand, Wrong> {
        if matches!(operand, ast::Operand::Name(name) if name == "_") {
            return Ok(self.scratch(file));
        }
        let found = self.any_target(operand)?;
        if found.file == file { Ok(found) } else { Err(format!("a {file:?} register expected, not {operand:?}")) }
    }

    /// A register that an instruction writes, of whatever file.
    pub fn any_target(&mut self, operand: &ast::Operand) -> Result<Operand, Wrong> {
        match operand {
            ast::Operand::Name(name) => self.find_register(name).ok_or(format!("`{name}` is no register")),
            _ => Err(format!("a register expected, not {operand:?}")),
        }
    }

    /// A register with an instruction's operand, which may be a register, a special register, a number or a variable's address.
    pub fn source(&mut self, operand: &ast::Operand, ty: Type) -> Result<Operand, Wrong> {
        let file = file_of(ty);
        let found = self.any_source(operand, ty)?;
        if found.file == file { Ok(found) } else { Err(format!("a {ty:?} operand expected, not {operand:?}")) }
    }

    /// The same, where a register may be of another file than the type's.
    pub fn any_source(&mut self, operand: &ast::Operand, ty: Type) -> Result<Operand, Wrong> {
        let file = file_of(ty);
        let bits = match operand {
            ast::Operand::Name(name) => {
                if let Some(register) = self.find_register(name) {
                    return Ok(register);
                }
                if let Some(special) = special(name) {
                    return Ok(self.constant(file, Constant::Special(special)));
                }
                if name == "WARP_SZ" {
                    return Ok(self.constant(file, Constant::Bits(32)));
                }
                let (_, constant) = self.symbol(name, 0).ok_or(format!("`{name}` stands for nothing known here"))?;
                return Ok(self.constant(file, constant));
            }
            ast::Operand::Address { base, offset, .. } => {
                let ast::Operand::Name(name) = &**base else {
                    return Err(format!("an operand expected, not {operand:?}"));
                };
                let (_, constant) =
                    self.symbol(name, *offset).ok_or(format!("`{name}` stands for nothing known here"))?;
                return Ok(self.constant(file, constant));
            }
            ast::Operand::Not(name) => {
                let from = self
                    .find_register(name)
                    .filter(|r| r.file == RegFile::Pred)
                    .ok_or(format!("`{name}` is no predicate"))?;
                let to = self.scratch(RegFile::Pred);
                self.emit(Op::Alu(Alu::Cold(Cold::NotPred), [to.index, from.index, 0, 0, 0]))?;
                return Ok(to);
            }
            &ast::Operand::Int(value) => match ty {
                Type::F32 => u64::from((value as f32).to_bits()),
                Type::F64 => (value as f64).to_bits(),
                Type::Pred => {
                    if value != 0 {
                        u64::MAX
                    } else {
                        0
                    }
                }
                _ => value as u64,
            },
            &ast::Operand::F32(bits) => match ty {
                Type::F64 => f64::from(f32::from_bits(bits)).to_bits(),
                _ => bits.into(),
            },
            &ast::Operand::F64(value) => match ty {
                Type::F32 => u64::from((value as f32).to_bits()),
                _ => value.to_bits(),
            },
            _ => return Err(format!("an operand expected, not {operand:?}")),
        };
        let bits = match ty.size() {
            1 => bits & 0xff,
            2 => bits & 0xffff,
            4 => bits & 0xffff_ffff,
            _ => bits,
        };
        Ok(self.constant(file, Constant::Bits(bits)))
    }

    /// A predicate that is read, and whether it is negated.
    pub fn predicate(&mut self, operand: &ast::Operand) -> Result<(Reg, bool), Wrong> {
        match operand {
            ast::Operand::Not(name) => {
                let found = self.find_register(name).filter(|r| r.file == RegFile::Pred);
                found.map(|r| (r.index, true)).ok_or(format!("`{name}` is no predicate"))
            }
            other => Ok((self.source(other, Type::Pred)?.index, false)),
        }
    }

    /// The registers of `{a, b}`, or of a single one.
    #[allow(dead_code, reason = "for instructions with tuples of registers")]
    pub fn registers(&mut self, operand: &ast::Operand, file: RegFile) -> Result<Vec<Operand>, Wrong> {
        match operand {
            ast::Operand::Vector(all) => all.iter().map(|o| self.target(o, file)).collect(),
            one => Ok(vec![self.target(one, file)?]),
        }
    }

    /// `[base + offset]` in `space`.
    pub fn address(&mut self, operand: &ast::Operand, space: Space) -> Result<Address, Wrong> {
        let ast::Operand::Address { base, offset, .. } = operand else {
            return Err(format!("an address expected, not {operand:?}"));
        };
        match &**base {
            ast::Operand::Int(value) => {
                let base = self.constant(RegFile::R64, Constant::Bits((*value as i64).wrapping_add(*offset) as u64));
                Ok(Address { space, base, offset: 0 })
            }
            ast::Operand::Name(name) => {
                if let Some(base) = self.find_register(name) {
                    // A function's parameters are in its frame.
                    let space = if space == Space::Param && !self.function.entry { Space::Local } else { space };
                    return Ok(Address { space, base, offset: *offset });
                }
                let (lives, constant) =
                    self.symbol(name, *offset).ok_or(format!("`{name}` stands for nothing known here"))?;
                let space = if space == Space::Param || space == Space::Generic { lives } else { space };
                Ok(Address { space, base: self.constant(RegFile::R64, constant), offset: 0 })
            }
            other => Err(format!("an address expected, not {other:?}")),
        }
    }

    /// Finds the labels of all branches, and where their lanes meet again.
    pub(super) fn finish(mut self) -> Result<Code, (u32, String)> {
        for pending in std::mem::take(&mut self.pending) {
            let found =
                self.outwards(pending.scope).find_map(|s| self.labels.get(&(s, pending.label.clone())).copied());
            let at = found.ok_or((pending.line, format!("no label `{}`", pending.label)))?;
            match self.code.insts.get_mut(pending.inst).map(|i| &mut i.op) {
                Some(Op::Branch { target, .. }) => *target = at,
                Some(Op::Switch(switch)) => switch.targets[pending.way] = at,
                _ => return Err((pending.line, "a branch without an instruction".into())),
            }
        }
        // Falling off the end is returning.
        self.code.insts.push(Inst { guard: ALWAYS, negated: false, first: false, op: Op::Ret, line: self.line });
        self.code.opcodes.push("ret".into());
        super::flow::meetings(&mut self.code.insts);
        debug_assert!(self.code.insts.len() < END as usize);
        Ok(self.code)
    }
}

fn fresh(code: &mut Code, file: RegFile) -> Operand {
    let next = match file {
        RegFile::Pred => &mut code.preds,
        RegFile::R32 => &mut code.r32,
        RegFile::R64 => &mut code.r64,
    };
    *next += 1;
    Operand { file, index: *next - 1 }
}

/// The special register of a name.
fn special(name: &str) -> Option<Special> {
    let axis = |suffix: &str| match suffix {
        "x" => Some(0),
        "y" => Some(1),
        "z" => Some(2),
        _ => None,
    };
    if let Some((register, suffix)) = name.split_once('.') {
        let i = axis(suffix)?;
        return Some(match register {
            "%tid" => Special::Tid(i),
            "%ntid" => Special::Ntid(i),
            "%ctaid" => Special::Ctaid(i),
            "%nctaid" => Special::Nctaid(i),
            // A cluster is one block: cluster numbers are block numbers.
            "%clusterid" => Special::Ctaid(i),
            "%nclusterid" => Special::Nctaid(i),
            "%cluster_ctaid" => Special::Zero,
            "%cluster_nctaid" => Special::One,
            _ => return None,
        });
    }
    Some(match name {
        "%laneid" => Special::LaneId,
        "%warpid" => Special::WarpId,
        "%nwarpid" => Special::WarpCount,
        "%lanemask_eq" => Special::LaneMaskEq,
        "%lanemask_lt" => Special::LaneMaskLt,
        "%lanemask_le" => Special::LaneMaskLe,
        "%lanemask_gt" => Special::LaneMaskGt,
        "%lanemask_ge" => Special::LaneMaskGe,
        "%dynamic_smem_size" => Special::DynamicShared,
        "%total_smem_size" => Special::TotalShared,
        "%smid" | "%gridid" | "%cluster_ctarank" | "%is_explicit_cluster" => Special::Zero,
        "%nsmid" | "%cluster_nctarank" => Special::One,
        _ => return None,
    })
}
