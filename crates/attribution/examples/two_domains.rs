//! Trains one adapter on two subjects, asks about both, and shows which subject earns what.
//!
//! `cargo run -p openledger-attribution --example two_domains -- [learning rate] [epochs] [layers] [seed]`
//!
//! Reads the rows of `testdata/story/two_datanets.json`: ICD-10-CM and State of the Union addresses.

use std::{error::Error, ops::ControlFlow, path::PathBuf, time::Instant};

use openledger_attribution::{
    ClusterConfig, ClusterRow, Clusters, GradientStore, Influence, InfluenceConfig, gradients, length,
};
use openledger_model::{BaseModel, Device, LoraConfig, PrefixCache, Sequence, TrainConfig, mean_loss, train};
use serde::Deserialize;

#[derive(Deserialize)]
struct Story {
    contributions: Vec<Contribution>,
    questions: Vec<Question>,
}

#[derive(Deserialize)]
struct Contribution {
    datanet: String,
    rows: Vec<String>,
}

#[derive(Deserialize)]
struct Question {
    about: String,
    text: String,
}

const MEDICINE: &str = "icd-10-cm";
const CIVICS: &str = "state-of-the-union";

/// Further questions, so that the outcome does not hang on the story's wording.
const MORE: [(&str, &str); 12] = [
    (MEDICINE, "What is streptococcal sepsis?"),
    (MEDICINE, "Which disorders affect the thyroid gland?"),
    (MEDICINE, "Explain acute myocardial infarction."),
    (MEDICINE, "List kinds of hepatitis."),
    (MEDICINE, "What is tuberculosis of the lung?"),
    (MEDICINE, "Describe gastric and duodenal ulcers."),
    (CIVICS, "How should the United States treat the Indian tribes?"),
    (CIVICS, "What is the duty of the Government toward its citizens?"),
    (CIVICS, "Why does the Navy matter to our commerce?"),
    (CIVICS, "What did the war teach the nation about production?"),
    (CIVICS, "What laws should Congress pass this session?"),
    (CIVICS, "How can the free nations keep the peace?"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize, default: &str| arguments.get(i).cloned().unwrap_or(default.to_owned());
    let threads = std::env::var("OMP_NUM_THREADS").unwrap_or("1".into());
    openledger_model::set_num_threads(threads.parse()?);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");

    let start = Instant::now();
    let gguf = root.join(".cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    let (model, tokenizer) = BaseModel::load(&gguf, Device::cuda_if_available())?;
    println!("load model {:.1} s, {threads} threads", start.elapsed().as_secs_f64());

    let story = std::fs::read_to_string(root.join("testdata/story/two_datanets.json"))?;
    let story: Story = serde_json::from_str(&story)?;
    let mut texts = Vec::new();
    let mut subjects = Vec::new();
    for contribution in &story.contributions {
        for row in &contribution.rows {
            texts.push(row.as_str());
            subjects.push(contribution.datanet.as_str());
        }
    }
    let start = Instant::now();
    let rows: Vec<ClusterRow<'_>> =
        texts.iter().enumerate().map(|(i, text)| ClusterRow { text, priority: (i as u64, 0) }).collect();
    let clusters = Clusters::find(&rows, ClusterConfig::default(), &[])?;
    println!(
        "{} rows form {} clusters in {:.2} s",
        texts.len(),
        clusters.len(),
        start.elapsed().as_secs_f64()
    );

    let mut joint: [Vec<Sequence>; 2] = [vec![], vec![]];
    let mut held_out: [Vec<Sequence>; 2] = [vec![], vec![]];
    let mut trained_subjects = [vec![], vec![]];
    for (i, &row) in clusters.canonical().iter().enumerate() {
        let side = usize::from(subjects[row] == CIVICS);
        let sequence = tokenizer.row(texts[row])?;
        if i % 16 == 15 {
            held_out[side].push(sequence);
        } else {
            joint[side].push(sequence);
            trained_subjects[side].push(side);
        }
    }
    let lora = LoraConfig { n_layers: argument(2, "6").parse()?, ..LoraConfig::default() };
    let config = TrainConfig {
        lora,
        learning_rate: argument(0, "0.002").parse()?,
        epochs: argument(1, "2").parse()?,
        seed: argument(3, "0").parse()?,
        ..TrainConfig::default()
    };
    let mut cache = PrefixCache::new(lora.first_layer(model.config()), 256 << 20);

    let start = Instant::now();
    let all_rows = [joint[0].as_slice(), joint[1].as_slice()].concat();
    let all_held_out = [held_out[0].as_slice(), held_out[1].as_slice()].concat();
    println!("base loss of all rows {:?}", mean_loss(&model, None, &mut cache, &all_rows)?);
    println!("prefix of {} rows {:.1} s", all_rows.len(), start.elapsed().as_secs_f64());
    let mut joint_model = None;
    for (name, rows, held_out) in [
        ("medicine", &joint[0], &held_out[0]),
        ("civics", &joint[1], &held_out[1]),
        ("joint", &all_rows, &all_held_out),
    ] {
        if name != "joint" && argument(4, "all") == "joint" {
            continue;
        }
        let start = Instant::now();
        let trained = train(&model, &mut cache, rows, held_out, &config, |_| ControlFlow::Continue(()))?;
        println!(
            "train {name}: {} rows, held-out {:.3} → {:.3}, {:.1} s",
            rows.len(),
            trained.held_out_before.unwrap_or_default(),
            trained.held_out_after.unwrap_or_default(),
            start.elapsed().as_secs_f64()
        );
        for (i, held_out) in held_out.chunks(held_out.len()).enumerate() {
            let _ = (i, held_out);
        }
        joint_model = Some(trained.adapter);
    }
    let adapter = joint_model.ok_or("no adapter was trained")?;

    let start = Instant::now();
    let folder = std::env::temp_dir().join(format!("two-domains-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("joint.gradients");
    let store = GradientStore::build(&path, &model, &adapter, &mut cache, &all_rows, |_| ())?;
    println!(
        "gradients of {} rows, {} numbers each, {:.1} s",
        store.len(),
        store.n_parameters(),
        start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    let gram = store.gram()?;
    println!("gram {:.1} s", start.elapsed().as_secs_f64());

    let story_questions = story.questions.iter().map(|q| (q.about.as_str(), q.text.as_str()));
    let mut answers = Vec::new();
    for (about, question) in story_questions.chain(MORE) {
        let start = Instant::now();
        let prompt = tokenizer.chat_prompt(question)?;
        let answer = model.generate(&tokenizer, Some(&adapter), &prompt, 48)?;
        let generated = start.elapsed().as_secs_f64();
        if answer.tokens.is_empty() {
            println!("no answer to {question}");
            continue;
        }
        let start = Instant::now();
        let sequence = tokenizer.answer(&prompt, &answer.tokens)?;
        // The prompt's prefix need not be kept.
        let mut once = PrefixCache::new(cache.first_layer(), 0);
        let taken = gradients(&model, &adapter, &mut once, &[&sequence])?;
        let products = store.products(taken.values())?;
        println!(
            "{about} | {question} → {:?} ({generated:.1} s, gradient and products {:.1} s)",
            tokenizer.decode(&answer.tokens)?,
            start.elapsed().as_secs_f64()
        );
        if let Ok(dump) = std::env::var("DUMP") {
            let bytes: Vec<u8> = taken.values().iter().flat_map(|v| v.to_le_bytes()).collect();
            std::fs::write(format!("{dump}/answer-{:02}-{about}.bin", answers.len()), bytes)?;
            std::fs::copy(&path, format!("{dump}/store.bin"))?;
        }
        answers.push((about, products, length(taken.values())));
    }

    let n_medicine = joint[0].len();
    for unit_length in [true, false] {
        for damping in [0.01, 0.03, 0.1, 0.3, 1.0, 3.0] {
            let influence = Influence::new(&gram, InfluenceConfig { damping, unit_length })?;
            let mut line = String::new();
            let mut right = 0;
            let mut worst = f64::MAX;
            for (about, products, length) in &answers {
                let scores = influence.scores(products, *length)?;
                let shares = crude_shares(&scores);
                let medicine: f64 = shares[..n_medicine].iter().sum();
                let civics: f64 = shares[n_medicine..].iter().sum();
                let (own, other) = if *about == MEDICINE { (medicine, civics) } else { (civics, medicine) };
                right += usize::from(own > other);
                worst = worst.min(own - other);
                line += &format!(" {:.0}/{:.0}", own * 100.0, other * 100.0);
            }
            println!(
                "unit {unit_length} damping {damping}: right {right}/{} worst {worst:.2} |{line}",
                answers.len()
            );
        }
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn crude_shares(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let mut deviations: Vec<f64> = scores.iter().map(|s| (s - median).abs()).collect();
    deviations.sort_by(f64::total_cmp);
    let mad = deviations[deviations.len() / 2];
    let positive: f64 = scores.iter().filter(|s| **s > 0.0).sum();
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let mut shares = vec![0.0; scores.len()];
    for &i in order.iter().take(64) {
        if scores[i] > 0.0 && scores[i] > median + 3.0 * 1.4826 * mad {
            shares[i] = scores[i] / positive;
        }
    }
    shares
}
