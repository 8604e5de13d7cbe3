//! A model file that somebody uploads: a bundle, ONNX, the JSON of XGBoost, the text of LightGBM.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tripline_detect::{
    Model, ModelBundle,
    import::{Format, ImportSpec, import, recognise},
};

/// What stands for the columns of a foreign file.
const FEATURES: [&str; 5] = ["src_bytes", "dst_bytes", "count", "service", "flag"];

fuzz_target!(|bytes: &[u8]| {
    let Ok(format) = recognise(bytes) else {
        return;
    };
    let bundle = if format == Format::Tripline {
        ModelBundle::decode(bytes)
    } else {
        let spec = ImportSpec {
            name: "fuzzed".to_owned(),
            features: FEATURES.map(str::to_owned).to_vec(),
            ..ImportSpec::default()
        };
        import(bytes, format, &spec)
    };
    let Ok(mut bundle) = bundle else {
        return;
    };
    // What is let in comes back the same from what is kept.
    let kept = bundle.encode().expect("what was read can be written");
    let again = ModelBundle::decode(&kept).expect("what was written can be read");
    assert_eq!(again.manifest.version, bundle.manifest.version);
    let Ok(model) = Model::new(bundle) else {
        return;
    };
    // And answers with numbers, whatever a row holds.
    let ensemble = model.compiled().ensemble();
    for value in [0.0, -1.0, 1e300, f64::NAN] {
        let row = vec![value; ensemble.width()];
        for probability in ensemble.probabilities(&row) {
            assert!(probability.is_finite(), "{probability}");
        }
    }
});
