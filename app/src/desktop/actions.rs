//! Everything that can be done from a menu, the palette or the keyboard: one list, and each of the three loops over it.

use egui::{Key, KeyboardShortcut, Modifiers};

use super::panels::Panel;
use super::theme::icons;
use crate::session::Session;
use crate::session::command::{Command, ThemeChoice};

/// In which menu an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Menu {
    /// Models.
    File,
    /// Changes.
    Edit,
    /// Panels and looks.
    View,
    /// Help.
    Help,
}

impl Menu {
    /// Every menu.
    pub const ALL: [Menu; 4] = [Menu::File, Menu::Edit, Menu::View, Menu::Help];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Menu::File => "File",
            Menu::Edit => "Edit",
            Menu::View => "View",
            Menu::Help => "Help",
        }
    }
}

/// What an action does.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a few of them live at a time, for one click")]
pub enum Deed {
    /// Sends a command.
    Send(Command),
    /// Shows the start screen.
    Start,
    /// Asks for a model file.
    OpenFile,
    /// Asks for a model folder.
    OpenFolder,
    /// Asks for an atlas folder.
    OpenAtlas,
    /// Asks for the folder of a training run.
    OpenRun,
    /// Arranges the panels for reading an atlas.
    AtlasLayout,
    /// Arranges the panels for looking at pictures.
    PicturesLayout,
    /// Moves the selected token by so many.
    MoveToken(isize),
    /// Opens a panel, or closes it.
    TogglePanel(&'static str),
    /// Puts the panels back.
    ResetLayout,
    /// Opens the palette.
    Palette,
    /// Shows the list of shortcuts.
    Shortcuts,
    /// Makes everything larger or smaller, or as it was.
    Zoom(i8),
    /// Ends the program.
    Quit,
}

/// Something that can be done.
#[derive(Debug, Clone)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// One character of the icon font.
    pub icon: &'static str,
    /// Where it stands.
    pub menu: Menu,
    /// Its keys.
    pub keys: Option<KeyboardShortcut>,
    /// Whether the keys also work while text is being written.
    pub while_writing: bool,
    /// Whether it can be done now.
    pub enabled: bool,
    /// Whether a line stands above it.
    pub begins_group: bool,
    /// A tick in front, where it is a switch.
    pub ticked: Option<bool>,
    /// What it does.
    pub deed: Deed,
}

impl Action {
    fn new(menu: Menu, icon: &'static str, name: impl Into<String>, deed: Deed) -> Action {
        let (keys, ticked) = (None, None);
        let (while_writing, enabled, begins_group) = (true, true, false);
        Action { name: name.into(), icon, menu, keys, while_writing, enabled, begins_group, ticked, deed }
    }

    fn keys(mut self, modifiers: Modifiers, key: Key) -> Action {
        self.keys = Some(KeyboardShortcut::new(modifiers, key));
        self
    }

    fn not_while_writing(mut self) -> Action {
        self.while_writing = false;
        self
    }

    fn enabled(mut self, enabled: bool) -> Action {
        self.enabled = enabled;
        self
    }

    fn group(mut self) -> Action {
        self.begins_group = true;
        self
    }

    fn ticked(mut self, ticked: bool) -> Action {
        self.ticked = Some(ticked);
        self
    }
}

const DIGITS: [Key; 9] =
    [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];
const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = Modifiers { shift: true, ..Modifiers::COMMAND };

