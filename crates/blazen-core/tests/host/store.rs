//! A host that stores its run and goes on with it in another core.

use serde_json::{Value, json};

use super::*;

impl Host<'_> {
    /// Settles a few invocations while nothing is dispatched, then goes on in another core.
    pub(super) fn stop(&mut self, tape: &mut Tape) {
        self.paused = true;
        self.hand_over(vec![[IN_PAUSE, 1, NONE, NONE]]);
        for _ in 0..tape.below(4) {
            if let Some(frames) = self.act(tape).filter(|_| !self.over) {
                self.hand_over(frames);
            }
        }
        if self.over {
            return;
        }
        let plan = self.workflow().plan;
        let bytes = self.save().unwrap_or_else(|| panic!("{}", self.core.last_error()));
        assert_eq!(self.core.verify(plan, self.run, &bytes, &[]).as_deref(), Some(""), "{}", self.core.last_error());
        let text = self.core.text(&bytes).unwrap();
        let mut other = compiled(self.workflow());
        let parsed = other.parse(text.as_bytes()).unwrap_or_else(|| panic!("{}", other.last_error()));
        let children = self.children(&mut other, &parsed);
        self.run = other.restore(plan, &parsed, &children);
        assert!(self.run >= 0, "{}\n{text}", other.last_error());
        self.core = other;
        assert_eq!(self.save(), Some(bytes), "{text}");
        self.again = self.running.keys().copied().collect();
        self.next_seq = 0;
        self.told = 0;
        self.stops += 1;
        self.paused = false;
        self.waiting = false;
        self.hand_over(vec![[IN_PAUSE, 0, NONE, NONE]]);
        assert!(self.over || self.again.is_empty(), "not called again: {:?}", self.again);
    }

    /// The plans of child runs in a snapshot, which are those that the host knows.
    fn children(&self, core: &mut Core, bytes: &[u8]) -> Vec<u32> {
        let document: Value = serde_json::from_str(&core.document(bytes).unwrap()).unwrap();
        let rows = document["flows"].as_array().into_iter().flatten();
        let told: Vec<(i64, bool)> =
            rows.map(|row| (row["id"].as_i64().unwrap(), row["over"].as_bool().unwrap_or_else(|| panic!("{row}")))).collect();
        let known = self.flows.iter().skip(1).map(|(flow, book)| (i64::from(*flow), self.books[*book].over));
        assert_eq!(told, known.collect::<Vec<_>>(), "{}", document["flows"]);
        let pairs = document["inner"].as_array().into_iter().flatten();
        let inner: BTreeSet<(i64, i64)> = pairs.map(|pair| (pair[0].as_i64().unwrap(), pair[1].as_i64().unwrap())).collect();
        let flow = |slot| self.flows.iter().find(|(_, book)| **book == self.events[slot].1).map_or(0, |(flow, _)| i64::from(*flow));
        let own = self.held.keys().map(|slot| (i64::from(*slot), flow(slot))).filter(|(_, flow)| *flow != 0);
        assert_eq!(inner, own.collect(), "the events of child runs");
        self.flows.values().skip(1).map(|book| self.books[*book].workflow.plan as u32).collect()
    }

    fn save(&mut self) -> Option<Vec<u8>> {
        let name = |ty: i32| match ty {
            START => "blazen::StartEvent".to_owned(),
            STOP => "blazen::StopEvent".to_owned(),
            ty => format!("T{}", ty - 2),
        };
        let slots: Vec<i32> = self.held.keys().copied().collect();
        let types: Vec<_> = slots.iter().map(|slot| name(self.events[slot].0)).collect();
        let of: Vec<_> = (0..slots.len()).collect();
        let payloads = vec![json!({}); slots.len()];
        self.core.save(
            self.run,
            json!({ "runId": "r", "slots": slots, "types": types, "of": of, "payloads": payloads }).to_string().as_bytes(),
            &[],
        )
    }
}
