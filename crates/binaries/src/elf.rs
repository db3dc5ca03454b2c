//! What an ELF file says about its loader and libraries (elf(5), the System V ABI's "Dynamic Section").
//!
//! Everything read is bounded: a file may say anything about itself.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;

const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_FLAGS_1: u64 = 0x6fff_fffb;

/// The default directories are not for this object.
const DF_1_NODEFLIB: u64 = 0x800;

/// Longer than `PATH_MAX`; a list of directories may be.
const LONGEST_TEXT: usize = 16 << 10;
const MOST_DYNAMIC: u64 = 1 << 20;
const MOST_HEADERS: u64 = 4096;

/// The kind of machine a file is for: `e_machine` and the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Machine {
    pub(crate) number: u16,
    pub(crate) is_64: bool,
}

/// An object that can be executed or loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Elf {
    pub(crate) machine: Option<Machine>,
    /// The dynamic loader that the kernel starts for it.
    pub(crate) interpreter: Option<String>,
    /// Names of libraries, in order.
    pub(crate) needed: Vec<String>,
    /// Directories, separated by colons.
    pub(crate) rpath: Option<String>,
    /// The same, which replaces `rpath` where both are given.
    pub(crate) runpath: Option<String>,
    pub(crate) no_default: bool,
}

/// Why a file could not be read as ELF.
#[derive(Debug)]
pub(crate) enum Unread {
    Io(io::Error),
    /// It does not begin with `\x7fELF`.
    NotElf,
    /// It does, and is damaged or of a kind that no machine of ours runs.
    Broken(&'static str),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Broken("it ends in the middle of its own headers");
        }
        Self::Io(error)
    }
}

/// Reads the headers of a file.
pub(crate) fn read(path: &Path) -> Result<Elf, Unread> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Unread::NotElf);
    }
    let mut magic = [0; 4];
    match file.read_exact_at(&mut magic, 0) {
        Ok(()) if magic == *b"\x7fELF" => Reader::new(&file)?.elf(),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error.into()),
        _ => Err(Unread::NotElf),
    }
}

/// A program header: type, offset, address, size in the file.
#[derive(Clone, Copy)]
struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

struct Reader<'a> {
    file: &'a File,
    machine: Machine,
}

impl<'a> Reader<'a> {
    fn new(file: &'a File) -> Result<Self, Unread> {
        let mut ident = [0; 20];
        file.read_exact_at(&mut ident, 0)?;
        let is_64 = match ident[4] {
            1 => false,
            2 => true,
            _ => return Err(Unread::Broken("its class is neither 32 nor 64 bits")),
        };
        if ident[5] != 1 {
            return Err(Unread::Broken("it is for a big-endian machine"));
        }
        let number = u16::from_le_bytes([ident[18], ident[19]]);
        let machine = Machine { number, is_64 };
        Ok(Self { file, machine })
    }

    fn elf(&self) -> Result<Elf, Unread> {
        let segments = self.segments()?;
        let mut elf = Elf {
            machine: Some(self.machine),
            ..Elf::default()
        };
        if let Some(interp) = segments.iter().find(|segment| segment.kind == PT_INTERP) {
            elf.interpreter = Some(self.text(interp.offset)?);
        }
        if let Some(dynamic) = segments.iter().find(|segment| segment.kind == PT_DYNAMIC) {
            self.dynamic(dynamic, &segments, &mut elf)?;
        }
        Ok(elf)
    }

    fn segments(&self) -> Result<Vec<Segment>, Unread> {
        let (table, size_at, count_at) = if self.machine.is_64 {
            (self.word(32)?, 54, 56)
        } else {
            (self.word(28)?, 42, 44)
        };
        let (size, count) = (self.number(size_at, 2)?, self.number(count_at, 2)?);
        if count > MOST_HEADERS {
            return Err(Unread::Broken("it has too many program headers"));
        }
        let at = |index: u64| {
            table
                .checked_add(index * size)
                .ok_or(Unread::Broken("its program headers lie beyond its end"))
        };
        (0..count).map(|index| self.segment(at(index)?)).collect()
    }

    fn segment(&self, at: u64) -> Result<Segment, Unread> {
        let at = |offset: u64| at.saturating_add(offset);
        let (offset, address, size) = if self.machine.is_64 {
            (8, 16, 32)
        } else {
            (4, 8, 16)
        };
        Ok(Segment {
            kind: self.number(at(0), 4)?,
            offset: self.word(at(offset))?,
            address: self.word(at(address))?,
            size: self.word(at(size))?,
        })
    }

    fn dynamic(&self, segment: &Segment, all: &[Segment], elf: &mut Elf) -> Result<(), Unread> {
        let width = if self.machine.is_64 { 8 } else { 4 };
        let count = segment.size.min(MOST_DYNAMIC) / (2 * width);
        let mut tags = Vec::new();
        for index in 0..count {
            let at = segment.offset.saturating_add(index * 2 * width);
            let tag = self.word(at)?;
            if tag == 0 {
                break;
            }
            tags.push((tag, self.word(at.saturating_add(width))?));
        }
        let Some((_, address)) = tags.iter().find(|(tag, _)| *tag == DT_STRTAB) else {
            return Ok(());
        };
        let texts = file_offset(*address, all)
            .ok_or(Unread::Broken("its strings lie outside of the file"))?;
        for (tag, value) in tags {
            let text = || self.text(texts.saturating_add(value));
            match tag {
                DT_NEEDED => elf.needed.push(text()?),
                DT_RPATH => elf.rpath = Some(text()?),
                DT_RUNPATH => elf.runpath = Some(text()?),
                DT_FLAGS_1 => elf.no_default = value & DF_1_NODEFLIB != 0,
                _ => {}
            }
        }
        Ok(())
    }

    /// An address or offset of the file's class.
    fn word(&self, at: u64) -> Result<u64, Unread> {
        self.number(at, if self.machine.is_64 { 8 } else { 4 })
    }

    fn number(&self, at: u64, width: usize) -> Result<u64, Unread> {
        let mut bytes = [0; 8];
        let part = bytes.get_mut(..width).ok_or(Unread::NotElf)?;
        self.file.read_exact_at(part, at)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn text(&self, at: u64) -> Result<String, Unread> {
        let mut bytes = vec![0; LONGEST_TEXT];
        let length = self.file.read_at(&mut bytes, at)?;
        let text = bytes.get(..length).unwrap_or_default();
        let end = text.iter().position(|byte| *byte == 0);
        let text = end.and_then(|end| text.get(..end));
        let text = text.ok_or(Unread::Broken("a name in it has no end"))?;
        String::from_utf8(text.to_vec()).map_err(|_| Unread::Broken("a name in it is not UTF-8"))
    }
}

fn file_offset(address: u64, segments: &[Segment]) -> Option<u64> {
    let holder = segments.iter().find(|segment| {
        segment.kind == PT_LOAD
            && address
                .checked_sub(segment.address)
                .is_some_and(|inside| inside < segment.size)
    })?;
    holder.offset.checked_add(address - holder.address)
}
