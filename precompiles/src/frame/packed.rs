//! Records packed into slots as Solidity packs a struct: each field in the lowest free bytes of the slot, a new slot
//! when it does not fit.

use super::{Frame, Result};
use alloy_primitives::aliases::{U24, U40, U96, U112};
use alloy_primitives::{Address, B256, U256};

/// A value type.
pub(crate) trait Field: Copy {
    /// Its size.
    const BYTES: usize;
    /// As a number.
    fn to_word(self) -> U256;
    /// From the number in the lowest of a word's bytes; what is in the others does not count.
    fn from_word(word: U256) -> Self;
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Field for $type {
            const BYTES: usize = size_of::<$type>();
            fn to_word(self) -> U256 {
                U256::from(self)
            }
            fn from_word(word: U256) -> Self {
                word.wrapping_to()
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, u128);

impl Field for bool {
    const BYTES: usize = 1;
    fn to_word(self) -> U256 {
        U256::from(self)
    }
    fn from_word(word: U256) -> Self {
        word.byte(0) != 0
    }
}

macro_rules! odd_integers {
    ($($type:ty),*) => {$(
        impl Field for $type {
            const BYTES: usize = <$type>::BYTES;
            fn to_word(self) -> U256 {
                U256::from(self)
            }
            fn from_word(word: U256) -> Self {
                word.wrapping_to()
            }
        }
    )*};
}
odd_integers!(U24, U40, U96, U112);

impl Field for Address {
    const BYTES: usize = 20;
    fn to_word(self) -> U256 {
        self.into_word().into()
    }
    fn from_word(word: U256) -> Self {
        Self::from_word(word.into())
    }
}

impl Field for B256 {
    const BYTES: usize = 32;
    fn to_word(self) -> U256 {
        self.into()
    }
    fn from_word(word: U256) -> Self {
        word.into()
    }
}

impl Field for U256 {
    const BYTES: usize = 32;
    fn to_word(self) -> U256 {
        self
    }
    fn from_word(word: U256) -> Self {
        word
    }
}

/// A struct in storage.
pub(crate) trait Record: Sized {
    /// As many words as it takes.
    type Slots: AsRef<[U256]> + AsMut<[U256]> + Copy + Default + Eq;
    /// Its slots.
    fn pack(&self) -> Self::Slots;
    /// Reads its slots; missing ones count as zero.
    fn unpack(slots: &[U256]) -> Self;
    /// Name, slot, first byte in it and size of each field.
    #[cfg(test)]
    fn fields() -> Vec<(&'static str, usize, usize, usize)>;
}

/// The place of the next field.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cursor {
    pub(crate) slot: usize,
    pub(crate) byte: usize,
}

impl Cursor {
    /// Where a field of `bytes` goes.
    pub(crate) const fn place(self, bytes: usize) -> Self {
        if self.byte + bytes > 32 { Self { slot: self.slot + 1, byte: 0 } } else { self }
    }

    /// After a field of `bytes`.
    pub(crate) const fn after(self, bytes: usize) -> Self {
        let at = self.place(bytes);
        Self { slot: at.slot, byte: at.byte + bytes }
    }

    pub(crate) fn put<F: Field>(&mut self, slots: &mut [U256], value: F) {
        let at = self.place(F::BYTES);
        if let Some(slot) = slots.get_mut(at.slot) {
            *slot |= value.to_word() << (8 * at.byte);
        }
        *self = self.after(F::BYTES);
    }

    pub(crate) fn take<F: Field>(&mut self, slots: &[U256]) -> F {
        let at = self.place(F::BYTES);
        let word = slots.get(at.slot).copied().unwrap_or_default() >> (8 * at.byte);
        *self = self.after(F::BYTES);
        F::from_word(word)
    }
}

/// Declares a struct and its packing.
macro_rules! record {
    ($(#[$meta:meta])* struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct $name { $($(#[$field_meta])* pub(crate) $field: $type,)* }

        impl $crate::frame::Record for $name {
            type Slots = [::alloy_primitives::U256; {
                let cursor = $crate::frame::Cursor { slot: 0, byte: 0 };
                $(let cursor = cursor.after(<$type as $crate::frame::Field>::BYTES);)*
                cursor.slot + 1
            }];

            fn pack(&self) -> Self::Slots {
                let mut slots = Self::Slots::default();
                let mut cursor = $crate::frame::Cursor::default();
                $(cursor.put(&mut slots, self.$field);)*
                slots
            }

            fn unpack(slots: &[::alloy_primitives::U256]) -> Self {
                let mut cursor = $crate::frame::Cursor::default();
                $(let $field = cursor.take(slots);)*
                Self { $($field),* }
            }

            #[cfg(test)]
            fn fields() -> Vec<(&'static str, usize, usize, usize)> {
                let sizes = [$((stringify!($field), <$type as $crate::frame::Field>::BYTES)),*];
                let places = sizes.into_iter().scan($crate::frame::Cursor::default(), |cursor, (name, bytes)| {
                    let at = cursor.place(bytes);
                    *cursor = cursor.after(bytes);
                    Some((name, at.slot, at.byte, bytes))
                });
                places.collect()
            }
        }
    };
}

/// Loads a record from `slot` on.
pub(crate) fn load<R: Record>(frame: &mut Frame<'_>, account: Address, slot: U256) -> Result<R> {
    let mut slots = R::Slots::default();
    if let [word] = slots.as_mut() {
        *word = frame.sload(account, slot)?;
        return Ok(R::unpack(slots.as_ref()));
    }
    let all = (0..slots.as_ref().len()).map(|index| slot.wrapping_add(U256::from(index)));
    let mut empty = slots.as_mut().iter_mut();
    frame.sload_each(account, all, |found| empty.by_ref().take(1).for_each(|word| *word = found))?;
    Ok(R::unpack(slots.as_ref()))
}

/// Stores a record from `slot` on.
pub(crate) fn store<R: Record>(
    frame: &mut Frame<'_>,
    account: Address,
    slot: U256,
    record: &R,
) -> Result<()> {
    let words = record.pack();
    let all = words.as_ref().iter().enumerate();
    frame.sstore_each(account, all.map(|(index, word)| (slot.wrapping_add(U256::from(index)), *word)))
}

/// Stores those slots of a record that differ from what was loaded.
pub(crate) fn update<R: Record>(
    frame: &mut Frame<'_>,
    account: Address,
    slot: U256,
    old: &R,
    new: &R,
) -> Result<()> {
    let (old, new) = (old.pack(), new.pack());
    let all = old.as_ref().iter().zip(new.as_ref()).enumerate();
    let changed = all.filter(|(_, (old, new))| old != new);
    frame.sstore_each(account, changed.map(|(index, (_, new))| (slot.wrapping_add(U256::from(index)), *new)))
}

#[cfg(test)]
mod tests {
    use super::*;

    record! {
        struct Mixed { a: u64, b: Address, c: u32, d: u16, e: B256, f: u128, g: u128, h: u8, }
    }

    record! {
        struct Narrow { a: bool, b: u8, c: bool, d: U24, e: U40, f: bool, g: U96, h: u16, }
    }

    #[test]
    fn field_is_read_without_what_stands_above_it() {
        let full = Narrow::unpack(&[U256::MAX]);
        let expected = Narrow {
            a: true,
            b: u8::MAX,
            c: true,
            d: U24::MAX,
            e: U40::MAX,
            f: true,
            g: U96::MAX,
            h: u16::MAX,
        };
        assert_eq!(full, expected);
        let without = Narrow { a: false, c: false, f: false, ..expected };
        assert_eq!(Narrow::unpack(&without.pack()), without);
        for zeroed in
            [Narrow { d: U24::ZERO, ..full }, Narrow { e: U40::ZERO, h: 0, ..full }, Narrow { b: 0, ..full }]
        {
            assert_eq!(Narrow::unpack(&zeroed.pack()), zeroed);
        }
    }

    #[test]
    fn fields_fill_slots_from_the_low_bytes_and_never_cross() {
        let mixed = Mixed {
            a: 1,
            b: Address::repeat_byte(0x22),
            c: 3,
            d: 4,
            e: B256::repeat_byte(5),
            f: 6,
            g: 7,
            h: 8,
        };
        let slots = mixed.pack();
        assert_eq!(slots.len(), 5);
        let b = U256::from_be_bytes(Address::repeat_byte(0x22).into_word().0);
        assert_eq!(slots[0], U256::ONE | (b << 64) | (U256::from(3) << 224));
        assert_eq!(slots[1], U256::from(4));
        assert_eq!(slots[2], U256::from_be_bytes([5; 32]));
        assert_eq!(slots[3], U256::from(6) | (U256::from(7) << 128));
        assert_eq!(slots[4], U256::from(8));
        assert_eq!(Mixed::unpack(&slots), mixed);
    }
}
