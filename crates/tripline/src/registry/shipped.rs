//! Bundles that came with the program. The first time they are simply active. Later the store
//! decides: a newer bundle takes the place of one that came with the program too, and where somebody
//! has chosen another model it is only a candidate.

use tripline_store::{
    ModelFilter, ModelStage, ModelTexts, NewModel, Origin, Step, StoreError, Write,
};

use super::{Models, RegistryError, lock, model_id, slot_of};
use crate::model_files::BundleFile;

/// Who brings them, in the history.
const ACTOR: &str = "program";
/// How often a bundle is offered while others change the same models.
const TRIES: u32 = 5;

impl Models {
    pub(super) fn take_shipped(&self, files: &[BundleFile]) -> Result<(), RegistryError> {
        // By descending priority: of two for the same rows the preferred one becomes active.
        let mut files: Vec<&BundleFile> = files.iter().collect();
        files.sort_by_key(|file| {
            let manifest = file.model.manifest();
            (std::cmp::Reverse(manifest.priority), manifest.name.clone())
        });
        for file in files {
            let mut tries = 1;
            // Workers that are started together on a new store bring the same bundles: whoever comes
            // second looks again, and finds them.
            while let Err(error) = self.take(file) {
                let is_race = matches!(error, RegistryError::Store(StoreError::Conflict { .. }));
                if !is_race || tries == TRIES {
                    return Err(error);
                }
                tries += 1;
            }
        }
        Ok(())
    }

    fn take(&self, file: &BundleFile) -> Result<(), RegistryError> {
        let manifest = file.model.manifest();
        let id = model_id(&manifest.name, &manifest.version);
        // A version that somebody has deleted stays deleted.
        if self.store.model(id)?.is_some() {
            lock(&self.loaded).put(id, &file.model);
            return Ok(());
        }
        let slot = slot_of(manifest);
        let all = self.store.models(&ModelFilter {
            with_deleted: true,
            ..ModelFilter::default()
        })?;
        let rivals: Vec<_> = all
            .iter()
            .filter(|other| other.model.slot == slot || other.model.name == manifest.name)
            .collect();
        let active = rivals
            .iter()
            .find(|other| other.stage == ModelStage::Active && other.deleted_at.is_none());
        let follows = active.is_some_and(|active| {
            active.model.origin == Origin::Shipped && active.model.name == manifest.name
        });
        let new = NewModel {
            id,
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            role: manifest.role.as_str().to_owned(),
            schema: manifest.schema.name.clone(),
            slot,
            stage: ModelStage::Candidate,
            origin: Origin::Shipped,
            parent: active.filter(|_| follows).map(|active| active.model.id),
            texts: ModelTexts {
                description: manifest.description.clone(),
                ..ModelTexts::default()
            },
            original_filename: file
                .path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            file_format: "tripline".to_owned(),
            source_digest: None,
            uploaded_by: None,
            manifest: serde_json::to_string(manifest).unwrap_or_default(),
            checks: "{}".to_owned(),
            signature: None,
        };
        let mut writes = vec![Write::AddModel {
            model: &new,
            bytes: &file.content,
            report: file.report.as_deref(),
            reason: "came with the program",
        }];
        if rivals.is_empty() || follows {
            if let Some(active) = active {
                writes.push(Write::Stage {
                    model: active.model.id,
                    from: ModelStage::Active,
                    to: ModelStage::Retired,
                    reason: "a newer version came with the program",
                    details: "",
                });
            }
            writes.push(Write::Stage {
                model: id,
                from: ModelStage::Candidate,
                to: ModelStage::Active,
                reason: "came with the program",
                details: "",
            });
        }
        self.store.commit(&Step {
            at: self.now(),
            actor: ACTOR,
            writes,
        })?;
        lock(&self.loaded).put(id, &file.model);
        Ok(())
    }
}
