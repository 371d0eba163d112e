//! Where tensors live.

use clap::ValueEnum;
use eyre::{Result, bail};
use openledger_model::Device;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Processor {
    /// CUDA where there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The first CUDA device.
    Cuda,
}

impl Processor {
    pub(crate) fn device(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => Ok(Device::cuda_if_available()),
            Self::Cuda if tch::Cuda::is_available() => Ok(Device::Cuda(0)),
            Self::Cuda => bail!("--device cuda: libtorch sees no CUDA device"),
        }
    }
}
