#!/usr/bin/env python3
"""Write tokens.json: what reference tokenizers make of a list of awkward texts.

    make_tokens.py SMOLLM2.gguf GEMMA3.gguf MINILM_DIR OUT.json

Needs the packages transformers, tokenizers, sentencepiece, protobuf and gguf (made with transformers 5.23.0,
tokenizers 0.23.3, sentencepiece 0.2.3, gguf 0.19.0; all Apache-2.0 or MIT). No tensor library is needed.

SmolLM2: transformers' conversion of the GGUF, but with the pre-tokenizer of the model's own tokenizer.json (digits one
by one, then GPT-2's rules): transformers ignores `tokenizer.ggml.pre = smollm`, which changes runs of spaces before
digits. Texts where that matters are listed on standard error.
Gemma 3: SentencePiece itself on a model file rebuilt from the GGUF's vocabulary, and transformers' conversion; a text on
which the two differ is listed on standard error, and SentencePiece, with which the model was trained, counts.
MiniLM: transformers' AutoTokenizer.
"""
import importlib, json, sys
from gguf import GGUFReader
from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2 as pb
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

convert = importlib.import_module("transformers.integrations.gguf.gguf_tokenizer_mapping").convert_gguf_tokenizer

TEXTS = [
    "", " ", "  ", "\n", "\t", "a", " a", "a ", "  a  b   c    d", "\n\n\n\nx\n y\n  z", "a\tb\t\tc\t\t\td", "x \n\t \r\n y",
    "\r\n\r\n", "tab\tnewline\ncarriage\rvertical\x0bform\x0cfeed", " " * 35 + "x", "x" + " " * 70, "\n" * 40, "\t" * 33,
    "def f(x):\n    if x > 0:\n        return x ** 2\n\n\treturn -x  # ok\n", "for (int i=0;i<10;++i){a[i]+=i*2;}",
    "0", "12", "123", "1234567890", "3.14159 1,000,000 2024-02-29 12:34:56", "a  1  22   333", "x1y22z333", "１２３ ٣٤٥ Ⅷ ½ ²",
    "I'm you're he'd we'll they've it's don't I'M YOU'RE HE'D", "'s 't ''s 'x", "“Curly” ‘quotes’ – dash — em…",
    "Hello, world!", "Hello,world!!!???...", "$5.00 + €3,50 = £2% #tag @user", "a_b-c.d/e\\f|g~h`i^j", "((([[[{{{<<<>>>}}}]]])))",
    "https://example.org/path?x=1&y=%20#frag", "user.name+tag@example.co.uk",
    "CamelCaseWord XMLHttpRequest iPhone UPPERlower", "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "Ünïcödé naïve façade Straße Œuvre Ǆ ﬁ", "e\u0301 vs é, A\u030a vs Å, q\u0323\u0307", "Ça va? Où est l’été? ¿Qué? ¡Sí!",
    "Привет, мир! Ёжик", "Γειά σου Κόσμε", "שלום עולם", "مرحبا بالعالم، كيف الحال؟", "नमस्ते दुनिया", "สวัสดีชาวโลก", "გამარჯობა", "Xin chào thế giới",
    "你好，世界！", "今日は良い天気ですね。", "カタカナ ひらがな 漢字", "안녕하세요 세계", "中文English混排123测试", "𠮷野家 𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "🙂", "😀😃😄", "👩‍👩‍👧‍👦 👍🏽 🇩🇪🇯🇵 ❤️", "emoji🙂in🙂word", "☃ ★ ♥ → ∑∫√∞ ≤≥≠", "\u200b\u200d\ufeff zero\u200bwidth", "no\u00a0break\u2009thin\u3000wide",
    "\x00\x01\x7f", "\ufffd\ufffe", "▁ literal ▁▁ mark", "<0x0A> <0xE5>", "Ġ Ċ literal",
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "<|endoftext|>", "a<|endoftext|> b", "<|im_start", "<|unknown|>",
    "<bos>text<eos>", "<start_of_turn>user\nHi<end_of_turn>\n", "<unused0> <pad><unk>", "<table><tr><td>x</td></tr></table>", "<b>bold</b> <h1>",
    "[CLS] text [SEP] [MASK] [PAD] [UNK]", "[multimodal]", "<s> </s>",
    "When Mary and John went to the store, John gave a drink to", "The quick brown fox jumps over the lazy dog. " * 3,
    "unaffable UNAFFABLE Unaffable", "don't can't", "a" * 150, "ab" * 60, "aaaa aaa aa a",
]


def gguf_fields(path):
    fields = GGUFReader(path).fields
    return {name: field.contents() for name, field in fields.items() if name.startswith(("tokenizer.", "general."))}


def converted(fields):
    get = lambda key: fields.get(f"tokenizer.ggml.{key}")
    wanted = dict(tokenizer_type=get("model"), pre_tokenizer_type=get("pre"), tokens=get("tokens"), scores=get("scores"),
                  token_type=get("token_type"), merges=get("merges"), add_prefix_space=get("add_space_prefix"))
    return convert(fields["general.architecture"], {key: value for key, value in wanted.items() if value is not None})[0]


def sentencepiece(fields):
    """SentencePiece's own program on the GGUF's vocabulary."""
    model = pb.ModelProto()
    for piece, score, kind in zip(*(fields[f"tokenizer.ggml.{key}"] for key in ("tokens", "scores", "token_type"))):
        # Control tokens that are written out in text are found by every program around SentencePiece, so let it find them.
        kind = 2 if piece == "<unk>" else 4 if kind == 3 else kind
        if kind == 4:
            piece = piece.replace(" ", "▁")
        model.pieces.add(piece=piece, score=score, type=kind)
    model.trainer_spec.model_type = pb.TrainerSpec.BPE
    model.trainer_spec.byte_fallback = True
    model.trainer_spec.vocab_size = len(model.pieces)
    model.trainer_spec.unk_id, model.trainer_spec.bos_id, model.trainer_spec.eos_id, model.trainer_spec.pad_id = 3, -1, -1, -1
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = False
    model.normalizer_spec.remove_extra_whitespaces = False
    model.normalizer_spec.escape_whitespaces = True
    return SentencePieceProcessor(model_proto=model.SerializeToString())


def main(smollm2, gemma3, minilm, out):
    fields = gguf_fields(smollm2)
    plain, smol = converted(fields), converted(fields)
    smol.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                  pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    fields = gguf_fields(gemma3)
    gemma, spm = converted(fields), sentencepiece(fields)
    bert = AutoTokenizer.from_pretrained(minilm)
    cases = []
    for text in TEXTS:
        ids = smol.encode(text, add_special_tokens=False).ids
        if ids != plain.encode(text, add_special_tokens=False).ids:
            print("smollm2: digits matter in", repr(text), file=sys.stderr)
        other = gemma.encode(text, add_special_tokens=False).ids
        # SentencePiece cannot be told to find its unknown token in text.
        pieces = other if "<unk>" in text else spm.encode(text)
        if pieces != other:
            print("gemma3: sentencepiece", pieces, "transformers", other, "in", repr(text), file=sys.stderr)
        cases.append(dict(text=text, smollm2=ids, gemma3=pieces, minilm=bert(text).input_ids))
    with open(out, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(case, ensure_ascii=True) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main(*sys.argv[1:5])