/// All actions, as they are available now. `panels` are the panels with whether each is open.
pub fn all<'p>(session: &Session, panels: impl Iterator<Item = (&'p dyn Panel, bool)>) -> Vec<Action> {
    use Menu::{Edit, File, Help, View};
    let open = session.document.model().is_some();
    let vision = session.document.model().is_some_and(|model| model.vision.is_some());
    let text = open && !vision;
    let named = |verb: &str, name: Option<&'static str>| name.map_or(verb.to_owned(), |name| format!("{verb}: {name}"));
    let mut list = vec![
        Action::new(File, icons::STACK, "Start screen", Deed::Start).keys(CTRL, Key::N),
        Action::new(File, icons::FILE, "Open model file…", Deed::OpenFile).keys(CTRL, Key::O),
        Action::new(File, icons::FOLDER_OPEN, "Open model folder…", Deed::OpenFolder).keys(CTRL_SHIFT, Key::O),
        Action::new(File, icons::IMAGE, "Open picture…", Deed::Send(Command::AskForPicture))
            .keys(CTRL_SHIFT, Key::I)
            .enabled(vision)
            .group(),
        Action::new(File, icons::TABLE, "Open atlas folder…", Deed::OpenAtlas).keys(CTRL_SHIFT, Key::A).group(),
        Action::new(File, icons::CHART_BAR, "Open training run…", Deed::OpenRun).keys(CTRL_SHIFT, Key::R),
        Action::new(File, icons::STACK, "Open sparse dictionary…", Deed::Send(Command::AskForDictionary))
            .keys(CTRL_SHIFT, Key::D),
        Action::new(File, icons::HAMMER, "Build an atlas of this model…", Deed::Send(Command::AskToBuildAtlas))
            .enabled(text)
            .keys(CTRL_SHIFT, Key::B),
        Action::new(File, icons::X, "Close atlas", Deed::Send(Command::CloseAtlas))
            .enabled(session.atlas.folder.is_some())
            .keys(CTRL_SHIFT, Key::W),
        Action::new(File, icons::FLOPPY_DISK, "Save session as probe script…", Deed::Send(Command::SaveScript(None)))
            .enabled(text)
            .keys(CTRL, Key::S)
            .group(),
        Action::new(File, icons::X, "Close model", Deed::Send(Command::CloseModel)).enabled(open).keys(CTRL, Key::W),
        Action::new(File, icons::PROHIBIT, "Quit", Deed::Quit).keys(CTRL, Key::Q).group(),
        Action::new(Edit, icons::ARROW_U_UP_LEFT, named("Undo", session.undo.undo_name()), Deed::Send(Command::Undo))
            .keys(CTRL, Key::Z)
            .enabled(session.undo.undo_name().is_some())
            .not_while_writing(),
        Action::new(Edit, icons::ARROW_U_UP_RIGHT, named("Redo", session.undo.redo_name()), Deed::Send(Command::Redo))
            .keys(CTRL, Key::Y)
            .enabled(session.undo.redo_name().is_some())
            .not_while_writing(),
        Action::new(Edit, icons::CARET_RIGHT, "Next token", Deed::MoveToken(1))
            .keys(Modifiers::ALT, Key::ArrowRight)
            .group(),
        Action::new(Edit, icons::ARROW_COUNTER_CLOCKWISE, "Previous token", Deed::MoveToken(-1))
            .keys(Modifiers::ALT, Key::ArrowLeft),
        Action::new(Edit, icons::CROSSHAIR, "Clear selection", Deed::Send(Command::ClearSelection))
            .keys(Modifiers::NONE, Key::Escape)
            .not_while_writing()
            .enabled(!session.selection.is_empty()),
        Action::new(Edit, icons::EYE_SLASH, "Show the original model", {
            Deed::Send(Command::ShowOriginal(!session.document.show_original))
        })
        .keys(CTRL, Key::B)
        .ticked(session.document.show_original)
        .enabled(session.document.active_interventions() > 0)
        .group(),
        Action::new(Edit, icons::TRASH, "Remove all interventions", Deed::Send(Command::ClearInterventions))
            .enabled(!session.document.interventions.is_empty()),
    ];
    for (index, (panel, is_open)) in panels.enumerate() {
        let action = Action::new(View, panel.icon(), panel.title(), Deed::TogglePanel(panel.id())).ticked(is_open);
        list.push(match DIGITS.get(index) {
            Some(key) => action.keys(CTRL, *key),
            // Behind the ninth panel the digits begin again.
            None => match DIGITS.get(index - DIGITS.len()) {
                Some(key) => action.keys(CTRL_SHIFT, *key),
                None => action,
            },
        });
    }
    list.push(Action::new(View, icons::LAYOUT, "Reset layout", Deed::ResetLayout).group());
    list.push(Action::new(View, icons::TABLE, "Layout for atlases", Deed::AtlasLayout));
    list.push(Action::new(View, icons::IMAGE, "Layout for pictures", Deed::PicturesLayout));
    let themes = [
        (icons::CIRCLE_HALF, "Theme of the system", ThemeChoice::System),
        (icons::MOON, "Dark theme", ThemeChoice::Dark),
        (icons::SUN, "Light theme", ThemeChoice::Light),
    ];
    for (index, (icon, name, theme)) in themes.into_iter().enumerate() {
        let action = Action::new(View, icon, name, Deed::Send(Command::SetTheme(theme)));
        let action = action.ticked(session.settings.theme == theme);
        list.push(if index == 0 { action.group() } else { action });
    }
    list.extend([
        Action::new(View, icons::PLUS, "Larger", Deed::Zoom(1)).keys(CTRL, Key::Plus).group(),
        Action::new(View, icons::CARET_DOWN, "Smaller", Deed::Zoom(-1)).keys(CTRL, Key::Minus),
        Action::new(View, icons::MAGNIFYING_GLASS, "Normal size", Deed::Zoom(0)).keys(CTRL, Key::Num0),
        Action::new(Help, icons::COMMAND, "Command palette", Deed::Palette).keys(CTRL, Key::P),
        Action::new(Help, icons::KEYBOARD, "Keyboard shortcuts", Deed::Shortcuts).keys(Modifiers::NONE, Key::F1),
    ]);
    list
}

/// The action whose keys were pressed in this frame; the keys are used up.
pub fn pressed<'a>(ctx: &egui::Context, actions: &'a [Action]) -> Option<&'a Action> {
    let writing = ctx.text_edit_focused();
    let mut with_keys: Vec<&Action> =
        actions.iter().filter(|a| a.keys.is_some() && a.enabled && (a.while_writing || !writing)).collect();
    // A shortcut with Shift is also one without: the more specific goes first.
    with_keys.sort_by_key(|a| a.keys.map_or(0, |keys| usize::MAX - usize::from(keys.modifiers.shift)));
    ctx.input_mut(|input| with_keys.into_iter().find(|a| a.keys.is_some_and(|keys| input.consume_shortcut(&keys))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::document::Document;

    #[test]
    fn no_two_actions_share_keys_or_names() {
        let session = Session::for_tests(Document::default());
        let panels = super::super::panels::all();
        let actions = all(&session, panels.iter().map(|panel| (panel.as_ref(), true)));
        for (index, action) in actions.iter().enumerate() {
            for other in &actions[index + 1..] {
                assert_ne!(action.name, other.name);
                assert!(action.keys.is_none() || action.keys != other.keys, "{} and {}", action.name, other.name);
            }
        }
    }
}
