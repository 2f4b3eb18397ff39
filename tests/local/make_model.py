"""Makes language models of random weights, about a megabyte each, in the GGUF form that llama.cpp reads.

They say nothing sensible but behave like models: they stop, call tools, fill schemas. The same variant is always the
same file. Nothing is downloaded. Look first at `VARIANTS` and `write`.

What plain random weights lack is done with *reserved channels*: dimensions of the residual stream that tokens carry
from the embedding and no layer writes to, so that the output layer can read them unchanged.

- Channel 0 is the same for every token. After the last norm it is nearly constant, so its output weight acts as a
  bias of each token's logit: raw bytes never come (the text stays UTF-8), the end comes now and then, quotes and
  brackets close soon.
- One further channel for each rule *A then B*: only A carries it and only B reads it, so B follows A nearly always.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from gguf import TokenType

CONTEXT = 16_384
EMBEDDING, LAYERS, HEADS, FEED_FORWARD = 64, 2, 4, 128
EPSILON = 1e-5
SPACE = "\u2581"
START, END = "<|im_start|>", "<|im_end|>"
CALL, CALL_END = "<tool_call>", "</tool_call>"
LINE_END = "<0x0A>"
NEVER = -30.0
CLOSERS = ('"', "}", "]", ",")
TEMPLATE = Path(__file__).with_name("chatml.jinja")
WORDS = """the of and to in is that for it was with be by on not he his but at are this have from or had an they which
one you were all her she there would their we him been has when who will no more if out so up said what its about than
into them can only other time new some could these two may first then do any like my now over such our man me even most
made after also did many off before must well back through years where much your way down should because long each just
state people too good little world make very year still see own work men day get here old life both between being under
three never know same last another while us might great go come since against right came take used himself few house use
place during high without again home around small however found part school number system user assistant name city true
false null function call answer score gateway token stream""".split()


@dataclass(frozen=True)
class Variant:
    """How a model behaves."""

    end_bias: float = -6.0
    """The logit bias of the end: `NEVER` talks until it is stopped."""
    rules: tuple[tuple[str, str], ...] = ()
    """Pairs of tokens of which the second nearly always follows the first."""


VARIANTS = {
    "tiny": Variant(),
    "endless": Variant(end_bias=NEVER),
    "tooly": Variant(rules=((LINE_END, CALL), ("}", CALL_END), (CALL_END, END))),
}


class Vocabulary:
    """Tokens of a SentencePiece-like tokenizer, in the order of their ids."""

    def __init__(self):
        self.tokens: list[str] = []
        self.scores: list[float] = []
        self.types: list[int] = []
        self._add("<unk>", 0, TokenType.UNKNOWN)
        for token in ("<s>", "</s>"):
            self._add(token, 0, TokenType.CONTROL)
        for byte in range(256):
            self._add(f"<0x{byte:02X}>", 0, TokenType.BYTE)
        for token in (START, END):
            self._add(token, 0, TokenType.CONTROL)
        for token in (CALL, CALL_END):
            # One token each, and its text shows in the output.
            self._add(token, 0, TokenType.USER_DEFINED)
        characters = [SPACE, *map(chr, range(0x21, 0x7F)), *"äöüßéñçλж漢字日本😀🚀"]
        for character in characters:
            self._add(character, -1000, TokenType.NORMAL)
        # Pieces are merged pairwise, the best score first: every prefix of a word must be a piece.
        whole = [text for word in WORDS for text in (word, SPACE + word)]
        prefixes = dict.fromkeys(text[:end] for text in whole for end in range(2, len(text) + 1))
        for rank, piece in enumerate(sorted(prefixes, key=len, reverse=True)):
            self._add(piece, -rank, TokenType.NORMAL)

    def _add(self, token: str, score: float, kind: TokenType):
        self.tokens.append(token)
        self.scores.append(float(score))
        self.types.append(int(kind))

    def id(self, token: str) -> int:
        return self.tokens.index(token)

    def biases(self, variant: Variant) -> np.ndarray:
        bias = np.zeros(len(self.tokens), np.float32)
        silent = (TokenType.UNKNOWN, TokenType.CONTROL, TokenType.BYTE, TokenType.USER_DEFINED)
        bias[np.isin(self.types, silent)] = NEVER
        bias[self.id(END)] = variant.end_bias
        bias[[self.id(closer) for closer in CLOSERS]] = 1.5
        return bias


def weights(vocabulary: Vocabulary, variant: Variant) -> dict[str, np.ndarray]:
    """Every tensor, rows first: outputs, then inputs."""
    random = np.random.default_rng(1)
    reserved = 1 + len(variant.rules)

    def matrix(outputs: int, inputs: int, keeps_reserved: bool = False) -> np.ndarray:
        made = (random.standard_normal((outputs, inputs)) / np.sqrt(inputs)).astype(np.float32)
        if keeps_reserved:
            made[:reserved] = 0
        return made

    size = len(vocabulary.tokens)
    embedding = random.standard_normal((size, EMBEDDING)).astype(np.float32)
    embedding[:, 0] = 4.0
    for channel, (before, _) in enumerate(variant.rules, 1):
        embedding[:, channel] = 0.0
        embedding[vocabulary.id(before), channel] = 8.0

    ones = np.ones(EMBEDDING, np.float32)
    tensors = {"token_embd.weight": embedding, "output_norm.weight": ones}
    for layer in range(LAYERS):
        block = {
            "attn_norm": ones,
            "attn_q": matrix(EMBEDDING, EMBEDDING),
            "attn_k": matrix(EMBEDDING, EMBEDDING),
            "attn_v": matrix(EMBEDDING, EMBEDDING),
            "attn_output": matrix(EMBEDDING, EMBEDDING, keeps_reserved=True),
            "ffn_norm": ones,
            "ffn_gate": matrix(FEED_FORWARD, EMBEDDING),
            "ffn_up": matrix(FEED_FORWARD, EMBEDDING),
            "ffn_down": matrix(EMBEDDING, FEED_FORWARD, keeps_reserved=True),
        }
        tensors |= {f"blk.{layer}.{name}.weight": tensor for name, tensor in block.items()}

    last = normalised(last_state(tensors))
    bias = vocabulary.biases(variant)
    output = matrix(size, EMBEDDING)
    output[:, 0] = bias / last[:, 0].mean()
    for channel, (before, after) in enumerate(variant.rules, 1):
        reader, carrier = vocabulary.id(after), vocabulary.id(before)
        output[:, channel] = 0.0
        # A logit of about 15, where random ones have a deviation of 1.
        output[reader, channel] = (15.0 - bias[reader]) / last[carrier, channel]
    tensors["output.weight"] = output
    return tensors


def normalised(state: np.ndarray) -> np.ndarray:
    return state / np.sqrt((state * state).mean(-1, keepdims=True) + EPSILON)


def last_state(tensors: dict[str, np.ndarray]) -> np.ndarray:
    """Each token's state after the last layer if it saw only itself: near enough to scale biases by."""
    state = tensors["token_embd.weight"].copy()
    for layer in range(LAYERS):
        block = {name: tensors[f"blk.{layer}.{name}.weight"].T for name in ("attn_v", "attn_output")}
        state += normalised(state) @ block["attn_v"] @ block["attn_output"]
        block = {name: tensors[f"blk.{layer}.{name}.weight"].T for name in ("ffn_gate", "ffn_up", "ffn_down")}
        gate = normalised(state) @ block["ffn_gate"]
        state += (gate / (1 + np.exp(-gate)) * (normalised(state) @ block["ffn_up"])) @ block["ffn_down"]
    return state


def write(name: str, path: Path) -> None:
    """Writes a variant to a file."""
    variant, vocabulary = VARIANTS[name], Vocabulary()
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(name)
    writer.add_description("random weights, for tests")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(len(vocabulary.tokens))
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token.encode() for token in vocabulary.tokens])
    writer.add_token_scores(vocabulary.scores)
    writer.add_token_types(vocabulary.types)
    writer.add_unk_token_id(vocabulary.id("<unk>"))
    writer.add_bos_token_id(vocabulary.id("<s>"))
    writer.add_eos_token_id(vocabulary.id(END))
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE.read_text(encoding="utf-8"))
    for tensor, values in weights(vocabulary, variant).items():
        writer.add_tensor(tensor, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in VARIANTS:
        sys.exit(f"usage: make_model.py {'|'.join(VARIANTS)} FILE")
    write(sys.argv[1], Path(sys.argv[2]))
