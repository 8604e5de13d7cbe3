use std::{collections::BTreeMap, sync::Arc};

use tripline_detect::Model;
use tripline_store::ModelId;

/// Versions kept ready besides those that judge: old ones that are asked for an explanation, and
/// those that are compared.
const SPARE: usize = 8;

/// Versions that are ready to judge.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    models: BTreeMap<ModelId, Entry>,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    model: Arc<Model>,
    last_use: u64,
    judges: bool,
}

impl Loaded {
    pub(super) fn get(&mut self, id: ModelId) -> Option<Arc<Model>> {
        self.uses += 1;
        let entry = self.models.get_mut(&id)?;
        entry.last_use = self.uses;
        Some(Arc::clone(&entry.model))
    }

    pub(super) fn put(&mut self, id: ModelId, model: &Arc<Model>) {
        self.uses += 1;
        let entry = Entry {
            model: Arc::clone(model),
            last_use: self.uses,
            judges: false,
        };
        self.models.insert(id, entry);
    }

    /// Keeps those that judge, and of the others the ones that were used last.
    pub(super) fn keep(&mut self, judging: impl Iterator<Item = ModelId>) {
        for entry in self.models.values_mut() {
            entry.judges = false;
        }
        for id in judging {
            if let Some(entry) = self.models.get_mut(&id) {
                entry.judges = true;
            }
        }
        let mut spare: Vec<(u64, ModelId)> = Vec::new();
        spare.extend(
            self.models
                .iter()
                .filter(|(_, entry)| !entry.judges)
                .map(|(id, entry)| (entry.last_use, *id)),
        );
        spare.sort_unstable();
        let surplus = spare.len().saturating_sub(SPARE);
        for (_, id) in &spare[..surplus] {
            self.models.remove(id);
        }
    }
}
