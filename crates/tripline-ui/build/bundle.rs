//! The shared `ui/dist`: when to build it, and its way into the output folder.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::node;

/// Everything below `ui` that the built files depend on.
pub(crate) const INPUTS: [&str; 7] = [
    "index.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "public",
    "src",
];

/// Stamps and the lock lie beside `dist` and `node_modules`, because the tools empty both.
const STATE: &str = ".tripline-build";

/// The stamp of the last build; without it, there has been none.
pub(crate) fn stamp_file(ui: &Path) -> PathBuf {
    ui.join(STATE).join("dist.stamp")
}

/// Brings `ui/dist` up to date and copies it to `out`.
pub(crate) fn build(ui: &Path, out: &Path) -> Result<(), String> {
    if !ui.join("package.json").is_file() {
        return Err(format!(
            "the sources of the dashboard are not in {}",
            ui.display()
        ));
    }
    node::check()?;
    let state = ui.join(STATE);
    fs::create_dir_all(&state).map_err(|error| describe("create", &state, &error))?;

    // Two cargo processes, or two profiles, share one `dist`: whoever comes
    // second waits, and finds it done.
    let lock_file = state.join("lock");
    let lock = File::create(&lock_file).map_err(|error| describe("create", &lock_file, &error))?;
    lock.lock()
        .map_err(|error| describe("lock", &lock_file, &error))?;

    install_packages(ui, &state)?;
    build_files(ui)?;
    let dist = ui.join("dist");
    copy_folder(&dist, out).map_err(|error| describe("copy", &dist, &error))
}

fn install_packages(ui: &Path, state: &Path) -> Result<(), String> {
    let stamp = state.join("packages.stamp");
    let wanted = hash_of(ui, &["package-lock.json"])?;
    if is_stamped(&stamp, &wanted) && ui.join("node_modules").is_dir() {
        return Ok(());
    }
    // Removed first: an install that breaks off must not look finished.
    remove_stamp(&stamp)?;
    node::install(ui)?;
    write_stamp(&stamp, &wanted)
}

fn build_files(ui: &Path) -> Result<(), String> {
    let stamp = stamp_file(ui);
    let wanted = hash_of(ui, &INPUTS)?;
    if is_stamped(&stamp, &wanted) && ui.join("dist/index.html").is_file() {
        return Ok(());
    }
    remove_stamp(&stamp)?;
    node::bundle(ui)?;
    write_stamp(&stamp, &wanted)
}

/// A hash over names and contents, in an order that no file system decides.
fn hash_of(ui: &Path, inputs: &[&str]) -> Result<String, String> {
    let mut files = Vec::new();
    for input in inputs {
        let path = ui.join(input);
        collect_files(&path, &mut files).map_err(|error| describe("read", &path, &error))?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let content = fs::read(&file).map_err(|error| describe("read", &file, &error))?;
        let name = file
            .strip_prefix(ui)
            .unwrap_or(&file)
            .to_string_lossy()
            .into_owned();
        // The lengths keep a byte from moving between a name and a content unseen.
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(&name);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(&content);
    }
    Ok(format!("{:x}", hash.finalize()))
}

fn collect_files(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        collect_files(&entry?.path(), files)?;
    }
    Ok(())
}

fn is_stamped(stamp: &Path, wanted: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|found| found == wanted)
}

fn remove_stamp(stamp: &Path) -> Result<(), String> {
    match fs::remove_file(stamp) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(describe("remove", stamp, &error))
        }
        _ => Ok(()),
    }
}

/// The stamp is dated back: cargo compares watched files with the start of this
/// script, and a stamp of today would make every build run it again.
fn write_stamp(stamp: &Path, content: &str) -> Result<(), String> {
    fs::write(stamp, content)
        .and_then(|()| File::options().write(true).open(stamp))
        .and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH))
        .map_err(|error| describe("write", stamp, &error))
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn describe(action: &str, path: &Path, error: &io::Error) -> String {
    format!(
        "the dashboard cannot be built: cannot {action} {}: {error}",
        path.display()
    )
}
