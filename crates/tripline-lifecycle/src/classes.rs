use tripline_features::{FeatureSchema, label};

/// The class that a label belongs to, by the rules of a schema: the five categories of NSL-KDD,
/// or the classes of the origin system and Heartbleed.
pub fn class_of_label(schema: &FeatureSchema, text: &str) -> Option<&'static str> {
    match schema.name() {
        // Generated traffic bears the names of flow classes, whichever schema measures it.
        "nsl-kdd" => label::category_of(text)
            .or_else(|| label::category_of_flow_class(text))
            .map(tripline_features::NslCategory::name),
        _ => label::cicflow_class(text).map(|class| label::CICFLOW_CLASSES[class]),
    }
}
