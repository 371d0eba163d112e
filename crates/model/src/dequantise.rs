//! The block encodings of GGUF tensors, and their expansion to f32.

/// How a tensor's elements are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// Blocks of 32 four-bit values with an f16 scale and an f16 minimum.
    Q4_1,
    /// Blocks of 32 signed bytes with an f16 scale.
    Q8_0,
}

impl Encoding {
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::F32),
            1 => Some(Self::F16),
            3 => Some(Self::Q4_1),
            8 => Some(Self::Q8_0),
            _ => None,
        }
    }

    pub(crate) const fn block_elements(self) -> u64 {
        match self {
            Self::F32 | Self::F16 => 1,
            Self::Q4_1 | Self::Q8_0 => 32,
        }
    }

    const fn block_bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::Q4_1 => 20,
            Self::Q8_0 => 34,
        }
    }

    /// The bytes of so many elements; `None` when they are no whole number of blocks.
    pub(crate) fn bytes(self, elements: u64) -> Option<u64> {
        elements
            .is_multiple_of(self.block_elements())
            .then(|| elements / self.block_elements() * self.block_bytes())
    }
}

/// Expands whole blocks to f32; a partial block at the end is left out.
pub(crate) fn to_f32(encoding: Encoding, bytes: &[u8]) -> Vec<f32> {
    let elements = bytes.len() as u64 / encoding.block_bytes() * encoding.block_elements();
    let mut out = Vec::with_capacity(elements as usize);
    let blocks = bytes.chunks_exact(encoding.block_bytes() as usize);
    match encoding {
        Encoding::F32 => out.extend(blocks.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
        Encoding::F16 => out.extend(blocks.map(|b| half(b[0], b[1]))),
        Encoding::Q4_1 => {
            for block in blocks {
                let (scale, minimum) = (half(block[0], block[1]), half(block[2], block[3]));
                // Low nibbles hold the block's first half, high nibbles the second.
                out.extend(block[4..].iter().map(|b| f32::from(b & 15) * scale + minimum));
                out.extend(block[4..].iter().map(|b| f32::from(b >> 4) * scale + minimum));
            }
        }
        Encoding::Q8_0 => {
            for block in blocks {
                let scale = half(block[0], block[1]);
                out.extend(block[2..].iter().map(|b| f32::from(*b as i8) * scale));
            }
        }
    }
    out
}

/// An IEEE 754 binary16 number from its little-endian bytes.
fn half(low: u8, high: u8) -> f32 {
    let bits = u16::from_le_bytes([low, high]);
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 31);
    let fraction = f32::from(bits & 0x3ff);
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_numbers_match_their_definition() {
        for (bits, value) in [
            (0x3c00u16, 1.0f32),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x0001, 5.960_464_5e-8),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
        ] {
            let [low, high] = bits.to_le_bytes();
            assert_eq!(half(low, high), value, "{bits:#06x}");
        }
        assert!(half(1, 0x7c).is_nan());
    }

    #[test]
    fn q4_1_puts_low_nibbles_first() {
        let mut block = vec![0x00, 0x3c, 0x00, 0xbc]; // scale 1, minimum -1
        block.extend((0..16).map(|i| (15 - i) << 4 | i));
        let values = to_f32(Encoding::Q4_1, &block);
        assert_eq!(values.len(), 32);
        assert_eq!((values[0], values[15], values[16], values[31]), (-1.0, 14.0, 14.0, -1.0));
    }

    #[test]
    fn q8_0_is_scale_times_signed_byte() {
        let mut block = vec![0x00, 0x38]; // scale 0.5
        block.extend((0..32).map(|i| (i as i8 - 16) as u8));
        let values = to_f32(Encoding::Q8_0, &block);
        assert_eq!((values[0], values[16], values[31]), (-8.0, 0.0, 7.5));
    }

    #[test]
    fn partial_blocks_are_no_valid_size() {
        assert_eq!(Encoding::Q4_1.bytes(31), None);
        assert_eq!(Encoding::Q4_1.bytes(64), Some(40));
        assert_eq!(Encoding::Q8_0.bytes(64), Some(68));
    }
}
