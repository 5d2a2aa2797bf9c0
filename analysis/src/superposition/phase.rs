//! The phase diagram: what becomes of one extra feature, by density and by its importance.
//!
//! There are `m` features of importance 1 for `m` dimensions, and one more. It is left out, or it gets a dimension of its own, or it is
//! kept in superposition; sharp borders lie between.

use golgi_data::context::RunContext;
use serde::{Deserialize, Serialize};

use super::measures::{REPRESENTED, features};
use super::refused;
use super::task::Task;
use super::train::{Trained, Training};
use crate::Result;

/// Interference above this is superposition: two antipodal unit features have 1, a triangle has 1/2.
const SHARED: f32 = 0.25;
/// The loss of the best kind of solution by closed form must lie this factor below that of any other for the kind to be clear.
const CLEAR: f64 = 1.2;

/// What happened to the extra feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// ‖W‖ < 0.5.
    NotRepresented,
    /// Represented, and nothing else stands in its direction.
    Dedicated,
    /// Represented, and others stand in its direction.
    Superposed,
}

impl Fate {
    /// All of them.
    pub const ALL: [Fate; 3] = [Fate::NotRepresented, Fate::Dedicated, Fate::Superposed];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Fate::NotRepresented => "not represented",
            Fate::Dedicated => "dedicated",
            Fate::Superposed => "superposed",
        }
    }

    /// Of the last feature of a model.
    pub fn of(trained: &Trained) -> (Fate, f32, f32) {
        let all = features(&trained.toy);
        let (norm, interference) = all.last().map_or((0.0, 0.0), |last| (last.norm, last.interference));
        let fate = match (norm >= REPRESENTED, interference > SHARED) {
            (false, _) => Fate::NotRepresented,
            (true, false) => Fate::Dedicated,
            (true, true) => Fate::Superposed,
        };
        (fate, norm, interference)
    }
}

/// What is computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhaseParams {
    /// m; there are m + 1 features.
    pub hidden: usize,
    /// Cells in each direction: densities from 1 down to 0.01, importances from 0.1 to 10, both logarithmic.
    pub cells: usize,
    /// Fits of each cell; the worst is discarded.
    pub fits: usize,
    /// How they are trained.
    pub training: Training,
}

impl Default for PhaseParams {
    fn default() -> PhaseParams {
        let training = Training { steps: 600, rate: 2e-2, ..Training::default() };
        PhaseParams { hidden: 1, cells: 16, fits: 10, training }
    }
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// 1 − S, of every feature.
    pub density: f32,
    /// Of the extra feature; others have 1.
    pub importance: f32,
    /// The loss of the best fit.
    pub loss: f64,
    /// What became of the extra feature in the best fit.
    pub fate: Fate,
    /// Its norm there.
    pub norm: f32,
    /// What stands in its direction there.
    pub interference: f32,
    /// Shares of the fits that were kept, in the order of [`Fate::ALL`].
    pub shares: [f32; 3],
    /// The lowest loss of each kind of solution by [`closed_forms`], in the same order.
    pub closed: [f64; 3],
}

impl Cell {
    /// The kind of solution that the closed forms prefer.
    pub fn expected(&self) -> Fate {
        let best = (0..3).min_by(|a, b| self.closed[*a].total_cmp(&self.closed[*b])).unwrap_or(0);
        Fate::ALL[best]
    }

    /// The lowest loss by closed form: the optimum is not above it.
    pub fn bound(&self) -> f64 {
        self.closed.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// Whether the closed forms prefer one kind of solution by far.
    pub fn is_clear(&self) -> bool {
        let others = self.closed.iter().filter(|loss| **loss > self.bound());
        others.copied().fold(f64::INFINITY, f64::min) >= CLEAR * self.bound()
    }
}

/// The diagram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// m.
    pub hidden: usize,
    /// 1 − S, from 1 down.
    pub densities: Vec<f32>,
    /// From the lowest up.
    pub importances: Vec<f32>,
    /// Row by row: one row for each importance, one column for each density.
    pub cells: Vec<Cell>,
}

/// The lowest losses of solutions without norms other than 0 and 1, in the order of [`Fate::ALL`]. With p the density, I the extra
/// feature's importance and `V = p/3 − p²/4` the variance of a feature:
///
/// ```text
/// not represented    I·V                        its bias puts out its mean; all others have a dimension
/// dedicated          V                          another one is left out, or for m ≥ 2
///                    2p²/6                      two others are antipodal, with biases 0
/// superposed         (1 + I)·p²/6               antipodal to another one, with biases 0
/// ```
///
/// An antipodal pair makes an error only where both are active, and then `min(x_i, x_j)` for each, whose mean square is 1/6. For m = 1
/// superposition therefore beats leaving out where `p < 2I / (1 + 2.5·I)`. Trained models move norms and biases and can only be better.
pub fn closed_forms(hidden: usize, density: f64, importance: f64) -> [f64; 3] {
    let variance = density / 3.0 - density * density / 4.0;
    let pair = density * density / 6.0;
    let dedicated = if hidden >= 2 { variance.min(2.0 * pair) } else { variance };
    [importance * variance, dedicated, (1.0 + importance) * pair]
}

