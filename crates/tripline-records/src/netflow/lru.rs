//! A map of bounded size in which the entry unused for longest makes room.

use std::collections::BTreeMap;

/// Ordered maps rather than hash tables: keys come from whoever sends datagrams.
#[derive(Debug)]
pub(super) struct Lru<K, V> {
    capacity: usize,
    clock: u64,
    entries: BTreeMap<K, Entry<V>>,
    by_use: BTreeMap<u64, K>,
}

#[derive(Debug)]
struct Entry<V> {
    used: u64,
    value: V,
}

impl<K: Ord + Copy, V> Lru<K, V> {
    /// A capacity of 0 works as 1.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            clock: 0,
            entries: BTreeMap::new(),
            by_use: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|entry| &entry.value)
    }

    /// The value of a key, which is used by this.
    pub(super) fn get(&mut self, key: K) -> Option<&mut V> {
        let entry = self.entries.get_mut(&key)?;
        self.clock += 1;
        self.by_use.remove(&entry.used);
        self.by_use.insert(self.clock, key);
        entry.used = self.clock;
        Some(&mut entry.value)
    }

    /// The value of a key, and how many entries made room for it.
    pub(super) fn get_or_insert(&mut self, key: K, make: impl FnOnce() -> V) -> (&mut V, u64) {
        let evicted = if self.get(key).is_some() {
            0
        } else {
            self.make_room()
        };
        let used = self.clock;
        let by_use = &mut self.by_use;
        let entry = self.entries.entry(key).or_insert_with(|| {
            by_use.insert(used, key);
            Entry {
                used,
                value: make(),
            }
        });
        (&mut entry.value, evicted)
    }

    /// Puts a value in and says how many entries made room for it.
    pub(super) fn insert(&mut self, key: K, value: V) -> u64 {
        self.remove(key);
        let evicted = self.make_room();
        self.by_use.insert(self.clock, key);
        let used = self.clock;
        self.entries.insert(key, Entry { used, value });
        evicted
    }

    pub(super) fn remove(&mut self, key: K) -> bool {
        match self.entries.remove(&key) {
            Some(entry) => self.by_use.remove(&entry.used).is_some(),
            None => false,
        }
    }

    /// Keeps what the condition holds for and says how many entries went.
    pub(super) fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) -> usize {
        let before = self.entries.len();
        let by_use = &mut self.by_use;
        self.entries.retain(|key, entry| {
            let kept = keep(key, &entry.value);
            if !kept {
                by_use.remove(&entry.used);
            }
            kept
        });
        before - self.entries.len()
    }

    /// Advances the clock and leaves room for one entry.
    fn make_room(&mut self) -> u64 {
        self.clock += 1;
        let mut evicted = 0;
        while self.entries.len() >= self.capacity {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                break;
            };
            self.entries.remove(&oldest);
            evicted += 1;
        }
        evicted
    }
}
