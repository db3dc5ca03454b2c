//! Reading an archive, entry by entry.

use std::io::{self, BufRead, Seek, SeekFrom};

use super::entry::{Entry, Extent, Kind, Time};
use super::header::Header;
use super::pax::Records;
use super::sparse::{self, Map};
use super::{BLOCK, BLOCK_LENGTH, padded};
use crate::{Fault, Limits};

/// The largest id: the one above it means "leave it as it is" to the kernel (CVE-2026-30892).
const LAST_ID: i64 = u32::MAX as i64 - 1;

/// An archive, and where in it we are.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    skip: fn(&mut R, u64) -> io::Result<()>,
    limits: Limits,
    /// Bytes read so far.
    position: u64,
    /// Bytes of data that the entry still has.
    left: u64,
    /// Bytes that fill its last block.
    padding: u64,
    /// What holds for every entry.
    global: Records,
    entries: u64,
    /// Bytes of all files, holes included.
    bytes: u64,
    ended: bool,
}

/// What the headers before an entry's own say of it.
#[derive(Default)]
struct Extended {
    records: Option<Records>,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Extended {
    fn is_empty(&self) -> bool {
        self.records.is_none() && self.name.is_none() && self.link.is_none()
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads from `source`, up to `limits`.
    pub fn new(source: R, limits: Limits) -> Self {
        Self::with_skip(source, limits, discard)
    }

    fn with_skip(source: R, limits: Limits, skip: fn(&mut R, u64) -> io::Result<()>) -> Self {
        Self {
            source,
            skip,
            limits,
            position: 0,
            left: 0,
            padding: 0,
            global: Records::default(),
            entries: 0,
            bytes: 0,
            ended: false,
        }
    }

    /// The next entry; what is left of the last one's data is skipped. None: the archive has ended as it should.
    ///
    /// # Errors
    ///
    /// The archive breaks a rule or a limit, has been cut short, or cannot be read. Nothing more can be read then.
    #[allow(
        clippy::should_implement_trait,
        reason = "an entry's data are read between two calls, which an iterator would not allow"
    )]
    pub fn next(&mut self) -> Result<Option<Entry>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let mut extended = Extended::default();
        loop {
            self.finish_entry()?;
            let Some(block) = self.header_block()? else {
                self.ended = true;
                return if extended.is_empty() {
                    Ok(None)
                } else {
                    Err(Fault::archive("it ends behind an extended header"))
                };
            };
            let header = Header::check(&block)?;
            match header.flag() {
                b'x' | b'X' if extended.records.is_none() => {
                    let text = self.text(&header, self.limits.header)?;
                    extended.records = Some(Records::parse(&text)?);
                }
                b'g' => {
                    let text = self.text(&header, self.limits.header)?;
                    self.global.extend_global(Records::parse(&text)?)?;
                }
                b'L' if extended.name.is_none() => extended.name = Some(self.long(&header)?),
                b'K' if extended.link.is_none() => extended.link = Some(self.long(&header)?),
                b'x' | b'X' | b'L' | b'K' => {
                    return Err(Fault::archive("two extended headers for one entry"));
                }
                // The label of a GNU archive, which is no file.
                b'V' if header.size()? == 0 => extended = Extended::default(),
                flag => return self.entry(&header, flag, extended).map(Some),
            }
        }
    }

    /// Some of the entry's data, straight from the source's buffer; nothing when there are no more. To be followed by
    /// [`Reader::consume`].
    ///
    /// # Errors
    ///
    /// The archive has been cut short, or cannot be read.
    pub fn data(&mut self) -> Result<&[u8], Fault> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let chunk = self.source.fill_buf()?;
        if chunk.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        Ok(chunk.get(..most).unwrap_or(chunk))
    }

    /// Says that so many bytes of what [`Reader::data`] answered have been used.
    pub fn consume(&mut self, bytes: usize) {
        let length = u64::try_from(bytes).unwrap_or(u64::MAX).min(self.left);
        self.left -= length;
        self.position += length;
        self.source.consume(bytes);
    }

    /// The source, for what comes behind the archive's end.
    pub fn into_inner(self) -> R {
        self.source
    }

    fn finish_entry(&mut self) -> Result<(), Fault> {
        let rest = self.left + self.padding;
        (self.left, self.padding) = (0, 0);
        if rest > 0 {
            (self.skip)(&mut self.source, rest)?;
            self.position += rest;
        }
        Ok(())
    }

    /// The next header; None: the end.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>, Fault> {
        let mut block = [0; BLOCK];
        if !self.block(&mut block)? {
            return self.end_without_mark();
        }
        if block.iter().any(|byte| *byte != 0) {
            return Ok(Some(block));
        }
        if !self.block(&mut block)? {
            return self.end_without_mark();
        }
        if block.iter().any(|byte| *byte != 0) {
            return Err(Fault::archive("a block of zeroes between its entries"));
        }
        Ok(None)
    }

    fn end_without_mark(&self) -> Result<Option<[u8; BLOCK]>, Fault> {
        if self.limits.needs_end {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(None)
    }

    /// Fills a block; false: there is nothing more.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, Fault> {
        let mut rest = &mut block[..];
        while !rest.is_empty() {
            let count = match self.source.read(rest) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if count == 0 {
                if rest.len() == BLOCK {
                    return Ok(false);
                }
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            rest = rest.get_mut(count..).unwrap_or_default();
        }
        self.position += BLOCK_LENGTH;
        Ok(true)
    }

    /// The data of an extended header.
    fn text(&mut self, header: &Header<'_>, limit: u32) -> Result<Vec<u8>, Fault> {
        let size = header.size()?;
        if size > u64::from(limit) {
            let why = format!("an extended header of {size} bytes, where {limit} are allowed");
            return Err(Fault::limit("header", why));
        }
        self.left = size;
        self.padding = padded(size) - size;
        let mut text = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        self.read_all(&mut text)?;
        Ok(text)
    }

    fn read_all(&mut self, into: &mut Vec<u8>) -> Result<(), Fault> {
        loop {
            let chunk = self.data()?;
            let count = chunk.len();
            if count == 0 {
                return Ok(());
            }
            into.extend_from_slice(chunk);
            self.consume(count);
        }
    }

    /// A GNU long name: ends at its NUL.
    fn long(&mut self, header: &Header<'_>) -> Result<Vec<u8>, Fault> {
        let mut text = self.text(header, self.limits.name.saturating_add(1))?;
        if let Some(end) = text.iter().position(|byte| *byte == 0) {
            text.truncate(end);
        }
        Ok(text)
    }

    fn entry(&mut self, header: &Header<'_>, flag: u8, extended: Extended) -> Result<Entry, Fault> {
        let records = extended.records.clone().unwrap_or_default();
        let path = name("path", &records, extended.name)?;
        let path = match records.text("GNU.sparse.name")?.or(path) {
            Some(path) => path,
            None => header.name(),
        };
        self.read_entry(header, flag, &records, extended.link, path.clone())
            .map_err(|fault| fault.on(&path))
    }

    fn read_entry(
        &mut self,
        header: &Header<'_>,
        flag: u8,
        records: &Records,
        long_link: Option<Vec<u8>>,
        path: Vec<u8>,
    ) -> Result<Entry, Fault> {
        let is_directory = path.ends_with(b"/");
        let mut entry = Entry::new(kind(flag, is_directory)?, path);
        entry.link = match name("linkpath", records, long_link)? {
            Some(link) => link,
            None => header.link(),
        };
        entry.mode = header.mode()?;
        entry.uid = self.id(records, "uid", || header.uid())?;
        entry.gid = self.id(records, "gid", || header.gid())?;
        entry.mtime = self.mtime(records, header)?;
        entry.xattrs = records.xattrs()?;
        if matches!(entry.kind, Kind::CharacterDevice | Kind::BlockDevice) {
            entry.device = header.device()?;
        }
        entry.stored = match records.number("size")? {
            Some(size) => size,
            None => header.size()?,
        };
        self.left = entry.stored;
        self.padding = padded(entry.stored) - entry.stored;
        self.sparse(&mut entry, header, flag, records)?;
        entry.position = self.position;
        self.check(&entry)?;
        Ok(entry)
    }

    fn id(
        &self,
        records: &Records,
        key: &str,
        field: impl FnOnce() -> Result<i64, Fault>,
    ) -> Result<u32, Fault> {
        let id = match records.number(key)?.or(self.global.number(key)?) {
            Some(id) => i64::try_from(id).unwrap_or(i64::MAX),
            None => field()?,
        };
        match u32::try_from(id) {
            Ok(small) if id <= LAST_ID => Ok(small),
            _ => Err(Fault::archive(format!("its {key} {id} is no id"))),
        }
    }

    fn mtime(&self, records: &Records, header: &Header<'_>) -> Result<Time, Fault> {
        match records.time("mtime")?.or(self.global.time("mtime")?) {
            Some(time) => Ok(time),
            None => header.mtime(),
        }
    }

    /// Works out size and extents, and reads what is stored of them before the data.
    fn sparse(
        &mut self,
        entry: &mut Entry,
        header: &Header<'_>,
        flag: u8,
        records: &Records,
    ) -> Result<(), Fault> {
        entry.size = entry.stored;
        let (size, extents) = match (flag, sparse::map(records)?) {
            (b'S', None) => self.old_sparse(header)?,
            (b'S', Some(_)) => return Err(Fault::archive("two sparse formats at once")),
            (_, None) => return Ok(()),
            (_, Some(_)) if entry.kind != Kind::File => {
                return Err(Fault::archive("a sparse map, and it is no file"));
            }
            (_, Some(Map::Here(size, extents))) => (size, extents),
            (_, Some(Map::InData(size))) => (size, self.sparse_map()?),
        };
        entry.stored = self.left;
        entry.size = size;
        sparse::check(&extents, size, entry.stored)?;
        entry.extents = Some(extents);
        Ok(())
    }

    /// GNU's old format: the map begins in the header and goes on in blocks that are not part of the data.
    fn old_sparse(&mut self, header: &Header<'_>) -> Result<(u64, Vec<Extent>), Fault> {
        let (size, mut extents, mut more) = header.gnu_sparse()?;
        while more {
            let mut block = [0; BLOCK];
            if !self.block(&mut block)? {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            extents.extend(sparse::old_extents(block.get(..504).unwrap_or_default())?);
            if extents.len() > sparse::MOST {
                return Err(Fault::archive("its sparse map is too long"));
            }
            more = block.get(504) != Some(&0);
        }
        Ok((size, extents))
    }

    /// Format 1.0: the map is the first blocks of the data.
    fn sparse_map(&mut self) -> Result<Vec<Extent>, Fault> {
        let mut map = Vec::new();
        let (mut lines, mut wanted) = (0, None);
        while wanted.is_none_or(|wanted| lines < wanted) {
            let mut block = [0; BLOCK];
            if self.left < BLOCK_LENGTH || !self.block(&mut block)? {
                return Err(Fault::archive("its sparse map is malformed"));
            }
            self.left -= BLOCK_LENGTH;
            lines += block.iter().filter(|byte| **byte == b'\n').count();
            map.extend_from_slice(&block);
            if wanted.is_none() {
                wanted = sparse::map_lines(&map)?;
            }
        }
        sparse::read_map(&map)
    }

    /// The limits, and the contradictions that readers settle in different ways.
    fn check(&mut self, entry: &Entry) -> Result<(), Fault> {
        if entry.kind != Kind::File && entry.stored != 0 {
            // GNU tar skips such data, Go's reader takes them for the next header, libarchive guesses.
            return Err(Fault::archive("it has data, and it is no file"));
        }
        if entry.path.is_empty() {
            return Err(Fault::archive("an entry without a name"));
        }
        let is_link = matches!(entry.kind, Kind::HardLink | Kind::SymbolicLink);
        if is_link && entry.link.is_empty() {
            return Err(Fault::archive("a link to nowhere"));
        }
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(entry.size);
        let limits = &self.limits;
        let within = |limit, length: usize, most: u32| {
            if u32::try_from(length).is_ok_and(|length| length <= most) {
                return Ok(());
            }
            Err(Fault::limit(limit, format!("more than {most} {limit}")))
        };
        let names = entry.path.split(|byte| *byte == b'/');
        let depth = names.filter(|name| !name.is_empty()).count();
        within("name", entry.path.len().max(entry.link.len()), limits.name).map_err(|_| {
            Fault::limit("name", format!("a name of more than {} bytes", limits.name))
        })?;
        within("depth", depth.saturating_sub(1), limits.depth).map_err(|_| {
            Fault::limit(
                "depth",
                format!("it lies below more than {} directories", limits.depth),
            )
        })?;
        if self.entries > limits.entries {
            let why = format!("it has more than {} entries", limits.entries);
            return Err(Fault::limit("entries", why));
        }
        if self.bytes > limits.bytes {
            let why = format!("its files have more than {} bytes", limits.bytes);
            return Err(Fault::limit("bytes", why));
        }
        Ok(())
    }
}

impl<R: BufRead + Seek> Reader<R> {
    /// Reads from a file, and seeks over what nobody asks for.
    pub fn seekable(source: R, limits: Limits) -> Self {
        Self::with_skip(source, limits, seek)
    }
}

fn discard<R: BufRead>(source: &mut R, mut bytes: u64) -> io::Result<()> {
    while bytes > 0 {
        let chunk = source.fill_buf()?.len();
        if chunk == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let count = chunk.min(usize::try_from(bytes).unwrap_or(chunk));
        source.consume(count);
        bytes -= u64::try_from(count).unwrap_or(bytes);
    }
    Ok(())
}

/// Seeking knows no end of a file, so the last byte is read: an archive that was cut short must not look whole.
fn seek<R: BufRead + Seek>(source: &mut R, bytes: u64) -> io::Result<()> {
    let Some(before) = bytes.checked_sub(1) else {
        return Ok(());
    };
    let before = i64::try_from(before).map_err(|_| io::ErrorKind::UnexpectedEof)?;
    source.seek(SeekFrom::Current(before))?;
    discard(source, 1)
}

/// A name by its record or by GNU's long header. An archive may have both, but not two different names.
fn name(key: &str, records: &Records, long: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Fault> {
    match (records.text(key)?, long) {
        (Some(name), Some(long)) if name != long => Err(Fault::archive("two names for one entry")),
        (name, long) => Ok(name.or(long)),
    }
}

/// A name that ends in a slash is a directory: archives from before POSIX had no other way to say so.
fn kind(flag: u8, is_directory: bool) -> Result<Kind, Fault> {
    match flag {
        0 | b'0' if is_directory => Ok(Kind::Directory),
        0 | b'0' | b'7' | b'S' => Ok(Kind::File),
        b'1' => Ok(Kind::HardLink),
        b'2' => Ok(Kind::SymbolicLink),
        b'3' => Ok(Kind::CharacterDevice),
        b'4' => Ok(Kind::BlockDevice),
        b'5' => Ok(Kind::Directory),
        b'6' => Ok(Kind::Fifo),
        flag => {
            let flag = flag.escape_ascii();
            Err(Fault::archive(format!(
                "its type '{flag}' is none that keelbox knows"
            )))
        }
    }
}
