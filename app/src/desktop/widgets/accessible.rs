//! Names for the parts of widgets that paint themselves, so that screen readers (and tests) find and press them.

use egui::accesskit::{Action, Role};
use egui::{EventFilter, Id, Key, Modifiers, Rect, Response, Sense, Ui, WidgetInfo};

/// Whether anybody listens: parts are named only then, since a big widget has thousands.
pub fn listening(ui: &Ui) -> bool {
    ui.ctx().accesskit_node_builder(ui.unique_id(), |_| ()).is_some()
}

/// Names one part. True when it was pressed through the accessibility tree.
pub fn part(ui: &Ui, id: Id, rect: Rect, selected: bool, label: &str) -> bool {
    let response = ui.interact(rect, id, Sense::hover());
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, selected, label));
    ui.ctx().accesskit_node_builder(id, |node| node.add_action(Action::Click));
    ui.input(|input| input.has_accesskit_action_request(id, Action::Click))
}

/// Which way a key moves a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// One to the left.
    Left,
    /// One to the right.
    Right,
    /// One up.
    Up,
    /// One down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// To the first.
    Home,
    /// To the last.
    End,
}

/// The moves typed since the last frame while `response` has the keyboard. The arrow keys then stay with it instead of moving the focus.
pub fn moves(ui: &Ui, response: &Response) -> Vec<Move> {
    if !response.has_focus() {
        return Vec::new();
    }
    let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let keys = [
        (Key::ArrowLeft, Move::Left),
        (Key::ArrowRight, Move::Right),
        (Key::ArrowUp, Move::Up),
        (Key::ArrowDown, Move::Down),
        (Key::PageUp, Move::PageUp),
        (Key::PageDown, Move::PageDown),
        (Key::Home, Move::Home),
        (Key::End, Move::End),
    ];
    ui.input_mut(|input| {
        let mut found = Vec::new();
        for (key, step) in keys {
            let times = input.count_and_consume_key(Modifiers::NONE, key);
            found.extend(std::iter::repeat_n(step, times));
        }
        found
    })
}

/// Where `step` leads from `at` in a list of `len` with `page` to a page. From nowhere it leads to the first, or to the last at the end.
pub fn step_in_list(at: Option<usize>, step: Move, len: usize, page: usize) -> Option<usize> {
    let last = len.checked_sub(1)?;
    let Some(at) = at else {
        return Some(if step == Move::End { last } else { 0 });
    };
    Some(match step {
        Move::Left | Move::Up => at.saturating_sub(1),
        Move::Right | Move::Down => at.saturating_add(1).min(last),
        Move::PageUp => at.saturating_sub(page.max(1)),
        Move::PageDown => at.saturating_add(page.max(1)).min(last),
        Move::Home => 0,
        Move::End => last,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stay_inside() {
        assert_eq!(step_in_list(Some(0), Move::Up, 10, 5), Some(0));
        assert_eq!(step_in_list(Some(7), Move::PageDown, 10, 5), Some(9));
        assert_eq!(step_in_list(Some(7), Move::PageUp, 10, 0), Some(6));
        assert_eq!(step_in_list(None, Move::Down, 10, 5), Some(0));
        assert_eq!(step_in_list(None, Move::End, 10, 5), Some(9));
        assert_eq!(step_in_list(Some(3), Move::Home, 0, 5), None);
    }
}
