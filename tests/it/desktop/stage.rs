//! A few panels side by side around one session of plain data: what a test of panels needs, and nothing of the rest of the window.

use std::sync::Arc;

use egui::accesskit::Toggled;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use golgi::desktop::panels::{self, Panel, PanelContext};
use golgi::desktop::theme::Palette;
use golgi::desktop::{fonts, theme};
use golgi::session::Session;
use golgi::session::command::{Command, CommandSender};
use golgi::session::document::{Document, ModelInfo, SiteInfo};
use golgi::session::loadable::Loadable;
use golgi_analysis::prompt::Candidate;
use golgi_analysis::prompt::attention::{AttentionMaps, HeadScore};
use golgi_analysis::prompt::logit_lens::{LensCell, LogitLens};
use golgi_analysis::units::page::{Measure, ScoredToken, TokenEnds, UnitKind, UnitPage};
use golgi_analysis::units::table::NeuronTable;
use golgi_data::site::{BlockPoint, Site};
use golgi_data::unit::Unit;
use golgi_probes::Dims;

/// Layers of the model on stage.
pub const LAYERS: usize = 2;
/// Its heads per layer.
pub const HEADS: usize = 2;
/// Its neurons per layer.
pub const NEURONS: usize = 40;
/// The tokens of the prompt on stage: one ends a line, one would turn the writing direction.
pub const TOKENS: [&str; 5] = ["The", " cat", "\n", "\u{202e}sat", " down"];

/// The session, the panels, and every command that was sent.
pub struct Stage {
    /// The session.
    pub session: Session,
    /// What the panels sent, in order, hovers left out.
    pub sent: Vec<Command>,
    panels: Vec<Box<dyn Panel>>,
    commands: CommandSender,
    next_command: Box<dyn FnMut() -> Option<Command>>,
}

/// Draws the panels with these names side by side, each 520 points wide.
pub fn stage(document: Document, names: &[&str]) -> Harness<'static, Stage> {
    let panels: Vec<Box<dyn Panel>> = names.iter().map(|name| panel(name)).collect();
    let (commands, arriving) = CommandSender::channel();
    let width = 520.0 * panels.len() as f32;
    let next_command = Box::new(move || arriving.try_recv().ok());
    let stage = Stage { session: Session::for_tests(document), sent: Vec::new(), panels, commands, next_command };
    Harness::builder()
        .with_size(egui::vec2(width, 620.0))
        .allow_missing_glyphs()
        .with_context_setup(|ctx| {
            ctx.set_fonts(fonts::definitions());
            theme::apply(ctx);
        })
        .build_ui_state(draw, stage)
}

fn panel(name: &str) -> Box<dyn Panel> {
    panels::all().into_iter().find(|panel| panel.id() == name).expect("a panel of this name")
}

fn draw(ui: &mut egui::Ui, stage: &mut Stage) {
    while let Some(command) = (stage.next_command)() {
        if !matches!(command, Command::Hover(_)) {
            stage.sent.push(command.clone());
        }
        stage.session.commands().send(command);
    }
    if stage.session.update() {
        ui.ctx().request_repaint();
    }
    let palette = Palette::of(ui.visuals());
    let mut ctx = PanelContext::new(&stage.session, &stage.commands, palette);
    ui.columns(stage.panels.len(), |columns| {
        for (column, panel) in columns.iter_mut().zip(&mut stage.panels) {
            column.push_id(panel.id(), |ui| panels::panel_ui(panel.as_mut(), &mut ctx, ui));
        }
    });
}

/// Whether the part with this name is lit as selected.
pub fn is_lit(harness: &Harness<'_, Stage>, name: &str) -> bool {
    harness.get_by_label(name).accesskit_node().toggled() == Some(Toggled::True)
}

/// Runs frames until what was sent has arrived and been drawn.
pub fn settle(harness: &mut Harness<'_, Stage>) {
    harness.run_steps(4);
}

/// A model and a prompt, nothing computed yet.
pub fn opened() -> Document {
    let site = |layer: u32, point, units| SiteInfo {
        site: Site::block(layer, point),
        shape: String::new(),
        about: "".into(),
        alias: None,
        units,
        has_heads: point == BlockPoint::Z,
        is_residual: false,
    };
    let sites = (0..LAYERS as u32).flat_map(|l| [site(l, BlockPoint::Z, HEADS), site(l, BlockPoint::MlpPost, NEURONS)]);
    let model = ModelInfo {
        name: "tiny".to_owned(),
        spec: "tiny".to_owned(),
        family: "llama".to_owned(),
        dims: Dims {
            n_layers: LAYERS,
            d_model: 8,
            n_heads: HEADS,
            n_kv_heads: HEADS,
            d_head: 4,
            d_mlp: NEURONS,
            d_vocab: 16,
            n_ctx: 32,
        },
        sites: sites.collect(),
        embedding_parameters: 0,
        block_parameters: Vec::new(),
        head_parameters: 0,
        device: "cpu".to_owned(),
        dtype: "float32".to_owned(),
        licence: None,
        has_tokenizer: true,
        has_logits: true,
        causal: true,
        bytes_on_disk: 0,
        vision: None,
    };
    Document { model: Loadable::ready(model), prompt: TOKENS.concat(), ..Document::default() }
}

