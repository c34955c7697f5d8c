//! Signed bytes: the Dead Simple Signing Envelope (<https://github.com/secure-systems-lab/dsse>), version 1.
//!
//! The signature is over the exact bytes of the content and over what kind of content it is. Before a signature by an
//! accepted key is found good, nothing of the content is looked at.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::signing::{PublicKey, SecretKey};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Serialize, Deserialize)]
struct EnvelopeSignature {
    keyid: String,
    sig: String,
}

/// Wraps `content` with a signature by `key`.
pub(super) fn seal(kind: &str, content: &[u8], key: &SecretKey) -> Vec<u8> {
    let signature = key.sign(&to_be_signed(kind, content));
    let envelope = Envelope {
        payload_type: kind.to_owned(),
        payload: BASE64.encode(content),
        signatures: vec![EnvelopeSignature { keyid: key.public().id(), sig: BASE64.encode(signature) }],
    };
    // A struct of strings serialises always.
    serde_json::to_vec(&envelope).unwrap_or_default()
}

/// The content, if one of `accepted` signed it, and that key. Otherwise, as the end of a sentence, why it is not taken.
pub(super) fn open<'k>(
    kind: &str,
    bytes: &[u8],
    accepted: &'k [PublicKey],
) -> Result<(Vec<u8>, &'k PublicKey), String> {
    let not_signed = || "it is not a signed description".to_owned();
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|_| not_signed())?;
    let content = BASE64.decode(&envelope.payload).map_err(|_| not_signed())?;
    let message = to_be_signed(kind, &content);
    let mut claimed = false;
    for signature in &envelope.signatures {
        let Ok(bytes) = BASE64.decode(&signature.sig) else { continue };
        for key in accepted.iter().filter(|key| key.id() == signature.keyid) {
            if key.verifies(&message, &bytes) {
                return Ok((content, key));
            }
            claimed = true;
        }
    }
    if claimed {
        return Err("its signature is not good: it was changed after it was signed".to_owned());
    }
    let signers = envelope.signatures.iter().map(|signature| signature.keyid.chars().take(16).collect());
    let signers: Vec<String> = signers.collect();
    Err(match signers.as_slice() {
        [] => "nobody signed it".to_owned(),
        _ => format!("it is signed by {}, which is none of the keys that are accepted", signers.join(", ")),
    })
}

/// The *pre-authentication encoding* of the specification.
fn to_be_signed(kind: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), content.len()).into_bytes();
    bytes.extend_from_slice(content);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "application/x-test";

    #[test]
    fn the_bytes_to_sign_are_those_of_the_specification() {
        // The example of the specification's "Test Vectors".
        let bytes = to_be_signed("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn only_accepted_keys_and_unchanged_bytes_open() {
        let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let sealed = seal(KIND, b"content", &key);
        let accepted = [other.public(), key.public()];
        let (content, signer) = open(KIND, &sealed, &accepted).unwrap();
        assert_eq!((content.as_slice(), signer), (&b"content"[..], &key.public()));

        let error = open(KIND, &sealed, &accepted[..1]).unwrap_err();
        assert!(error.contains(&key.public().id()), "{error}");
        assert!(open("application/other", &sealed, &accepted).is_err());
        assert!(open(KIND, &sealed, &[]).is_err());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let key = SecretKey::generate().unwrap();
        let sealed = seal(KIND, b"content", &key);
        let accepted = [key.public()];
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            if let Ok((content, _)) = open(KIND, &changed, &accepted) {
                // The kind that the envelope names is not what is trusted: the one that is expected is.
                assert_eq!(content, b"content", "byte {index}");
            }
        }
    }

    #[test]
    fn a_borrowed_key_id_does_not_help() {
        let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let text = String::from_utf8(seal(KIND, b"content", &other)).unwrap();
        let forged = text.replace(&other.public().id(), &key.public().id());
        let accepted = [key.public()];
        let error = open(KIND, forged.as_bytes(), &accepted).unwrap_err();
        assert!(error.contains("not good"), "{error}");
    }
}
