//! PyTorch state dicts: what `torch.save` wrote, in the ZIP layout (since 1.6) and the legacy one before it.
//!
//! Both describe tensors with pickles, which are programs. The machine here knows only the instructions that build
//! data, and only the few globals that tensors need; every other global is refused by name. Nothing is executed.

mod globals;
mod legacy;
mod machine;
mod state;
mod values;
mod zip;

pub(crate) use legacy::parse_legacy;
pub(crate) use zip::parse_zip;
