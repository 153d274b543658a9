//! AdminService: other people's accounts, and the gate itself.

mod access;