/// The same with every result that these panels draw.
pub fn computed() -> Document {
    let mut document = opened();
    document.results.lens = Loadable::ready(lens());
    document.results.attention = Loadable::ready(attention());
    document.results.neurons = Loadable::Ready(Arc::new(neurons(NEURONS)));
    document.results.unit = Loadable::ready(unit(Unit::neuron(1, 2)));
    document
}

fn tokens() -> Vec<String> {
    TOKENS.map(str::to_owned).to_vec()
}

/// Depth `d` predicts `d{d}` with a probability that grows with depth.
pub fn lens() -> LogitLens {
    let depths: Vec<String> = ["embed", "0", "1"].map(str::to_owned).to_vec();
    let cell = |depth: usize| LensCell {
        top: (0..3)
            .map(|k| Candidate {
                id: k,
                text: format!("d{depth}k{k}"),
                prob: 0.25 * (depth + 1) as f32 / (k + 1) as f32,
                logit: 0.0,
            })
            .collect(),
        entropy: 3.0 - depth as f32,
        kl_to_final: 2.0 - depth as f32,
        rank_of_final: 99 >> (depth * 3),
        prob_of_next: Some(0.1 * depth as f32),
    };
    let cells = (0..depths.len()).flat_map(|depth| (0..TOKENS.len()).map(move |_| depth)).map(cell).collect();
    LogitLens { depths, tokens: tokens(), cells }
}

/// Head 1.1 looks at the previous token, the others at the first.
pub fn attention() -> AttentionMaps {
    let n = TOKENS.len();
    let mut patterns = Vec::new();
    let mut scores = Vec::new();
    for layer in 0..LAYERS as u32 {
        for head in 0..HEADS as u32 {
            let previous = (layer, head) == (1, 1);
            for query in 0..n {
                let target = if previous { query.saturating_sub(1) } else { 0 };
                patterns.extend((0..n).map(|key| if key == target { 1.0 } else { 0.0 }));
            }
            let share = |yes: bool| if yes { 1.0 } else { 0.25 };
            let (previous, first) = (share(previous), share(!previous));
            scores.push(HeadScore {
                layer,
                head,
                previous,
                duplicate: 0.0,
                induction: 0.0,
                first,
                current: 0.0,
                entropy: 0.5,
            });
        }
    }
    AttentionMaps { tokens: tokens(), n_layers: LAYERS, n_heads: HEADS, patterns, scores }
}

/// Attribution grows with the index, activation falls with it.
pub fn neurons(d_mlp: usize) -> NeuronTable {
    let n = LAYERS * d_mlp;
    NeuronTable {
        position: 4,
        target: 1,
        target_text: " .".to_owned(),
        n_layers: LAYERS,
        d_mlp,
        activation: (0..n).map(|i| 2.0 - i as f32 / n as f32).collect(),
        attribution: (0..n).map(|i| i as f32 / n as f32).collect(),
        read_norm: vec![1.0; n],
        write_norm: vec![0.5; n],
    }
}

/// A unit's page.
pub fn unit(unit: Unit) -> UnitPage {
    let scored = |text: &str, score| ScoredToken { id: 3, text: text.to_owned(), score };
    UnitPage {
        unit,
        kind: UnitKind::Neuron,
        measures: vec![Measure { name: "write norm".to_owned(), value: 0.75, formula: "‖w_out‖".to_owned() }],
        ends: vec![TokenEnds {
            name: "writes".to_owned(),
            formula: "w_out · W_U".to_owned(),
            top: vec![scored(" purr", 1.5), scored("\u{1b}[2J", 1.0)],
            bottom: vec![scored(" bark", -1.25)],
        }],
        tokens: tokens(),
        activations: vec![0.0, 2.5, -0.5, f32::NAN, 0.25],
        activation_formula: "mlp.hook_post".to_owned(),
        attributions: vec![0.0, 0.75, -0.25, 0.0, 0.125],
        predictions: tokens(),
    }
}
