//! One precompile statement.

use std::borrow::Cow;

use super::modules::Rank;
use super::reader::Reader;
use super::{DropReason, Modules, Owner};

use crate::uuid::Uuid;

/// One line's `precompile(Tuple{…})`, in a form that another process can replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<'line> {
    text: Cow<'line, str>,
    owner: Owner,
    mentioned: Vec<Uuid>,
    recompiled: bool,
}

impl<'line> Statement<'line> {
    /// Reads a line of a trace or of a statements file.
    ///
    /// The form is what `record_precompile_statement` (`src/gf.c` in Julia's sources) writes: since 1.12 a comment may
    /// stand before (`#=   12.3 ms =#`, with `--trace-compile-timing`) and after (`# recompile`).
    ///
    /// Numbered names of loaded modules stay. A closure (`Dates.var"#12#13"`), a keyword argument body
    /// (`Dates.var"##f#747"`) and a keyword sorter (`Dates.var"#f##kw"`) are counted by their own module while it is lowered, so
    /// on 1.5.3 a package has the same ones whether it comes from its cache file, from a new one or from source, and
    /// whatever was loaded before. A generated function's body (`Dates.var"##s827#36"`) is also counted by the process: it is
    /// found again when the package comes from its cache file or image, and else is one statement that throws.
    ///
    /// # Errors
    ///
    /// Why another process cannot replay it.
    pub fn parse(line: &'line str, modules: &Modules) -> Result<Self, DropReason> {
        let read = Reader::new(line, modules).read()?;
        let after = &line[read.range.end..];
        let last_mentioned = read.packages.last().map_or(Rank::Base, |&p| Rank::Package(p));
        Ok(Self {
            owner: modules.owner(match read.called {
                Rank::Base => last_mentioned,
                package => package,
            }),
            mentioned: read.packages.iter().map(|&p| modules.package(p)).collect(),
            recompiled: after.trim_start().starts_with("# recompile"),
            text: read.edits.apply(line, read.range),
        })
    }

    /// `precompile(Tuple{…})`, without comments, repaired where that was needed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The package that the statement belongs to: the one whose function or type is called; when that is none of the
    /// environment's, the last-loaded one that it mentions.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Whether the statement cannot be replayed without this package.
    pub fn mentions(&self, package: Uuid) -> bool {
        self.mentioned.contains(&package)
    }

    /// Every package that the statement cannot be replayed without, in dependency order.
    pub fn mentioned(&self) -> &[Uuid] {
        &self.mentioned
    }

    /// Whether Julia had compiled this before and had to do it again, because loading something invalidated it
    /// (`# recompile`, since 1.12).
    pub fn recompiled(&self) -> bool {
        self.recompiled
    }

