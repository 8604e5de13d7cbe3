use super::*;

#[expect(dead_code, reason = "the build script uses the part that tests do not")]
#[path = "../build/node.rs"]
mod node;

#[path = "../build/mode.rs"]
mod mode;

fn text(asset: &Asset) -> &str {
    std::str::from_utf8(&asset.bytes).expect("text")
}

/// Values of an attribute that name a file of this server.
fn local_links<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    page.split(&format!("{attribute}=\"/"))
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(link, _)| link))
        .collect()
}

#[test]
fn there_is_always_a_page() {
    let page = index();
    assert_eq!(page.content_type, "text/html; charset=utf-8");
    assert!(!page.immutable);
    assert!(text(&page).starts_with("<!doctype html>"));
    assert_eq!(asset("/index.html"), Some(page));
}

#[test]
fn every_file_a_page_needs_is_there_and_nothing_is_inline() {
    let page = index();
    let html = text(&page);
    assert!(!html.contains("<style"), "inline style");
    assert!(!html.contains(" style="), "inline style attribute");
    for script in html.split("<script").skip(1) {
        assert!(script.contains("src=\"/"), "inline script: {script}");
    }
    let scripts = local_links(html, "src");
    assert_eq!(!scripts.is_empty(), is_built());
    let styles = html
        .split("<link")
        .skip(1)
        .filter_map(|tag| tag.split_once('>').map(|(tag, _)| tag))
        .flat_map(|tag| local_links(tag, "href"));
    for link in scripts.into_iter().chain(styles) {
        let file = asset(link).unwrap_or_else(|| panic!("{link} is not embedded"));
        assert_eq!(file.immutable, link.starts_with("assets/"), "{link}");
        assert_ne!(file.content_type, "application/octet-stream", "{link}");
    }
}

#[test]
fn the_explanation_needs_no_script() {
    assert!(!EXPLANATION_PAGE.contains("<script"));
    assert!(EXPLANATION_PAGE.contains(EXPLANATION_STYLE_NAME));
    assert!(EXPLANATION_PAGE.contains("TRIPLINE_UI=require"));
}

#[test]
fn names_do_not_become_paths() {
    for name in [
        "",
        "/",
        "//index.html",
        "../Cargo.toml",
        "/assets/../index.html",
        "/etc/passwd",
        "assets",
        "assets/",
        "/api/v1/health/detailed",
        "index.html\0",
    ] {
        assert_eq!(asset(name), None, "{name:?}");
    }
}

#[test]
fn tags_are_quoted_and_follow_the_content() {
    assert_eq!(entity_tag(&[0xab; 32]), format!("\"{}\"", "ab".repeat(16)));
    assert_ne!(entity_tag(&[0; 32]), entity_tag(&[1; 32]));
    assert!(index().etag.starts_with('"') && index().etag.ends_with('"'));
}

#[test]
fn the_policy_is_one_line_without_exceptions() {
    assert!(!CONTENT_SECURITY_POLICY.contains('\n'));
    assert!(!CONTENT_SECURITY_POLICY.contains("  "));
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
    assert!(!CONTENT_SECURITY_POLICY.contains('*'));
}

#[test]
fn old_versions_of_node_are_refused() {
    let versions = [
        "v18.20.1",
        "v20.18.9",
        "v20.19.0\n",
        "v20.20.2",
        "v21.7.0",
        "v22.11.0",
        "v22.12.0",
        "v24.1.0",
        "",
        "node",
    ];
    let new_enough: Vec<&str> = versions
        .iter()
        .copied()
        .filter(|v| node::is_new_enough(v))
        .collect();
    assert_eq!(
        new_enough,
        ["v20.19.0\n", "v20.20.2", "v22.12.0", "v24.1.0"]
    );
}

#[test]
fn a_typo_in_the_mode_is_an_error() {
    use mode::Mode;

    assert_eq!(Mode::parse(None), Ok(Mode::Auto));
    assert_eq!(Mode::parse(Some("auto")), Ok(Mode::Auto));
    assert_eq!(Mode::parse(Some("require")), Ok(Mode::Require));
    assert_eq!(Mode::parse(Some("skip")), Ok(Mode::Skip));
    assert_eq!(
        Mode::parse(Some("required")),
        Err("TRIPLINE_UI is \"required\"; it must be auto, require or skip".to_owned())
    );
}
