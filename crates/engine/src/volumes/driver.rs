//! The driver `local`: what a volume consists of, by its options.

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::plan::VolumeKind;
use keelbox_spec::request::VolumeSettings;

/// What the options of a volume come to.
///
/// # Errors
///
/// Options that there are not, that contradict each other, or that need a mount on the host.
pub(super) fn kind(name: &str, settings: &VolumeSettings) -> Result<VolumeKind, Failure> {
    let refuse = |why: String, hint: &str| {
        Err(Failure::new(
            Code::InvalidArg,
            format!("cannot make the volume {name} so"),
        )
        .why(why)
        .hint(hint))
    };
    let known = ["type", "device", "o"];
    if let Some(key) = settings
        .options
        .keys()
        .find(|key| !known.contains(&key.as_str()))
    {
        return refuse(
            format!("the driver local has no option {key:?}"),
            "use type, device and o",
        );
    }
    let get = |key: &str| {
        let value = settings.options.get(key).map(String::as_str);
        value.filter(|value| !value.is_empty())
    };
    let (device, words) = (get("device"), get("o").unwrap_or_default());
    let is_bind = words
        .split(',')
        .any(|word| matches!(word, "bind" | "rbind"));
    match get("type").unwrap_or("none") {
        "tmpfs" => Ok(VolumeKind::Tmpfs(words.to_owned())),
        "none" | "bind" if is_bind => match device.filter(|device| device.starts_with('/')) {
            Some(device) => {
                let others = |word: &&str| !matches!(*word, "bind" | "rbind" | "rw" | "ro" | "");
                if let Some(other) = words.split(',').find(others) {
                    return refuse(
                        format!("o={other} is not for a bind"),
                        "use o=bind or o=bind,ro",
                    );
                }
                let read_only = words.split(',').any(|word| word == "ro");
                Ok(VolumeKind::Bind(device.to_owned(), read_only))
            }
            None => refuse(
                "o=bind needs device=, an absolute path".to_owned(),
                "add -o device=/path",
            ),
        },
        "none" if device.is_none() && words.is_empty() => Ok(VolumeKind::Directory),
        "none" | "bind" => refuse(
            "device= and o= mean something with o=bind or type=tmpfs only".to_owned(),
            "add o=bind, or leave them out",
        ),
        other => refuse(
            format!(
                "type={other} would have to be mounted on this machine, and no daemon is there to keep it so"
            ),
            "mount it yourself, and use -o type=none -o o=bind -o device=/where/it/is",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: &[(&str, &str)]) -> Result<VolumeKind, Failure> {
        let options = options
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()));
        let settings = VolumeSettings {
            options: options.collect(),
            ..VolumeSettings::default()
        };
        kind("v1", &settings)
    }

    #[test]
    fn a_volume_is_a_directory_memory_or_a_bind() {
        assert_eq!(of(&[]).unwrap(), VolumeKind::Directory);
        let memory = of(&[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m")]);
        assert_eq!(memory.unwrap(), VolumeKind::Tmpfs("size=1m".into()));
        let bind = of(&[("type", "none"), ("o", "bind,ro"), ("device", "/d")]);
        assert_eq!(bind.unwrap(), VolumeKind::Bind("/d".into(), true));
    }

    #[test]
    fn what_needs_a_mount_on_the_host_is_refused() {
        for bad in [
            &[("type", "nfs"), ("device", ":/x")][..],
            &[("device", "/x")],
            &[("o", "bind")],
            &[("o", "bind"), ("device", "x")],
            &[("o", "bind,uid=1"), ("device", "/x")],
            &[("size", "1")],
        ] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }
}