    /// Whether the line printed in a form that does not read back, and was mended.
    pub fn repaired(&self) -> bool {
        matches!(self.text, Cow::Owned(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::LoadedModule;

    const DATES: &str = "00000000-0000-0000-0000-000000000001";
    const FRAMES: &str = "00000000-0000-0000-0000-000000000002";

    fn modules() -> Modules {
        let package =
            |name: &str, uuid: &str| LoadedModule { name: name.into(), package: uuid.parse().unwrap() };
        Modules::new(
            [package("Dates", DATES), package("Frames", FRAMES), package("FramesExt", FRAMES)],
            ["Random".into()],
        )
    }

    fn parse(arguments: &str) -> Result<String, DropReason> {
        let line = format!("precompile(Tuple{{{arguments}}})");
        let modules = modules();
        let statement = Statement::parse(&line, &modules)?;
        let again = Statement::parse(statement.text(), &modules).unwrap();
        assert_eq!(again.text(), statement.text(), "a repaired form stays");
        let inside = statement.text().strip_prefix("precompile(Tuple{").unwrap();
        Ok(inside.strip_suffix("})").unwrap().to_owned())
    }

    #[track_caller]
    fn keeps(arguments: &str) {
        assert_eq!(parse(arguments).as_deref(), Ok(arguments));
    }

    #[track_caller]
    fn repairs(arguments: &str, repaired: &str) {
        assert_eq!(parse(arguments).as_deref(), Ok(repaired));
    }

    #[track_caller]
    fn drops(arguments: &str, reason: DropReason) {
        assert_eq!(parse(arguments), Err(reason), "{arguments}");
    }

    #[track_caller]
    fn owned(arguments: &str, owner: &str, mentioned: &[&str]) {
        let line = format!("precompile(Tuple{{{arguments}}})");
        let modules = modules();
        let statement = Statement::parse(&line, &modules).unwrap();
        assert_eq!(statement.owner().to_string(), owner, "{arguments}");
        let uuids: Vec<_> = statement.mentioned().iter().map(Uuid::to_string).collect();
        assert_eq!(uuids, mentioned, "{arguments}");
    }

    #[test]
    fn ordinary_types_stay_as_they_are() {
        keeps("");
        keeps("typeof(Base.sin), Float64");
        keeps("typeof(Base.:(+)), Int64, Base.Complex{Int64}");
        keeps("Type{Pair{A, B} where B where A}, NamedTuple{(:a, :b), Tuple{Int64, Char}}");
        keeps("typeof(Base.f), Array{T, 1} where Int64<:T<:Any, Vararg{Any, N} where N");
        keeps("typeof(Base.f), Base.Val{(1, -2, true, 0x01, :end, :var\"a b\", (), (a=1,), \"s\")}");
        keeps("typeof(Base.√), Base.α′{β₁} where β₁");
    }

    #[test]
    fn comments_are_left_out() {
        let line = "#=   12.3 ms =# precompile(Tuple{typeof(Base.sin), Float64}) # recompile";
        let modules = modules();
        let statement = Statement::parse(line, &modules).unwrap();
        assert_eq!(statement.text(), "precompile(Tuple{typeof(Base.sin), Float64})");
        assert!(statement.recompiled());
        assert!(!statement.repaired());
    }

    #[test]
    fn a_signature_may_have_type_variables_of_its_own() {
        let line = "precompile(Tuple{typeof(Base.f), T} where T<:Real)";
        assert_eq!(Statement::parse(line, &modules()).unwrap().text(), line);
    }

    #[test]
    fn what_is_no_whole_statement_is_unreadable() {
        for line in [
            "",
            "precompile",
            "precompile(Tuple{typeof(Base.sin), Flo",
            "precompile(Tuple{typeof(Base.sin)}",
            "precompile(Tuple{typeof(Base.sin)})precompile(Tuple{})",
            "precompile(Base.sin, (Float64,))",
            "precompile(Tuple{Int64}, 1)",
            "precompile(Tuple{Int64)}",
            "run(`true`)",
            "precompile(Tuple{Base.f(`true`)})",
            "precompile(Tuple{\0})",
            "#= 1 ms =#",
        ] {
            let result = Statement::parse(line, &modules());
            assert_eq!(result, Err(DropReason::Unreadable), "{line}");
        }
    }

    #[test]
    fn main_and_what_is_not_loaded_is_dropped() {
        drops("typeof(Main.f), Int64", DropReason::Main);
        drops("typeof(Base.map), Main.var\"#2#3\", Int64", DropReason::Main);
        drops("typeof(Main), Int64", DropReason::Main);
        drops("typeof(Base.map), MyTests.Inner.var\"#1#2\"", DropReason::ModuleNotLoaded);
        // Neither is a module here.
        keeps("typeof(Base.f), Base.Val{:Main}, Base.Val{Symbol(\"Main.x y\")}, Array{Main1, 1} where Main1");
    }

    #[test]
    fn numbered_names_of_loaded_modules_stay() {
        keeps("Dates.var\"#12#13\"{Int64}, Int64");
        keeps("Dates.var\"##f#747\", Bool, typeof(Dates.f)");
        keeps("Dates.var\"#f##kw\", NamedTuple{(:a,), Tuple{Int64}}, typeof(Dates.f)");
        keeps("Frames.var\"#_combine##0#_combine##1\"{Int64}, Int64");
    }

    #[test]
    fn values_without_a_readable_form_are_dropped() {
        drops("typeof(Base.f), Base.Val{<?#0x7f12::Foo>}", DropReason::Unprintable);
        drops("typeof(Base.f), Base.Val{#<intrinsic #2 add_int>}", DropReason::Unprintable);
    }

    #[test]
    fn bits_are_reinterpreted() {
        repairs(
            "typeof(Dates.f), Dates.DatePart{Char(0x79000000)}",
            "typeof(Dates.f), Dates.DatePart{reinterpret(Char, 0x79000000)}",
        );
        repairs(
            "Base.Val{(Frames.Color{Int64}(0x01), Float16(0x3e00))}",
            "Base.Val{(reinterpret(Frames.Color{Int64}, 0x01), reinterpret(Float16, 0x3e00))}",
        );
        keeps("Base.Val{(0x79000000, 0x01)}, Base.Val{Frames.S(a=0x01)}");
    }

    #[test]
    fn numbers_and_symbols_are_repaired() {
        repairs("Base.Val{1.5f}, Base.Val{-2e+30f}", "Base.Val{1.5f0}, Base.Val{-2f+30}");
        repairs("Base.Val{-inf}, Base.Val{nanf}", "Base.Val{-Base.Inf}, Base.Val{Base.NaN32}");
        repairs("Base.Val{:=}, Base.Val{::}", "Base.Val{Core.Symbol(\"=\")}, Base.Val{Core.Symbol(\":\")}");
        repairs("Base.Val{Symbol(\"a\"b\")}", "Base.Val{Core.Symbol(\"a\\\"b\")}");
        keeps("Base.Val{Symbol(\"yyyy-mm-ddTHH:MM:SS zzz\")}");
    }

    #[test]
    fn the_package_called_owns_a_statement() {
        owned("typeof(Dates.f), Frames.F", DATES, &[DATES, FRAMES]);
        owned("Type{Dates.D{T} where T}, Frames.F", DATES, &[DATES, FRAMES]);
        owned("Dates.var\"#1#2\"{Frames.F}", DATES, &[DATES, FRAMES]);
        owned("typeof(FramesExt.f), Int64", FRAMES, &[FRAMES]);
        owned(
            "typeof(Core.kwcall), NamedTuple{(), Tuple{Frames.F}}, typeof(Dates.f)",
            DATES,
            &[DATES, FRAMES],
        );
        owned(
            "Core.var\"#Type##kw\", NamedTuple{(), Tuple{Frames.F}}, Type{Dates.D}",
            DATES,
            &[DATES, FRAMES],
        );
    }

    #[test]
    fn else_the_last_loaded_package_mentioned_owns_it() {
        owned("typeof(Base.map), typeof(Frames.f), Dates.D, Dates.D", FRAMES, &[DATES, FRAMES]);
        owned("typeof(Random.rand), Dates.D", DATES, &[DATES]);
        owned("Type{Array{Dates.D, 1}}, Frames.F", FRAMES, &[DATES, FRAMES]);
        owned("typeof(Base.sin), Float64", "base", &[]);
    }
}
