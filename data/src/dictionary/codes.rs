//! Few active latents of many, row by row.

/// Active latents and their activations for each row, rows one behind the other (CSR). Latents ascend within a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Codes {
    /// Row `i` is `starts[i]..starts[i + 1]` of the others; one longer than there are rows.
    pub starts: Vec<usize>,
    /// Which latents.
    pub latents: Vec<u32>,
    /// How active, above 0.
    pub values: Vec<f32>,
}

impl Default for Codes {
    fn default() -> Codes {
        Codes { starts: vec![0], latents: Vec::new(), values: Vec::new() }
    }
}

impl Codes {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many latents are active in all rows together.
    pub fn active(&self) -> usize {
        self.latents.len()
    }

    /// The latents of row `row` and their activations.
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.latents[range.clone()], &self.values[range])
    }

    /// Appends a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = (u32, f32)>) {
        for (latent, value) in row {
            self.latents.push(latent);
            self.values.push(value);
        }
        self.starts.push(self.latents.len());
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.starts.truncate(1);
        self.latents.clear();
        self.values.clear();
    }

    /// The mean number of active latents of a row: L0.
    pub fn mean_active(&self) -> f64 {
        self.active() as f64 / self.len().max(1) as f64
    }
}
