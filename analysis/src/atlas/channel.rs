//! Numbers to and from a checkpoint: one description of a state serves for writing and reading it.

use std::io::{self, Read, Write};

/// A number with a fixed little-endian form.
pub(super) trait Number: Copy {
    /// Bytes of it.
    const SIZE: usize;
    fn store(self, bytes: &mut [u8]);
    fn fetch(bytes: &[u8]) -> Self;
}

macro_rules! numbers {
    ($($kind:ty),*) => {$(
        impl Number for $kind {
            const SIZE: usize = size_of::<$kind>();
            #[inline(always)]
            fn store(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
            #[inline(always)]
            fn fetch(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<$kind>()];
                own.copy_from_slice(bytes);
                <$kind>::from_le_bytes(own)
            }
        }
    )*};
}
numbers!(u8, u16, u32, u64, f32, f64);

/// Where a state goes, or comes from.
pub(super) enum Channel<'a> {
    Save(&'a mut dyn Write),
    Load(&'a mut dyn Read),
}

const BUFFER: usize = 1 << 14;

impl Channel<'_> {
    /// Writes the numbers, or replaces them by what is read. How many there are is known to both sides.
    pub fn numbers<T: Number>(&mut self, values: &mut [T]) -> io::Result<()> {
        let mut buffer = [0u8; BUFFER];
        for values in values.chunks_mut(BUFFER / T::SIZE) {
            let bytes = &mut buffer[..values.len() * T::SIZE];
            match self {
                Channel::Save(to) => {
                    bytes.chunks_exact_mut(T::SIZE).zip(values.iter()).for_each(|(bytes, value)| value.store(bytes));
                    to.write_all(bytes)?;
                }
                Channel::Load(from) => {
                    from.read_exact(bytes)?;
                    values
                        .iter_mut()
                        .zip(bytes.chunks_exact(T::SIZE))
                        .for_each(|(value, bytes)| *value = T::fetch(bytes));
                }
            }
        }
        Ok(())
    }

    /// The same for one number.
    pub fn number<T: Number>(&mut self, value: &mut T) -> io::Result<()> {
        self.numbers(std::slice::from_mut(value))
    }

    /// The same for rows of numbers.
    pub fn rows<T: Number, const N: usize>(&mut self, rows: &mut [[T; N]]) -> io::Result<()> {
        self.numbers(rows.as_flattened_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded() {
        let mut bytes = Vec::new();
        let mut rows: Vec<[f64; 3]> = (0..5000).map(|i| [f64::from(i), -0.5, 1e-300]).collect();
        let mut tally = vec![7u32, u32::MAX];
        let mut save = Channel::Save(&mut bytes);
        save.rows(&mut rows).unwrap();
        save.numbers(&mut tally).unwrap();
        let (mut found, mut counts) = (vec![[0.0; 3]; 5000], vec![0u32; 2]);
        let mut from = bytes.as_slice();
        let mut load = Channel::Load(&mut from);
        load.rows(&mut found).unwrap();
        load.numbers(&mut counts).unwrap();
        assert!(load.number(&mut 0u8).is_err());
        assert_eq!((found, counts), (rows, tally));
    }
}
