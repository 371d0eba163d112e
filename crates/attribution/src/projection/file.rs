//! A fitted projection in a file, so that what is asked later meets the directions that rows were stored in.

use std::path::Path;

use alloy_primitives::B256;
use openledger_tensor_file::{Numbers, TensorFile};
use tch::Tensor;

use super::{MAX_FITTED_ROWS, Projection, ProjectionConfig};
use crate::{error::AttributionError, influence::InfluenceConfig};

const FORMAT: &str = "openledger-projection-v2";
/// A basis of the most directions of the widest sketch has 16 GB; nobody fits one.
const MAX_FILE_BYTES: u64 = 4 << 30;

impl Projection {
    /// Writes the projection; the file replaces an older one in a single step.
    pub fn save(&self, path: &Path) -> Result<(), AttributionError> {
        let basis = self.basis_values()?;
        let ProjectionConfig { sketch, rank, seed } = self.config;
        let InfluenceConfig { damping, whiten, unit_length } = self.influence;
        let mut tensors = vec![
            ("basis", vec![self.rank(), sketch], Numbers::F32(&basis)),
            ("squares", vec![self.rank()], Numbers::F64(&self.squares)),
        ];
        if whiten {
            tensors.push(("weights", vec![self.parameters], Numbers::F32(&self.weights)));
        }
        let fields = [
            ("sketch", sketch.to_string()),
            ("rank", rank.to_string()),
            ("seed", seed.to_string()),
            ("parameters", self.parameters.to_string()),
            ("directions", self.rank().to_string()),
            ("damping", damping.to_string()),
            ("whiten", whiten.to_string()),
            ("unit_length", unit_length.to_string()),
            ("hash", self.hash()?.to_string()),
        ];
        Ok(TensorFile::write(path, FORMAT, &tensors, fields)?)
    }

    /// Reads a projection and checks it against its own hash, and against the one that a store names.
    pub fn load(path: &Path, expected: Option<B256>) -> Result<Self, AttributionError> {
        let file = TensorFile::open(path, FORMAT, MAX_FILE_BYTES)?;
        let config = ProjectionConfig {
            sketch: file.parsed("sketch")?,
            rank: file.parsed("rank")?,
            seed: file.parsed("seed")?,
        };
        let influence = InfluenceConfig {
            damping: file.parsed("damping")?,
            whiten: file.parsed("whiten")?,
            unit_length: file.parsed("unit_length")?,
        };
        config.validate(influence).map_err(|error| file.error(error.to_string()))?;
        let (parameters, directions): (usize, usize) =
            (file.parsed("parameters")?, file.parsed("directions")?);
        if parameters == 0 || directions == 0 || directions > config.rank.min(MAX_FITTED_ROWS) {
            let what = format!("{directions} directions of rank {} for {parameters} numbers", config.rank);
            return Err(file.error(what).into());
        }
        let basis = file.f32s("basis", &[directions, config.sketch])?;
        let projection = Self {
            config,
            influence,
            weights: if influence.whiten { file.f32s("weights", &[parameters])? } else { vec![] },
            parameters,
            basis: Tensor::f_from_slice(&basis)?.f_reshape([directions as i64, config.sketch as i64])?,
            squares: file.f64s("squares", &[directions])?,
        };
        let (said, hash): (B256, B256) = (file.parsed("hash")?, projection.hash()?);
        if hash != said {
            return Err(file
                .error("does not match its own hash: damaged; fit it again from the rows")
                .into());
        }
        match expected {
            Some(expected) if expected != hash => {
                Err(file.error(format!("is another projection: {hash}, expected {expected}")).into())
            }
            _ => Ok(projection),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::tests::rows, *};

    const PARAMETERS: usize = 300;

    fn fitted(influence: InfluenceConfig) -> (Projection, Vec<f32>) {
        let values = rows(9, PARAMETERS);
        let config = ProjectionConfig { sketch: 64, rank: 5, seed: 3 };
        (Projection::fit(&values[..8 * PARAMETERS], PARAMETERS, config, influence).unwrap(), values)
    }

    fn refusal(path: &Path) -> String {
        Projection::load(path, None).unwrap_err().to_string()
    }

    #[test]
    fn loaded_projection_has_the_same_hash_and_gives_the_same_rows_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("projection.safetensors");
        for influence in [
            InfluenceConfig::default(),
            InfluenceConfig { whiten: false, unit_length: false, damping: 0.017 },
        ] {
            let (saved, values) = fitted(influence);
            saved.save(&path).unwrap();
            let hash = saved.hash().unwrap();
            let loaded = Projection::load(&path, Some(hash)).unwrap();
            assert_eq!(loaded.hash().unwrap(), hash);
            assert_eq!(loaded.rows(&values).unwrap(), saved.rows(&values).unwrap());
            assert_eq!(loaded.lambda().to_bits(), saved.lambda().to_bits());
            let error = Projection::load(&path, Some(B256::ZERO)).unwrap_err().to_string();
            assert!(
                error.contains("another projection") && error.contains("projection.safetensors"),
                "{error}"
            );
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half written is left");
    }

    #[test]
    fn damaged_and_shortened_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("projection.safetensors");
        fitted(InfluenceConfig::default()).0.save(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        // A byte inside text or padding of the header may say the same; a number's never does.
        let header = 8 + u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
        for at in [0, 3, 7].into_iter().chain((header..whole.len()).step_by(97)) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert!(refusal(&path).contains("projection.safetensors"), "byte {at}");
        }
        for length in [0, 4, 8, header, header + 4, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(!refusal(&path).is_empty(), "{length} bytes");
        }
        fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
        assert!(refusal(&path).contains("damaged"));
        let mut huge = whole;
        huge[..8].copy_from_slice(&(1u64 << 40).to_le_bytes());
        fs::write(&path, huge).unwrap();
        assert!(refusal(&path).contains("header exceeds"));
    }

