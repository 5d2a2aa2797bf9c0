//! What a model expects of a picture, as the hub's `preprocessor_config.json` says it.

use serde_json::Value;

use super::{Fit, ImageError, Interpolation, Preprocess, PreprocessSettings};

fn wrong(setting: &'static str, value: &Value, rule: &str) -> ImageError {
    let value: String = value.to_string().chars().take(80).collect();
    ImageError::Setting { setting, value, rule: rule.to_owned() }
}

/// A size: a number, `{"shortest_edge": n}` or `{"height": n, "width": n}`. The second part: whether it is that of the shortest edge.
fn size(value: &Value, setting: &'static str) -> Result<(u32, bool), ImageError> {
    let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    let found = match (value.get("shortest_edge"), value.get("height"), value.get("width")) {
        (Some(edge), _, _) => number(edge).map(|n| (n, true)),
        (None, Some(height), Some(width)) if height == width => number(height).map(|n| (n, false)),
        _ => number(value).map(|n| (n, false)),
    };
    found.ok_or_else(|| wrong(setting, value, "a number of pixels, a shortest edge, or a square"))
}

fn three(value: &Value, setting: &'static str) -> Result<[f32; 3], ImageError> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let numbers: Vec<f32> = list.iter().filter_map(Value::as_f64).map(|n| n as f32).collect();
    <[f32; 3]>::try_from(numbers).map_err(|_| wrong(setting, value, "three numbers"))
}

impl Preprocess {
    /// Reads a `preprocessor_config.json`. What it leaves open is as in `usual`.
    ///
    /// # Errors
    /// [`ImageError::Setting`] for sizes that are no squares, unknown filters and numbers that make no sense.
    pub fn from_hub(config: &Value, usual: &Preprocess) -> Result<Preprocess, ImageError> {
        let mut settings: PreprocessSettings = *usual.settings();
        let flag = |key: &str| config.get(key).and_then(Value::as_bool);
        let given = |key: &str| config.get(key).filter(|value| !value.is_null());
        let crop = match given("crop_size") {
            Some(value) if flag("do_center_crop") != Some(false) => Some(size(value, "crop_size")?.0),
            _ => None,
        };
        if let Some(value) = given("size").filter(|_| flag("do_resize") != Some(false)) {
            let (n, shortest) = size(value, "size")?;
            settings.fit = match crop {
                Some(crop) => Fit::ResizeThenCrop { resize: n, crop },
                None if shortest => Fit::ResizeThenCrop { resize: n, crop: n },
                None => Fit::Stretch(n),
            };
        } else if let Some(crop) = crop {
            settings.fit = Fit::ResizeThenCrop { resize: crop, crop };
        }
        if let Some(value) = given("resample") {
            settings.interpolation = match value.as_u64() {
                Some(2) => Interpolation::Bilinear,
                Some(3) => Interpolation::Bicubic,
                _ => return Err(wrong("resample", value, "2 (bilinear) or 3 (bicubic)")),
            };
        }
        if let Some(value) = given("rescale_factor").filter(|_| flag("do_rescale") != Some(false)) {
            settings.scale = value.as_f64().unwrap_or(f64::NAN) as f32;
        }
        if flag("do_normalize") == Some(false) {
            (settings.mean, settings.std) = ([0.0; 3], [1.0; 3]);
        } else {
            if let Some(value) = given("image_mean") {
                settings.mean = three(value, "image_mean")?;
            }
            if let Some(value) = given("image_std") {
                settings.std = three(value, "image_std")?;
            }
        }
        Preprocess::new(settings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(config: &Value) -> Result<PreprocessSettings, ImageError> {
        Ok(*Preprocess::from_hub(config, &Preprocess::imagenet(224).unwrap())?.settings())
    }

    #[test]
    fn published_files_are_understood() {
        let vit = json!({"do_normalize": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
            "resample": 2, "size": {"height": 224, "width": 224}, "rescale_factor": 0.003_921_569});
        let settings = read(&vit).unwrap();
        assert_eq!((settings.fit, settings.mean), (Fit::Stretch(224), [0.5; 3]));
        let clip = json!({"crop_size": 224, "do_center_crop": true, "do_normalize": true, "do_resize": true, "resample": 3,
            "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28], "size": 224});
        let settings = read(&clip).unwrap();
        assert_eq!(settings.fit, Fit::ResizeThenCrop { resize: 224, crop: 224 });
        assert_eq!((settings.interpolation, settings.std), (Interpolation::Bicubic, [0.27, 0.26, 0.28]));
        let dino =
            json!({"crop_size": {"height": 224, "width": 224}, "do_center_crop": true, "size": {"shortest_edge": 256}});
        assert_eq!(read(&dino).unwrap().fit, Fit::ResizeThenCrop { resize: 256, crop: 224 });
        assert_eq!(read(&json!({})).unwrap(), *Preprocess::imagenet(224).unwrap().settings());
    }

    #[test]
    fn nonsense_is_refused() {
        for config in [
            json!({"size": {"height": 224, "width": 160}}),
            json!({"size": 1e9}),
            json!({"size": "large"}),
            json!({"resample": 17}),
            json!({"image_mean": [0.5]}),
            json!({"image_std": [0.5, 0.0, 0.5]}),
            json!({"rescale_factor": "a"}),
            json!({"size": 224, "crop_size": 256}),
        ] {
            assert!(matches!(read(&config), Err(ImageError::Setting { .. })), "{config}");
        }
    }
}
