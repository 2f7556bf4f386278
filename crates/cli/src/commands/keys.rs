//! `signet keys`.

use std::path::Path;

use signet_keys::{
    Existing, FileError, KeyInfo, KeyKind, KeyReference, Pair, PasswordError, PasswordSource, PrivateFormat,
    PrivateKey, PublicFormat, Purpose, describe_file, encode_public, write_pair, write_public,
};
use signet_verify::Code;

use crate::args::{
    ExportPublicArgs, GenerateArgs, ImportArgs, InspectKeyArgs, KeysCommand, PublicFormatName,
};
use crate::document::{KeyDocument, KeyPairDocument, PublicKeyDocument};
use crate::error::{Answer, CliError, Status, Stop};
use crate::face::Face;
use crate::runtime::block_on;
use crate::{key_file, password};

/// Runs one of the commands.
pub(crate) fn run(command: &KeysCommand, face: Face) -> Answer {
    match command {
        KeysCommand::Generate(args) => generate(args, face),
        KeysCommand::Import(args) => import(args, face),
        KeysCommand::ExportPublic(args) => block_on(export_public(args, face)),
        KeysCommand::Inspect(args) => inspect(args, face),
    }
}

fn generate(args: &GenerateArgs, face: Face) -> Answer {
    let generated = PrivateKey::generate(args.algorithm);
    let key = generated.map_err(|error| at(&args.out, error))?;
    let source = (!args.no_password).then(|| password::source(&args.password));
    write(&args.out, &key, source.as_ref(), face)
}

fn import(args: &ImportArgs, face: Face) -> Answer {
    let source = password::source(&args.password);
    let key = key_file::private(&args.key, &source)?;
    write(&args.out, &key, (!args.no_password).then_some(&source), face)
}

fn write(prefix: &Path, key: &PrivateKey, source: Option<&PasswordSource>, face: Face) -> Answer {
    if prefix.as_os_str().as_encoded_bytes().ends_with(b"/") {
        let detail = format!("`{}` is a directory, not the start of a file name", prefix.display());
        return Err(CliError::new(Code::UsageInvalid, detail).hint("give `--out DIR/NAME`").into());
    }
    let pair = match source {
        None => write_pair(prefix, key, PrivateFormat::Pkcs8, Existing::Refuse)?,
        Some(source) => write_encrypted(prefix, key, source, face)?,
    };
    let document = KeyPairDocument {
        private: pair.private.display().to_string(),
        public: pair.public.display().to_string(),
        algorithm: key.public_key().algorithm().to_string(),
        id: key.public_key().id(),
        encrypted: source.is_some(),
    };
    face.result(&document, |pair| {
        format!("{}\n{}\nkey {} ({})\n", pair.private, pair.public, pair.id, pair.algorithm)
    })?;
    Ok(Status::Yes)
}

fn write_encrypted(
    prefix: &Path,
    key: &PrivateKey,
    source: &PasswordSource,
    face: Face,
) -> Result<Pair, Stop> {
    let private = Pair::of_prefix(prefix).private;
    let asked = source.password(Purpose::Protect(&private.display().to_string()));
    let password = asked.map_err(|error| no_password(&private, error))?;
    if password.as_bytes().is_empty() {
        face.note(&format!(
            "note: the password of `{}` is empty, which protects nothing",
            private.display()
        ))?;
    }
    Ok(write_pair(prefix, key, PrivateFormat::Sigstore(&password), Existing::Refuse)?)
}

async fn export_public(args: &ExportPublicArgs, face: Face) -> Answer {
    let key = match KeyReference::parse(&args.key)? {
        KeyReference::File(path) if describe_file(&path)?.kind == KeyKind::Public => key_file::public(&path)?,
        _ => key_file::signer(&args.key, &password::source(&args.password)).await?.public_key().clone(),
    };
    let format = match args.format {
        PublicFormatName::Pem => PublicFormat::Pem,
        PublicFormatName::Jwk => PublicFormat::Jwk,
    };
    let encoded = encode_public(&key, format).map_err(|error| at(&args.key, error))?;
    if let Some(path) = &args.out {
        write_public(path, &key, format, Existing::Refuse)?;
    }
    let document = PublicKeyDocument {
        algorithm: key.algorithm().to_string(),
        id: key.id(),
        key: String::from_utf8(encoded).map_err(CliError::internal)?,
        file: args.out.as_ref().map(|path| path.display().to_string()),
    };
    face.result(&document, |document| match document.file {
        Some(_) => String::new(),
        None => document.key.clone(),
    })?;
    Ok(Status::Yes)
}

fn inspect(args: &InspectKeyArgs, face: Face) -> Answer {
    let info = describe_file(&args.file).map_err(|error| {
        CliError::from(error)
            .hint("signet reads PEM (PKCS#8, SEC1, PKCS#1, cosign's) and JWK; is it the right file?")
    })?;
    if info.kind == KeyKind::Private && info.readable_by_others == Some(true) {
        face.note(&format!(
            "note: others than the owner may read `{}`: run `chmod 600`",
            args.file.display()
        ))?;
    }
    face.result(&key_document(info), key_text)?;
    Ok(Status::Yes)
}

fn key_document(info: KeyInfo) -> KeyDocument {
    KeyDocument {
        kind: info.kind.to_string(),
        format: info.format,
        encryption: info.encryption,
        algorithm: info.algorithm.map(|algorithm| algorithm.to_string()),
        id: info.id,
        readable_by_others: info.readable_by_others.filter(|_| info.kind == KeyKind::Private),
    }
}

fn key_text(key: &KeyDocument) -> String {
    let hidden = || "shown with the password only".to_owned();
    format!(
        "kind        {}\nformat      {}\nencryption  {}\nalgorithm   {}\nid          {}\n",
        key.kind,
        key.format,
        key.encryption.as_deref().unwrap_or("none"),
        key.algorithm.clone().unwrap_or_else(hidden),
        key.id.map_or_else(hidden, |id| id.to_string()),
    )
}

fn no_password(path: &Path, error: PasswordError) -> FileError {
    at(path, error.into())
}

fn at(path: &Path, error: signet_keys::Error) -> FileError {
    FileError { path: path.to_owned(), error }
}
