//! Trains one adapter on two subjects, asks about both, and shows which subject earns what.
//!
//! `cargo run -p openledger-attribution --example two_domains -- [learning rate] [epochs] [layers] [seed]
//! [all|joint] [more questions]`
//!
//! Reads the rows of `testdata/story/two_datanets.json`: ICD-10-CM and State of the Union addresses.

use std::{error::Error, ops::ControlFlow, path::PathBuf, time::Instant};

use openledger_attribution::{
    ClusterConfig, ClusterRow, Clusters, GradientStore, InfluenceConfig, Scorer, Scores, ShareConfig,
    attribute, gradients,
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
    for (i, &row) in clusters.canonical().iter().enumerate() {
        let side = usize::from(subjects[row] == CIVICS);
        let sequence = tokenizer.row(texts[row])?;
        if i % 16 == 15 {
            held_out[side].push(sequence);
        } else {
            joint[side].push(sequence);
        }
    }
    let lora = LoraConfig { n_layers: argument(2, "6").parse()?, ..LoraConfig::default() };
    let config = TrainConfig {
        lora,
        learning_rate: argument(0, "0.003").parse()?,
        epochs: argument(1, "2").parse()?,
        seed: argument(3, "0").parse()?,
        ..TrainConfig::default()
    };
    let mut cache = PrefixCache::new(lora.first_layer(model.config()), 256 << 20);

    let start = Instant::now();
    let all_rows = [joint[0].as_slice(), joint[1].as_slice()].concat();
    let all_held_out = [held_out[0].as_slice(), held_out[1].as_slice()].concat();
    println!("base loss {:.3}", mean_loss(&model, None, &mut cache, &all_rows)?.unwrap_or_default());
    println!("prefix and loss of {} rows {:.1} s", all_rows.len(), start.elapsed().as_secs_f64());
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
        joint_model = Some(trained.adapter);
    }
    let adapter = joint_model.ok_or("no adapter was trained")?;

    let start = Instant::now();
    let folder = std::env::temp_dir().join(format!("two-domains-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("joint.gradients");
    let store =
        GradientStore::build(&path, &model, &adapter, &mut cache, &all_rows, |_| ControlFlow::Continue(()))?;
    println!(
        "gradients of {} rows, {} numbers each, {:.1} s",
        store.len(),
        store.n_parameters(),
        start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    let scorer = Scorer::new(store, InfluenceConfig::default())?;
    println!("influence system {:.1} s", start.elapsed().as_secs_f64());

    let n_medicine = joint[0].len();
    let story_questions = story.questions.iter().map(|q| (q.about.as_str(), q.text.as_str()));
    let more = MORE.into_iter().take(argument(5, "0").parse()?);
    let (mut right, mut asked) = (0, 0);
    for (about, question) in story_questions.chain(more) {
        let start = Instant::now();
        let prompt = tokenizer.chat_prompt(question)?;
        let answer = model.generate(&tokenizer, Some(&adapter), &prompt, 48)?;
        let generated = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let sequence = tokenizer.answer(&prompt, &answer.tokens)?;
        // The prompt's prefix need not be kept.
        let mut once = PrefixCache::new(cache.first_layer(), 0);
        let scores = scorer.scores(&gradients(&model, &adapter, &mut once, &[&sequence])?)?;
        let divided = attribute(&Scores::new(&scores)?, ShareConfig::default())?;
        let of = |civics: bool| {
            let own = divided.shares.iter().filter(|s| (s.cluster >= n_medicine) == civics);
            own.map(|s| s.ppm).sum::<u32>()
        };
        let (medicine, civics) = (of(false), of(true));
        asked += 1;
        right += usize::from(if about == CIVICS { civics > medicine } else { medicine > civics });
        println!(
            "{question}\n  {}\n  {about}: medicine {medicine} civics {civics} unattributed {} ppm, {} clusters, \
             answered {generated:.1} s, scored {:.1} s",
            tokenizer.decode(&answer.tokens)?.replace('\n', " "),
            divided.unattributed_ppm,
            divided.shares.len(),
            start.elapsed().as_secs_f64()
        );
    }
    println!("the right subject earns more for {right} of {asked} questions");
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
