//! Owns [`Chunks`]: bytes kept in pieces, so that a large body is neither doubled in memory while it
//! grows nor copied when it is served. It is an `http_body::Body` of known length, for axum and reqwest.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

/// Size of the pieces that [`ChunkWriter`] makes. A buffer that doubles may need twice its content at its
/// peak; fixed pieces need their content and at most one piece more.
const CHUNK: usize = 64 * 1024;

/// A byte string in pieces. A clone shares the pieces.
///
/// As an `http_body::Body` it never fails and knows its length, so that `Content-Length` is sent.
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    pieces: VecDeque<Bytes>,
    len: u64,
}

impl Chunks {
    /// The whole length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is not one byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces in order; none is empty.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.pieces.iter()
    }

    /// Appends a piece without a copy.
    pub fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.len = self.len.saturating_add(piece.len() as u64);
            self.pieces.push_back(piece);
        }
    }

    /// Appends all pieces of another value without a copy.
    pub fn append(&mut self, other: Self) {
        for piece in other.pieces {
            self.push(piece);
        }
    }

    /// One contiguous copy: for small values and tests.
    pub fn to_bytes(&self) -> Bytes {
        let mut all = BytesMut::with_capacity(usize::try_from(self.len).unwrap_or(0));
        for piece in &self.pieces {
            all.extend_from_slice(piece);
        }
        all.freeze()
    }
}

impl From<Bytes> for Chunks {
    fn from(bytes: Bytes) -> Self {
        let mut chunks = Self::default();
        chunks.push(bytes);
        chunks
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.pieces.pop_front();
        if let Some(piece) = &next {
            self.len = self.len.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(next.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len)
    }
}

/// Collects what is written into pieces of a fixed size.
#[derive(Debug, Default)]
pub(crate) struct ChunkWriter {
    done: Chunks,
    current: BytesMut,
}

impl ChunkWriter {
    pub(crate) fn finish(mut self) -> Chunks {
        // The last piece is usually far from full: give the rest of its space back.
        self.done.push(Bytes::copy_from_slice(&self.current));
        self.done
    }
}

impl io::Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.current.capacity() == self.current.len() {
            let full = std::mem::replace(&mut self.current, BytesMut::with_capacity(CHUNK));
            self.done.push(full.freeze());
        }
        let space = self.current.capacity() - self.current.len();
        let taken = bytes.len().min(space);
        self.current.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_writer_keeps_every_byte_in_pieces_of_a_fixed_size() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut writer = ChunkWriter::default();
        for part in text.chunks(7_777) {
            writer.write_all(part).unwrap();
        }
        let chunks = writer.finish();
        assert_eq!(chunks.to_bytes(), text);
        assert_eq!(chunks.len(), text.len() as u64);
        let sizes: Vec<usize> = chunks.iter().map(Bytes::len).collect();
        assert!(sizes.iter().rev().skip(1).all(|size| *size == CHUNK), "{sizes:?}");
    }

    #[test]
    fn nothing_written_is_an_empty_body() {
        let chunks = ChunkWriter::default().finish();
        assert!(chunks.is_empty());
        assert!(chunks.is_end_stream());
        assert_eq!(chunks.size_hint().exact(), Some(0));
    }
}
