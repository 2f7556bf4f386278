//! Buffers that are used again: under load one answer is written where the last one stood, which is still near the processor.

use std::cell::RefCell;
use std::mem;

use bytes::Bytes;

/// What `write` writes, in a buffer of this thread that is spare. It is spare again, for the thread that drops it, once it is sent.
pub(crate) fn written<E>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Bytes, E> {
    let mut buffer = Buffer(SPARE.with_borrow_mut(Vec::pop).unwrap_or_default());
    write(&mut buffer.0)?;
    Ok(Bytes::from_owner(buffer))
}

struct Buffer(Vec<u8>);

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut buffer = mem::take(&mut self.0);
        if buffer.capacity() > MAX_BYTES {
            return;
        }
        buffer.clear();
        // At the end of a thread there are none any more.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MAX_SPARE {
                spare.push(buffer);
            }
        });
    }
}

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Together a thread keeps at most half a megabyte.
const MAX_SPARE: usize = 32;
const MAX_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn write(bytes: &[u8]) -> Bytes {
        let written = written(|out| {
            out.extend_from_slice(bytes);
            Ok::<_, ()>(())
        });
        written.unwrap()
    }

    #[test]
    fn a_buffer_is_used_again_when_nobody_reads_it_any_more() {
        let (first, second) = (write(b"first"), write(b"second"));
        assert_eq!((&first[..], &second[..]), (&b"first"[..], &b"second"[..]));
        let (place, part) = (first.as_ptr(), first.slice(1..));
        drop(first);
        assert_ne!(write(b"third").as_ptr(), place);
        assert_eq!(part, "irst");
        drop(part);
        let fourth = write(b"4");
        assert_eq!((&fourth[..], fourth.as_ptr()), (&b"4"[..], place));
    }

    #[test]
    fn large_and_many_buffers_are_not_kept() {
        drop(write(&[0; MAX_BYTES + 1]));
        assert_eq!(SPARE.with_borrow(Vec::len), 0);
        drop((0..100).map(|_| write(b"one")).collect::<Vec<_>>());
        assert_eq!(SPARE.with_borrow(Vec::len), MAX_SPARE);
    }
}
