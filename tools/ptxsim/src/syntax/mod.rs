//! PTX text to a tree: [`lexer`] cuts words, [`parser`] groups them, [`ast`] is the result.

pub mod ast;
pub mod lexer;
pub mod parser;
