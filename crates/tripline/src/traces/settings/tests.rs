use super::*;

fn read(endpoint: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<Settings>, String> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::read(endpoint, &variable).map_err(|error| error.to_string())
}

fn endpoint(option: Option<&str>, variables: &[(&str, &str)]) -> Option<String> {
    let settings = read(option, variables).unwrap();
    settings.map(|settings| settings.endpoint.to_string())
}

#[test]
fn nothing_is_exported_unless_somebody_asks() {
    let here = Some("http://localhost:4318");
    assert_eq!(endpoint(None, &[]), None);
    assert_eq!(endpoint(Some(" "), &[]), None);
    assert_eq!(endpoint(None, &[("OTEL_SERVICE_NAME", "x")]), None);
    assert_eq!(endpoint(here, &[("OTEL_SDK_DISABLED", "TRUE")]), None);
    assert_eq!(endpoint(here, &[("OTEL_TRACES_EXPORTER", "none")]), None);
    assert_eq!(
        endpoint(None, &[("OTEL_TRACES_EXPORTER", "otlp")]).as_deref(),
        Some("http://localhost:4318/v1/traces")
    );
}

#[test]
fn the_place_of_traces_is_added_to_the_general_address_only() {
    for (text, expected) in [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("https://c/", "https://c/v1/traces"),
        ("https://c/otel/", "https://c/otel/v1/traces"),
    ] {
        assert_eq!(endpoint(Some(text), &[]).as_deref(), Some(expected));
    }
    let own = [(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "http://d:1/take?key=s",
    )];
    let settings = read(Some("http://c:4318"), &own).unwrap().unwrap();
    assert_eq!(settings.endpoint.as_str(), "http://d:1/take?key=s");
    assert_eq!(settings.shown(), "http://d:1/take");
}

#[test]
fn defaults_are_those_of_the_standard() {
    let settings = read(Some("http://c:4318"), &[]).unwrap().unwrap();
    assert_eq!((settings.queue, settings.batch), (2048, 512));
    assert_eq!(settings.delay, Duration::from_secs(5));
    assert_eq!(settings.timeout, Duration::from_secs(10));
    assert!(matches!(settings.sampler, Sampler::ParentBased(_)));
    let one = [("OTEL_BSP_MAX_QUEUE_SIZE", "100")];
    assert_eq!(read(Some("http://c"), &one).unwrap().unwrap().batch, 100);
}

#[test]
fn what_cannot_be_used_is_named_and_secrets_are_not_repeated() {
    for (name, value, words) in [
        ("OTEL_SDK_DISABLED", "yes", "expected true or false"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "expected otlp or none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "port 4318"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "http/json",
            "expected http/protobuf",
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,hidden", "entry 2"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=hidden", "entry 1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=hidden%0a", "entry 1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=hidden%4", "entry 1"),
        (
            "OTEL_EXPORTER_OTLP_COMPRESSION",
            "br",
            "expected gzip or none",
        ),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "from 1 to 600000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "from 1 to"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096", "from 1 to 2048"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "many", "from 0 to"),
        ("OTEL_TRACES_SAMPLER", "xray", "expected always_on"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere", "cannot read"),
        (
            "OTEL_EXPORTER_OTLP_CLIENT_KEY",
            "/nowhere",
            "CLIENT_CERTIFICATE",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "ftp://hidden/",
            "http or https",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://u:hidden@c/",
            "HEADERS",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "hidden",
            "something like",
        ),
    ] {
        let error = read(Some("http://c:4318"), &[(name, value)]).unwrap_err();
        assert!(error.starts_with(name), "{error}");
        assert!(error.contains(words), "{name}: {error}");
        assert!(!error.contains("hidden"), "{error}");
    }
    let share = [
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
    ];
    let error = read(Some("http://c:4318"), &share).unwrap_err();
    assert!(error.contains("a share from 0 to 1"), "{error}");
}

#[test]
fn headers_may_be_encoded() {
    let headers = [(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "authorization=Bearer%20x, b=c,",
    )];
    let settings = read(Some("http://c:4318"), &headers).unwrap().unwrap();
    assert_eq!(settings.headers.0["authorization"], "Bearer x");
    assert_eq!(settings.headers.0["b"], "c");
    assert!(!format!("{settings:?}").contains("Bearer"));
}
