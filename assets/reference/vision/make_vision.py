"""Extends what make_reference.py wrote for vit, dinov2 and clip: the text tower's stream, a DINOv2 with registers, a gated MLP and a classifier, and
a picture of another size than the positions were made for. PyTorch 2.11.0, transformers 5.23.0, float32 on a CPU:

    python make_vision.py        (in this folder)
"""
import json
from pathlib import Path

import torch
import transformers as T
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent


def perturb(model):
    """Give norms, biases and layer scales values that a wrong implementation cannot ignore."""
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=g) * (0.3 if p.dim() == 1 else 0.08))


def image(height, width):
    i = torch.arange(2 * 3 * height * width, dtype=torch.float64)
    return torch.sin(i * 0.05).reshape(2, 3, height, width).float()


def sites(out, hidden, attentions):
    found = {f"blocks.{i}.hook_resid_post": h for i, h in enumerate(hidden[1:])}
    found["blocks.0.hook_resid_pre"] = hidden[0]
    found |= {f"blocks.{i}.attn.hook_pattern": a for i, a in enumerate(attentions or [])}
    return found | out


def write(folder, tensors):
    folder.mkdir(exist_ok=True)
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, str(folder / "expected.safetensors"))


def text():
    config = T.CLIPConfig.from_dict(json.loads((HERE / "clip/config.json").read_text()))
    config._attn_implementation = "eager"
    model = T.CLIPModel(config).eval()
    for sub in model.modules():
        if hasattr(sub, "config"):
            sub.config._attn_implementation = "eager"
    missing = model.load_state_dict(load_file(HERE / "clip/model.safetensors"), strict=False)
    assert not missing.unexpected_keys and all("position_ids" in k for k in missing.missing_keys), missing
    old = load_file(HERE / "clip/expected.safetensors")
    ids = old["tokens"]
    with torch.no_grad():
        # No padding mask: the tower is causal, so that what stands behind the last token does not matter to it.
        y = model.text_model(input_ids=ids, output_hidden_states=True, output_attentions=True)
        embeds = model.text_projection(y.pooler_output)
        embeds = embeds / embeds.norm(dim=-1, keepdim=True)
    assert torch.allclose(embeds, old["text_embeds"], atol=1e-6)
    found = sites({"ln_final.hook_normalized": y.last_hidden_state}, y.hidden_states, y.attentions)
    write(HERE / "clip_text", found | {"tokens": ids})


def registers():
    config = T.Dinov2WithRegistersConfig(hidden_size=32, num_attention_heads=4, num_hidden_layers=2, mlp_ratio=2, image_size=32,
                                         patch_size=8, num_register_tokens=3, use_swiglu_ffn=True, num_labels=7)
    config._attn_implementation = "eager"
    torch.manual_seed(3)
    model = T.Dinov2WithRegistersForImageClassification(config).eval()
    for sub in model.modules():
        if hasattr(sub, "config"):
            sub.config._attn_implementation = "eager"
    perturb(model)
    folder = HERE / "dinov2_registers"
    folder.mkdir(exist_ok=True)
    save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=1, default=str))
    pixels = image(32, 32)
    with torch.no_grad():
        v = model(pixel_values=pixels, output_hidden_states=True, output_attentions=True)
    write(folder, sites({"logits": v.logits}, v.hidden_states, v.attentions) | {"pixel_values": pixels})


def resampled():
    """DINOv2 resamples its positions for a picture of another size."""
    config = T.Dinov2Config.from_dict(json.loads((HERE / "dinov2/config.json").read_text()))
    model = T.Dinov2Model(config).eval()
    model.load_state_dict(load_file(HERE / "dinov2/model.safetensors"))
    pixels = image(48, 64)
    with torch.no_grad():
        v = model(pixel_values=pixels, output_hidden_states=True)
    write(HERE / "dinov2_resampled", sites({"last_hidden_state": v.last_hidden_state}, v.hidden_states, None) | {"pixel_values": pixels})


text()
registers()
resampled()
