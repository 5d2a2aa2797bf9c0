//! The program with a window.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::{CreationContext, Frame, NativeOptions, Storage};

use super::shell::{self, Workbench};
use super::theme::{Palette, busy};
use super::{fonts, icon};
use crate::session::Session;
use crate::session::backend::BackendOptions;
use crate::session::command::Command;

/// Under which key the arrangement of the panels is stored.
const LAYOUT: &str = "layout";

/// What the window is started with.
#[derive(Debug, Clone)]
pub struct WindowOptions {
    /// How models are found and opened.
    pub backend: BackendOptions,
    /// A model to open at once.
    pub model: Option<String>,
    /// A text to look at.
    pub text: Option<String>,
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
#[error("the window could not be opened: {0}; check that a display is there, or use the command line: `golgi --help`")]
pub struct WindowError(String);

/// Opens the window and returns when it is closed.
///
/// # Errors
/// If the system gives no window or no renderer.
pub fn run(options: WindowOptions) -> Result<(), WindowError> {
    let viewport = egui::ViewportBuilder::default()
        .with_title("Golgi")
        .with_app_id("golgi")
        .with_inner_size([1600.0, 1000.0])
        .with_min_inner_size([900.0, 600.0])
        .with_clamp_size_to_monitor_size(true)
        .with_drag_and_drop(true)
        .with_icon(Arc::new(icon::window_icon()));
    let native = NativeOptions {
        viewport,
        // Golgi looks for fonts itself, off the window's thread.
        system_font_fallback: false,
        // Nothing here fades from colour to colour over a long way, and it makes painting without a graphics card slower.
        dithering: false,
        persistence_path: Some(options.backend.home.join("window.ron")),
        ..NativeOptions::default()
    };
    eframe::run_native("golgi", native, Box::new(|ctx| Ok(Box::new(App::new(ctx, options)))))
        .map_err(|error| WindowError(last_cause(&error.to_string())))
}

/// The end of a chain of causes; what goes before it names source files of the machine that built the program.
fn last_cause(text: &str) -> String {
    text.rsplit(": ").next().unwrap_or(text).trim_end_matches('.').to_owned()
}

/// The program.
struct App {
    workbench: Workbench,
}

impl App {
    fn new(ctx: &CreationContext<'_>, options: WindowOptions) -> App {
        shell::prepare(&ctx.egui_ctx);
        fonts::install(&ctx.egui_ctx);
        let home: PathBuf = options.backend.home.clone();
        let repaint = ctx.egui_ctx.clone();
        let wake = Arc::new(move || repaint.request_repaint());
        let session = Session::new(Some(home.clone()), options.backend, wake);
        let commands = session.commands();
        if let Some(text) = options.text {
            commands.send(Command::SetPrompt(text));
        }
        if let Some(model) = options.model {
            commands.send(Command::OpenModel(model));
        }
        let mut workbench = Workbench::new(session, Some(home));
        if let Some(layout) = ctx.storage.and_then(|storage| eframe::get_value(storage, LAYOUT)) {
            workbench.restore(layout);
        }
        App { workbench }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut Frame) {
        self.workbench.update(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut Frame) {
        busy::note_frame(ui.ctx(), frame.info().cpu_usage.unwrap_or(0.0));
        self.workbench.ui(ui);
    }

    fn save(&mut self, storage: &mut dyn Storage) {
        eframe::set_value(storage, LAYOUT, self.workbench.layout());
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        Palette::of(visuals).backdrop.to_normalized_gamma_f32()
    }
}
