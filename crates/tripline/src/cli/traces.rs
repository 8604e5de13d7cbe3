use clap::Args;

/// Where traces go. What else there is to say is said by the variables that OpenTelemetry
/// standardizes (docs/tracing.md).
#[derive(Debug, Clone, Default, Args)]
pub struct TraceArgs {
    /// Export traces by OTLP (http/protobuf) to the collector at this address, such as
    /// `http://127.0.0.1:4318`. The other variables of OpenTelemetry are heeded, such as
    /// `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER` and `OTEL_EXPORTER_OTLP_HEADERS`.
    #[arg(
        long,
        value_name = "URL",
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        hide_env_values = true
    )]
    pub otlp_endpoint: Option<String>,
}
