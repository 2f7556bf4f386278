//! `signet explain`: the table of codes.

use signet_verify::Code;

use crate::args::ExplainArgs;
use crate::document::{CodeBody, ExplainDocument};
use crate::error::{Answer, CliError, Status};
use crate::face::Face;

/// Explains one code, or lists all.
pub(crate) fn run(args: &ExplainArgs, face: Face) -> Answer {
    let document = match &args.code {
        Some(text) => ExplainDocument { codes: vec![find(text)?.into()] },
        None => ExplainDocument { codes: Code::ALL.iter().copied().map(CodeBody::from).collect() },
    };
    face.result(&document, |document| match document.codes.as_slice() {
        [code] => whole(code),
        codes => codes.iter().map(line).collect(),
    })?;
    Ok(Status::Yes)
}

/// Reads a code as people type it: `SGN-1001`, `sgn-1001` or `1001`.
fn find(text: &str) -> Result<Code, CliError> {
    let upper = text.to_ascii_uppercase();
    let digits = upper.strip_prefix("SGN-").unwrap_or(&upper);
    format!("SGN-{digits}").parse().map_err(|_| CliError::new(Code::CodeUnknown, format!("`{text}`")))
}

fn whole(code: &CodeBody) -> String {
    let CodeBody { code, title, explanation, hint, exit_status } = code;
    format!("{code}: {title}\n\n{explanation}\n\nhint: {hint}\nexit status: {exit_status}\n")
}

fn line(code: &CodeBody) -> String {
    format!("{}  {}\n", code.code, code.title)
}
