//! Windows over the window: the system's dialogs for models, the form for a picture, the list of shortcuts.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::Thread;

use egui::{Button, Frame, Grid, Id, Modal, RichText, ScrollArea, TextEdit, Ui};

use super::actions::{Action, Menu};
use super::theme::Palette;
use crate::session::command::{Command, CommandSender};
use crate::session::vision::ENDINGS;
use golgi_data::unit::Unit;

/// Which of the system's dialogs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// For a model's file.
    File,
    /// For a model's folder.
    Folder,
    /// For an atlas's folder.
    Atlas,
    /// For the folder of a training run.
    Run,
    /// For the folder of a sparse dictionary.
    Dictionary,
    /// For a picture.
    Picture,
    /// For a folder of pictures.
    Pictures,
}

/// Opens the system's dialog; the answer arrives as a command. The window goes on meanwhile.
pub fn ask_to_open(ask: Ask, commands: CommandSender, ctx: egui::Context) {
    let title = match ask {
        Ask::Atlas => "Open an atlas",
        Ask::Run => "Open a training run",
        Ask::Dictionary => "Open a dictionary",
        Ask::Picture => "Open a picture",
        Ask::Pictures => "Open a folder of pictures",
        Ask::File | Ask::Folder => "Open a model",
    };
    let dialog = rfd::AsyncFileDialog::new().set_title(title);
    // The dialog is made here, since macOS wants that on the main thread; its answer is waited for elsewhere.
    let answer: std::pin::Pin<Box<dyn Future<Output = Option<rfd::FileHandle>> + Send>> = match ask {
        Ask::File => {
            let kinds = ["gguf", "safetensors", "pth", "pt", "bin", "json"];
            Box::pin(dialog.add_filter("Models", &kinds).add_filter("Everything", &["*"]).pick_file())
        }
        Ask::Picture => Box::pin(dialog.add_filter("Pictures", &ENDINGS).add_filter("Everything", &["*"]).pick_file()),
        Ask::Folder | Ask::Atlas | Ask::Run | Ask::Dictionary | Ask::Pictures => Box::pin(dialog.pick_folder()),
    };
    let wait = move || {
        if let Some(chosen) = block_on(answer) {
            let path = chosen.path().to_owned();
            commands.send(match ask {
                Ask::Atlas => Command::OpenAtlas(path),
                Ask::Run => Command::OpenRun(path),
                Ask::Dictionary => Command::OpenDictionary(path),
                Ask::Picture => Command::OpenPicture(path),
                Ask::Pictures => Command::OpenPictures(path.to_string_lossy().into_owned()),
                _ => Command::OpenModel(path.to_string_lossy().into_owned()),
            });
            ctx.request_repaint();
        }
    };
    // Without a thread there is no dialog; the start screen's text field still works.
    let _ = std::thread::Builder::new().name("dialog".into()).spawn(wait);
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut ctx = TaskContext::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut ctx) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn frame(ui: &Ui) -> Frame {
    Frame::window(ui.style()).inner_margin(18)
}

/// What a form saves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// A picture of a panel.
    Picture {
        /// The panel's name.
        panel: &'static str,
        /// Its heading.
        title: &'static str,
    },
    /// The session as a probe script.
    Script,
    /// An image that was made for a unit.
    Drawing {
        /// The unit.
        unit: Unit,
        /// 0: what raises it; 1: what lowers it.
        index: usize,
    },
}

/// The form that asks where something shall be saved.
pub struct SaveForm {
    what: Saved,
    path: String,
}

impl SaveForm {
    /// A form with a proposal.
    pub fn new(what: Saved) -> SaveForm {
        let (folder, name) = match &what {
            Saved::Picture { panel, .. } => (dirs::picture_dir(), format!("golgi-{panel}.png")),
            Saved::Script => (dirs::document_dir(), "golgi-session.toml".to_owned()),
            Saved::Drawing { unit, index } => {
                let ending = if *index == 0 { "" } else { "-lowers" };
                (dirs::picture_dir(), format!("{}-{}{ending}.png", unit.site, unit.index))
            }
        };
        let folder = folder.or_else(dirs::home_dir).unwrap_or_else(|| PathBuf::from("."));
        SaveForm { what, path: folder.join(name).to_string_lossy().into_owned() }
    }

