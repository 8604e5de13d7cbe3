//! `docs/parity.md`, one section per test.

use std::path::Path;

/// Compares a section of the document with what came out, or writes it.
pub(crate) fn compare(section: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/parity.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (
        format!("<!-- {section}: begin -->\n"),
        format!("<!-- {section}: end -->"),
    );
    let start = page.find(&begin).unwrap() + begin.len();
    let stop = start + page[start..].find(&end).unwrap();
    if std::env::var_os("TRIPLINE_REWRITE_GOLDENS").is_some() {
        let page = format!("{}\n{}\n{}", &page[..start], text.trim_end(), &page[stop..]);
        std::fs::write(&path, page).unwrap();
        return;
    }
    assert_eq!(
        page[start..stop].trim(),
        text.trim(),
        "docs/parity.md says something else about {section}; TRIPLINE_REWRITE_GOLDENS=1 writes it anew"
    );
}
