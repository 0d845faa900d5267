//! The commands `validate` and `explain` of the real binary.

mod pages;
mod sarif;
mod talk;
mod validate;
