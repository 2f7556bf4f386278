//! Unix: permissions are modes, directories are files that can be synced.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::file::Access;

pub(crate) type Handle = File;

pub(crate) fn permit(options: &mut OpenOptions, access: Access) {
    options.mode(mode(access));
}

pub(crate) fn permit_staged(builder: &mut tempfile::Builder<'_, '_>, access: Access) {
    builder.permissions(Permissions::from_mode(mode(access)));
}

pub(crate) fn readable_by_others(file: &File) -> io::Result<Option<bool>> {
    Ok(Some(file.metadata()?.permissions().mode() & 0o044 != 0))
}

pub(crate) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    FileExt::read_exact_at(file, buffer, offset)
}

pub(crate) fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes a lock's name away while it is held. One that stays is used again.
pub(crate) fn take_name(path: &Path) {
    let _ = std::fs::remove_file(path);
}

pub(crate) fn open_directory(path: &Path) -> io::Result<Handle> {
    File::open(path)
}

pub(crate) fn sync_directory(directory: &Handle) -> io::Result<()> {
    directory.sync_all()
}

pub(crate) fn restrict(directory: &Path) -> io::Result<()> {
    std::fs::set_permissions(directory, Permissions::from_mode(0o700))
}

pub(crate) fn descriptor_path(number: u32) -> io::Result<PathBuf> {
    Ok(PathBuf::from(format!("/dev/fd/{number}")))
}

pub(crate) fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(ENOUGH_FILES, |most| most.min(ENOUGH_FILES));
    let current = limit.current?;
    match wanted > current && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }).is_ok() {
        true => Some(wanted),
        false => Some(current),
    }
}

pub(crate) fn tell_serving() -> io::Result<()> {
    let Some(manager) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    UnixDatagram::unbound()?.send_to(b"READY=1", manager).map(drop)
}

/// Some systems name no most, and refuse it.
const ENOUGH_FILES: u64 = 65_536;

pub(crate) use crate::terminal::ask_unseen;

fn mode(access: Access) -> u32 {
    match access {
        Access::Private => 0o600,
        Access::Public => 0o644,
    }
}
