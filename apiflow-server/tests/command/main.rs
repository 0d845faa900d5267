//! The commands `validate`, `run` and `explain` of the real binary.

mod interrupt;
mod pages;
mod run;
mod sarif;
mod talk;
mod validate;