    #[test]
    fn sizes_that_do_not_fit_and_numbers_that_are_not_finite_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("projection.safetensors");
        let written = |change: &dyn Fn(&mut Projection)| {
            let (mut projection, _) = fitted(InfluenceConfig::default());
            change(&mut projection);
            projection.save(&path).unwrap();
            refusal(&path)
        };
        assert!(written(&|p| p.weights[7] = f32::NAN).contains("number 7 of its weights is not finite"));
        assert!(written(&|p| p.squares[1] = f64::INFINITY).contains("squares is not finite"));
        assert!(written(&|p| p.influence.damping = -1.0).contains("damping must be positive"));
        assert!(written(&|p| p.config.rank = 4).contains("5 directions of rank 4"));
        assert!(written(&|p| p.config.rank = 1 << 40).contains("a sketch of 64"));
        let said = |fields: &[(&str, &str)]| {
            let (projection, _) = fitted(InfluenceConfig::default());
            let basis = projection.basis_values().unwrap();
            let all = [
                ("sketch", "64"),
                ("rank", "5"),
                ("seed", "3"),
                ("parameters", "300"),
                ("directions", "5"),
                ("damping", "0.003"),
                ("whiten", "true"),
                ("unit_length", "true"),
            ];
            let changed = |name| fields.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
            let all = all.map(|(name, value)| (name, changed(name).unwrap_or(value).to_owned()));
            let tensors = [
                ("basis", vec![5, 64], Numbers::F32(&basis)),
                ("squares", vec![5], Numbers::F64(&projection.squares)),
                ("weights", vec![300], Numbers::F32(&projection.weights)),
            ];
            TensorFile::write(&path, FORMAT, &tensors, all).unwrap();
            refusal(&path)
        };
        assert!(said(&[]).contains("says no hash"), "all else fits");
        assert!(said(&[("directions", "4")]).contains("its basis is F32 [5, 64], expected F32 [4, 64]"));
        assert!(said(&[("sketch", "1048576")]).contains("expected F32 [5, 1048576]"));
        assert!(said(&[("parameters", "299")]).contains("its weights is F32 [300]"));
        assert!(said(&[("parameters", "18446744073709551615")]).contains("its weights"));
        assert!(said(&[("parameters", "-1")]).contains("makes no sense"));
        assert!(said(&[("damping", "NaN")]).contains("damping must be positive"));
        assert!(said(&[("whiten", "maybe")]).contains("its whiten"));
    }

    #[test]
    fn full_disk_leaves_no_half_file_and_the_older_one_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("projection.safetensors");
        let (projection, _) = fitted(InfluenceConfig::default());
        projection.save(&path).unwrap();
        let partial = path.with_extension("partial");
        std::os::unix::fs::symlink("/dev/full", &partial).unwrap();
        let error = projection.save(&path).unwrap_err().to_string();
        assert!(error.contains("No space left") && partial.symlink_metadata().is_err(), "{error}");
        Projection::load(&path, Some(projection.hash().unwrap())).unwrap();
    }
}
