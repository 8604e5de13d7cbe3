//! Reads published training data when `TRIPLINE_DATA` names the folder that has it.

#[cfg(test)]
mod published_data {
    use std::fs::File;
    use std::io::Read;
    use std::path::PathBuf;

    use tripline_features::{
        CsvLimits, CsvRows, FeatureVector, LabelText, RowBatch, encode_values, label,
    };

    #[expect(
        clippy::disallowed_methods,
        reason = "the data lies outside the repository"
    )]
    fn open(path: &str) -> Option<Box<dyn Read>> {
        let Ok(folder) = std::env::var("TRIPLINE_DATA") else {
            println!("skipped: TRIPLINE_DATA does not name a folder with {path}");
            return None;
        };
        let path = PathBuf::from(folder).join(path);
        let file = File::open(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "zst") {
            Some(Box::new(zstd::Decoder::new(file).unwrap()))
        } else {
            Some(Box::new(file))
        }
    }

    fn read(file: Box<dyn Read>) -> (CsvRows<Box<dyn Read>>, RowBatch) {
        let mut rows = CsvRows::new(file, CsvLimits::default()).unwrap();
        let mut batch = RowBatch::new();
        rows.read_batch(usize::MAX, &mut batch).unwrap();
        (rows, batch)
    }

    #[test]
    fn the_bounds_accept_the_whole_nsl_kdd_training_set() {
        let Some(file) = open("nsl-kdd/KDDTrain+.txt.zst") else {
            return;
        };
        let (rows, batch) = read(file);
        assert_eq!(rows.schema().name(), "nsl-kdd");
        assert_eq!(batch.rejections, []);
        assert_eq!(batch.len(), 125_973);
        assert!(rows.notes().is_empty());
        let benign =
            |text: &Option<LabelText>| label::is_benign(text.as_ref().unwrap().as_str()).unwrap();
        assert_eq!(
            batch.labels.iter().filter(|text| benign(text)).count(),
            67_343
        );
        let mut bytes = Vec::new();
        let mut total = 0;
        for row in batch.rows() {
            bytes.clear();
            encode_values(row, &mut bytes);
            total += bytes.len();
            assert!(bytes.len() < 80);
            assert_eq!(
                FeatureVector::decode(&bytes, rows.schema())
                    .unwrap()
                    .values(),
                row
            );
        }
        println!(
            "{:.1} bytes per stored row",
            total as f64 / batch.len() as f64
        );
    }

    #[test]
    fn the_corrected_flow_data_is_read_whole() {
        let Some(file) = open("cicids2017/cicids2017-improved.csv.zst") else {
            return;
        };
        let (rows, batch) = read(file);
        assert_eq!(rows.schema().name(), "cicflow");
        assert_eq!(batch.rejections, []);
        assert_eq!(batch.len(), 44_669);
        assert_eq!(rows.columns().ignored_columns(), <[String; 0]>::default());
        assert!(
            batch
                .labels
                .iter()
                .all(|text| label::cicflow_class(text.as_ref().unwrap().as_str()).is_some())
        );
        println!("{:#?}", rows.notes().lines());
    }

    #[test]
    fn files_of_existing_clients_are_accepted() {
        for (path, schema) in [
            ("origin-samples/threat_detection_test.csv", "nsl-kdd"),
            ("origin-samples/attack_classification_test.csv", "cicflow"),
        ] {
            let Some(file) = open(path) else { return };
            let (rows, batch) = read(file);
            assert_eq!(rows.schema().name(), schema);
            assert_eq!(batch.rejections, [], "{path}");
            assert_eq!(batch.len(), 10);
            assert!(rows.columns().ignored_columns().is_empty());
        }
    }
}
