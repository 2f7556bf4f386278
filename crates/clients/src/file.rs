//! Files that somebody publishes, by their URLs.

use crate::web::Call;
use crate::{Result, Web};

/// A file of at most `most` bytes; `None` where the server says that it is not there.
///
/// Object stores answer 403 for what is not there to whoever may not list them, so that counts as absent too. Whoever
/// asks checks what came.
pub async fn get(web: &Web, url: &str, most: usize) -> Result<Option<Vec<u8>>> {
    let call = Call::get(url, "the file", most)?;
    let answer = web.exchange(&call).await?;
    match answer.status {
        200 => Ok(Some(answer.body.to_vec())),
        403 | 404 => Ok(None),
        _ => Err(answer.refusal(&call)),
    }
}
