//! A change of the running configuration as one notification (RFC 6470, 2.1): the trail has a record that says how many keys
//! changed, and behind it one record for each of them.

use serde_json::{Map, Value};

use super::events;
use super::xml::Element;

/// Records of single changes that the trail has of one commit at most; behind them is one with the number of the others.
const MOST: u64 = 1_000;

/// The change that is being gathered, if one is.
#[derive(Debug, Default)]
pub struct Changes {
    gathered: Option<Gathered>,
}

#[derive(Debug)]
struct Gathered {
    time: String,
    generation: Option<u64>,
    content: Element,
    /// Records that belong to it and did not come yet.
    left: u64,
}

impl Changes {
    /// Takes the next record; what is to be sent by now, each with its time.
    pub fn take(&mut self, record: &Map<String, Value>) -> Vec<(String, Element)> {
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        let number = |key: &str| record.get(key).and_then(Value::as_u64);
        let action = if text("event") == Some("audit") { text("action") } else { None };
        if let Some(gathered) = &mut self.gathered
            && action == Some("config-change")
            && gathered.generation == number("generation")
        {
            gathered.content.children.extend(events::edit(record).map(super::xml::Node::Element));
            gathered.left -= 1;
            return if gathered.left == 0 { self.rest() } else { Vec::new() };
        }
        let mut due = self.rest();
        let time = events::time(record).to_owned();
        let changes = number("changes").unwrap_or(0);
        let left = if changes > MOST { MOST + 1 } else { changes };
        let begins = matches!(action, Some("config-commit" | "config-unconfirmed" | "config-reverted")) && left > 0;
        if action != Some("config-commit") || !begins {
            due.push((time.clone(), events::content(record, true)));
        }
        if begins {
            let generation = number("generation");
            // Changes of one that was taken back are those of the generation that is in force again.
            let generation =
                if action == Some("config-reverted") { number("before").or(generation) } else { generation };
            self.gathered = Some(Gathered { time, generation, content: events::change(record), left });
        }
        due
    }

    /// What was gathered, where nothing more comes.
    pub fn rest(&mut self) -> Vec<(String, Element)> {
        self.gathered.take().map(|gathered| (gathered.time, gathered.content)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(action: &str, more: &Value) -> Map<String, Value> {
        let mut all = json!({"event": "audit", "action": action, "user": "alice", "time": "2026-11-22T00:00:00Z"});
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        all.as_object().unwrap().clone()
    }

    fn names(due: &[(String, Element)]) -> Vec<(&str, usize)> {
        let edits = |element: &Element| element.elements().filter(|child| child.name == "edit").count();
        due.iter().map(|(_, element)| (element.name.as_str(), edits(element))).collect()
    }

    fn changed(generation: u64) -> Map<String, Value> {
        record("config-change", &json!({"generation": generation, "change": "add", "path": "rule[a]"}))
    }

    #[test]
    fn a_commit_is_sent_with_all_its_edits() {
        let mut changes = Changes::default();
        assert_eq!(names(&changes.take(&record("config-commit", &json!({"generation": 7, "changes": 2})))), []);
        assert_eq!(names(&changes.take(&changed(7))), []);
        assert_eq!(names(&changes.take(&changed(7))), [("netconf-config-change", 2)]);
        let nothing = record("config-commit", &json!({"generation": 8, "changes": 0}));
        assert_eq!(names(&changes.take(&nothing)), [("netconf-config-change", 0)]);
    }

    #[test]
    fn what_is_tried_and_taken_back_changes_it_too() {
        let mut changes = Changes::default();
        let tried = record("config-unconfirmed", &json!({"generation": 7, "changes": 1, "timeout": 60}));
        assert_eq!(names(&changes.take(&tried)), [("netconf-confirmed-commit", 0)]);
        assert_eq!(names(&changes.take(&changed(7))), [("netconf-config-change", 1)]);
        let back = record("config-reverted", &json!({"generation": 7, "before": 6, "changes": 1}));
        assert_eq!(names(&changes.take(&back)), [("netconf-confirmed-commit", 0)]);
        assert_eq!(names(&changes.take(&changed(6))), [("netconf-config-change", 1)]);
    }

    #[test]
    fn a_change_whose_records_are_not_all_there_is_sent_as_it_is() {
        let mut changes = Changes::default();
        assert_eq!(names(&changes.take(&changed(3))), [("netconf-config-change", 1)]);
        let many = record("config-commit", &json!({"generation": 4, "changes": 5_000}));
        changes.take(&many);
        changes.take(&changed(4));
        let end = record("netconf-session-end", &json!({}));
        assert_eq!(names(&changes.take(&end)), [("netconf-config-change", 1), ("netconf-session-end", 0)]);
        assert_eq!(changes.rest(), []);
    }
}
