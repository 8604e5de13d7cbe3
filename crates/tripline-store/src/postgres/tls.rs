use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::{Failure, Result};
use crate::StoreError;

/// Checks a server's certificate and name against the file, or against what the system trusts.
pub(super) fn connector(file: Option<&Path>) -> Result<MakeRustlsConnect> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            let unreadable = |said: String| {
                let what = format!("certificates in {}: {said}", file.display());
                Failure::from(StoreError::invalid(
                    "sslrootcert",
                    what,
                    "a file in PEM form",
                ))
            };
            let certificates = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
                .map_err(|error| unreadable(error.to_string()))?;
            if roots.add_parsable_certificates(certificates).0 == 0 {
                return Err(unreadable("none found".to_owned()));
            }
        }
        None => {
            // Those that cannot be read are as good as not there: a server that needs one is refused.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            let expected = "what the library supports";
            StoreError::invalid("versions of TLS", error, expected)
        })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
