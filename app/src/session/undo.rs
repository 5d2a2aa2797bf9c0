//! Undo: one stack over the commands that change the document.
//!
//! The document's own part (text and interventions) is small, so the stack holds whole copies; results are recomputed. Changes
//! that belong to one interaction, such as dragging a number, become one step: see [`UndoStack::settle`].

use golgi_probes::intervention::Intervention;

use super::document::Document;

/// How many steps are remembered.
const DEPTH: usize = 200;

/// What is undone: the document without what is computed from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Edited {
    /// The text.
    pub prompt: String,
    /// The interventions.
    pub interventions: Vec<Intervention>,
}

impl Edited {
    /// The state of a document.
    pub fn of(document: &Document) -> Edited {
        Edited { prompt: document.prompt.clone(), interventions: document.interventions.clone() }
    }

    fn put_into(self, document: &mut Document) {
        document.prompt = self.prompt;
        document.interventions = self.interventions;
    }
}

#[derive(Debug, Clone)]
struct Step {
    name: &'static str,
    before: Edited,
}

/// The stack.
#[derive(Debug, Clone, Default)]
pub struct UndoStack {
    done: Vec<Step>,
    undone: Vec<Step>,
    /// Which interaction the last step belongs to, while it goes on.
    open: Option<(&'static str, usize)>,
}

impl UndoStack {
    /// Notes a change that is about to be made. `interaction` names what is being dragged or typed: a row of steps of one
    /// interaction is undone at once.
    pub fn record(&mut self, name: &'static str, before: Edited, interaction: Option<usize>) {
        let key = interaction.map(|index| (name, index));
        if key.is_some() && key == self.open {
            return;
        }
        self.open = key;
        self.undone.clear();
        self.done.push(Step { name, before });
        if self.done.len() > DEPTH {
            self.done.remove(0);
        }
    }

    /// Ends the interaction under way: the next change is a step of its own. Called when nothing is being dragged.
    pub fn settle(&mut self) {
        self.open = None;
    }

    /// What would be undone.
    pub fn undo_name(&self) -> Option<&'static str> {
        self.done.last().map(|step| step.name)
    }

    /// What would be done again.
    pub fn redo_name(&self) -> Option<&'static str> {
        self.undone.last().map(|step| step.name)
    }

    /// Takes back the last change. Returns whether there was one.
    pub fn undo(&mut self, document: &mut Document) -> bool {
        Self::step(&mut self.done, &mut self.undone, &mut self.open, document)
    }

    /// Makes the last undone change again. Returns whether there was one.
    pub fn redo(&mut self, document: &mut Document) -> bool {
        Self::step(&mut self.undone, &mut self.done, &mut self.open, document)
    }

    fn step(
        from: &mut Vec<Step>,
        to: &mut Vec<Step>,
        open: &mut Option<(&'static str, usize)>,
        document: &mut Document,
    ) -> bool {
        *open = None;
        let Some(step) = from.pop() else { return false };
        to.push(Step { name: step.name, before: Edited::of(document) });
        step.before.put_into(document);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drag_is_one_step_and_redo_ends_with_a_new_change() {
        let mut document = Document::default();
        let mut stack = UndoStack::default();
        let change = |stack: &mut UndoStack, text: &str, interaction, document: &mut Document| {
            stack.record("Edit", Edited::of(document), interaction);
            document.prompt = text.to_owned();
        };
        change(&mut stack, "a", None, &mut document);
        change(&mut stack, "ab", Some(0), &mut document);
        change(&mut stack, "abc", Some(0), &mut document);
        stack.settle();
        change(&mut stack, "abcd", Some(0), &mut document);
        assert!(stack.undo(&mut document));
        assert_eq!(document.prompt, "abc");
        assert!(stack.undo(&mut document));
        assert_eq!(document.prompt, "a");
        assert!(stack.redo(&mut document));
        assert_eq!(document.prompt, "abc");
        change(&mut stack, "x", None, &mut document);
        assert!(!stack.redo(&mut document));
        assert_eq!(stack.undo_name(), Some("Edit"));
    }
}
