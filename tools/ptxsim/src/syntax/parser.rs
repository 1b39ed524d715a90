//! Tokens to the tree.

use super::ast::*;
use super::lexer::{Token, tokens};

/// A line and what is wrong there.
pub type Wrong = (u32, String);

/// Reads a whole PTX file.
pub fn parse(text: &str) -> Result<File, Wrong> {
    Parser { tokens: tokens(text)?, at: 0 }.file()
}

/// Blocks within each other, and registers of a declaration: more than any compiler writes, and few enough to be read.
const MAX_DEPTH: usize = 100;
const MAX_REGISTERS: i128 = 1 << 20;
const MAX_ALIGN: usize = 4096;
/// Bytes of a variable in global memory, and of one elsewhere: no device has more.
const MAX_GLOBAL: usize = 1 << 40;
const MAX_INNER: usize = 1 << 19;

struct Parser {
    tokens: Vec<(u32, Token)>,
    at: usize,
}

/// Attributes before a variable's type: everything a declaration says about itself.
#[derive(Default)]
struct Declared {
    align: Option<usize>,
    vector: usize,
    ty: Option<Type>,
}

impl Parser {
    fn line(&self) -> u32 {
        let at = self.at.min(self.tokens.len().saturating_sub(1));
        self.tokens.get(at).map_or(1, |t| t.0)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|t| &t.1)
    }

    fn next(&mut self) -> Result<Token, Wrong> {
        let token = self.peek().cloned().ok_or((self.line(), "the file ends too early".to_string()))?;
        self.at += 1;
        Ok(token)
    }

    fn sees(&self, sign: char) -> bool {
        self.peek() == Some(&Token::Sign(sign))
    }

    fn take(&mut self, sign: char) -> bool {
        let seen = self.sees(sign);
        self.at += usize::from(seen);
        seen
    }

    fn expect(&mut self, sign: char) -> Result<(), Wrong> {
        if self.take(sign) { Ok(()) } else { Err((self.line(), format!("`{sign}` expected"))) }
    }

    fn within(&self, depth: usize) -> Result<(), Wrong> {
        if depth < MAX_DEPTH { Ok(()) } else { Err((self.line(), format!("over {MAX_DEPTH} `{{` within each other"))) }
    }

    fn word(&mut self) -> Result<String, Wrong> {
        let line = self.line();
        match self.next()? {
            Token::Word(word) => Ok(word),
            other => Err((line, format!("a name expected, not {other}"))),
        }
    }

    fn int(&mut self) -> Result<i128, Wrong> {
        let line = self.line();
        let negative = self.take('-');
        match self.next()? {
            Token::Int(value) => Ok(if negative { -value } else { value }),
            other => Err((line, format!("a whole number expected, not {other}"))),
        }
    }

    fn skip_line(&mut self) {
        let line = self.line();
        while self.at < self.tokens.len() && self.tokens[self.at].0 == line {
            self.at += 1;
        }
    }

    fn skip_past(&mut self, sign: char) -> Result<(), Wrong> {
        while self.next()? != Token::Sign(sign) {}
        Ok(())
    }

    fn skip_braces(&mut self) -> Result<(), Wrong> {
        while !self.sees('{') {
            self.next()?;
        }
        let mut depth = 0;
        loop {
            match self.next()? {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn file(mut self) -> Result<File, Wrong> {
        let mut file = File::default();
        while self.at < self.tokens.len() {
            let line = self.line();
            let word = self.word()?;
            match word.as_str() {
                ".version" => {
                    file.version = match self.next()? {
                        Token::F64(v) => v.to_string(),
                        Token::Int(v) => v.to_string(),
                        other => return Err((line, format!("a version expected, not {other}"))),
                    }
                }
                ".target" => {
                    file.target = self.word()?;
                    self.skip_line_from(line);
                }
                ".address_size" => {
                    if self.int()? != 64 {
                        return Err((line, "only 64-bit addresses are known".into()));
                    }
                }
                ".visible" | ".weak" | ".extern" | ".common" => {
                    if word == ".extern" {
                        let variable = matches!(self.peek(), Some(Token::Word(w)) if w != ".func" && w != ".entry");
                        if variable {
                            let space = self.word()?;
                            let found = self.variables(&space, true)?;
                            file.variables.extend(found);
                        }
                    }
                }
                ".entry" | ".func" => {
                    let function = self.function(word == ".entry")?;
                    // A declaration ahead of the definition says nothing new.
                    file.functions.retain(|f| f.defined || f.name != function.name);
                    if function.defined || !file.functions.iter().any(|f| f.name == function.name) {
                        file.functions.push(function);
                    }
                }
                ".global" | ".const" | ".shared" => {
                    let found = self.variables(&word, false)?;
                    file.variables.extend(found);
                }
                ".file" | ".loc" => self.skip_line_from(line),
                ".section" => self.skip_braces()?,
                ".pragma" | ".alias" => self.skip_past(';')?,
                _ => return Err((line, format!("`{word}` is no directive known here"))),
            }
        }
        Ok(file)
    }

    /// Skips what is left of `line`, which may be nothing.
    fn skip_line_from(&mut self, line: u32) {
        if self.at < self.tokens.len() && self.line() == line {
            self.skip_line();
        }
    }

    fn attributes(&mut self) -> Result<Declared, Wrong> {
        let mut declared = Declared { vector: 1, ..Declared::default() };
        let mut pointer = false;
        while let Some(Token::Word(word)) = self.peek().cloned() {
            let Some(name) = word.strip_prefix('.') else { break };
            self.at += 1;
            match name {
                "align" => {
                    let align = usize::try_from(self.int()?).ok().filter(|align| align.is_power_of_two());
                    let most = |align: &usize| *align <= MAX_ALIGN;
                    let align = align.filter(most).ok_or((self.line(), "this is no alignment".to_string()))?;
                    // Behind `.ptr` it is that of the memory pointed to, and the parameter keeps its type's
                    // (PTX ISA, "Kernel Parameter Attribute: .ptr").
                    if !pointer {
                        declared.align = Some(align);
                    }
                }
                "v2" => declared.vector = 2,
                "v4" => declared.vector = 4,
                "ptr" => pointer = true,
                "const" | "global" | "shared" | "local" | "noalias" => {}
                "attribute" => {
                    self.expect('(')?;
                    self.skip_past(')')?;
                }
                _ => match Type::of(name) {
                    Some(ty) => declared.ty = Some(ty),
                    None => return Err((self.line(), format!("`{word}` is no attribute known here"))),
                },
            }
        }
        Ok(declared)
    }

    /// Variables after their space's directive, up to and with the `;`.
    fn variables(&mut self, space: &str, external: bool) -> Result<Vec<Variable>, Wrong> {
        let mut out = Vec::new();
        let space = space_of(space).ok_or((self.line(), format!("`{space}` is no state space")))?;
        let declared = self.attributes()?;
        loop {
            out.push(self.variable(space, &declared, external)?);
            if !self.take(',') {
                break;
            }
        }
        self.expect(';')?;
        Ok(out)
    }

    fn variable(&mut self, space: Space, declared: &Declared, external: bool) -> Result<Variable, Wrong> {
        let line = self.line();
        let name = self.word()?;
        let ty = declared.ty.ok_or((line, format!("`{name}` has no type")))?;
        let element = ty.size() * declared.vector;
        let too_large = || (line, format!("`{name}` is too large"));
        let (mut count, mut open) = (1usize, false);
        while self.take('[') {
            if self.take(']') {
                open = true;
            } else {
                let extent = usize::try_from(self.int()?).map_err(|_| too_large())?;
                count = count.checked_mul(extent).ok_or_else(too_large)?;
                self.expect(']')?;
            }
        }
        let mut init = Vec::new();
        if self.take('=') {
            self.initialiser(ty, &mut init, 0)?;
        }
        let size = if open { Some(init.len()) } else { count.checked_mul(element) };
        let most = if space == Space::Global { MAX_GLOBAL } else { MAX_INNER };
        let size = size.filter(|size| *size <= most).ok_or_else(too_large)?;
        if init.len() > size {
            return Err((line, format!("`{name}` has more values than room")));
        }
        Ok(Variable { name, space, size, align: declared.align.unwrap_or(element.max(1)), init, external })
    }

    fn initialiser(&mut self, ty: Type, out: &mut Vec<u8>, depth: usize) -> Result<(), Wrong> {
        if self.take('{') {
            self.within(depth)?;
            while !self.take('}') {
                self.initialiser(ty, out, depth + 1)?;
                self.take(',');
            }
            return Ok(());
        }
        let line = self.line();
        let negative = self.take('-');
        let bits: u64 = match (self.next()?, ty) {
            (Token::Int(v), Type::F32) => (v as f32 * if negative { -1.0 } else { 1.0 }).to_bits().into(),
            (Token::Int(v), Type::F64) => (v as f64 * if negative { -1.0 } else { 1.0 }).to_bits(),
            (Token::Int(v), _) => (if negative { -v } else { v }) as u64,
            (Token::F32(v), _) => (v ^ if negative { 1 << 31 } else { 0 }).into(),
            (Token::F64(v), Type::F32) => ((if negative { -v } else { v }) as f32).to_bits().into(),
            (Token::F64(v), _) => (if negative { -v } else { v }).to_bits(),
            (other, _) => return Err((line, format!("a value expected, not {other}"))),
        };
        out.extend(&bits.to_le_bytes()[..ty.size().min(8)]);
        Ok(())
    }

    fn parameters(&mut self) -> Result<Vec<Variable>, Wrong> {
        let mut out = Vec::new();
        self.expect('(')?;
        while !self.take(')') {
            let line = self.line();
            match self.word()?.as_str() {
                ".param" => {}
                other => return Err((line, format!("`.param` expected, not `{other}`"))),
            }
            let declared = self.attributes()?;
            out.push(self.variable(Space::Param, &declared, false)?);
            self.take(',');
        }
        Ok(out)
    }

    fn function(&mut self, entry: bool) -> Result<Function, Wrong> {
        let mut f = Function { entry, ..Function::default() };
        if !entry && self.sees('(') {
            f.returns = self.parameters()?;
        }
        f.name = self.word()?;
        if self.sees('(') {
            f.params = self.parameters()?;
        }
        loop {
            if self.take(';') {
                return Ok(f);
            }
            if self.take('{') {
                f.defined = true;
                f.scopes.push(Scope::default());
                self.body(&mut f, 0, 0)?;
                return Ok(f);
            }
            let word = self.word()?;
            match word.as_str() {
                ".maxntid" => f.max_threads = Some(self.extents()?),
                ".reqntid" => f.required_threads = Some(self.extents()?),
                ".minnctapersm" => f.min_blocks = Some(self.int()? as u32),
                ".maxnreg" => f.max_registers = Some(self.int()? as u32),
                ".reqnctapercluster" | ".maxclusterrank" => {
                    self.extents()?;
                }
                ".explicitcluster" | ".noreturn" => {}
                ".pragma" => self.skip_past(';')?,
                _ => return Err((self.line(), format!("`{word}` is no directive known here"))),
            }
        }
    }

    fn extents(&mut self) -> Result<[u32; 3], Wrong> {
        let mut out = [1; 3];
        for (i, extent) in out.iter_mut().enumerate() {
            if i > 0 && !self.take(',') {
                break;
            }
            *extent = self.int()? as u32;
        }
        Ok(out)
    }

    fn body(&mut self, f: &mut Function, scope: usize, depth: usize) -> Result<(), Wrong> {
        loop {
            if self.take('}') {
                return Ok(());
            }
            if self.take('{') {
                self.within(depth)?;
                f.scopes.push(Scope { parent: Some(scope), ..Scope::default() });
                let inner = f.scopes.len() - 1;
                self.body(f, inner, depth + 1)?;
                continue;
            }
            if self.take(';') {
                continue;
            }
            let line = self.line();
            if self.sees('@') {
                let statement = self.statement(line, scope)?;
                f.body.push(Item::Statement(statement));
                continue;
            }
            let word = self.word()?;
            if self.take(':') {
                if matches!(self.peek(), Some(Token::Word(w)) if w == ".branchtargets") {
                    self.at += 1;
                    let mut names = vec![self.word()?];
                    while self.take(',') {
                        names.push(self.word()?);
                    }
                    self.expect(';')?;
                    f.scopes[scope].targets.insert(word, names);
                } else {
                    f.body.push(Item::Label(scope, word));
                }
                continue;
            }
            match word.as_str() {
                ".reg" => self.registers(&mut f.scopes[scope])?,
                ".shared" | ".local" | ".param" | ".const" | ".global" => {
                    for variable in self.variables(&word, false)? {
                        f.scopes[scope].variables.insert(variable.name.clone(), f.variables.len());
                        f.variables.push(variable);
                    }
                }
                ".loc" | ".file" => self.skip_line_from(line),
                ".pragma" => self.skip_past(';')?,
                _ if word.starts_with('.') => return Err((line, format!("`{word}` is no directive known here"))),
                _ => {
                    self.at -= 1;
                    let statement = self.statement(line, scope)?;
                    f.body.push(Item::Statement(statement));
                }
            }
        }
    }

    fn registers(&mut self, scope: &mut Scope) -> Result<(), Wrong> {
        let line = self.line();
        let declared = self.attributes()?;
        let ty = declared.ty.ok_or((line, "registers without a type".to_string()))?;
        if declared.vector != 1 {
            return Err((line, "vector registers are not known".into()));
        }
        loop {
            let name = self.word()?;
            if self.take('<') {
                let count = self.int()?;
                if !(0..=MAX_REGISTERS).contains(&count) {
                    return Err((line, format!("{count} registers")));
                }
                for i in 0..count {
                    scope.registers.insert(format!("{name}{i}"), ty);
                }
                self.expect('>')?;
            } else {
                scope.registers.insert(name, ty);
            }
            if !self.take(',') {
                break;
            }
        }
        self.expect(';')
    }

    fn statement(&mut self, line: u32, scope: usize) -> Result<Statement, Wrong> {
        let mut guard = None;
        if self.take('@') {
            let negated = self.take('!');
            guard = Some((self.word()?, negated));
        }
        let opcode = self.word()?;
        let mut operands = Vec::new();
        while !self.take(';') {
            operands.push(self.operand()?);
            if !self.take(',') && !self.sees(';') {
                return Err((self.line(), "`,` or `;` expected".into()));
            }
        }
        Ok(Statement { line, scope, guard, opcode, operands })
    }

    fn list(&mut self, close: char) -> Result<Vec<Operand>, Wrong> {
        let mut out = Vec::new();
        while !self.take(close) {
            out.push(self.operand()?);
            if !self.take(',') && !self.sees(close) {
                return Err((self.line(), format!("`,` or `{close}` expected")));
            }
        }
        Ok(out)
    }

    fn operand(&mut self) -> Result<Operand, Wrong> {
        let line = self.line();
        let operand = match self.next()? {
            Token::Word(name) => Operand::Name(name),
            Token::Int(value) => Operand::Int(value),
            Token::F32(bits) => Operand::F32(bits),
            Token::F64(value) => Operand::F64(value),
            Token::Sign('-') => match self.next()? {
                Token::Int(value) => Operand::Int(-value),
                Token::F32(bits) => Operand::F32(bits ^ 1 << 31),
                Token::F64(value) => Operand::F64(-value),
                other => return Err((line, format!("a number expected, not {other}"))),
            },
            Token::Sign('!') => Operand::Not(self.word()?),
            Token::Sign('{') => Operand::Vector(self.list('}')?),
            Token::Sign('(') => Operand::List(self.list(')')?),
            Token::Sign('[') => {
                let base = Box::new(match self.next()? {
                    Token::Word(name) => Operand::Name(name),
                    Token::Int(value) => Operand::Int(value),
                    other => return Err((line, format!("an address expected, not {other}"))),
                });
                let mut offset = 0;
                if self.take('+') || self.sees('-') {
                    offset = self.int()? as i64;
                }
                let more = if self.take(',') { self.list(']')? } else { self.expect(']').map(|()| Vec::new())? };
                Operand::Address { base, offset, more }
            }
            other => return Err((line, format!("an operand expected, not {other}"))),
        };
        if self.take('|') {
            return Ok(Operand::Pair(Box::new(operand), Box::new(self.operand()?)));
        }
        // A variable's address with an offset: `sym+4` outside brackets.
        if let Operand::Name(_) = operand
            && self.sees('+')
        {
            self.at += 1;
            let offset = self.int()? as i64;
            return Ok(Operand::Address { base: Box::new(operand), offset, more: Vec::new() });
        }
        Ok(operand)
    }
}

/// The space of a directive or suffix, with or without its dot.
pub fn space_of(word: &str) -> Option<Space> {
    let word = word.strip_prefix('.').unwrap_or(word);
    Some(match word.split("::").next()? {
        "global" => Space::Global,
        "const" => Space::Const,
        "shared" => Space::Shared,
        "local" => Space::Local,
        "param" => Space::Param,
        _ => return None,
    })
}
