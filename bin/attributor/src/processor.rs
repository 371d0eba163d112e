//! Where tensors live and what they are computed with.

use clap::{Args, ValueEnum};
use eyre::{Result, bail};
use openledger_model::Device;

use crate::pinned;

/// What the model runs on.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ProcessorArguments {
    /// Where tensors live.
    #[arg(long, value_enum, default_value_t = Processor::Auto)]
    device: Processor,
    /// CPU threads of libtorch; one gives the same bits on every run of one machine.
    #[arg(long, default_value_t = 2)]
    threads: u32,
    /// One thread and instructions that every processor has: the same bits on every machine.
    #[arg(long)]
    pinned: bool,
}

impl ProcessorArguments {
    pub(crate) fn device(self) -> Result<Device> {
        self.device.device()
    }

    pub(crate) const fn threads(self) -> u32 {
        pinned::threads(self.pinned, self.threads)
    }
}

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
