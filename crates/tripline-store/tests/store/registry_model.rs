//! Random steps against a plain model of the registry: what is refused changes nothing, and what is
//! done leaves the store as the plain model says.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tripline_store::{
    ModelId, ModelStage, NewModel, Registry, SqliteStore, Step, StoreError, Write,
};

use crate::fixtures::{
    registry::{ACTOR, adding, deleting, everything, model_id, moving, new_model},
    seconds,
};

const KEYS: [&str; 2] = ["monitor", "shares"];

#[derive(Debug, Clone)]
enum Action {
    Add(u8, ModelStage, u8),
    /// Without a stage to begin with, the one that it is in.
    Move(u8, Option<ModelStage>, ModelStage),
    Delete(u8, bool),
    /// Key, whether it is forgotten, the revision expected.
    Task(usize, bool, Expected),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    /// That which it has.
    Right,
    /// This one, or none.
    Given(Option<u64>),
}

fn action() -> impl Strategy<Value = Action> {
    let seed = 1..5_u8;
    let stage = || prop::sample::select(ModelStage::ALL.to_vec());
    let from = prop::option::weighted(0.2, stage());
    let expected = prop_oneof![
        4 => Just(Expected::Right),
        1 => prop::option::of(1..4_u64).prop_map(Expected::Given),
    ];
    let add = (seed.clone(), stage(), 0..3_u8);
    let delete = (seed.clone(), any::<bool>());
    prop_oneof![
        3 => add.prop_map(|(seed, stage, bytes)| Action::Add(seed, stage, bytes)),
        5 => (seed, from, stage()).prop_map(|(seed, from, to)| Action::Move(seed, from, to)),
        2 => delete.prop_map(|(seed, keep)| Action::Delete(seed, keep)),
        2 => (0..2_usize, any::<bool>(), expected)
            .prop_map(|(key, forget, expected)| Action::Task(key, forget, expected)),
    ]
}

/// Models 1 and 2 have one slot, 2 and 3 one name; 4 is alone.
fn model(seed: u8, stage: ModelStage) -> NewModel {
    NewModel {
        slot: ["", "a", "a", "b", "c"][usize::from(seed)].to_owned(),
        name: ["", "x", "y", "y", "z"][usize::from(seed)].to_owned(),
        stage,
        ..new_model(seed)
    }
}

fn rivals(seed: u8) -> &'static [u8] {
    [&[][..], &[2], &[1, 3], &[2], &[]][usize::from(seed)]
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Plain {
    /// Stage, bytes, whether deleted.
    models: BTreeMap<u8, (ModelStage, u8, bool)>,
    /// Revision, whether there is a value.
    tasks: BTreeMap<usize, (u64, bool)>,
    /// Bytes that are there.
    bytes: Vec<u8>,
    events: Vec<(u8, Option<ModelStage>, Option<ModelStage>)>,
    epoch: u64,
}

impl Plain {
    fn is_taken(&self, seed: u8) -> bool {
        let is_active = |seed| {
            self.models
                .get(seed)
                .is_some_and(|model| model.0 == ModelStage::Active)
        };
        rivals(seed).iter().any(is_active)
    }

    /// The same action with what it leaves open.
    fn settle(&self, action: &Action) -> Action {
        match *action {
            Action::Move(seed, None, to) => {
                let found = self.models.get(&seed).map(|model| model.0);
                Action::Move(seed, found.or(Some(to)), to)
            }
            Action::Task(key, forget, Expected::Right) => {
                let found = self.tasks.get(&key).filter(|task| task.1);
                Action::Task(key, forget, Expected::Given(found.map(|task| task.0)))
            }
            _ => action.clone(),
        }
    }

    fn apply(&mut self, action: &Action) -> Option<()> {
        match *action {
            Action::Add(seed, stage, bytes) => {
                let is_there = self.models.get(&seed).is_some_and(|model| !model.2);
                let has_no_place = stage == ModelStage::Active && self.is_taken(seed);
                if is_there || has_no_place {
                    return None;
                }
                self.models.insert(seed, (stage, bytes, false));
                self.bytes.push(bytes);
                // Only what some version had stays.
                self.bytes
                    .retain(|bytes| self.models.values().any(|model| model.1 == *bytes));
                self.events.push((seed, None, Some(stage)));
            }
            Action::Move(seed, from, to) => {
                let found = *self.models.get(&seed)?;
                let has_no_place = to == ModelStage::Active && self.is_taken(seed);
                if found.2 || Some(found.0) != from || has_no_place {
                    return None;
                }
                self.models.insert(seed, (to, found.1, false));
                self.events.push((seed, from, Some(to)));
            }
            Action::Delete(seed, keep) => {
                let (stage, bytes, is_deleted) = *self.models.get(&seed)?;
                if is_deleted || !matches!(stage, ModelStage::Candidate | ModelStage::Retired) {
                    return None;
                }
                self.models.insert(seed, (stage, bytes, true));
                let is_needed = self
                    .models
                    .values()
                    .any(|model| model.1 == bytes && !model.2);
                if !keep && !is_needed {
                    self.bytes.retain(|other| *other != bytes);
                }
                self.events.push((seed, None, None));
            }
            Action::Task(key, forget, expected) => {
                let (revision, has_value) = self.tasks.get(&key).copied().unwrap_or_default();
                if expected != Expected::Given(has_value.then_some(revision)) {
                    return None;
                }
                self.tasks.insert(key, (revision + 1, !forget));
            }
        }
        Some(())
    }