/// `count` numbers from `from` to `to`, evenly on a logarithmic scale.
pub(super) fn logarithmic(from: f64, to: f64, count: usize) -> Vec<f32> {
    let at = |i: usize| from * (to / from).powf(i as f64 / (count.max(2) - 1) as f64);
    (0..count).map(|i| at(i) as f32).collect()
}

/// Trains the cells of the diagram.
///
/// # Errors
/// If parameters are impossible, or the work is cancelled.
pub fn phase(params: &PhaseParams, ctx: &RunContext) -> Result<Phase> {
    params.training.check()?;
    match params {
        PhaseParams { hidden, .. } if !(1..=2).contains(hidden) => {
            return Err(refused("hidden", hidden, "the diagram is made for 1 or 2 dimensions"));
        }
        PhaseParams { cells, .. } if !(2..=100).contains(cells) => {
            return Err(refused("cells", cells, "there may be 2 to 100 cells in each direction"));
        }
        PhaseParams { fits, .. } if !(1..=100).contains(fits) => {
            return Err(refused("fits", fits, "there may be 1 to 100 fits of a cell"));
        }
        _ => {}
    }
    let densities = logarithmic(1.0, 0.01, params.cells);
    let importances = logarithmic(0.1, 10.0, params.cells);
    let mut tasks = Vec::with_capacity(params.cells * params.cells);
    for importance in &importances {
        tasks.extend(densities.iter().map(|density| {
            let mut task = Task::uniform(params.hidden + 1, params.hidden, *density);
            task.importance[params.hidden] = *importance;
            task
        }));
    }
    let trained = params.training.run(&tasks, params.fits, ctx)?;
    let cells = tasks.iter().zip(trained).map(|(task, mut fits)| {
        if fits.len() > 1 {
            fits.pop();
        }
        let mut shares = [0f32; 3];
        for fit in &fits {
            shares[Fate::of(fit).0 as usize] += 1.0 / fits.len() as f32;
        }
        let (density, importance) = (task.density[0], task.importance[params.hidden]);
        let (fate, norm, interference) = fits.first().map_or((Fate::NotRepresented, 0.0, 0.0), Fate::of);
        let loss = fits.first().map_or(f64::INFINITY, |fit| fit.loss);
        let closed = closed_forms(params.hidden, density.into(), importance.into());
        Cell { density, importance, loss, fate, norm, interference, shares, closed }
    });
    let cells = cells.collect();
    Ok(Phase { hidden: params.hidden, densities, importances, cells })
}

impl Phase {
    /// The share of cells in which the closed forms prefer the kind of solution that was found, and the same of the clear cells.
    pub fn agreement(&self) -> (f64, f64) {
        let share = |cells: &[&Cell]| {
            let same = cells.iter().filter(|cell| cell.expected() == cell.fate).count();
            same as f64 / cells.len().max(1) as f64
        };
        let all: Vec<&Cell> = self.cells.iter().collect();
        let clear: Vec<&Cell> = self.cells.iter().filter(|cell| cell.is_clear()).collect();
        (share(&all), share(&clear))
    }

    /// The largest loss of a cell in units of what the closed forms promise; at most 1 but for the grid and unfinished training.
    pub fn worst_ratio(&self) -> f64 {
        self.cells.iter().map(|cell| cell.loss / cell.bound()).fold(0.0, f64::max)
    }

    /// How many cells ended in each way, in the order of [`Fate::ALL`].
    pub fn counts(&self) -> [usize; 3] {
        Fate::ALL.map(|fate| self.cells.iter().filter(|cell| cell.fate == fate).count())
    }
}

#[cfg(test)]
mod tests {
    use super::super::task::Inputs;
    use super::super::{Scratch, Toy};
    use super::*;

