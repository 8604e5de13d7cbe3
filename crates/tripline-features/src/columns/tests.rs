use super::*;
use crate::schema::cicflow;

fn header(line: &str) -> Vec<&str> {
    line.split(',').collect()
}

#[test]
fn the_ten_features_of_existing_clients_are_nsl_kdd() {
    let map = ColumnMap::from_header(&header(
        "service,flag,src_bytes,dst_bytes,count,same_srv_rate,diff_srv_rate,dst_host_srv_count,dst_host_same_srv_rate,dst_host_same_src_port_rate",
    ))
    .unwrap();
    assert_eq!(map.schema().name(), "nsl-kdd");
    assert_eq!(map.present().iter().filter(|present| **present).count(), 10);
}

#[test]
fn the_42_features_of_existing_clients_are_cicflow() {
    let map = ColumnMap::from_header(&header(
        " Destination Port, Flow Duration, Total Fwd Packets,Total Length of Fwd Packets, Fwd Packet Length Max, Fwd Packet Length Min,Bwd Packet Length Max, Bwd Packet Length Min,Flow Bytes/s, Flow Packets/s, Flow IAT Mean, Flow IAT Std, Flow IAT Min,Bwd IAT Total, Bwd IAT Std,Fwd PSH Flags, Bwd PSH Flags, Fwd URG Flags, Bwd URG Flags, Fwd Header Length, Bwd Header Length, Bwd Packets/s, Min Packet Length,FIN Flag Count, RST Flag Count, PSH Flag Count, ACK Flag Count, URG Flag Count, Down/Up Ratio,Fwd Avg Bytes/Bulk, Fwd Avg Packets/Bulk, Fwd Avg Bulk Rate, Bwd Avg Bytes/Bulk, Bwd Avg Packets/Bulk,Bwd Avg Bulk Rate,Init_Win_bytes_forward, Init_Win_bytes_backward, min_seg_size_forward,Active Mean, Active Std, Active Max, Idle Std",
    ))
    .unwrap();
    assert_eq!(map.schema().name(), "cicflow");
    assert_eq!(map.present().iter().filter(|present| **present).count(), 42);
    assert!(map.ignored_columns().is_empty());
    assert!(map.duplicate_columns().is_empty());
}

#[test]
fn repeated_identity_and_unknown_columns_are_told_apart() {
    let map = ColumnMap::from_header(&header(
        "Flow ID,Src IP,Flow Duration,Tot Fwd Pkts,Tot Bwd Pkts, Fwd Header Length, Fwd Header Length,Flow Duration,colour, Label",
    ))
    .unwrap();
    assert_eq!(map.schema().name(), cicflow().name());
    assert_eq!(map.identity_columns(), ["Flow ID", "Src IP"]);
    assert_eq!(
        map.duplicate_columns(),
        ["Fwd Header Length", "Flow Duration"]
    );
    assert_eq!(map.ignored_columns(), ["colour"]);
    assert_eq!(map.label_column(), Some(9));
    assert_eq!(map.remarks().len(), 2);
}

#[test]
fn nothing_is_guessed_from_a_few_names() {
    for line in [
        "a,b,c",
        "service,flag,colour,size",
        "count,duration,service,a,b,c,d,e,f,g",
        "protocol,label",
    ] {
        let error = match_schema(&header(line)).unwrap_err();
        assert!(
            matches!(error, FeatureError::NoSchema { .. }),
            "{line}: {error}"
        );
    }
    let error = match_schema(&header("service,flag,colour,size"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("nearest is nsl-kdd with 2"), "{error}");
    assert!(
        error.contains(r#"missing "duration", "protocol_type""#),
        "{error}"
    );
    assert!(
        error.contains(r#"not recognised "colour", "size""#),
        "{error}"
    );
    assert!(matches!(
        match_schema(&["", " "]),
        Err(FeatureError::NoColumns)
    ));
}

#[test]
fn rows_without_header_have_41_to_43_columns() {
    for (columns, label) in [(41, None), (42, Some(41)), (43, Some(41))] {
        let map = ColumnMap::for_headerless_nsl_kdd(columns).unwrap();
        assert_eq!(map.label_column(), label);
        assert!(map.present().iter().all(|present| *present));
    }
    assert!(ColumnMap::for_headerless_nsl_kdd(40).is_err());
    assert!(ColumnMap::for_headerless_nsl_kdd(44).is_err());
}
