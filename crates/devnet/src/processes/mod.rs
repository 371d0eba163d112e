//! The network's processes: their command lines and their supervision.

mod backoff;
mod command_line;
mod roles;
mod supervisor;

pub use self::{
    command_line::CommandLine,
    roles::{NodePorts, Ports, Programs, Roles, names},
    supervisor::{ProcessSpec, ProcessStatus, Readiness, Supervisor},
};
