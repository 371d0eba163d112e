//! One key a row: sealing and opening.

use crate::MasterKey;
use alloy_primitives::{B256, Bytes};
use chacha20poly1305::{
    AeadCore, Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, OsRng, Payload},
};
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 24;

/// What both ciphertexts are bound to: moved to another row or contribution they do not open.
fn context(purpose: u8, root: B256, index: u32) -> Vec<u8> {
    [&[purpose][..], root.as_slice(), &index.to_be_bytes()].concat()
}

fn seal(cipher: &XChaCha20Poly1305, msg: &[u8], aad: &[u8]) -> Option<Bytes> {
    let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
    let sealed = cipher.encrypt(&nonce, Payload { msg, aad }).ok()?;
    Some([nonce.as_slice(), &sealed].concat().into())
}

fn open(cipher: &XChaCha20Poly1305, sealed: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, msg) = sealed.split_at_checked(NONCE_BYTES)?;
    cipher.decrypt(XNonce::from_slice(nonce), Payload { msg, aad }).ok().map(Zeroizing::new)
}

/// Encrypts a row under a fresh key. Returns (wrapped key, ciphertext).
pub(crate) fn seal_row(master: &MasterKey, root: B256, index: u32, plain: &[u8]) -> Option<(Bytes, Bytes)> {
    let key = Zeroizing::new(<[u8; 32]>::from(XChaCha20Poly1305::generate_key(&mut OsRng)));
    let row = XChaCha20Poly1305::new(Key::from_slice(key.as_ref()));
    let wrapped = seal(&master.cipher(), key.as_ref(), &context(b'k', root, index))?;
    Some((wrapped, seal(&row, plain, &context(b'r', root, index))?))
}

/// The reverse of [`seal_row`]; `None` when anything does not fit.
pub(crate) fn open_row(
    master: &MasterKey,
    root: B256,
    index: u32,
    wrapped: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let key = open(&master.cipher(), wrapped, &context(b'k', root, index))?;
    if key.len() != 32 {
        return None;
    }
    open(&XChaCha20Poly1305::new(Key::from_slice(&key)), sealed, &context(b'r', root, index))
}
