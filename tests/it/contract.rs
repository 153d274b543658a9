//! Rules that hold for the code base as a whole. A test here names no case: what is added later is held to it, too.

mod layers;
mod migrations;
mod policies;
mod protos;
mod reasons;
mod schema;
mod secrets;
mod sources;
mod texts;
