"""SmolLM2 in plain PyTorch, dequantised from GGUF, with LoRA on the query and value projections.

Written as the peers' users would write it: `nn.Linear` modules, fused attention and normalisation from
`torch.nn.functional`, the base frozen. Layouts as in `crates/model`.
"""

import struct

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

BLOCKS = {0: (1, 4), 1: (1, 2), 3: (32, 20), 8: (32, 34)}
SIZES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def read_gguf(path):
    """Metadata and f32 tensors of a GGUF v3 file."""
    data = open(path, "rb").read()
    at = 0

    def take(form):
        nonlocal at
        value = struct.unpack_from("<" + form, data, at)[0]
        at += struct.calcsize(form)
        return value

    def text():
        nonlocal at
        size = take("Q")
        at += size
        return data[at - size:at].decode()

    def value(kind):
        if kind == 8:
            return text()
        if kind == 9:
            inner, count = take("I"), take("Q")
            return [value(inner) for _ in range(count)]
        return take(SIZES[kind])

    assert data[:4] == b"GGUF"
    at = 8
    tensors, keys = take("Q"), take("Q")
    metadata = {}
    for _ in range(keys):
        key = text()
        metadata[key] = value(take("I"))
    entries = []
    for _ in range(tensors):
        name = text()
        shape = [take("Q") for _ in range(take("I"))]
        entries.append((name, shape[::-1], take("I"), take("Q")))
    start = -(-at // 32) * 32
    return metadata, {name: dequantise(data, start + offset, kind, shape) for name, shape, kind, offset in entries}


def dequantise(data, at, kind, shape):
    elements, size = BLOCKS[kind]
    raw = np.frombuffer(data, np.uint8, int(np.prod(shape)) // elements * size, at).reshape(-1, size)
    if kind in (0, 1):
        values = raw.reshape(-1).view((np.float32, np.float16)[kind])
    elif kind == 8:
        values = raw[:, 2:].view(np.int8) * raw[:, :2].copy().view(np.float16).astype(np.float32)
    else:
        halves = raw[:, :4].copy().view(np.float16).astype(np.float32)
        nibbles = np.concatenate([raw[:, 4:] & 15, raw[:, 4:] >> 4], axis=1)
        values = nibbles * halves[:, :1] + halves[:, 1:]
    return torch.tensor(np.ascontiguousarray(values, np.float32).reshape(shape))


class LoraLinear(nn.Module):
    def __init__(self, weight, a, b, scale):
        super().__init__()
        self.base = frozen(weight)
        self.A = nn.Linear(a.shape[1], a.shape[0], bias=False)
        self.B = nn.Linear(b.shape[1], b.shape[0], bias=False)
        self.A.weight.data, self.B.weight.data = a, b
        self.scale = scale

    def forward(self, x):
        return self.base(x) + self.scale * self.B(self.A(x))


class Layer(nn.Module):
    def __init__(self, weights, adapter, heads, kv_heads, scale, eps):
        super().__init__()
        self.heads, self.kv_heads, self.eps = heads, kv_heads, eps
        self.norms = nn.ParameterList([weights["attn_norm"], weights["ffn_norm"]]).requires_grad_(False)
        self.q = LoraLinear(unpermute(weights["attn_q"], heads), *adapter[:2], scale)
        self.k = frozen(unpermute(weights["attn_k"], kv_heads))
        self.v = LoraLinear(weights["attn_v"], *adapter[2:], scale)
        self.o, self.gate = frozen(weights["attn_output"]), frozen(weights["ffn_gate"])
        self.up, self.down = frozen(weights["ffn_up"]), frozen(weights["ffn_down"])

    def forward(self, h, cos, sin):
        n, t, d = h.shape
        width = d // self.heads
        x = F.rms_norm(h, (d,), self.norms[0], self.eps)
        q = rotate(self.q(x).view(n, t, self.heads, width).transpose(1, 2), cos, sin)
        k = rotate(self.k(x).view(n, t, self.kv_heads, width).transpose(1, 2), cos, sin)
        v = self.v(x).view(n, t, self.kv_heads, width).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        h = h + self.o(mixed.transpose(1, 2).reshape(n, t, d))
        x = F.rms_norm(h, (d,), self.norms[1], self.eps)
        return h + self.down(F.silu(self.gate(x)) * self.up(x))


class SmolLm2(nn.Module):
    """`forward` gives each row's mean next-token loss; every token but the first is predicted."""

    def __init__(self, path, adapter, scale):
        super().__init__()
        metadata, weights = read_gguf(path)
        size = lambda key: metadata[f"llama.{key}"]
        heads, kv_heads = size("attention.head_count"), size("attention.head_count_kv")
        self.eps = size("attention.layer_norm_rms_epsilon")
        part = lambda i: {key.split(".")[2]: w for key, w in weights.items() if key.startswith(f"blk.{i}.")}
        self.layers = nn.ModuleList(
            Layer(part(i), adapter[4 * i:4 * i + 4], heads, kv_heads, scale, self.eps)
            for i in range(size("block_count")))
        self.embedding = nn.Parameter(weights["token_embd.weight"], requires_grad=False)
        self.norm = nn.Parameter(weights["output_norm.weight"], requires_grad=False)
        half = self.embedding.shape[1] // heads // 2
        angles = torch.arange(1024)[:, None] * size("rope.freq_base") ** (-torch.arange(half).double() / half)
        angles = torch.cat([angles, angles], 1)
        self.register_buffer("cos", angles.cos().float())
        self.register_buffer("sin", angles.sin().float())

    def forward(self, tokens):
        t = tokens.shape[1]
        h = F.embedding(tokens, self.embedding)
        for layer in self.layers:
            h = layer(h, self.cos[:t], self.sin[:t])
        logits = F.linear(F.rms_norm(h[:, :-1], h.shape[-1:], self.norm, self.eps), self.embedding)
        losses = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
        return losses.view(tokens.shape[0], -1).mean(1)


def frozen(weight):
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight = nn.Parameter(weight, requires_grad=False)
    return linear


def unpermute(weight, heads):
    rows, columns = weight.shape
    return weight.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns).contiguous()


def rotate(x, cos, sin):
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat([-right, left], -1) * sin
