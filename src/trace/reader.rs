//! Reads one statement: checks its form, and finds what it names and what needs mending.

use std::ops::Range;

use super::edits::Edits;
use super::modules::Rank;
use super::repair;
use super::token::{Kind, Token, Tokens};
use super::{DropReason, Modules};

/// What a line holds.
pub(super) struct Read {
    /// Where `precompile(…)` stands in the line.
    pub(super) range: Range<usize>,
    pub(super) edits: Edits,
    /// Whose function or type is called.
    pub(super) called: Rank,
    /// The positions of the packages mentioned, in dependency order.
    pub(super) packages: Vec<usize>,
}

/// Goes through a line once, from token to token. It keeps no tree: nothing here needs one, and a line may nest as deep
/// as it likes.
pub(super) struct Reader<'line, 'modules> {
    line: &'line str,
    modules: &'modules Modules,
    tokens: Tokens<'line>,
    peeked: Option<Option<Token>>,
    open: Vec<Bracket>,
    /// Where the type began that was read last; `(0x…)` after it are the bits of a value of it.
    last_type: Option<usize>,
    signature: Signature,
    edits: Edits,
    packages: Vec<usize>,
}

/// An open bracket.
struct Bracket {
    closed_by: u8,
    /// Where the type began whose parameters or value stand in it.
    of: Option<usize>,
}

/// Which argument of the statement's `Tuple` is read, and whom the first and the third name first: one of them is called.
#[derive(Default)]
struct Signature {
    argument: usize,
    named_first: [Option<Rank>; 3],
    keyword_call: bool,
}

/// How many brackets are open inside `precompile(Tuple{`.
const AMONG_ARGUMENTS: usize = 2;

impl<'line, 'modules> Reader<'line, 'modules> {
    pub(super) fn new(line: &'line str, modules: &'modules Modules) -> Self {
        Self {
            line,
            modules,
            tokens: Tokens::new(line),
            peeked: None,
            open: Vec::new(),
            last_type: None,
            signature: Signature::default(),
            edits: Edits::default(),
            packages: Vec::new(),
        }
    }

    pub(super) fn read(mut self) -> Result<Read, DropReason> {
        let start = self.word("precompile")?.range.start;
        self.opening(b'(')?;
        self.word("Tuple")?;
        self.opening(b'{')?;
        let mut end = start;
        while !self.open.is_empty() {
            let token = self.required()?;
            end = token.range.end;
            self.token(&token)?;
        }
        if self.next()?.is_some() {
            return Err(DropReason::Unreadable);
        }
        self.packages.sort_unstable();
        self.packages.dedup();
        Ok(Read {
            range: start..end,
            edits: self.edits,
            called: self.signature.called(),
            packages: self.packages,
        })
    }

    fn token(&mut self, token: &Token) -> Result<(), DropReason> {
        let last_type = self.last_type.take();
        match token.kind {
            Kind::Name => self.path(token)?,
            Kind::Mark(b'{') => self.bracket(b'}', last_type),
            Kind::Mark(b'(') => {
                self.bracket(b')', last_type);
                if let Some(start) = last_type {
                    self.value(start, token)?;
                }
            }
            Kind::Mark(mark @ (b'}' | b')')) => {
                let bracket = self.open.pop().ok_or(DropReason::Unreadable)?;
                if bracket.closed_by != mark {
                    return Err(DropReason::Unreadable);
                }
                self.last_type = bracket.of.filter(|_| mark == b'}');
            }
            Kind::Mark(b',') => match self.open.len() {
                ..AMONG_ARGUMENTS => return Err(DropReason::Unreadable),
                AMONG_ARGUMENTS => self.signature.argument += 1,
                _ => {}
            },
            Kind::Number => self.mend(token, repair::number(self.text(token))),
            Kind::Symbol | Kind::OperatorSymbol => {
                self.mend(token, repair::colon_symbol(self.text(token)));
            }
            Kind::Text | Kind::Mark(_) => {}
        }
        Ok(())
    }

