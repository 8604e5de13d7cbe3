//! The document of the API says what the code does, and changes only on purpose.

use std::path::Path;

use serde_json::Value;

use crate::harness::Api;

#[test]
fn the_document_is_the_recorded_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/openapi.json");
    let now = tripline::api::openapi_json().unwrap() + "\n";
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no other place for settings"
    )]
    let rewrites = std::env::var("TRIPLINE_REWRITE_GOLDENS").is_ok();
    if rewrites {
        std::fs::write(&path, &now).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        recorded == now,
        "the API's document has changed: if that is meant, run the test with \
         TRIPLINE_REWRITE_GOLDENS=1 and review the difference of {}",
        path.display()
    );
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let api = Api::new();
    let served = api.get("/api/v1/openapi.json").await.json();
    let recorded: Value = serde_json::from_str(&tripline::api::openapi_json().unwrap()).unwrap();
    assert_eq!(served, recorded);
    assert_eq!(
        api.get("/docs").await.headers["location"],
        "/docs/index.html"
    );
    let page = api.get("/docs/index.html").await;
    assert!(page.text.contains("swagger-ui"), "{}", page.text);
    assert!(
        api.get("/docs/swagger-initializer.js")
            .await
            .text
            .contains("/api/v1/openapi.json")
    );
}
