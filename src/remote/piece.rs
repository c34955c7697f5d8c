//! A file as it travels: cut into pieces, each compressed by itself and named by the SHA-256 of what is stored.
//!
//! A piece is the unit of everything: what was transferred before is not transferred again, several travel at once, and
//! nothing is unpacked before its digest was found right.

use std::io;

use serde::{Deserialize, Serialize};

use crate::file::Sha256Digest;

/// How much of a file is in a piece, in bytes. An image has some twenty of them.
pub(super) const PIECE_SIZE: usize = 8 << 20;

/// zstd's level: on an image, the ones above take several times as long for a few percent.
const LEVEL: i32 = 3;

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The SHA-256 of what is stored.
    pub stored_sha256: Sha256Digest,
    /// The size of what is stored, in bytes.
    pub stored_size: u64,
    /// The size of what is in it, in bytes.
    pub size: u64,
}

impl Piece {
    /// Packs a part of a file.
    pub(super) fn pack(content: &[u8]) -> io::Result<(Self, Vec<u8>)> {
        let stored = zstd::bulk::compress(content, LEVEL)?;
        let piece = Self {
            stored_sha256: Sha256Digest::of(&stored),
            stored_size: stored.len() as u64,
            size: content.len() as u64,
        };
        Ok((piece, stored))
    }

    /// Whether these are the bytes that are stored.
    pub(super) fn is(&self, stored: &[u8]) -> bool {
        stored.len() as u64 == self.stored_size && Sha256Digest::of(stored) == self.stored_sha256
    }

    /// The content; `None` when it is not what was described.
    pub(super) fn unpack(&self, stored: &[u8]) -> Option<Vec<u8>> {
        let size = usize::try_from(self.size).ok().filter(|_| self.is_sane())?;
        let content = zstd::bulk::decompress(stored, size).ok()?;
        (content.len() == size).then_some(content)
    }

    /// Whether the sizes are some that a piece can have.
    pub(super) fn is_sane(&self) -> bool {
        let limit = PIECE_SIZE as u64;
        (1..=limit).contains(&self.size)
            && self.stored_size <= zstd::zstd_safe::compress_bound(PIECE_SIZE) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_survives_the_way() {
        let content: Vec<u8> = (0..100_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let (piece, stored) = Piece::pack(&content).unwrap();
        assert!(piece.is(&stored) && piece.is_sane() && stored.len() < content.len());
        assert_eq!(piece.unpack(&stored).unwrap(), content);
    }

    #[test]
    fn wrong_sizes_and_bytes_are_noticed() {
        let (piece, stored) = Piece::pack(&[7; 5000]).unwrap();
        assert!(!piece.is(&stored[1..]));
        assert_eq!(piece.unpack(b"not compressed"), None);
        for size in [0, 4999, 5001, u64::MAX] {
            assert_eq!(Piece { size, ..piece.clone() }.unpack(&stored), None, "{size}");
        }
    }
}
