//! The walk over the blocks of a tar. The `tar` crate decodes the fields; the walk is ours, because its iterator
//! resolves extended headers by itself and would not let us see, and refuse, those that contradict each other.

use bytes::Bytes;
use tar::{EntryType, Header};

use super::names::{Names, normalise, unsafe_entry};
use super::pax::{self, PaxProblem};
use super::{PackFile, looks_like};
use crate::limits::{Limits, within};
use crate::refusal::Refusal;

const BLOCK: usize = 512;

/// Long names and PAX records have no reason to be larger; the path limit is far below.
const MAX_EXTENSION_BYTES: usize = 64 << 10;

/// The regular files, in the archive's order, as slices of `archive`.
pub(super) fn read(archive: &Bytes, limits: &Limits) -> Result<Vec<PackFile>, Refusal> {
    within("max_unpacked_bytes", limits.max_unpacked_bytes, archive.len())?;
    not_a_tar(archive)?;
    let mut walk = Walk {
        archive,
        limits,
        position: 0,
        entries: 0,
        names: Names::default(),
        override_: None,
    };
    let mut files = Vec::new();
    while let Some(file) = walk.next_file()? {
        files.push(file);
    }
    Ok(files)
}

/// A first block that is neither a header nor the end mark: somebody sent something else.
fn not_a_tar(archive: &Bytes) -> Result<(), Refusal> {
    let is_tar = archive
        .get(..BLOCK)
        .is_some_and(|block| is_zero(block) || checksum_holds(block));
    if is_tar {
        return Ok(());
    }
    let why = format!(
        "expected a tar or tar.gz, found {} ({} bytes)",
        looks_like(archive),
        archive.len()
    );
    Err(Refusal::NotAPack { why })
}

/// An extended header waiting for the entry that it belongs to.
#[derive(Default)]
struct Override {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

struct Walk<'a> {
    archive: &'a Bytes,
    limits: &'a Limits,
    position: usize,
    entries: usize,
    names: Names,
    override_: Option<Override>,
}

impl Walk<'_> {
    fn next_file(&mut self) -> Result<Option<PackFile>, Refusal> {
        loop {
            let at = self.position;
            let archive = self.archive;
            let Some(block) = archive.get(at..at + BLOCK) else {
                return Err(malformed(
                    at,
                    "the archive is cut off: expected a header or the end mark",
                ));
            };
            if is_zero(block) {
                self.end(at)?;
                return Ok(None);
            }
            let header = Header::from_byte_slice(block);
            check_header(header, at)?;
            let size = size_field(&header.as_old().size).ok_or_else(|| malformed(at, "the size is not a number"))?;
            let body = self.body(at, size)?;
            let kind = header.entry_type();
            match kind {
                EntryType::GNULongName => self.long_name(at, &body)?,
                EntryType::XHeader => self.pax(at, &body)?,
                EntryType::XGlobalHeader => {
                    self.count()?;
                    if self.override_.is_some() {
                        return Err(malformed(at, "a global header stands between a file and its own"));
                    }
                    pax::global(&body).map_err(|problem| refuse_pax(at, b"", problem))?;
                }
                _ => {
                    self.count()?;
                    if let Some(file) = self.entry(at, header, size, body)? {
                        return Ok(Some(file));
                    }
                }
            }
        }
    }

    fn count(&mut self) -> Result<(), Refusal> {
        self.entries += 1;
        within("max_entries", self.limits.max_entries, self.entries)
    }

    /// The body of the header at `at`; moves on to the next header.
    fn body(&mut self, at: usize, size: u64) -> Result<Bytes, Refusal> {
        let cut = || malformed(at, "the archive is cut off: it ends inside a file");
        let start = at + BLOCK;
        let size = usize::try_from(size).map_err(|_| cut())?;
        let end = start.checked_add(size).ok_or_else(cut)?;
        let padded = end.checked_next_multiple_of(BLOCK).ok_or_else(cut)?;
        if padded > self.archive.len() {
            return Err(cut());
        }
        self.position = padded;
        Ok(self.archive.slice(start..end))
    }

    fn long_name(&mut self, at: usize, body: &[u8]) -> Result<(), Refusal> {
        let name = body.strip_suffix(b"\0").unwrap_or(body);
        if name.is_empty() {
            return Err(malformed(at, "the long name is empty"));
        }
        self.set_override(
            at,
            body.len(),
            Override {
                path: Some(name.to_vec()),
                size: None,
            },
        )
    }

    fn pax(&mut self, at: usize, body: &[u8]) -> Result<(), Refusal> {
        within("max_extension_bytes", MAX_EXTENSION_BYTES, body.len())?;
        let found = pax::local(body).map_err(|problem| refuse_pax(at, b"", problem))?;
        self.set_override(
            at,
            body.len(),
            Override {
                path: found.path,
                size: found.size,
            },
        )
    }

    fn set_override(&mut self, at: usize, length: usize, found: Override) -> Result<(), Refusal> {
        within("max_extension_bytes", MAX_EXTENSION_BYTES, length)?;
        if self.override_.replace(found).is_some() {
            return Err(malformed(at, "two extended headers stand before one file"));
        }
        Ok(())
    }

    fn entry(&mut self, at: usize, header: &Header, size: u64, body: Bytes) -> Result<Option<PackFile>, Refusal> {
        let own = self.override_.take().unwrap_or_default();
        let raw = match own.path {
            Some(path) => path,
            None => header_name(header).ok_or_else(|| malformed(at, "a name field has bytes after its end"))?,
        };
        if own.size.is_some_and(|stated| stated != size) {
            return Err(unsafe_entry(
                &raw,
                "the PAX record \"size\" and the header's size disagree",
            ));
        }
        let path = match header.entry_type() {
            EntryType::Directory if size > 0 => return Err(unsafe_entry(&raw, "the directory has content")),
            EntryType::Directory => return self.directory(&raw).map(|()| None),
            // The oldest format has no type for directories: a name that ends in a slash is one.
            EntryType::Regular if raw.ends_with(b"/") && header.as_old().linkflag == [0] && size == 0 => {
                return self.directory(&raw).map(|()| None);
            }
            EntryType::Regular if raw.ends_with(b"/") => {
                return Err(unsafe_entry(&raw, "a file's name ends in a slash"));
            }
            EntryType::Regular => normalise(&raw, self.limits)?,
            kind => return Err(unsafe_entry(&raw, &describe(kind))),
        };
        if path.is_empty() {
            return Err(unsafe_entry(&raw, "the file has no name"));
        }
        self.names.file(&path).map_err(|why| unsafe_entry(&raw, &why))?;
        Ok(Some(PackFile { path, bytes: body }))
    }

    fn directory(&mut self, raw: &[u8]) -> Result<(), Refusal> {
        let path = normalise(raw, self.limits)?;
        self.names.directory(&path).map_err(|why| unsafe_entry(raw, &why))
    }

    /// One zero block is the least end mark (POSIX wants two, and `tar` pads to ten KiB). Without any, an archive
    /// that was cut between two files would look whole.
    fn end(&self, at: usize) -> Result<(), Refusal> {
        if self.override_.is_some() {
            return Err(malformed(at, "the archive ends after an extended header"));
        }
        if !self.archive.get(at..).is_none_or(is_zero) {
            return Err(malformed(at, "there is data after the end mark"));
        }
        Ok(())
    }
}

