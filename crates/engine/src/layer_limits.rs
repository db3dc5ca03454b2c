//! What an archive may ask of this machine, as far as the user has a say in it: `KEELBOX_LAYER_LIMITS`.

use keelbox_layer::Limits;
use keelbox_spec::failure::{Code, Failure};

const VARIABLE: &str = "KEELBOX_LAYER_LIMITS";

/// The limits: the defaults, with what `KEELBOX_LAYER_LIMITS` changes, e.g. `bytes=200g,ratio=2000`.
///
/// # Errors
///
/// A limit that there is not, or a number that is none.
pub(crate) fn of_caller() -> Result<Limits, Failure> {
    match std::env::var(VARIABLE) {
        Ok(text) => parse(&text),
        Err(_) => Ok(Limits::default()),
    }
}

fn parse(text: &str) -> Result<Limits, Failure> {
    let mut limits = Limits::default();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        set(&mut limits, part).ok_or_else(|| {
            Failure::new(
                Code::InvalidArg,
                format!("{VARIABLE} has {part:?}, which is no limit"),
            )
            .hint(
                "write entries=, bytes=, ratio= or depth= and a number, with k, m, g or t if it is large, and commas between",
            )
        })?;
    }
    Ok(limits)
}

fn set(limits: &mut Limits, part: &str) -> Option<()> {
    let (name, number) = part.split_once('=')?;
    let number = quantity(number)?;
    match name {
        "entries" => limits.entries = number,
        "bytes" => limits.bytes = number,
        "ratio" => limits.ratio = number,
        // Each is an open directory of the process that unpacks.
        "depth" => {
            limits.depth = u32::try_from(number)
                .ok()
                .filter(|depth| *depth <= 10_000)?
        }
        _ => return None,
    }
    Some(())
}

/// A number with `k`, `m`, `g` or `t` for powers of 1024.
fn quantity(text: &str) -> Option<u64> {
    let (digits, power) = match text.bytes().last()?.to_ascii_lowercase() {
        b'k' => (text.get(..text.len() - 1)?, 1),
        b'm' => (text.get(..text.len() - 1)?, 2),
        b'g' => (text.get(..text.len() - 1)?, 3),
        b't' => (text.get(..text.len() - 1)?, 4),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(1 << (10 * power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        let limits = parse("bytes=2g,ratio=1000,").unwrap();
        assert_eq!((limits.bytes, limits.ratio), (2 << 30, 1000));
        assert_eq!(limits.entries, Limits::default().entries);
    }

    #[test]
    fn other_words_are_refused() {
        for text in [
            "bytes",
            "bytes=",
            "bytes=x",
            "speed=1",
            "depth=1g",
            "bytes=999999999t",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
