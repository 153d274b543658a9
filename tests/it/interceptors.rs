//! What stands in front of every method, whatever the method is.

mod network;
