use std::{cmp::Reverse, sync::Arc};

use tripline_features::FeatureSchema;

use crate::{DetectError, MadeFor, Model, Role};

/// The models that judge a row together.
#[derive(Debug, Clone)]
pub struct Pipeline {
    schema: &'static FeatureSchema,
    detector: Option<Arc<Model>>,
    classifier: Option<Arc<Model>>,
    namer: Option<Arc<Model>>,
}

impl Pipeline {
    /// The definition of the features.
    pub fn schema(&self) -> &'static FeatureSchema {
        self.schema
    }

    /// Tells threats from normal traffic.
    pub fn detector(&self) -> Option<&Arc<Model>> {
        self.detector.as_ref()
    }

    /// Tells classes apart.
    pub fn classifier(&self) -> Option<&Arc<Model>> {
        self.classifier.as_ref()
    }

    /// Names attacks inside a class.
    pub fn namer(&self) -> Option<&Arc<Model>> {
        self.namer.as_ref()
    }

    /// All of its models.
    pub fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        [&self.detector, &self.classifier, &self.namer]
            .into_iter()
            .flatten()
    }
}

/// Every model that is in use.
#[derive(Debug, Clone, Default)]
pub struct ModelSet {
    models: Vec<Arc<Model>>,
}

impl ModelSet {
    /// Takes the models in use. Two models of one name would make the choice between them a
    /// matter of luck and are refused.
    pub fn new(models: Vec<Arc<Model>>) -> Result<Self, DetectError> {
        let mut models = models;
        // The order of preference is fixed here once: first by priority, then by the number of
        // features, then by name.
        models.sort_by_cached_key(|model| {
            let manifest = model.manifest();
            (
                Reverse(manifest.priority),
                Reverse(manifest.features.len()),
                manifest.name.clone(),
            )
        });
        for (index, model) in models.iter().enumerate() {
            let name = &model.manifest().name;
            if models[..index]
                .iter()
                .any(|other| &other.manifest().name == name)
            {
                return Err(DetectError::Manifest {
                    model: name.clone(),
                    field: "name",
                    reason: "another model in use has the same name".to_owned(),
                });
            }
        }
        Ok(Self { models })
    }

    /// The models, in order of preference.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// The pipeline for rows of a schema that have the features marked in `present`: per role the
    /// most preferred model whose features they cover, of those made for rows.
    pub fn pipeline_for(
        &self,
        schema: &'static FeatureSchema,
        present: &[bool],
    ) -> Result<Pipeline, DetectError> {
        self.best(schema, present, &[MadeFor::Rows])
    }

    /// The same for flows that were measured from packets: models made for packets go before those
    /// made for rows.
    pub fn pipeline_for_packets(
        &self,
        schema: &'static FeatureSchema,
        present: &[bool],
    ) -> Result<Pipeline, DetectError> {
        self.best(schema, present, &[MadeFor::Packets, MadeFor::Rows])
    }

    fn best(
        &self,
        schema: &'static FeatureSchema,
        present: &[bool],
        origins: &[MadeFor],
    ) -> Result<Pipeline, DetectError> {
        let fits = |role: Role| {
            let of = |origin: &MadeFor| {
                self.of_schema(schema).find(|model| {
                    model.role() == role
                        && model.manifest().made_for == *origin
                        && model.missing(present).is_empty()
                })
            };
            origins.iter().find_map(of).cloned()
        };
        let (detector, classifier) = (fits(Role::Detector), fits(Role::Classifier));
        if detector.is_none() && classifier.is_none() {
            return Err(self.nearest(schema, present, origins));
        }
        Ok(Pipeline {
            schema,
            detector,
            classifier,
            namer: fits(Role::Namer),
        })
    }

    /// The pipeline of exactly these models, by role, name and version; `None` when one of them is
    /// not in use. With it an old verdict is explained by the models that gave it.
    pub fn pipeline_of(
        &self,
        schema: &'static FeatureSchema,
        wanted: &[(Role, &str, &str)],
    ) -> Option<Pipeline> {
        let mut pipeline = Pipeline {
            schema,
            detector: None,
            classifier: None,
            namer: None,
        };
        for (role, name, version) in wanted {
            let model = self.of_schema(schema).find(|model| {
                let manifest = model.manifest();
                model.role() == *role && manifest.name == *name && manifest.version == *version
            })?;
            let place = match role {
                Role::Detector => &mut pipeline.detector,
                Role::Classifier => &mut pipeline.classifier,
                Role::Namer => &mut pipeline.namer,
            };
            *place = Some(Arc::clone(model));
        }
        Some(pipeline)
    }

    fn of_schema(&self, schema: &'static FeatureSchema) -> impl Iterator<Item = &Arc<Model>> {
        self.models
            .iter()
            .filter(move |model| model.schema().name() == schema.name())
    }

    fn nearest(
        &self,
        schema: &'static FeatureSchema,
        present: &[bool],
        origins: &[MadeFor],
    ) -> DetectError {
        let nearest = self
            .of_schema(schema)
            .filter(|model| model.role() != Role::Namer)
            .filter(|model| origins.contains(&model.manifest().made_for))
            .map(|model| (model.missing(present), model))
            .min_by_key(|(missing, _)| missing.len());
        match nearest {
            Some((missing, model)) => DetectError::MissingFeatures {
                nearest: model.manifest().name.clone(),
                missing,
            },
            None => DetectError::NoModel {
                schema: schema.name(),
            },
        }
    }
}
