//! What a page says is to be run.

/// A page of the documentation.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its path in the checkout.
    pub(crate) name: String,
    /// Its blocks that matter here, in order.
    pub(crate) blocks: Vec<Block>,
}

/// A fenced block, or a hidden one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its first line, from 1.
    pub(crate) line: usize,
    /// Its lines.
    pub(crate) text: String,
    /// What it is there for.
    pub(crate) kind: Kind,
}

/// What a block is there for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Commands that end with this status, if these programs are there.
    Run { exits: i32, needs: Vec<String> },
    /// One command that keeps running, if these programs are there.
    Background { needs: Vec<String> },
    /// What the block before it prints.
    Output,
}

impl Page {
    /// Reads a page; a block whose purpose is not understood is an error, so that no typo hides one.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut blocks = Vec::new();
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let Some((info, end)) = opening(line) else { continue };
            let inner: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim_end() != end).collect();
            let kind = kind(info).map_err(|why| format!("{name}:{}: {why}", number + 1))?;
            let text = inner.iter().map(|line| format!("{line}\n")).collect();
            blocks.extend(kind.map(|kind| Block { line: number + 2, text, kind }));
        }
        Ok(Self { name: name.to_owned(), blocks })
    }
}

/// The info string of a block that begins here, and the line that ends it.
fn opening(line: &str) -> Option<(&str, &'static str)> {
    match line.strip_prefix("```") {
        Some(info) => Some((info.trim(), "```")),
        None => {
            line.strip_prefix("<!-- ").filter(|info| info.starts_with("sh")).map(|info| (info.trim(), "-->"))
        }
    }
}

fn kind(info: &str) -> Result<Option<Kind>, String> {
    let mut words = info.split_whitespace();
    match words.next() {
        Some("sh") => command(words),
        Some("console") => Ok(Some(Kind::Output)),
        Some("text" | "yaml" | "json") => Ok(None),
        _ => Err(format!("```{info} is none of sh, console, text, yaml, json")),
    }
}

fn command<'a>(words: impl Iterator<Item = &'a str>) -> Result<Option<Kind>, String> {
    let (mut exits, mut needs, mut background, mut elsewhere) = (0, Vec::new(), false, false);
    for word in words {
        match word.split_once('=') {
            None if word == "background" => background = true,
            None if word == "elsewhere" => elsewhere = true,
            Some(("exits", status)) => exits = status.parse().map_err(|e| format!("{word}: {e}"))?,
            Some(("needs", names)) => needs = names.split(',').map(str::to_owned).collect(),
            _ => return Err(format!("`{word}` is none of background, elsewhere, exits=, needs=")),
        }
    }
    Ok(match (elsewhere, background) {
        (true, _) => None,
        (false, true) => Some(Kind::Background { needs }),
        (false, false) => Some(Kind::Run { exits, needs }),
    })
}

#[test]
fn blocks_are_told_apart_by_their_info_strings() {
    let text = "a\n```sh exits=1 needs=a,b\nx\n```\n```yaml\ny: 1\n```\n<!-- sh background\nz\n-->\n```console\no\n```\n\
                ```sh elsewhere\nw\n```\n";
    let page = Page::parse("p.md", text).expect("the page is sound");
    let needs = vec!["a".to_owned(), "b".to_owned()];
    let want = [
        Block { line: 3, text: "x\n".to_owned(), kind: Kind::Run { exits: 1, needs } },
        Block { line: 9, text: "z\n".to_owned(), kind: Kind::Background { needs: Vec::new() } },
        Block { line: 12, text: "o\n".to_owned(), kind: Kind::Output },
    ];
    assert_eq!(page.blocks, want);
}

#[test]
fn a_block_of_unknown_purpose_is_an_error() {
    for info in ["bash", "sh exit=1", "sh exits=x", "sh backgroud", ""] {
        let text = format!("one\n```{info}\nx\n```\n");
        let error = Page::parse("p.md", &text).expect_err(info);
        assert!(error.starts_with("p.md:2: "), "{error}");
    }
}