    /// `Base.Broadcast.broadcasted`, `Base.:(+)`, or a bare name: a type that Core exports, a type variable, `where`.
    fn path(&mut self, first: &Token) -> Result<(), DropReason> {
        let start = first.range.start;
        let mut end = first.range.end;
        while self.mark_follows(b'.')? {
            self.next()?;
            let part = self.required()?;
            if !matches!(part.kind, Kind::Name | Kind::OperatorSymbol) {
                return Err(DropReason::Unreadable);
            }
            end = part.range.end;
        }
        let root = self.text(first);
        let path = &self.line[start..end];
        if root == "Main" {
            return Err(DropReason::Main);
        } else if end > first.range.end {
            let rank = self.modules.rank(root)?;
            if let Rank::Package(position) = rank {
                self.packages.push(position);
            }
            self.signature.name(path, rank);
        } else if root == "Symbol" && self.mark_follows(b'(')? {
            self.raw_symbol(start)?;
            return Ok(());
        } else if let Some(number) = repair::special_number(root)
            && self.is_a_whole_value(start)?
        {
            self.edits.replace(start..end, number);
            return Ok(());
        } else if root != "where" {
            self.signature.name(path, Rank::Base);
        }
        self.last_type = Some(start);
        Ok(())
    }

    /// `Symbol("…")`, whose first word is read.
    fn raw_symbol(&mut self, start: usize) -> Result<(), DropReason> {
        self.next()?;
        let text = self.required()?;
        let close = self.required()?;
        if text.kind != Kind::Text || close.kind != Kind::Mark(b')') {
            return Err(DropReason::Unreadable);
        }
        let content = &self.line[text.range.start + 1..text.range.end - 1];
        if let Some(repaired) = repair::raw_symbol(content) {
            self.edits.replace(start..close.range.end, repaired);
        }
        Ok(())
    }

    /// What stands in the bracket `open` after a type that began at `start`.
    fn value(&mut self, start: usize, open: &Token) -> Result<(), DropReason> {
        let bits = self.peek()?.cloned();
        if bits.is_some_and(|bits| repair::is_bits(self.text(&bits))) {
            self.edits.replace(start..start, "reinterpret(");
            self.edits.replace(open.range.clone(), ", ");
        }
        Ok(())
    }

    /// Whether the bare name at `start`, just read, is all of a parameter or of a field.
    fn is_a_whole_value(&mut self, start: usize) -> Result<bool, DropReason> {
        let begins = self.line[..start].ends_with(['{', '(', ' ', '=', '-']);
        let ends = self.peek()?.is_some_and(|token| matches!(token.kind, Kind::Mark(b',' | b'}' | b')')));
        Ok(begins && ends)
    }

    fn mend(&mut self, token: &Token, repaired: Option<String>) {
        if let Some(repaired) = repaired {
            self.edits.replace(token.range.clone(), repaired);
        }
    }

    fn bracket(&mut self, closed_by: u8, of: Option<usize>) {
        self.open.push(Bracket { closed_by, of });
    }

    fn word(&mut self, word: &str) -> Result<Token, DropReason> {
        let token = self.required()?;
        if self.text(&token) == word { Ok(token) } else { Err(DropReason::Unreadable) }
    }

    fn opening(&mut self, mark: u8) -> Result<(), DropReason> {
        let token = self.required()?;
        if token.kind != Kind::Mark(mark) {
            return Err(DropReason::Unreadable);
        }
        self.token(&token)
    }

    fn text(&self, token: &Token) -> &'line str {
        &self.line[token.range.clone()]
    }

    fn peek(&mut self) -> Result<Option<&Token>, DropReason> {
        if self.peeked.is_none() {
            self.peeked = Some(self.tokens.next()?);
        }
        Ok(self.peeked.as_ref().and_then(Option::as_ref))
    }

    fn mark_follows(&mut self, mark: u8) -> Result<bool, DropReason> {
        Ok(self.peek()?.is_some_and(|token| token.kind == Kind::Mark(mark)))
    }

    fn next(&mut self) -> Result<Option<Token>, DropReason> {
        match self.peeked.take() {
            Some(token) => Ok(token),
            None => self.tokens.next(),
        }
    }

    fn required(&mut self) -> Result<Token, DropReason> {
        self.next()?.ok_or(DropReason::Unreadable)
    }
}

impl Signature {
    /// Notes a name; the first in an argument, past `typeof(` and `Type{`, tells whose it is.
    fn name(&mut self, path: &str, rank: Rank) {
        if matches!(path, "typeof" | "Type") {
            return;
        }
        if let Some(first @ None) = self.named_first.get_mut(self.argument) {
            *first = Some(rank);
            // Calls with keyword arguments: of functions since 1.9, of types before. (Others have a type of their own
            // before 1.9, in the function's module: `Dates.var"#format##kw"`.)
            self.keyword_call |= matches!(path, "Core.kwcall" | "Core.var\"#Type##kw\"");
        }
    }

    /// The function or type called is the first argument's; of a call with keyword arguments the third's.
    fn called(&self) -> Rank {
        let argument = if self.keyword_call { 2 } else { 0 };
        self.named_first[argument].unwrap_or(Rank::Base)
    }
}
