use tripline_records::ZeekReader;

use super::*;
use crate::records::testing;

const LOG: &str = "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\t\
proto\tduration\torig_bytes\tresp_bytes\tconn_state\thistory\torig_pkts\tresp_pkts\n\
1000000000.0\t10.0.0.1\t40000\t10.0.0.2\t80\ttcp\t2.5\t300\t5000\tSF\tShADadFf\t6\t8\n\
1000000000.1\t10.0.0.1\t40000\t10.0.0.2\t80\ttcp\t2.5\t300\t5000\t-\tShADadFf\t6\t8\n\
1000000000.1\t10.0.0.1\t0\t10.0.0.2\t0\tunknown_transport\t-\t-\t-\tOTH\t-\t1\t0\n\
1000000009.0\t10.0.0.1\t40000\t10.0.0.2\t80\ttcp\t2.5\t300\t5000\tSF\tShADTadFf\t6\t8\n";

fn judged() -> (Vec<JudgedRecord>, RecordJudges) {
    let mut judges = RecordJudges::new(&testing::models(), 3).unwrap();
    let mut reader = ZeekReader::new(LOG.as_bytes()).unwrap();
    let mut all = Vec::new();
    while let Some(item) = reader.next_record().unwrap() {
        all.push(judges.judge(item.unwrap(), None));
    }
    (all, judges)
}

#[test]
fn a_model_is_asked_when_all_of_its_features_are_known() {
    let (all, judges) = judged();
    assert_eq!(all[0].opinions.len(), 1);
    assert!(all[0].opinions[0].verdict.threat.is_some());
    assert_eq!(all[0].opinions[0].verdict.reasons.len(), 3);
    assert_eq!(all[0].not_judged_because(), None);
    // Other features of cicflow are known of the last one, and the same models judge it.
    assert_ne!(all[0].features.cicflow.known, all[3].features.cicflow.known);
    assert_eq!(all[3].opinions.len(), 1);
    assert_eq!(judges.pipelines().len(), 1);
}

#[test]
fn otherwise_the_answer_names_what_is_missing() {
    let (all, _) = judged();
    assert_eq!(
        all[1].not_judged_because().unwrap(),
        "test-detector-conn also needs duration, flag, src_bytes, dst_bytes, serror_rate, \
         srv_serror_rate, rerror_rate, srv_rerror_rate; no detector is loaded for cicflow"
    );
    assert_eq!(
        all[2].not_judged_because().unwrap(),
        "no detector is loaded for cicflow; nsl-kdd has no such record"
    );
}

#[test]
fn without_a_detector_there_is_nobody_to_ask() {
    let nobody = ModelSet::new(Vec::new()).unwrap();
    assert!(RecordJudges::new(&nobody, 3).unwrap_err().is_unavailable());
}

#[test]
fn a_record_has_the_same_identity_and_community_in_every_run() {
    let ((one, _), (other, _)) = (judged(), judged());
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one.identity(), other.identity());
    }
    assert_ne!(one[0].identity(), one[3].identity());
    assert!(one[0].community_id().unwrap().starts_with("1:"));
    assert_eq!(one[0].community_id(), one[1].community_id());
    assert_eq!(one[2].community_id(), None);
}
