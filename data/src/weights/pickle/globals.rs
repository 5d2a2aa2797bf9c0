//! The Python names that a state dict may mention. Everything else is refused.

use crate::weights::StoredType;
use crate::weights::error::FormatError;

/// What a permitted name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// A kind of dictionary.
    Dict,
    /// A kind of list or set.
    List,
    /// `torch._utils._rebuild_tensor_v2` and its predecessor: storage, offset, shape, strides, and more.
    RebuildTensor,
    /// `torch._utils._rebuild_tensor_v3`: as above with an element type of its own over untyped bytes.
    RebuildTyped,
    /// `torch._utils._rebuild_parameter`: a tensor, and more.
    RebuildParameter,
    /// `torch._tensor._rebuild_from_type_v2`: a function, a type, the function's arguments, a state.
    RebuildFromType,
    /// A class of storages with this element type; `None` for bytes.
    Storage(Option<StoredType>),
    /// An element type as such.
    Type(StoredType),
    /// A harmless thing whose value nobody needs, such as a device.
    Inert,
}

impl Global {
    /// Looks a name up.
    ///
    /// # Errors
    /// If it is not on the list.
    pub(super) fn find(module: &str, name: &str) -> Result<Global, FormatError> {
        let refused = || FormatError::Global { module: shorten(module), name: shorten(name) };
        Ok(match (module, name) {
            ("collections", "OrderedDict" | "defaultdict" | "Counter") => Global::Dict,
            ("builtins" | "__builtin__", "dict") => Global::Dict,
            ("builtins" | "__builtin__", "list" | "set" | "frozenset" | "tuple") => Global::List,
            ("builtins" | "__builtin__", "int" | "float" | "bool" | "str" | "bytes" | "complex") => Global::Inert,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_tensor_v3") => Global::RebuildTyped,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Global::RebuildParameter,
            ("torch._tensor" | "torch.tensor", "_rebuild_from_type_v2") => Global::RebuildFromType,
            ("torch", "Size") => Global::List,
            ("torch", "device" | "Tensor") | ("torch.nn.parameter", "Parameter") => Global::Inert,
            ("torch.storage", "UntypedStorage" | "_UntypedStorage" | "TypedStorage" | "_TypedStorage") => {
                Global::Storage(None)
            }
            ("torch" | "torch.cuda", storage) if storage.ends_with("Storage") => {
                Global::Storage(storage_type(storage).ok_or_else(refused)?)
            }
            ("torch", other) => Global::Type(element_type(other).ok_or_else(refused)?),
            _ => return Err(refused()),
        })
    }
}

/// The element type of a typed storage; `None` inside for bytes.
fn storage_type(name: &str) -> Option<Option<StoredType>> {
    Some(Some(match name {
        "DoubleStorage" => StoredType::F64,
        "FloatStorage" => StoredType::F32,
        "HalfStorage" => StoredType::F16,
        "BFloat16Storage" => StoredType::BF16,
        "LongStorage" => StoredType::I64,
        "IntStorage" => StoredType::I32,
        "ShortStorage" => StoredType::I16,
        "CharStorage" => StoredType::I8,
        "ByteStorage" => StoredType::U8,
        "BoolStorage" => StoredType::Bool,
        "UntypedStorage" => return Some(None),
        _ => return None,
    }))
}

fn element_type(name: &str) -> Option<StoredType> {
    Some(match name {
        "float64" | "double" => StoredType::F64,
        "float32" | "float" => StoredType::F32,
        "float16" | "half" => StoredType::F16,
        "bfloat16" => StoredType::BF16,
        "int64" | "long" => StoredType::I64,
        "int32" | "int" => StoredType::I32,
        "int16" | "short" => StoredType::I16,
        "int8" => StoredType::I8,
        "uint8" => StoredType::U8,
        "bool" => StoredType::Bool,
        _ => return None,
    })
}

/// A name for a message: what a file claims may be long and unprintable.
fn shorten(name: &str) -> String {
    name.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_data_is_let_in() {
        assert_eq!(Global::find("collections", "OrderedDict").unwrap(), Global::Dict);
        assert_eq!(Global::find("torch", "HalfStorage").unwrap(), Global::Storage(Some(StoredType::F16)));
        for (module, name) in [
            ("os", "system"),
            ("builtins", "eval"),
            ("builtins", "getattr"),
            ("torch", "load"),
            ("torch", "ComplexFloatStorage"),
            ("torch.hub", "load"),
            ("posix", "system"),
            ("collections", "namedtuple"),
        ] {
            let refusal = Global::find(module, name).unwrap_err().to_string();
            assert!(refusal.contains(&format!("wants to run `{module}.{name}`")), "{refusal}");
            assert!(refusal.contains("safetensors"));
        }
    }
}
