//! Forms that Julia prints and does not read back as what they were.
//!
//! The printed forms are those of `jl_static_show` (`src/rtutils.c`, read for 1.10 and 1.12). On Julia 1.5.3 they were printed by
//! it for such types, and what `julia/replay.jl` builds of the repaired forms was found to be those types (`NaN32` was not tried).
//! What prints like something else cannot be repaired: `Val{Int8(3)}` prints as `Val{3}`, which is another type, and
//! a float prints with six digits.

/// A number that reads back as itself; `None` when it already does. A `Float32` prints with `f` after it: `1.5f`, `2e+30f`.
pub(super) fn number(text: &str) -> Option<String> {
    let digits = text.strip_suffix('f').filter(|_| !text.starts_with("0x"))?;
    Some(if digits.contains('e') { digits.replace('e', "f") } else { format!("{digits}f0") })
}

/// C's names for what is no finite number. (Only where a value stands; a type variable of this name would be mistaken.)
pub(super) fn special_number(name: &str) -> Option<&'static str> {
    Some(match name {
        "inf" => "Base.Inf",
        "nan" => "Base.NaN",
        "inff" => "Base.Inf32",
        "nanf" => "Base.NaN32",
        _ => return None,
    })
}

/// `Char(0x79000000)`: every primitive value that has no notation of its own (`Float16`, `Int128`, enums) prints as its bits,
/// which its constructor takes for a number; `reinterpret(Char, 0x79000000)` is what was meant. Whether `text` is such bits.
pub(super) fn is_bits(text: &str) -> bool {
    text.starts_with("0x")
}

/// A symbol whose text between `Symbol("` and `")` is printed as it is; `None` when that reads back.
pub(super) fn raw_symbol(content: &str) -> Option<String> {
    content.contains(['\\', '"', '$']).then(|| escaped_symbol(content))
}

/// A symbol printed as `:name`; `None` when that reads back. Operators come as `:=`, `::` (for `:(:)`) or `:.+`.
pub(super) fn colon_symbol(text: &str) -> Option<String> {
    let name = &text[1..];
    let literal = matches!(name, "true" | "false");
    let operator = !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii())
        && !name.starts_with('(');
    (literal || operator).then(|| escaped_symbol(name))
}

/// `Core.Symbol("…")`, a form that Julia itself never prints and that is escaped as strings are.
fn escaped_symbol(content: &str) -> String {
    let mut escaped = String::from("Core.Symbol(\"");
    for c in content.chars() {
        if matches!(c, '\\' | '"' | '$') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped.push_str("\")");
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float32_keeps_its_type() {
        assert_eq!(number("1.5f").as_deref(), Some("1.5f0"));
        assert_eq!(number("2e+30f").as_deref(), Some("2f+30"));
        assert_eq!(number("0x0f"), None);
        assert_eq!(number("17"), None);
    }

    #[test]
    fn symbols_are_escaped_once() {
        assert_eq!(raw_symbol("yyyy-mm"), None);
        assert_eq!(raw_symbol(r#"a"b\$"#).as_deref(), Some(r#"Core.Symbol("a\"b\\\$")"#));
        assert_eq!(colon_symbol(":a"), None);
        assert_eq!(colon_symbol(":(+)"), None);
        assert_eq!(colon_symbol("::").as_deref(), Some(r#"Core.Symbol(":")"#));
        assert_eq!(colon_symbol(":\\").as_deref(), Some(r#"Core.Symbol("\\")"#));
    }
}
