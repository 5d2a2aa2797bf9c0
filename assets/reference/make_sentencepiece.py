#!/usr/bin/env python3
"""Write sentencepiece.json: a small SentencePiece BPE model with a dummy prefix and byte fallback, as a GGUF stores one,
and what SentencePiece itself makes of the texts of make_tokens.py that spell out no special token.

    make_sentencepiece.py OUT.json

Needs what make_tokens.py needs. The training text is that list of texts and the Zen of Python (public domain).
"""
import codecs, io, json, sys, this
import sentencepiece as spm
from make_tokens import TEXTS

corpus = codecs.decode(this.s, "rot13").splitlines() * 4 + [line for text in TEXTS for line in text.splitlines() if line.isprintable()]
model = io.BytesIO()
spm.SentencePieceTrainer.train(
    sentence_iterator=iter(corpus), model_writer=model, model_type="bpe", vocab_size=900, byte_fallback=True,
    character_coverage=0.98, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True,
    num_threads=1, minloglevel=2)
sp = spm.SentencePieceProcessor(model_proto=model.getvalue())
kind = lambda id: 2 if sp.is_unknown(id) else 3 if sp.is_control(id) else 6 if sp.is_byte(id) else 1
ids = range(sp.vocab_size())
special = ("<unk>", "<s>", "</s>")
cases = [dict(text=text, ids=sp.encode(text)) for text in TEXTS if not any(name in text for name in special) and "\x00" not in text]
result = dict(tokens=[sp.id_to_piece(id) for id in ids], scores=[sp.get_score(id) for id in ids],
              types=[kind(id) for id in ids], cases=cases)
with open(sys.argv[1], "w") as file:
    json.dump(result, file, ensure_ascii=True)
    file.write("\n")
