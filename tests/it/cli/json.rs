//! Documents and their description.

use std::sync::OnceLock;

use serde_json::Value;

use super::Golgi;

fn schemas() -> &'static Vec<Value> {
    static SCHEMAS: OnceLock<Vec<Value>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let done = Golgi::new().ok(&["schema", "--json"]);
        let document: Value = serde_json::from_str(&done.out).unwrap();
        document["schemas"].as_array().unwrap().clone()
    })
}

/// Checks that a document has its schema and exactly the fields that `golgi schema` describes, null only where that is allowed.
pub fn check(schema: &str, document: &Value) {
    assert_eq!(document["schema"], schema);
    let schema = schemas().iter().find(|one| one["name"] == schema).unwrap();
    let fields = schema["fields"].as_array().unwrap();
    for field in fields {
        let (name, kind) = (field["name"].as_str().unwrap(), field["type"].as_str().unwrap());
        let Some(value) = document.get(name) else {
            assert!(field["meaning"].as_str().unwrap().starts_with("only "), "{name} is missing in {document}");
            continue;
        };
        let fits = match kind.trim_end_matches('?') {
            "text" => value.is_string(),
            "number" => value.is_number(),
            "truth" => value.is_boolean(),
            "list" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{other} is no type"),
        };
        assert!(fits || kind.ends_with('?') && value.is_null(), "{name} is {value}, not {kind}");
    }
    // An entry of a list stands for more fields than its own.
    if !fields.iter().any(|field| field["meaning"].as_str().unwrap().starts_with("and the other fields")) {
        for name in document.as_object().unwrap().keys().filter(|name| *name != "schema") {
            assert!(fields.iter().any(|field| field["name"] == *name), "{name} is not described");
        }
    }
}

#[test]
fn the_description_describes_itself() {
    let document = Golgi::new().json("golgi.schema/1", &["schema"]);
    assert!(document["schemas"].as_array().unwrap().len() > 8);
    let text = Golgi::new().ok(&["schema"]).out;
    assert!(text.contains("golgi.prompt/1"));
}