    /// Draws the form. Returns whether it is done with.
    pub fn ui(&mut self, ui: &Ui, commands: &CommandSender) -> bool {
        let shown = Modal::new(Id::unique("save form")).frame(frame(ui)).show(ui.ctx(), |ui| {
            ui.set_width(460.0);
            let (heading, about) = match &self.what {
                Saved::Picture { title, .. } => {
                    (format!("Save a picture of {title}"), "The panel is saved as it is on the screen.")
                }
                Saved::Script => (
                    "Save the session as a probe script".to_owned(),
                    "Model, text, interventions and the analyses of what is selected; `golgi run` repeats them.",
                ),
                Saved::Drawing { unit, .. } => {
                    (format!("Save the image of {unit}"), "The image is saved as it was found.")
                }
            };
            ui.heading(heading);
            ui.add_space(6.0);
            let label = ui.label("File");
            let field = ui.add(TextEdit::singleline(&mut self.path).desired_width(f32::INFINITY)).labelled_by(label.id);
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            if !field.has_focus() && !entered {
                field.request_focus();
            }
            let exists = std::path::Path::new(&self.path).exists();
            ui.weak(if exists { "There is such a file; it will be replaced." } else { about });
            ui.add_space(8.0);
            let mut done = false;
            ui.horizontal(|ui| {
                let usable = !self.path.trim().is_empty();
                if ui.add_enabled(usable, Button::new("Save")).clicked() || entered && usable {
                    let path = Some(PathBuf::from(self.path.trim()));
                    commands.send(match &self.what {
                        Saved::Picture { panel, .. } => Command::ExportPanelPng { panel, path },
                        Saved::Drawing { unit, index } => {
                            Command::SaveDrawing { unit: unit.clone(), index: *index, path }
                        }
                        Saved::Script => Command::SaveScript(path),
                    });
                    done = true;
                }
                done |= ui.button("Cancel").clicked();
            });
            done
        });
        shown.inner || shown.should_close()
    }
}

/// Draws the list of shortcuts. Returns whether it is done with.
pub fn shortcuts_ui(ui: &Ui, palette: &Palette, actions: &[Action]) -> bool {
    let height = ui.ctx().content_rect().height() - 170.0;
    let shown = Modal::new(Id::unique("shortcuts")).frame(frame(ui)).show(ui.ctx(), |ui| {
        ui.set_width(680.0);
        ui.heading("Keyboard shortcuts");
        ui.add_space(4.0);
        ScrollArea::vertical().max_height(height).show(ui, |ui| {
            ui.columns(2, |columns| {
                for menu in Menu::ALL {
                    // Panels are many: they have a column of their own.
                    let column = &mut columns[usize::from(menu == Menu::View)];
                    let keys = |action: &Action| action.keys.map(|keys| column.ctx().format_shortcut(&keys));
                    let rows: Vec<(String, String)> = actions
                        .iter()
                        .filter(|action| action.menu == menu)
                        .filter_map(|action| Some((action.name.clone(), keys(action)?)))
                        .collect();
                    shortcut_table_ui(column, palette, menu.title(), &rows);
                }
                let prompt = [("Run the text now", "Ctrl+Enter"), ("Move along the tokens", "Arrow keys")];
                let rows = prompt.map(|(name, keys)| (name.to_owned(), keys.to_owned()));
                shortcut_table_ui(&mut columns[1], palette, "In the prompt", &rows);
            });
        });
        ui.add_space(10.0);
        ui.button("Close").accessible_name("Close the list of shortcuts").clicked()
    });
    shown.inner || shown.should_close()
}

fn shortcut_table_ui(ui: &mut Ui, palette: &Palette, heading: &str, rows: &[(String, String)]) {
    ui.add_space(6.0);
    let caption = RichText::new(heading.to_uppercase()).text_style(egui::TextStyle::Name("caption".into()));
    ui.label(caption.color(palette.text_weak));
    Grid::new(heading).num_columns(2).spacing([16.0, 4.0]).min_col_width(80.0).min_row_height(18.0).show(ui, |ui| {
        for (name, keys) in rows {
            ui.label(RichText::new(keys).color(palette.text_strong));
            ui.label(name);
            ui.end_row();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn futures_are_waited_for_without_spinning() {
        let (send, receive) = crossbeam_channel::bounded::<u8>(1);
        let mut polls = 0;
        let future = std::future::poll_fn(move |ctx| {
            polls += 1;
            if let Ok(value) = receive.try_recv() {
                return Poll::Ready((value, polls));
            }
            let (waker, send) = (ctx.waker().clone(), send.clone());
            std::thread::spawn(move || {
                send.send(7).unwrap();
                waker.wake();
            });
            Poll::Pending
        });
        let (value, polls) = block_on(future);
        assert_eq!(value, 7);
        assert!(polls <= 3, "{polls}");
    }
}
