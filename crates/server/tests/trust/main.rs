//! The faces of the trust services as clients see them: real HTTP on a free loopback port.

mod ca;
mod harness;
mod tsa;
