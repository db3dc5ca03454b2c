//! What an archive's file has, by name.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Seek};
use std::sync::Arc;

use keelbox_layer::Limits;
use keelbox_layer::tar::{Kind, Reader};
use keelbox_spec::failure::Failure;

use crate::failures::invalid;
use crate::source::{Entry, Source};

/// Far above what archives of images have: some files for each layer.
const ENTRY_LIMIT: u64 = 100_000;
/// Bytes of all files: an archive is a file that is there, so this only keeps numbers from overflowing.
const BYTE_LIMIT: u64 = 1 << 50;

/// Reads the names of an archive; its data are left where they are.
///
/// # Errors
///
/// It is no tar archive, has been cut short, or has two files of one name.
pub fn index(mut file: File) -> Result<Source, Failure> {
    let bad = |why: String| invalid("the archive cannot be read").why(why);
    // It may have just been written.
    file.rewind().map_err(|error| bad(error.to_string()))?;
    let total = file
        .metadata()
        .map_err(|error| bad(error.to_string()))?
        .len();
    let file = Arc::new(file);
    let limits = Limits {
        entries: ENTRY_LIMIT,
        bytes: BYTE_LIMIT,
        ..Limits::default()
    };
    let mut reader = Reader::seekable(BufReader::new(&*file), limits);
    let mut entries = HashMap::new();
    while let Some(found) = reader.next().map_err(|fault| bad(fault.to_string()))? {
        let Ok(path) = String::from_utf8(found.path) else {
            continue;
        };
        let name = path.trim_start_matches("./").to_owned();
        let entry = match found.kind {
            Kind::File if found.extents.is_none() => Entry::File {
                offset: found.position,
                length: found.size,
            },
            Kind::SymbolicLink => Entry::Link(String::from_utf8_lossy(&found.link).into_owned()),
            _ => continue,
        };
        if found.position.saturating_add(found.size) > total {
            return Err(bad("it has been cut short".into()));
        }
        // Which of the two is meant would depend on the reader (CVE-2025-62518).
        if entries.insert(name.clone(), entry).is_some() {
            return Err(bad(format!("it has {name:?} twice")));
        }
    }
    Ok(Source::Archive { file, entries })
}
