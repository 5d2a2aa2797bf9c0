//! A result that is not there yet, is being computed, is there, or could not be had.

use std::sync::Arc;

use golgi_data::context::Progress;

use super::notice::Notice;

/// A result in one of its four states. Panels draw all four.
#[derive(Debug, Clone, Default)]
pub enum Loadable<T> {
    /// Nothing was asked for.
    #[default]
    Empty,
    /// Being computed.
    Loading {
        /// How far it has come.
        progress: Progress,
        /// What was there before, to be shown dimmed meanwhile. It may belong to another text.
        previous: Option<Arc<T>>,
    },
    /// There.
    Ready(Arc<T>),
    /// Could not be had.
    Failed(Notice),
}

impl<T> Loadable<T> {
    /// A value that is there.
    pub fn ready(value: T) -> Loadable<T> {
        Loadable::Ready(Arc::new(value))
    }

    /// The value, if it is there and current.
    pub fn get(&self) -> Option<&Arc<T>> {
        match self {
            Loadable::Ready(value) => Some(value),
            _ => None,
        }
    }

    /// The value to draw: the current one, or the previous one while a new one is computed.
    pub fn shown(&self) -> Option<&Arc<T>> {
        match self {
            Loadable::Ready(value) => Some(value),
            Loadable::Loading { previous, .. } => previous.as_ref(),
            _ => None,
        }
    }

    /// Whether it is being computed.
    pub fn is_loading(&self) -> bool {
        matches!(self, Loadable::Loading { .. })
    }

    /// Why it could not be had.
    pub fn failure(&self) -> Option<&Notice> {
        match self {
            Loadable::Failed(notice) => Some(notice),
            _ => None,
        }
    }

    /// Goes on to [`Loadable::Loading`]; what was there stays visible.
    pub fn begin(&mut self) {
        let previous = self.shown().cloned();
        *self = Loadable::Loading { progress: Progress::default(), previous };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_stays_visible_while_loading() {
        let mut value = Loadable::ready(1);
        value.begin();
        assert!(value.get().is_none() && value.is_loading());
        assert_eq!(value.shown().map(|v| **v), Some(1));
        value.begin();
        assert_eq!(value.shown().map(|v| **v), Some(1));
    }
}
