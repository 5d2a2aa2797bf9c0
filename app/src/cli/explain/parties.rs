//! Who explains and judges, as typed, and the models that this takes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use golgi_analysis::explain::Party;
use golgi_data::endpoint::{Endpoint, EndpointOptions};
use golgi_probes::OpenModel;

use crate::cli::error::failure;
use crate::cli::work::Work;

/// Somebody who explains or judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// The describer, or the rule that it makes.
    Free,
    /// A model that runs here.
    Local(String),
    /// The endpoint that was named.
    Endpoint,
}

impl FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Who, String> {
        match (text, text.strip_prefix("local:")) {
            ("describer" | "rule", _) => Ok(Who::Free),
            ("endpoint", _) => Ok(Who::Endpoint),
            (_, Some(spec)) if !spec.is_empty() => Ok(Who::Local(spec.to_owned())),
            _ => Err(format!("`{text}` is none of describer, rule, local:MODEL and endpoint")),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Free => f.write_str("describer"),
            Who::Local(spec) => write!(f, "local:{spec}"),
            Who::Endpoint => f.write_str("endpoint"),
        }
    }
}

impl Who {
    /// The name as a judge.
    pub fn judge(&self) -> String {
        if *self == Who::Free { "rule".to_owned() } else { self.to_string() }
    }
}

/// The endpoint.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "With an endpoint")]
pub(super) struct EndpointArgs {
    /// An address that speaks OpenAI's chat completions, such as http://localhost:8080/v1
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The name of the model there
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    endpoint_model: Option<String>,
    /// The environment variable that holds the key, if it wants one
    #[arg(long, value_name = "VARIABLE", requires = "endpoint")]
    endpoint_key: Option<String>,
    /// How many seconds an answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
    endpoint_timeout: u64,
}

impl EndpointArgs {
    /// The endpoint, if it is wanted; nothing is sent yet.
    pub fn open(&self, work: &Work, wanted: [&Who; 2]) -> anyhow::Result<Option<Endpoint>> {
        let is_wanted = wanted.contains(&&Who::Endpoint);
        match (&self.endpoint, &self.endpoint_model, is_wanted) {
            (None, _, false) => Ok(None),
            (Some(_), _, false) => {
                Err(failure("an endpoint is named, but neither --by nor --judge asks it; add --by endpoint"))
            }
            (None, _, true) => Err(failure("no endpoint is named; give --endpoint URL and --endpoint-model NAME")),
            (Some(_), None, true) => Err(failure("the endpoint's model is not named; give --endpoint-model NAME")),
            (Some(url), Some(model), true) => Ok(Some(Endpoint::new(&EndpointOptions {
                url: url.clone(),
                model: model.clone(),
                key_variable: self.endpoint_key.clone(),
                offline: work.global.offline,
                timeout: Duration::from_secs(self.endpoint_timeout),
                ..EndpointOptions::default()
            })?)),
        }
    }
}

/// Models by what names them, each opened once.
#[derive(Debug, Default)]
pub(super) struct Models(BTreeMap<String, OpenModel>);

impl Models {
    /// Opens the model `spec`, unless it is open.
    pub fn open(&mut self, work: &Work, spec: &str) -> anyhow::Result<()> {
        if !self.0.contains_key(spec) {
            self.0.insert(spec.to_owned(), work.open(spec)?);
        }
        Ok(())
    }

    /// A model that was opened.
    pub fn get(&self, spec: &str) -> anyhow::Result<&OpenModel> {
        self.0.get(spec).ok_or_else(|| failure(format!("the model `{spec}` was not opened")))
    }

    /// How fast somebody is.
    pub fn party(&self, who: &Who) -> anyhow::Result<Party> {
        Ok(match who {
            Who::Free => Party::Free,
            Who::Endpoint => Party::Remote,
            Who::Local(spec) => Party::local(self.get(spec)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn who_is_read_as_it_is_written() {
        for text in ["describer", "local:smollm2", "endpoint"] {
            assert_eq!(text.parse::<Who>().unwrap().to_string(), text);
        }
        for bad in ["", "local:", "gpt", "http://localhost"] {
            assert!(bad.parse::<Who>().is_err(), "{bad}");
        }
    }

    #[test]
    fn units_and_search_are_told_apart() {
        let parses = |line: &str| Cli::try_parse_from(line.split(' ')).is_ok();
        assert!(parses("golgi explain dir --units L0N1,L0N2 --score detection,fuzzing --resume"));
        assert!(parses("golgi explain search dir rivers --limit 3"));
        assert!(!parses("golgi explain"));
        assert!(!parses("golgi explain dir --score guessing"));
        assert!(!parses("golgi explain dir --endpoint-key KEY"));
        assert!(!parses("golgi explain dir --units L0N1 --query SELECT"));
    }
}
