//! A short life of a registry: everything that changes its disk, once.

use super::actions::{image, index};
use super::client::{Answer, Client, Gone};

/// Plays it; `Gone` if the registry went away. What is refused because of an earlier failure is left out.
pub(super) async fn play(client: &Client) -> Result<(), Gone> {
    let (config, layer, signature) = (b"{}".as_slice(), [7; 3000].as_slice(), b"a signature".as_slice());
    client.push_blob(APP, config).await?;
    if let Some(upload) = client.begin_upload(APP).await? {
        client.append(&upload, 0, layer.get(..1000).unwrap_or_default()).await?;
        client.append(&upload, 1000, layer.get(1000..2000).unwrap_or_default()).await?;
        client.finish(APP, &upload, 2000, layer).await?;
    }
    let (first, second) = (image(APP, &[config, layer], None, 1), image(APP, &[config], None, 2));
    client.push_manifest(APP, Some("v1"), &first).await?;
    client.push_blob(APP, signature).await?;
    let signed = image(APP, &[config, signature], Some(&first.digest), 3);
    client.push_manifest(APP, None, &signed).await?;
    client.push_manifest(APP, Some("list"), &index(APP, &[&first.digest])).await?;
    client.push_manifest(APP, Some("v1"), &second).await?;
    client.push_manifest(APP, Some("v2"), &second).await?;
    client.mount(COPY, APP, layer).await?;
    client.delete_tag(APP, "v2").await?;
    client.delete_referrer(APP, &signed.digest, &first.digest).await?;
    client.delete_blob(COPY, layer).await?;
    if let Some(upload) = client.begin_upload(COPY).await? {
        client.append(&upload, 0, signature).await?;
    }
    if let Answer::Done(_) = client.push_blob(COPY, signature).await? {
        client.push_manifest(COPY, Some("v1"), &image(COPY, &[signature], None, 4)).await?;
    }
    Ok(())
}

const APP: &str = "team/app";
const COPY: &str = "copy";
