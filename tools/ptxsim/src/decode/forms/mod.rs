//! Which modifiers an opcode may have, and in which order: the one place that says so.
//!
//! A statement is decoded only if all of its modifiers fit a form of the [`list`], or one of the arithmetic tables'
//! spellings. What the decoders then look at is known to be there, in the manual's order, and nothing is passed over.
//!
//! The manual gives an order, but the assembler takes any, and compilers rely on that: Triton writes
//! `atom.global.gpu.acq_rel.add.f32`. Types and state spaces alone mean something else in another order.

mod list;
#[cfg(test)]
mod tests;

use super::names::Wrong;
use crate::exec::table::Alu;
use crate::syntax::ast::Type;
use crate::syntax::parser::space_of;
use list::{FORMS, NOT_SIMULATED, SETS};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// One element of a form: the modifiers it may be, and whether it may be left out.
struct Element {
    names: Vec<&'static str>,
    optional: bool,
}

/// The forms of each opcode's first word.
static BY_HEAD: LazyLock<HashMap<&str, Vec<Vec<Element>>>> = LazyLock::new(|| {
    let mut forms: HashMap<&str, Vec<Vec<Element>>> = HashMap::new();
    for form in FORMS {
        let (head, rest) = form.split_once(' ').unwrap_or((form, ""));
        forms.entry(head).or_default().push(elements(rest));
    }
    for spelling in Alu::spellings() {
        let (head, rest) = spelling.split_once('.').unwrap_or((spelling, ""));
        let exactly = rest.split('.').map(|name| Element { names: vec![name], optional: false });
        forms.entry(head).or_default().push(exactly.collect());
    }
    forms
});

/// An opcode with its modifiers in the manual's order. Fails, with the modifier to blame, unless all of them are known.
pub fn in_order(opcode: &str) -> Result<Cow<'_, str>, Wrong> {
    if Alu::of(opcode).is_some() {
        return Ok(opcode.into());
    }
    let mut parts = opcode.split('.');
    let head = parts.next().unwrap_or_default();
    let modifiers: Vec<&str> = parts.collect();
    if let Some((_, what)) = NOT_SIMULATED.iter().find(|(name, _)| *name == head) {
        return Err(format!("`{opcode}` is not simulated: {what}"));
    }
    let unknown = || format!("unknown instruction `{opcode}`");
    let forms = BY_HEAD.get(head).ok_or_else(unknown)?;
    // How many modifiers the best form takes.
    let mut best = 0;
    for form in forms {
        match fit(form, &modifiers) {
            Ok(places) if places.is_sorted() => return Ok(opcode.into()),
            Ok(places) => {
                let mut placed: Vec<_> = places.into_iter().zip(modifiers).collect();
                placed.sort_unstable();
                let names = placed.into_iter().map(|(_, name)| name);
                return Ok(std::iter::once(head).chain(names).collect::<Vec<_>>().join(".").into());
            }
            Err(taken) => best = best.max(taken),
        }
    }
    Err(match modifiers.get(best) {
        Some(modifier) => format!("{}: `.{modifier}` is not known there", unknown()),
        None => format!("{}: a modifier is missing", unknown()),
    })
}

/// The elements of a form's text behind its first word.
fn elements(form: &'static str) -> Vec<Element> {
    let mut out = Vec::new();
    let mut rest = form.trim_start();
    while !rest.is_empty() {
        // A set's name may hold spaces.
        let end = match rest.starts_with('{') {
            true => rest.find('}').map(|at| at + 1),
            false => rest.find([' ', '?']),
        };
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.trim_start_matches('?').trim_start();
        let name = word.strip_prefix('{').and_then(|word| word.strip_suffix('}'));
        let list = name.map_or(word, |name| SETS.iter().find(|set| set.0 == name).map_or("", |set| set.1));
        let names = list.split('|').map(|one| one.trim_start_matches('.')).collect();
        out.push(Element { names, optional: after.starts_with('?') });
    }
    out
}

/// Which element of a form each modifier is, if they are exactly what it says; if not, how many of them fit at the most.
fn fit(form: &[Element], modifiers: &[&str]) -> Result<Vec<usize>, usize> {
    let mut places = Vec::new();
    place(form, modifiers, &mut places).map(|()| places)
}

/// Places the modifiers behind those that have a place.
fn place(form: &[Element], modifiers: &[&str], places: &mut Vec<usize>) -> Result<(), usize> {
    let done = places.len();
    let Some(modifier) = modifiers.get(done) else {
        let missing = |(at, element): (usize, &Element)| !element.optional && !places.contains(&at);
        return if form.iter().enumerate().any(missing) { Err(done) } else { Ok(()) };
    };
    let last = places.iter().zip(modifiers).filter(|(_, name)| ordered(name)).map(|(place, _)| *place).max();
    let mut best = done;
    for (at, element) in form.iter().enumerate() {
        let turned = ordered(modifier) && last.is_some_and(|last| at < last);
        if turned || places.contains(&at) || !element.names.iter().any(|name| same(name, modifier)) {
            continue;
        }
        places.push(at);
        match place(form, modifiers, places) {
            Ok(()) => return Ok(()),
            Err(taken) => best = best.max(taken),
        }
        places.truncate(done);
    }
    Err(best)
}

/// Whether a modifier means something else in another place: the types and spaces of result and operands.
fn ordered(modifier: &str) -> bool {
    Type::of(modifier).is_some() || space_of(modifier).is_some()
}

/// Whether a modifier is this one; `#` in its name is a number.
fn same(name: &str, modifier: &str) -> bool {
    let Some((before, after)) = name.split_once('#') else { return name == modifier };
    let number = modifier.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
