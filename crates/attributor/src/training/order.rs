//! What may be ordered.

use crate::{AttributorError, TrainingRequest, TrainingSettings};
use openledger_model::{ModelConfig, TrainConfig};

/// Datanets of one model, as many as the chain takes.
const MAX_DATANETS: usize = 16;
/// A rank above this multiplies the gradients that are kept of every row, and gains nothing on a small model.
const MAX_RANK: usize = 64;

/// Refuses an order that cannot be carried out on a model of these sizes.
pub(crate) fn check(request: &TrainingRequest, model: &ModelConfig) -> Result<(), AttributorError> {
    let invalid = |reason: String| Err(AttributorError::Invalid(reason));
    let name_fits = (1..=64).contains(&request.name.len())
        && request.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !name_fits {
        return invalid("a name has 1 to 64 letters, digits, '-' or '_'".into());
    }
    let ascending = request.datanets.windows(2).all(|pair| pair[0] < pair[1]);
    if request.datanets.is_empty() || request.datanets.len() > MAX_DATANETS || !ascending {
        return invalid(format!("name 1 to {MAX_DATANETS} Datanets, ascending"));
    }
    let config = config(&request.training);
    if config.lora.rank > MAX_RANK {
        return invalid(format!("rank is {}, allowed are 1 to {MAX_RANK}", config.lora.rank));
    }
    let fits = config.lora.validate(model).and_then(|()| config.validate());
    fits.map_err(|error| AttributorError::Invalid(error.to_string()))
}

/// The whole configuration: what is left out takes the default.
pub(crate) fn config(settings: &TrainingSettings) -> TrainConfig {
    let mut config = TrainConfig::default();
    let lora = &mut config.lora;
    lora.rank = settings.rank.unwrap_or(lora.rank);
    lora.n_layers = settings.layers.unwrap_or(lora.n_layers);
    config.epochs = settings.epochs.unwrap_or(config.epochs);
    config.learning_rate = settings.learning_rate.unwrap_or(config.learning_rate);
    config.seed = settings.seed.unwrap_or(config.seed);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(settings: serde_json::Value) -> Result<(), AttributorError> {
        let model = crate::stub::model_config();
        let training = serde_json::from_value(settings).unwrap();
        check(&TrainingRequest { name: "a".into(), datanets: vec![1], training }, &model)
    }

    #[test]
    fn knobs_out_of_range_are_refused_when_ordered() {
        use serde_json::json;
        for fine in [
            json!({}),
            json!({ "rank": 64, "layers": 30, "epochs": 100, "learning_rate": 1.0, "seed": u64::MAX }),
            json!({ "rank": 1, "layers": 1, "epochs": 1, "learning_rate": 1e-9 }),
        ] {
            order(fine).unwrap();
        }
        for (wrong, named) in [
            (json!({ "rank": 0 }), "rank"),
            (json!({ "rank": 65 }), "rank"),
            (json!({ "layers": 0 }), "layers"),
            (json!({ "layers": 31 }), "layers"),
            (json!({ "epochs": 0 }), "epochs"),
            (json!({ "epochs": 101 }), "epochs"),
            (json!({ "learning_rate": 0.0 }), "learning rate"),
            (json!({ "learning_rate": -1.0 }), "learning rate"),
            (json!({ "learning_rate": 1.5 }), "learning rate"),
        ] {
            let refused = order(wrong.clone()).unwrap_err();
            assert!(refused.to_string().contains(named), "{wrong}: {refused}");
            assert_eq!(refused.status(), axum::http::StatusCode::BAD_REQUEST);
        }
        let learning_rate = Some(f64::NAN);
        assert!(config(&TrainingSettings { learning_rate, ..Default::default() }).validate().is_err());
    }
}
