//! A GGUF file made by hand, whole and damaged.
#![allow(clippy::unwrap_used)]

use openledger_model::{Encoding, Gguf, GgufError, Value};
use proptest::prelude::*;

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Two metadata entries and one 2×32 tensor in the given encoding.
fn file(encoding: u32, data: &[u8]) -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend(1u64.to_le_bytes());
    out.extend(2u64.to_le_bytes());
    text(&mut out, "name");
    out.extend(8u32.to_le_bytes());
    text(&mut out, "toy");
    text(&mut out, "sizes");
    out.extend(9u32.to_le_bytes());
    out.extend(4u32.to_le_bytes());
    out.extend(2u64.to_le_bytes());
    out.extend(5u32.to_le_bytes());
    out.extend(6u32.to_le_bytes());
    text(&mut out, "w");
    out.extend(2u32.to_le_bytes());
    out.extend(32u64.to_le_bytes());
    out.extend(2u64.to_le_bytes());
    out.extend(encoding.to_le_bytes());
    out.extend(0u64.to_le_bytes());
    out.resize(out.len().next_multiple_of(32), 0);
    out.extend(data);
    out
}

fn f32_file() -> Vec<u8> {
    let data: Vec<u8> = (0..64).flat_map(|i| (i as f32).to_le_bytes()).collect();
    file(0, &data)
}

#[test]
fn sound_file_gives_metadata_and_tensors() {
    let gguf = Gguf::parse(f32_file()).unwrap();
    assert_eq!(gguf.text("name").unwrap(), "toy");
    assert_eq!(gguf.array("sizes").unwrap(), [Value::Integer(5), Value::Integer(6)]);
    assert_eq!(gguf.tensor("w").unwrap().encoding, Encoding::F32);
    assert_eq!(gguf.tensor_f32("w", &[2, 32]).unwrap()[63], 63.0);
    assert!(matches!(gguf.tensor_f32("w", &[32, 2]), Err(GgufError::Shape { .. })));
    assert!(matches!(gguf.tensor_f32("v", &[1]), Err(GgufError::Missing(_))));
    assert!(matches!(gguf.integer("name"), Err(GgufError::Missing(_))));
}

#[test]
fn each_kind_of_damage_has_its_error() {
    let mut wrong = f32_file();
    wrong[0] = b'X';
    assert_eq!(Gguf::parse(wrong).unwrap_err(), GgufError::Magic);
    let mut wrong = f32_file();
    wrong[4] = 2;
    assert_eq!(Gguf::parse(wrong).unwrap_err(), GgufError::Version(2));
    for at in [8, 16] {
        let mut absurd = f32_file();
        absurd[at..at + 8].fill(0xff);
        assert!(matches!(Gguf::parse(absurd).unwrap_err(), GgufError::TooLarge { .. }));
    }
    let unknown = Gguf::parse(file(12, &[0; 256])).unwrap_err();
    assert_eq!(unknown, GgufError::TensorType { name: "w".into(), encoding: 12 });
    let infinite = Gguf::parse(file(0, &f32::INFINITY.to_le_bytes().repeat(64))).unwrap();
    assert_eq!(infinite.tensor_f32("w", &[2, 32]), Err(GgufError::NotFinite("w".into())));
}

#[test]
fn file_cut_anywhere_is_refused() {
    let whole = f32_file();
    for length in 0..whole.len() {
        assert!(Gguf::parse(whole[..length].to_vec()).is_err(), "cut to {length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_bytes_never_panic(
        changes in proptest::collection::vec((0usize..200, any::<u8>()), 1..8),
        encoding in prop_oneof![Just(0u32), Just(1), Just(3), Just(8)],
    ) {
        let mut bytes = file(encoding, &[1; 256]);
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        if let Ok(gguf) = Gguf::parse(bytes) {
            let _ = gguf.tensor_f32("w", &[2, 32]);
        }
    }
}