    #[test]
    fn closed_forms_are_the_losses_of_their_solutions() {
        let (density, importance) = (0.3f32, 0.7f32);
        let variance = f64::from(density) / 3.0 - f64::from(density).powi(2) / 4.0;
        assert!((variance - 0.0775).abs() < 1e-6);
        for hidden in [1, 2] {
            let mut task = Task::uniform(hidden + 1, hidden, density);
            task.importance[hidden] = importance;
            let inputs = Inputs::exact(&task, 40_000);
            let loss = |toy: &Toy| toy.loss(&task, &inputs, None, &mut Scratch::default());
            let axis =
                |d: usize, sign: f32| (0..hidden).map(|at| if at == d { sign } else { 0.0 }).collect::<Vec<f32>>();
            let mut columns: Vec<Vec<f32>> = (0..hidden).map(|d| axis(d, 1.0)).collect();
            columns.push(vec![0.0; hidden]);
            let mut without = Toy::of_columns(&columns);
            *without.parameters.last_mut().unwrap() = density / 2.0;
            columns[hidden] = axis(0, -1.0);
            let antipodal = Toy::of_columns(&columns);
            let closed = closed_forms(hidden, density.into(), importance.into());
            assert!((loss(&without) - closed[0]).abs() < 2e-4 * closed[0], "{hidden}");
            assert!((loss(&antipodal) - closed[2]).abs() < 2e-3 * closed[2], "{hidden}");
            if hidden == 2 {
                let others = Toy::of_columns(&[axis(0, 1.0), axis(0, -1.0), axis(1, 1.0)]);
                assert!((loss(&others) - closed[1]).abs() < 2e-3 * closed[1]);
            }
        }
        // The border for m = 1: 4/7 at equal importance.
        let border = |p: f64| {
            let closed = closed_forms(1, p, 1.0);
            closed[2] < closed[0]
        };
        assert!(border(4.0 / 7.0 - 1e-6) && !border(4.0 / 7.0 + 1e-6));
    }

    fn small(hidden: usize, cells: usize, fits: usize) -> Phase {
        let params = PhaseParams { hidden, cells, fits, ..PhaseParams::default() };
        phase(&params, &RunContext::new(5)).unwrap()
    }

    #[test]
    fn one_dimension_has_three_regions() {
        let found = small(1, 8, 10);
        let (all, clear) = found.agreement();
        assert!(all >= 0.9 && clear == 1.0, "{all} {clear}");
        assert!(found.worst_ratio() < 1.005, "{}", found.worst_ratio());
        assert!(found.counts().iter().all(|count| *count >= 5), "{:?}", found.counts());
        for row in found.cells.chunks(8) {
            // Dense inputs: the more important feature has the dimension. Then superposition begins and stays.
            let alone = if row[0].importance < 1.0 { Fate::NotRepresented } else { Fate::Dedicated };
            assert_eq!((row[0].fate, row[7].fate), (alone, Fate::Superposed));
            let first = row.iter().position(|cell| cell.fate == Fate::Superposed).unwrap();
            assert!(row[first..].iter().all(|cell| cell.fate == Fate::Superposed));
            assert!(row[..first].iter().all(|cell| cell.fate == alone));
        }
        // The border lies at higher density the more equal the two are.
        let begin = |row: &[Cell]| row.iter().position(|cell| cell.fate == Fate::Superposed).unwrap();
        let begins: Vec<usize> = found.cells.chunks(8).map(begin).collect();
        assert!(begins[0] > begins[3] && begins[7] > begins[4], "{begins:?}");
    }

    #[test]
    fn three_features_in_two_dimensions_leave_the_important_one_alone() {
        let found = small(2, 6, 14);
        let (all, clear) = found.agreement();
        assert!(all >= 0.85 && clear == 1.0, "{all} {clear}");
        assert!(found.worst_ratio() < 1.01, "{}", found.worst_ratio());
        let at = |importance: usize, density: usize| &found.cells[importance * 6 + density];
        // The extra feature matters little: left out while inputs are dense, then antipodal to one of the others.
        assert_eq!((at(0, 0).fate, at(0, 5).fate), (Fate::NotRepresented, Fate::Superposed));
        assert!((at(0, 5).interference - 1.0).abs() < 0.1, "{:?}", at(0, 5));
        // It matters more than the others: they share the other dimension.
        assert!((0..6).all(|density| at(5, density).fate == Fate::Dedicated));
    }

    #[test]
    fn impossible_diagrams_are_named() {
        let refused = |params: PhaseParams| phase(&params, &RunContext::new(0)).unwrap_err().to_string();
        assert!(refused(PhaseParams { hidden: 3, ..PhaseParams::default() }).contains("1 or 2 dimensions"));
        assert!(refused(PhaseParams { cells: 1, ..PhaseParams::default() }).contains("`cells`"));
        assert!(refused(PhaseParams { fits: 0, ..PhaseParams::default() }).contains("`fits`"));
    }
}
