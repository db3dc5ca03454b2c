//! The archive of a root of programs (`import --from-binary`), and what runs it by default.

use std::fs::File;
use std::io::{BufWriter, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use keelbox_binaries::{Entry, Identity};
use keelbox_image::Store;
use keelbox_layer::Fault;
use keelbox_layer::tar::{self, Kind, Writer};
use keelbox_spec::failure::{Code, Failure};
use serde_json::{Value, json};

use super::open::nameless;
use crate::binaries::{closure, copy_failure};

/// Bytes moved at once.
const PIECE: usize = 256 << 10;

/// A tar of the programs and what they need, in a file without a name; the first one becomes the command in `config`.
pub(super) fn archive(
    store: &Store,
    programs: &[String],
    config: &mut Value,
) -> Result<File, Failure> {
    let (programs, closure) = closure(programs)?;
    let mut writer = Writer::new(BufWriter::new(nameless(store)?));
    for (path, entry) in closure.tree.entries() {
        add(&mut writer, path, entry)?;
    }
    if let (Value::Object(config), Some(first)) = (config, programs.first()) {
        let is_set = |key: &str| config.get(key).is_some_and(|value| !value.is_null());
        if !is_set("Cmd") && !is_set("Entrypoint") {
            config.insert("Cmd".into(), json!([first.display().to_string()]));
        }
        set_path(config, &closure.path);
    }
    let buffer = writer.finish().map_err(|fault| unwritable(&fault))?;
    buffer
        .into_inner()
        .map_err(|error| copy_failure(Path::new("the archive"), error.error()))
}

/// A PATH of the caller's own stays.
fn set_path(config: &mut serde_json::Map<String, Value>, path: &str) {
    let variables = config.entry("Env").or_insert(Value::Null);
    if variables.is_null() {
        *variables = json!([]);
    }
    if let Value::Array(variables) = variables {
        let has_path = variables.iter().any(|variable| {
            variable
                .as_str()
                .is_some_and(|text| text.starts_with("PATH="))
        });
        if !has_path {
            variables.insert(0, json!(format!("PATH={path}")));
        }
    }
}

fn add(writer: &mut Writer<BufWriter<File>>, path: &Path, entry: &Entry) -> Result<(), Failure> {
    let name = path
        .strip_prefix("/")
        .unwrap_or(path)
        .as_os_str()
        .as_bytes();
    let begin = |writer: &mut Writer<_>, entry: &tar::Entry| {
        writer.entry(entry).map_err(|fault| unwritable(&fault))
    };
    match entry {
        Entry::Directory(mode) => {
            let mut head = tar::Entry::new(Kind::Directory, [name, b"/"].concat());
            head.mode = *mode;
            begin(writer, &head)
        }
        Entry::Link(target) => {
            let mut head = tar::Entry::new(Kind::SymbolicLink, name);
            head.mode = 0o777;
            head.link = target.as_os_str().as_bytes().to_vec();
            begin(writer, &head)
        }
        Entry::Text(text) => {
            let mut head = tar::Entry::new(Kind::File, name);
            head.size = u64::try_from(text.len()).unwrap_or(u64::MAX);
            head.stored = head.size;
            begin(writer, &head)?;
            writer.data(text).map_err(|fault| unwritable(&fault))
        }
        Entry::File {
            source,
            identity,
            mode,
        } => {
            let mut head = tar::Entry::new(Kind::File, name);
            head.mode = *mode;
            copy(writer, head, source, identity)
        }
    }
}

/// The file as it was when the root was put together, or a failure.
fn copy(
    writer: &mut Writer<BufWriter<File>>,
    mut head: tar::Entry,
    source: &Path,
    identity: &Identity,
) -> Result<(), Failure> {
    let fail = |error: std::io::Error| copy_failure(source, &error);
    let changed = || {
        fail(std::io::Error::other(format!(
            "{} changed while it was copied",
            source.display()
        )))
    };
    let mut file = File::open(source).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if Identity::of(&metadata) != *identity {
        return Err(changed());
    }
    head.size = metadata.len();
    head.stored = head.size;
    writer.entry(&head).map_err(|fault| unwritable(&fault))?;
    let mut buffer = vec![0; PIECE];
    let mut left = head.stored;
    while left > 0 {
        let read = file.read(&mut buffer).map_err(fail)?;
        let length = u64::try_from(read).unwrap_or(u64::MAX);
        if read == 0 || length > left {
            return Err(changed());
        }
        left -= length;
        let bytes = buffer.get(..read).unwrap_or_default();
        writer.data(bytes).map_err(|fault| unwritable(&fault))?;
    }
    if Identity::of(&file.metadata().map_err(fail)?) == *identity {
        Ok(())
    } else {
        Err(changed())
    }
}

fn unwritable(fault: &Fault) -> Failure {
    Failure::new(Code::Store, "cannot write the archive of the programs")
        .why(fault.to_string())
        .hint("make room on the store's file system, or choose another with --root")
}
