//! What was done to other systems through model files (`THREAT_MODEL.md`): more than two hundred files that
//! run code where they are unpickled, archives and names that lead out of a folder, references to other
//! files, trust that a file claims for itself. Nothing of it is let in, nothing of it runs.

use std::{
    io::{ErrorKind, Write},
    net::TcpListener,
    path::Path,
};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use flate2::{Compression, write::GzEncoder, write::ZlibEncoder};
use serde_json::json;

use crate::harness::{Api, variant};

const TEN: &str = "nsl-kdd-detector-ten-v1";
const KIND: (&str, &str) = ("model_type", "threat_detector");

/// What pickles call to do harm, with the argument that does it: module, name, argument.
fn gadgets(marker: &Path, port: u16) -> Vec<(String, String, String)> {
    let marker = marker.display();
    let shell = format!("touch {marker}");
    let python = format!("open('{marker}','w')");
    let connect = format!("__import__('socket').create_connection(('127.0.0.1',{port}))");
    [
        ("os", "system", &shell),
        ("posix", "system", &shell),
        ("nt", "system", &shell),
        ("subprocess", "getoutput", &shell),
        ("subprocess", "check_output", &shell),
        ("subprocess", "Popen", &shell),
        ("commands", "getoutput", &shell),
        ("pty", "spawn", &shell),
        ("builtins", "eval", &python),
        ("builtins", "exec", &python),
        ("__builtin__", "eval", &connect),
        ("builtins", "compile", &python),
        ("builtins", "__import__", &python),
        ("timeit", "timeit", &python),
        ("runpy", "run_path", &shell),
        ("code", "InteractiveInterpreter", &python),
        ("pdb", "run", &python),
        ("bdb", "Bdb.run", &python),
        ("cProfile", "run", &python),
        ("trace", "Trace.run", &python),
        ("importlib", "import_module", &python),
        ("pydoc", "pipepager", &shell),
        ("webbrowser", "open", &connect),
        ("urllib.request", "urlopen", &connect),
        (
            "asyncio.unix_events",
            "_UnixSubprocessTransport._start",
            &shell,
        ),
        ("numpy.testing._private.utils", "runstring", &python),
        ("numpy.f2py.crackfortran", "getlincoef", &python),
        ("torch.utils.collect_env", "run", &shell),
        ("joblib", "load", &shell),
        ("idlelib.run", "Executive.runcode", &python),
        ("lib2to3.pgen2.grammar", "Grammar.loads", &shell),
        ("ensurepip", "_run_pip", &shell),
    ]
    .into_iter()
    .map(|(module, name, argument)| (module.to_owned(), name.to_owned(), argument.clone()))
    .collect()
}

/// A call as a pickle in one of the protocols.
fn pickled(protocol: u8, module: &str, name: &str, argument: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let short = |out: &mut Vec<u8>, text: &str| {
        out.push(0x8c);
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    };
    match protocol {
        // GLOBAL and REDUCE as text.
        0 => write!(out, "c{module}\n{name}\n(S\"{argument}\"\ntR.").unwrap(),
        // INST.
        1 => write!(out, "(S\"{argument}\"\ni{module}\n{name}\n.").unwrap(),
        2 | 3 => {
            out.extend_from_slice(&[0x80, protocol]);
            write!(out, "c{module}\n{name}\n").unwrap();
            out.push(b'X');
            out.extend_from_slice(&(argument.len() as u32).to_le_bytes());
            out.extend_from_slice(argument.as_bytes());
            out.extend_from_slice(b"\x85R.");
        }
        _ => {
            let mut frame = Vec::new();
            short(&mut frame, module);
            frame.push(0x94);
            short(&mut frame, name);
            frame.extend_from_slice(b"\x94\x93\x94");
            short(&mut frame, argument);
            frame.extend_from_slice(b"\x94\x85\x94R\x94.");
            out.extend_from_slice(&[0x80, protocol, 0x95]);
            out.extend_from_slice(&(frame.len() as u64).to_le_bytes());
            out.extend_from_slice(&frame);
        }
    }
    out
}

/// As people hand pickles on: bare, compressed as joblib does, and in an archive whose sum is wrong.
fn wrapped(pickle: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(pickle).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(pickle).unwrap();
    vec![
        ("m.pkl", pickle.to_vec()),
        ("m.joblib", zlib.finish().unwrap()),
        ("m.json", gzip.finish().unwrap()),
        ("m.tripline", stored_zip("../../archive/data.pkl", pickle)),
    ]
}

/// A zip archive of one stored file, with a wrong checksum: some scanners skip such a member.
fn stored_zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0".to_vec();
    out.extend_from_slice(&0xdead_beef_u32.to_le_bytes());
    for _ in 0..2 {
        out.extend_from_slice(&(content.len() as u32).to_le_bytes());
    }
    out.extend_from_slice(&(name.len() as u16).to_le_bytes());
    out.extend_from_slice(&0_u16.to_le_bytes());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(content);
    out
}

async fn count(api: &Api) -> serde_json::Value {
    let list = api.get("/api/v1/models?include_inactive=true").await.json();
    list["total_count"].clone()
}

