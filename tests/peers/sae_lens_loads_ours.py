#!/usr/bin/env python3
"""SAELens and sparsify load what Golgi exports, and compute the same latents and outputs.

Every dictionary under assets/reference/dictionaries is imported by `golgi sae import`, exported by `golgi sae export`, loaded by the
library, and held against what the library that wrote the dictionary computes of it (expected.safetensors, in f32, to 1e-5).

    python3 -m venv v && v/bin/pip install sae-lens==6.54.12 eai-sparsify==1.3.3
    SPARSIFY_DISABLE_TRITON=1 v/bin/python tests/peers/sae_lens_loads_ours.py target/release/golgi

Nothing is fetched. Ends with 1 if anything differs, or if less was compared than there is.
"""
import json, subprocess, sys, tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

TOLERANCE = 1e-5
ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "assets" / "reference" / "dictionaries"
# Dictionaries that a form has no place for, by the reason that Golgi gives.
REFUSALS = {"sae_lens": ["no transcoder of the architecture `top_k`", "writes 2, where", "writes 3, where", "in transcoders only"], "sparsify": ["sparsify has TopK only", "always subtracts"]}

golgi = Path(sys.argv[1]).resolve()
torch.set_grad_enabled(False)


def run(*args):
    done = subprocess.run([golgi, "sae", *map(str, args)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def load_sae_lens(folder, x):
    from sae_lens import SAE

    sae = SAE.load_from_disk(folder)
    if sae.cfg.reshape_activations == "hook_z":
        x = x.reshape(len(x), 2, -1)
    return sae.encode(x), sae(x).reshape(len(x), -1)


def load_sparsify(folder, x):
    from sparsify import SparseCoder

    coder = SparseCoder.load_from_disk(folder)
    acts, indices, _ = coder.encode(x)
    f = torch.zeros(len(x), coder.num_latents).scatter_(-1, indices, acts)
    return f, coder(x).sae_out


LOAD = {"sae_lens": load_sae_lens, "sparsify": load_sparsify}
compared, refused, failed = 0, 0, 0
with tempfile.TemporaryDirectory() as work:
    work = Path(work)
    for number, expected in enumerate(sorted(REFERENCE.rglob("expected.safetensors"))):
        name = expected.parent.relative_to(REFERENCE)
        ours = work / f"{number}"
        code, out, err = run("import", expected.parent, "--out", ours, "--json")
        assert code == 0, (name, err)
        folders = [work / one["folder"] for one in json.loads(out)["dictionaries"]]
        tensors = load_file(expected)
        for layer, folder in enumerate(folders):
            several = len(folders) > 1
            x, f, y = (tensors[key][layer] if several else tensors[key] for key in "xfy")
            for form, load in LOAD.items():
                exported = work / f"{number}-{layer}-{form}"
                code, _, err = run("export", folder, "--format", form, "--out", exported, "--fold")
                if code != 0:
                    refused += 1
                    if not any(reason in err for reason in REFUSALS[form]):
                        failed += 1
                        print(f"FAILED {name} as {form}: {err.strip()}")
                    continue
                found_f, found_y = load(exported, x)
                # Of a cross-layer transcoder only the last layer is written alone, and its outputs are not the whole sum.
                off = [(found_f - f).abs().max().item()]
                if not (several and "cross_layer" in str(name)):
                    off.append((found_y - y).abs().max().item())
                ok = max(off) < TOLERANCE
                compared += 1
                failed += not ok
                print(f"{'ok    ' if ok else 'FAILED'} {name} as {form}: off by {max(off):.1e}")
print(f"{compared} compared, {refused} refused with a known reason, {failed} failed")
sys.exit(failed > 0 or compared < 40)
