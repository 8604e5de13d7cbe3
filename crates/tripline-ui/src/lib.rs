//! The dashboard as bytes: what the build put together from `ui/`, ready to be
//! served by any HTTP server.
//!
//! The crate does not route, compress or log, and knows nothing of HTTP beyond
//! content types, entity tags and the one policy the files were built for.
//! Where the dashboard could not be built (see `build/build.rs` and the variable
//! `TRIPLINE_UI`), a page without scripts takes its place and says so.
//!
//! Invariants:
//!
//! - [`index`] always has a page to give.
//! - A name is only ever compared with embedded names; it never becomes a path.
//! - No file needs more than [`CONTENT_SECURITY_POLICY`] allows.
//! - An [`Asset::immutable`] file has the hash of its content in its name.
//!
//! A server answers a request for a page with [`index`] when [`asset`] has
//! nothing, except below `/api`, where a page would hide a 404:
//!
//! ```
//! fn answer(path: &str) -> Option<tripline_ui::Asset> {
//!     let is_api = path.starts_with("/api/") || path == "/api";
//!     tripline_ui::asset(path).or_else(|| (!is_api).then(tripline_ui::index))
//! }
//!
//! let page = answer("/verdicts/17").expect("a page of the dashboard");
//! assert_eq!(page.content_type, "text/html; charset=utf-8");
//! assert!(answer("/api/v1/nothing").is_none());
//! ```

use std::borrow::Cow;

use rust_embed::{EmbeddedFile, RustEmbed};

/// The policy to send with every file, the pages above all.
///
/// Nothing inline runs and nothing is fetched from elsewhere; Trusted Types
/// keep even a mistake in the dashboard from turning text into markup.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'";

const INDEX: &str = "index.html";
/// Vite puts files with hashed names here, and no others.
const HASHED_FOLDER: &str = "assets/";
const EXPLANATION_PAGE: &str = include_str!("no-dashboard.html");
const EXPLANATION_STYLE: &str = include_str!("no-dashboard.css");
const EXPLANATION_STYLE_NAME: &str = "no-dashboard.css";
const EXPLANATION_TAG: &str = concat!("\"no-dashboard-", env!("CARGO_PKG_VERSION"), "\"");

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/dashboard"]
struct Dashboard;

/// One file with what a server says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The content.
    pub bytes: Cow<'static, [u8]>,
    /// Value of the `Content-Type` header.
    pub content_type: &'static str,
    /// Whether the content of this name can never change, so that a client may
    /// keep it for ever; anything else is to be asked for again with its `etag`.
    pub immutable: bool,
    /// Value of the `ETag` header, with its quotes.
    pub etag: String,
}

/// The file of this name, with or without a leading slash.
pub fn asset(path: &str) -> Option<Asset> {
    let name = path.strip_prefix('/').unwrap_or(path);
    if name == INDEX {
        return Some(index());
    }
    if name == EXPLANATION_STYLE_NAME && !is_built() {
        return Some(explanation(EXPLANATION_STYLE, "text/css; charset=utf-8"));
    }
    Dashboard::get(name).map(|file| embedded(name, file))
}

/// The page for every address of the dashboard, or the page that says why there is none.
pub fn index() -> Asset {
    Dashboard::get(INDEX).map_or_else(
        || explanation(EXPLANATION_PAGE, "text/html; charset=utf-8"),
        |file| embedded(INDEX, file),
    )
}

/// Whether the dashboard is in this binary.
pub fn is_built() -> bool {
    Dashboard::get(INDEX).is_some()
}

fn embedded(name: &str, file: EmbeddedFile) -> Asset {
    Asset {
        etag: entity_tag(&file.metadata.sha256_hash()),
        bytes: file.data,
        content_type: content_type(name),
        immutable: name.starts_with(HASHED_FOLDER),
    }
}

fn explanation(text: &'static str, content_type: &'static str) -> Asset {
    Asset {
        bytes: Cow::Borrowed(text.as_bytes()),
        content_type,
        immutable: false,
        etag: EXPLANATION_TAG.to_owned(),
    }
}

/// Half of the hash is plenty to tell versions of one file apart.
fn entity_tag(hash: &[u8; 32]) -> String {
    use std::fmt::Write as _;

    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in hash.iter().take(16) {
        // Writing into a string does not fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// The types Vite writes; with `nosniff`, a wrong one would break the page.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
