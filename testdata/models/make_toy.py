#!/usr/bin/env python3
"""Writes toy.gguf, a Llama-style model of random weights with a token a byte: all that a test needs, in a tenth of a
megabyte and in milliseconds.

    make_toy.py > toy.gguf
"""

import random
import struct
import sys

LAYERS, WIDTH, HEADS, KV_HEADS, FFN, CONTEXT = 3, 32, 4, 2, 48, 512
KV_WIDTH = WIDTH // HEADS * KV_HEADS
F32, F16, TEXT, ARRAY, U32, I32 = 6, 1, 8, 9, 4, 5

generator = random.Random(7)


def byte_characters():
    """Byte-level tokenisers write each byte as a printable character."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(256 + others.index(byte)) for byte in range(256)]


CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TOKENS = CONTROL + byte_characters()


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def texts(values):
    return struct.pack("<IIQ", ARRAY, TEXT, len(values)) + b"".join(map(text, values))


def integer(value):
    return struct.pack("<II", U32, value)


metadata = {
    "general.architecture": struct.pack("<I", TEXT) + text("llama"),
    "llama.block_count": integer(LAYERS),
    "llama.embedding_length": integer(WIDTH),
    "llama.attention.head_count": integer(HEADS),
    "llama.attention.head_count_kv": integer(KV_HEADS),
    "llama.feed_forward_length": integer(FFN),
    "llama.vocab_size": integer(len(TOKENS)),
    "llama.context_length": integer(CONTEXT),
    "llama.rope.freq_base": struct.pack("<If", F32, 10_000.0),
    "llama.attention.layer_norm_rms_epsilon": struct.pack("<If", F32, 1e-5),
    "tokenizer.ggml.model": struct.pack("<I", TEXT) + text("gpt2"),
    "tokenizer.ggml.pre": struct.pack("<I", TEXT) + text("smollm"),
    "tokenizer.ggml.tokens": texts(TOKENS),
    "tokenizer.ggml.merges": texts([]),
    "tokenizer.ggml.token_type": struct.pack("<IIQ", ARRAY, I32, len(TOKENS))
    + b"".join(struct.pack("<i", 3 if token in CONTROL else 1) for token in TOKENS),
}


def matrix(rows, columns, blank=()):
    """Random values of variance 1/columns, as f16; blank rows are zero."""
    bound = (3.0 / columns) ** 0.5
    values = [0.0 if row in blank else generator.uniform(-bound, bound) for row in range(rows) for _ in range(columns)]
    return (columns, rows), F16, b"".join(struct.pack("<e", value) for value in values)


def ones(size):
    return (size,), 0, struct.pack("<f", 1.0) * size


# No control token is ever the most likely one, so answers are as long as they may be.
tensors = {"token_embd.weight": matrix(len(TOKENS), WIDTH, blank=range(len(CONTROL)))}
for layer in range(LAYERS):
    for name, tensor in {
        "attn_norm": ones(WIDTH),
        "attn_q": matrix(WIDTH, WIDTH),
        "attn_k": matrix(KV_WIDTH, WIDTH),
        "attn_v": matrix(KV_WIDTH, WIDTH),
        "attn_output": matrix(WIDTH, WIDTH),
        "ffn_norm": ones(WIDTH),
        "ffn_gate": matrix(FFN, WIDTH),
        "ffn_up": matrix(FFN, WIDTH),
        "ffn_down": matrix(WIDTH, FFN),
    }.items():
        tensors[f"blk.{layer}.{name}.weight"] = tensor
tensors["output_norm.weight"] = ones(WIDTH)

out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
for key, value in metadata.items():
    out += text(key) + value
data = b""
for name, (shape, encoding, raw) in tensors.items():
    out += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
    out += struct.pack("<IQ", encoding, len(data))
    data += raw + b"\0" * (-len(raw) % 32)
out += b"\0" * (-len(out) % 32) + data
sys.stdout.buffer.write(out)