/// M1 to M5: no unpickler, no list of what is forbidden; content decides and not the name.
#[tokio::test]
async fn no_pickle_runs_whatever_it_calls_and_however_it_is_wrapped() {
    let api = Api::new();
    let before = count(&api).await;
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("ran");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut files = 0;
    for (module, name, argument) in gadgets(&marker, port) {
        for protocol in [0, 1, 2, 3, 4, 5] {
            let pickle = pickled(protocol, &module, &name, &argument);
            for (file, content) in wrapped(&pickle) {
                let answer = api.upload_model(file, &content, &[KIND]).await;
                assert_eq!(
                    answer.status,
                    StatusCode::BAD_REQUEST,
                    "{module}.{name}, protocol {protocol} in {file}: {}",
                    answer.text
                );
                files += 1;
            }
        }
    }
    assert!(files >= 200, "{files} files");
    assert!(!marker.exists(), "something of it was run");
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        ErrorKind::WouldBlock,
        "something of it has connected"
    );
    assert_eq!(count(&api).await, before);
}

/// M6: whom to trust is never read from what is to be trusted.
#[tokio::test]
async fn a_file_cannot_vouch_for_itself() {
    let api = Api::new();
    let bytes = variant(TEN, |_| {});
    for (field, value) in [
        ("trusted", "true"),
        ("trusted_types", "[\"os.system\"]"),
        (
            "public_key",
            "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
        ),
    ] {
        let answer = api
            .upload_model("m.tripline", &bytes, &[KIND, (field, value)])
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        assert!(
            answer.detail().contains("unknown field"),
            "{}",
            answer.detail()
        );
    }
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 128 {
        out.push((length % 128) as u8 | 128);
        length /= 128;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}

/// M7 and M8: ONNX that refers to other files, and that promises more than there is.
#[tokio::test]
async fn onnx_that_reads_other_files_or_claims_too_much_is_refused() {
    let api = Api::new();
    let profile = json!({"expected_features": ["count"], "class_labels": ["normal", "attack"]});
    let profile = profile.to_string();
    let fields = [KIND, ("profile_config", profile.as_str())];
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tripline-forest/tests/imports/onnx_forest.onnx");
    let model = std::fs::read(recorded).unwrap();
    for location in ["../../../../etc/passwd", "/etc/passwd", "weights.bin"] {
        let entry = [field(1, b"location"), field(2, location.as_bytes())].concat();
        // external_data, and data_location = EXTERNAL.
        let tensor = [field(13, &entry), vec![14 << 3, 1]].concat();
        let graph = field(5, &tensor);
        let crafted = [model.clone(), field(7, &graph)].concat();
        let answer = api.upload_model("m.onnx", &crafted, &fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        assert!(
            answer.detail().contains("outside of the file"),
            "{location}: {}",
            answer.detail()
        );
    }
    // A length beyond the end of the file, by a varint of ten bytes.
    let mut long = model.clone();
    long.extend_from_slice(b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    let answer = api.upload_model("m.onnx", &long, &fields).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
}

/// M10 and M11: no path from an archive or a name is used.
#[tokio::test]
async fn names_and_archives_lead_nowhere() {
    let api = Api::new();
    let mut tar = vec![0_u8; 1024];
    tar[..16].copy_from_slice(b"../../etc/passwd");
    tar[257..262].copy_from_slice(b"ustar");
    let answer = api.upload_model("m.tar", &tar, &[KIND]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);

    let names = [
        "../../../etc/cron.d/x.tripline",
        "/etc/passwd",
        "..\\..\\windows\\m.tripline",
        "m.tripline/../../x",
    ];
    for (number, name) in names.into_iter().enumerate() {
        // Each a version of its own.
        let bytes = variant(TEN, |bundle| {
            bundle.manifest.description = format!("number {number}");
        });
        let answer = api.upload_model(name, &bytes, &[KIND]).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text);
        let model = answer.json();
        for key in ["original_filename", "file_path"] {
            let text = model[key].as_str().unwrap();
            assert!(
                !text.contains("..") && !text.starts_with('/') && !text.contains('\\'),
                "{key} of {name} is {text}"
            );
        }
    }
    // In the bundle itself.
    let bytes = variant(TEN, |bundle| {
        bundle.manifest.name = "../../../tmp/x".to_owned();
    });
    let answer = api.upload_model("m.tripline", &bytes, &[KIND]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
}

/// M12: what a request says it holds does not choose what reads it.
#[tokio::test]
async fn a_content_type_opens_no_other_reader() {
    let api = Api::new();
    let pickle = pickled(4, "os", "system", "true");
    for (path, types) in [
        (
            "/api/v1/models/upload",
            &[
                "application/vnd.bentoml+pickle",
                "application/octet-stream",
                "application/json",
                "application/x-pickle",
            ][..],
        ),
        (
            "/api/v1/score",
            &["application/vnd.bentoml+pickle", "application/octet-stream"][..],
        ),
        ("/api/v1/labels", &["application/x-pickle"][..]),
    ] {
        for kind in types {
            let request = Request::post(path)
                .header("content-type", *kind)
                .header("payload-container", "pickle")
                .body(Body::from(pickle.clone()))
                .unwrap();
            let answer = api.send(request).await;
            assert!(
                answer.status.is_client_error(),
                "{path} with {kind}: {} {}",
                answer.status,
                answer.text
            );
        }
    }
}
