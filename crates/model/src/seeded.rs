//! A small seeded generator (SplitMix64). Its numbers are part of what a training run commits to,
//! so they may not change with a dependency's version.

use tch::{Device, Tensor};

use crate::error::ModelError;

#[derive(Debug, Clone)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fisher–Yates.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = (u128::from(self.next_u64()) * (i as u128 + 1)) >> 64;
            items.swap(i, j as usize);
        }
    }

    /// Numbers uniform in ±`bound`.
    pub(crate) fn uniform_tensor(
        &mut self,
        shape: &[usize],
        bound: f32,
        device: Device,
    ) -> Result<Tensor, ModelError> {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| {
                let unit = (self.next_u64() >> 40) as f32 / (1u32 << 24) as f32;
                (2.0 * unit - 1.0) * bound
            })
            .collect();
        let shape: Vec<i64> = shape.iter().map(|&s| s as i64).collect();
        Ok(Tensor::f_from_slice(&values)?.f_reshape(shape)?.f_to_device(device)?)
    }
}
