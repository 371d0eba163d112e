//! Evidence that only judges can read: one random key, wrapped for each of them.
//!
//! The content is sealed with XChaCha20-Poly1305, and its key for each judge with X25519 and XChaCha20-Poly1305 from a
//! sender's key that is made for this evidence alone. What the chain holds is the hash of the whole file.

use crate::AttributorError;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce, aead::Payload};
use crypto_box::{
    ChaChaBox, PublicKey, SecretKey,
    aead::{Aead, AeadCore, KeyInit, OsRng},
};
use serde::{Deserialize, Serialize};
use std::{
    fmt, fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

const VERSION: u32 = 1;
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;

/// A judge's secret key for evidence. Never shown by `Debug`.
#[derive(Clone)]
pub struct EvidenceKey(SecretKey);

impl fmt::Debug for EvidenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EvidenceKey").field(&self.public()).finish()
    }
}

impl EvidenceKey {
    /// A fresh key.
    pub fn random() -> Self {
        Self(SecretKey::generate(&mut OsRng))
    }

    /// Reads the key, 32 bytes, or makes one, readable by its owner only.
    pub fn load_or_create(path: &Path) -> Result<Self, AttributorError> {
        let fail = |source| AttributorError::Io { path: path.display().to_string(), source };
        match fs::read(path) {
            Ok(bytes) => {
                let key: [u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| {
                    AttributorError::Invalid(format!(
                        "{}: holds {} bytes, a key has {KEY_BYTES}",
                        path.display(),
                        bytes.len()
                    ))
                })?;
                Ok(Self(SecretKey::from(key)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = Self::random();
                let partial = path.with_extension("partial");
                let mut options = fs::OpenOptions::new();
                options.write(true).create(true).truncate(true).mode(0o600);
                let mut file = options.open(&partial).map_err(fail)?;
                file.write_all(&key.0.to_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
                fs::rename(&partial, path).map_err(fail)?;
                Ok(key)
            }
            Err(error) => Err(fail(error)),
        }
    }

    /// What evidence is encrypted to: the judge's key on chain.
    pub fn public(&self) -> B256 {
        B256::from(self.0.public_key().to_bytes())
    }
}

/// Evidence as it is delivered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    version: u32,
    request_id: B256,
    sender: B256,
    recipients: Vec<Recipient>,
    content: Bytes,
}

/// The content's key for one judge.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipient {
    account: Address,
    key: B256,
    wrapped: Bytes,
}

fn context(request_id: B256) -> B256 {
    keccak256([b"openledger evidence".as_slice(), request_id.as_slice()].concat())
}

fn refused(_: crypto_box::aead::Error) -> AttributorError {
    AttributorError::Invalid("the evidence cannot be sealed".into())
}

/// Seals `content` for these judges, by account and public key.
pub(super) fn seal(
    request_id: B256,
    content: &[u8],
    judges: &[(Address, B256)],
) -> Result<Vec<u8>, AttributorError> {
    let sender = SecretKey::generate(&mut OsRng);
    let key = XChaCha20Poly1305::generate_key(&mut OsRng);
    let mut recipients = Vec::with_capacity(judges.len());
    for (account, public) in judges {
        let exchange = ChaChaBox::new(&PublicKey::from(public.0), &sender);
        let nonce = ChaChaBox::generate_nonce(&mut OsRng);
        let wrapped = exchange.encrypt(&nonce, key.as_slice()).map_err(refused)?;
        let wrapped = [nonce.as_slice(), &wrapped].concat().into();
        recipients.push(Recipient { account: *account, key: *public, wrapped });
    }
    let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
    let aad = context(request_id);
    let payload = Payload { msg: content, aad: aad.as_slice() };
    let sealed = XChaCha20Poly1305::new(&key).encrypt(&nonce, payload).map_err(refused)?;
    let content = [nonce.as_slice(), &sealed].concat().into();
    let sender = B256::from(sender.public_key().to_bytes());
    let evidence = Sealed { version: VERSION, request_id, sender, recipients, content };
    serde_json::to_vec(&evidence).map_err(AttributorError::journal)
}

/// Opens evidence with a judge's key.
pub(super) fn open(request_id: B256, evidence: &[u8], key: &EvidenceKey) -> Result<Vec<u8>, AttributorError> {
    let unreadable = |what: &str| AttributorError::Invalid(format!("the evidence cannot be read: {what}"));
    let sealed: Sealed =
        serde_json::from_slice(evidence).map_err(|_| unreadable("it is not of the format"))?;
    if sealed.version != VERSION || sealed.request_id != request_id {
        return Err(unreadable("it is of another version or another receipt"));
    }
    let mine = sealed.recipients.iter().find(|recipient| recipient.key == key.public());
    let mine = mine.ok_or_else(|| unreadable("it is not encrypted to this judge"))?;
    let exchange = ChaChaBox::new(&PublicKey::from(sealed.sender.0), &key.0);
    let (nonce, wrapped) =
        mine.wrapped.split_at_checked(NONCE_BYTES).ok_or_else(|| unreadable("its key is cut short"))?;
    let content_key = exchange
        .decrypt(XNonce::from_slice(nonce), wrapped)
        .map_err(|_| unreadable("its key does not open"))?;
    if content_key.len() != KEY_BYTES {
        return Err(unreadable("its key is of another size"));
    }
    let (nonce, content) =
        sealed.content.split_at_checked(NONCE_BYTES).ok_or_else(|| unreadable("it is cut short"))?;
    let aad = context(request_id);
    XChaCha20Poly1305::new(Key::from_slice(&content_key))
        .decrypt(XNonce::from_slice(nonce), Payload { msg: content, aad: aad.as_slice() })
        .map_err(|_| unreadable("it is damaged"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const REQUEST: B256 = B256::repeat_byte(7);

    #[test]
    fn each_judge_opens_the_evidence_and_nobody_else_does() {
        let judges = [EvidenceKey::random(), EvidenceKey::random()];
        let sets: Vec<_> = judges.iter().map(|judge| (Address::repeat_byte(1), judge.public())).collect();
        let evidence = seal(REQUEST, b"a prompt and rows", &sets).unwrap();
        assert!(!evidence.windows(6).any(|window| window == b"prompt"));
        for judge in &judges {
            assert_eq!(open(REQUEST, &evidence, judge).unwrap(), b"a prompt and rows");
        }
        assert!(open(REQUEST, &evidence, &EvidenceKey::random()).is_err());
        assert!(open(B256::ZERO, &evidence, &judges[0]).is_err(), "another receipt's");
        assert!(!format!("{:?}", judges[0]).contains(&alloy_primitives::hex::encode(judges[0].0.to_bytes())));
    }

    #[test]
    fn damaged_evidence_is_refused_and_never_panics() {
        let judge = EvidenceKey::random();
        let evidence = seal(REQUEST, b"content", &[(Address::ZERO, judge.public())]).unwrap();
        let whole: serde_json::Value = serde_json::from_slice(&evidence).unwrap();
        for (field, value) in [
            ("content", serde_json::json!("0x00")),
            ("content", serde_json::json!(format!("0x{}", "00".repeat(60)))),
            ("sender", serde_json::json!(B256::ZERO)),
            ("recipients", serde_json::json!([])),
            ("version", serde_json::json!(2)),
        ] {
            let mut damaged = whole.clone();
            damaged[field] = value;
            let damaged = serde_json::to_vec(&damaged).unwrap();
            assert!(open(REQUEST, &damaged, &judge).is_err(), "{field}");
        }
        for length in 0..evidence.len() {
            assert!(open(REQUEST, &evidence[..length], &judge).is_err());
        }
    }

    #[test]
    fn key_survives_a_restart_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence.key");
        let made = EvidenceKey::load_or_create(&path).unwrap();
        assert_eq!(EvidenceKey::load_or_create(&path).unwrap().public(), made.public());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, [1; 31]).unwrap();
        assert!(EvidenceKey::load_or_create(&path).unwrap_err().to_string().contains("31 bytes"));
    }
}