    /// All actions or none; the actions as they were taken, and whether they were done.
    fn step(&mut self, actions: &[Action]) -> (Vec<Action>, bool) {
        let mut next = self.clone();
        let mut settled = Vec::new();
        let mut is_done = true;
        for action in actions {
            let action = next.settle(action);
            is_done &= next.apply(&action).is_some();
            settled.push(action);
        }
        if is_done {
            next.epoch += u64::from(next.events.len() > self.events.len());
            *self = next;
        }
        (settled, is_done)
    }
}

fn commit(store: &SqliteStore, actions: &[Action]) -> bool {
    let models: Vec<_> = actions
        .iter()
        .map(|action| match action {
            Action::Add(seed, stage, _) => model(*seed, *stage),
            _ => new_model(0),
        })
        .collect();
    let bytes = [[0], [1], [2]];
    let writes = actions
        .iter()
        .zip(&models)
        .map(|(action, model)| match *action {
            Action::Add(_, _, content) => adding(model, &bytes[usize::from(content)]),
            Action::Move(seed, from, to) => moving(seed, from.unwrap(), to),
            Action::Delete(seed, keep) => deleting(seed, keep),
            Action::Task(_, _, Expected::Right) => panic!("not settled: {action:?}"),
            Action::Task(key, forget, Expected::Given(expected)) => Write::Task {
                key: KEYS[key],
                value: Some("value").filter(|_| !forget),
                expected,
            },
        });
    let before = everything(store);
    let step = Step {
        at: seconds(1),
        actor: ACTOR,
        writes: writes.collect(),
    };
    match store.commit(&step) {
        Ok(committed) => {
            assert_eq!(committed.epoch, store.epoch().unwrap());
            true
        }
        Err(StoreError::Conflict { .. }) => {
            assert_eq!(everything(store), before);
            false
        }
        Err(other) => panic!("{other}"),
    }
}

fn compare(store: &SqliteStore, plain: &Plain) {
    assert_eq!(store.epoch().unwrap(), plain.epoch);
    for seed in 1..5 {
        let found = store.model(model_id(seed)).unwrap();
        let content = store.model_bytes(model_id(seed)).unwrap();
        let Some(&(stage, bytes, is_deleted)) = plain.models.get(&seed) else {
            assert_eq!((found, content), (None, None));
            continue;
        };
        let found = found.unwrap();
        assert_eq!(
            (found.stage, found.deleted_at.is_some()),
            (stage, is_deleted)
        );
        let has_bytes = plain.bytes.contains(&bytes);
        assert_eq!(found.has_bytes, has_bytes);
        assert_eq!(content, has_bytes.then(|| vec![bytes]));
    }
    for (key, name) in KEYS.iter().enumerate() {
        let (revision, has_value) = plain.tasks.get(&key).copied().unwrap_or_default();
        let found = store.task(name).unwrap().map(|task| task.revision);
        assert_eq!(found, has_value.then_some(revision));
    }
    let mut events: Vec<(ModelId, _, _)> = store
        .model_events(None, None, usize::MAX)
        .unwrap()
        .into_iter()
        .map(|event| (event.model, event.from, event.to))
        .collect();
    events.reverse();
    let expected = plain
        .events
        .iter()
        .map(|&(seed, from, to)| (model_id(seed), from, to));
    assert!(events.into_iter().eq(expected));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_steps_are_done_whole_or_not_at_all(
        steps in prop::collection::vec(prop::collection::vec(action(), 1..4), 1..60)
    ) {
        let store = SqliteStore::open_in_memory().unwrap();
        let mut plain = Plain::default();
        for step in &steps {
            let (step, is_done) = plain.step(step);
            assert_eq!(commit(&store, &step), is_done, "{step:?}");
            compare(&store, &plain);
        }
    }
}