fn malformed(at: usize, why: &str) -> Refusal {
    Refusal::ArchiveMalformed {
        why: format!("{why} (header at byte {at})"),
    }
}

fn refuse_pax(at: usize, name: &[u8], problem: PaxProblem) -> Refusal {
    match problem {
        PaxProblem::Malformed(why) => malformed(at, &format!("a PAX header cannot be read: {why}")),
        PaxProblem::Forbidden(why) => unsafe_entry(name, &format!("{why} (header at byte {at})")),
    }
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// The checksum is the sum of all bytes with its own field read as spaces.
fn checksum_holds(block: &[u8]) -> bool {
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let field: u32 = block.iter().skip(148).take(8).map(|byte| u32::from(*byte)).sum();
    Header::from_byte_slice(block)
        .cksum()
        .is_ok_and(|stated| stated == sum - field + 8 * u32::from(b' '))
}

fn check_header(header: &Header, at: usize) -> Result<(), Refusal> {
    let block = header.as_bytes();
    if !checksum_holds(block) {
        return Err(malformed(at, "the header's checksum is wrong"));
    }
    // POSIX, GNU, or the oldest format, which has nothing there. With anything else programs differ in whether the
    // prefix is part of the name.
    let magic = block.get(257..265).unwrap_or_default();
    if magic != b"ustar\x0000" && magic != b"ustar  \0" && !is_zero(magic) {
        return Err(malformed(at, "the header is of an unknown tar format"));
    }
    Ok(())
}

/// Octal digits, or GNU's binary form. Signs and other inventions are not numbers.
fn size_field(field: &[u8; 12]) -> Option<u64> {
    if let [0x80, 0, 0, 0, rest @ ..] = field {
        return Some(u64::from_be_bytes(*rest));
    }
    let text = field.trim_ascii_start();
    let digits = text
        .iter()
        .position(|byte| matches!(byte, 0 | b' '))
        .map_or(text, |end| text.split_at(end).0);
    let rest = text.get(digits.len()..)?;
    if digits.is_empty() || !rest.iter().all(|byte| matches!(byte, 0 | b' ')) {
        return None;
    }
    digits.iter().try_fold(0, |size: u64, digit| {
        let value = digit.checked_sub(b'0').filter(|value| *value < 8)?;
        size.checked_mul(8)?.checked_add(u64::from(value))
    })
}

/// The name from the header's own fields; `None` if bytes hide behind a field's end.
fn header_name(header: &Header) -> Option<Vec<u8>> {
    let name = field(&header.as_old().name)?;
    let Some(ustar) = header.as_ustar() else {
        return Some(name.to_vec());
    };
    let prefix = field(&ustar.prefix)?;
    if prefix.is_empty() {
        return Some(name.to_vec());
    }
    Some([prefix, b"/", name].concat())
}

fn field(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, rest) = bytes.split_at_checked(end)?;
    is_zero(rest).then_some(text)
}

fn describe(kind: EntryType) -> String {
    let what = match kind {
        EntryType::Link | EntryType::Symlink | EntryType::GNULongLink => "a link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a FIFO",
        EntryType::GNUSparse => "a sparse file",
        kind => {
            return format!(
                "a pack has files and directories only, and this is of type {:?}",
                char::from(kind.as_byte())
            );
        }
    };
    format!("a pack has files and directories only, and this is {what}")
}
