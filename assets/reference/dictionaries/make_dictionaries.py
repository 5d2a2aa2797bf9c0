#!/usr/bin/env python3
"""Write tiny sparse dictionaries with the libraries whose forms Golgi reads.

Each folder is what the library itself saves; expected.safetensors beside it holds inputs x, latents f and outputs y that the
library computes from them after loading its own folder. `gemma_scope` and `llama_scope` have no program that saves them: their
files follow the layout of the releases; the former are computed by SAELens and circuit-tracer's formulas, the latter by the steps
of the release's loader, written out here.

    python3 -m venv v && v/bin/pip install sae-lens==6.54.12 eai-sparsify==1.3.3 circuit-tracer==0.5.0
    v/bin/pip install --no-deps dictionary-learning==0.1.0     # what it needs beyond torch is only for training
    SPARSIFY_DISABLE_TRITON=1 v/bin/python make_dictionaries.py .   # and again with an older library:
    PYTHONPATH=<sae-lens 3.23.4, unpacked> v/bin/python make_dictionaries.py . --old
"""
import json, math, shutil, sys, types
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

OUT = Path(sys.argv[1])
D, M, D_OUT, N = 6, 16, 4, 7
torch.set_grad_enabled(False)


def fill(module, seed):
    """Weights that leave some latents active and some not; thresholds above 0."""
    g = torch.Generator().manual_seed(seed)
    for name, tensor in sorted({**dict(module.named_parameters()), **dict(module.named_buffers())}.items()):
        if not tensor.is_floating_point():
            continue
        values = torch.randn(tensor.shape, generator=g) * (0.3 if tensor.ndim < 2 else 0.7)
        tensor.data.copy_(values.abs() * 1.5 if "threshold" in name else values)


def inputs(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1000 + seed))


def expect(folder, **tensors):
    save_file({name: tensor.detach().float().contiguous().clone() for name, tensor in tensors.items()}, folder / "expected.safetensors")
    active = (tensors["f"] != 0).float().mean().item()
    assert 0.02 < active < 0.9, (folder, active)
    print(f"{folder}  active {active:.2f}")


def fresh(*path):
    folder = OUT.joinpath(*path)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


META = dict(model_name="gpt2-small", hook_name="blocks.3.hook_resid_post", hook_head_index=None, context_size=128, prepend_bos=True, dataset_path="Skylion007/openwebtext")


def sae_lens():
    from sae_lens import saes
    from sae_lens.saes.sae import SAE, SAEMetadata

    def one(name, cls, cfg, seed, shape=(N, D), **kwargs):
        metadata = {**META, **kwargs.pop("metadata", {})}
        base = dict(d_in=D, d_sae=M, metadata=SAEMetadata(**metadata))
        module = cls(cfg(**{**base, **kwargs}))
        fill(module, seed)
        folder = fresh("sae_lens", name)
        module.save_model(folder)
        finish(folder, seed, shape)

    def finish(folder, seed, shape=(N, D)):
        loaded = SAE.load_from_disk(folder)
        x = inputs(seed, *shape)
        f = loaded.encode(x)
        y = loaded(x)
        expect(folder, x=x.reshape(N, -1), f=f, y=y.reshape(N, -1))

    one("standard", saes.StandardSAE, saes.StandardSAEConfig, 1)
    one("no_b_dec", saes.StandardSAE, saes.StandardSAEConfig, 2, apply_b_dec_to_input=False)
    one("layer_norm", saes.StandardSAE, saes.StandardSAEConfig, 3, normalize_activations="layer_norm")
    one("constant_norm_rescale", saes.StandardSAE, saes.StandardSAEConfig, 4, normalize_activations="constant_norm_rescale")
    one("hook_z", saes.StandardSAE, saes.StandardSAEConfig, 5, shape=(N, 2, D // 2), reshape_activations="hook_z", metadata=dict(hook_name="blocks.3.attn.hook_z"))
    one("gated", saes.GatedSAE, saes.GatedSAEConfig, 6)
    one("topk", saes.TopKSAE, saes.TopKSAEConfig, 7, k=3)
    one("topk_by_norm", saes.TopKSAE, saes.TopKSAEConfig, 8, k=3, rescale_acts_by_decoder_norm=True)
    one("jumprelu", saes.JumpReLUSAE, saes.JumpReLUSAEConfig, 9, metadata=dict(seqpos_slice=[1, None], prepend_bos=False))
    pair = dict(d_out=D_OUT, apply_b_dec_to_input=False, metadata=dict(hook_name="blocks.3.mlp.hook_in", hook_name_out="blocks.3.hook_mlp_out"))
    one("transcoder", saes.Transcoder, saes.TranscoderConfig, 10, **pair)
    one("skip_transcoder", saes.SkipTranscoder, saes.SkipTranscoderConfig, 11, **pair)
    one("jumprelu_transcoder", saes.JumpReLUTranscoder, saes.JumpReLUTranscoderConfig, 12, **pair)
    one("jumprelu_skip_transcoder", saes.JumpReLUSkipTranscoder, saes.JumpReLUSkipTranscoderConfig, 13, **pair)

    for name, cls, cfg, seed, extra in [
        ("batchtopk", saes.BatchTopKTrainingSAE, saes.BatchTopKTrainingSAEConfig, 14, {}),
        ("matryoshka", saes.MatryoshkaBatchTopKTrainingSAE, saes.MatryoshkaBatchTopKTrainingSAEConfig, 15, dict(matryoshka_widths=[4, 8, M])),
    ]:
        module = cls(cfg(d_in=D, d_sae=M, k=3, metadata=SAEMetadata(**META), **extra))
        fill(module, seed)
        folder = fresh("sae_lens", name)
        module.save_inference_model(folder)
        finish(folder, seed)
        # The checkpoint of the same in training: another architecture, the threshold one number, norms not folded.
        training = fresh("sae_lens", name + "_training")
        module.save_model(training)
        shutil.copy(folder / "expected.safetensors", training / "expected.safetensors")


def sae_lens_old():
    from sae_lens.sae import SAE, SAEConfig
    import sae_lens

    assert sae_lens.__version__.startswith("3."), sae_lens.__version__
    common = dict(
        d_in=D, d_sae=M, context_size=128, model_name="gpt2-small", hook_name="blocks.8.hook_resid_pre", hook_layer=8,
        hook_head_index=None, prepend_bos=True, dataset_path="Skylion007/openwebtext", dataset_trust_remote_code=True,
        apply_b_dec_to_input=True, finetuning_scaling_factor=False, normalize_activations="none", dtype="float32", device="cpu",
        sae_lens_training_version=sae_lens.__version__,
    )
    for name, seed, changes in [
        ("v3_standard", 21, dict(architecture="standard", activation_fn_str="relu")),
        ("v3_topk", 22, dict(architecture="standard", activation_fn_str="topk", activation_fn_kwargs={"k": 3})),
        ("v3_gated", 23, dict(architecture="gated", activation_fn_str="relu")),
        ("v3_jumprelu", 24, dict(architecture="jumprelu", activation_fn_str="relu")),
        ("v3_finetuned", 25, dict(architecture="standard", activation_fn_str="relu", finetuning_scaling_factor=True)),
    ]:
        module = SAE(SAEConfig(**{**common, **changes}))
        fill(module, seed)
        folder = fresh("sae_lens", name)
        module.save_model(str(folder))
        if changes.get("finetuning_scaling_factor"):
            # Its loader knows the name `scaling_factor`, which is also what the released ones hold.
            from safetensors.torch import load_file

            state = load_file(folder / "sae_weights.safetensors")
            state["scaling_factor"] = state.pop("finetuning_scaling_factor")
            save_file(state, folder / "sae_weights.safetensors")
        loaded = SAE.load_from_pretrained(str(folder))
        x = inputs(seed, N, D)
        f = loaded.encode(x)
        expect(folder, x=x, f=f, y=loaded.decode(f))


def sparsify():
    from sparsify import SparseCoder, SparseCoderConfig

    run = fresh("sparsify", "run")
    (run / "config.json").write_text(json.dumps({"model": "EleutherAI/pythia-70m", "dataset": "EleutherAI/SmolLM2-135M-10B", "ctx_len": 2048}))
    for name, seed, cfg in [
        ("layers.3", 31, dict(num_latents=M)),
        ("layers.4", 32, dict(expansion_factor=2)),
        ("layers.3.mlp", 33, dict(num_latents=M, transcode=True, skip_connection=True)),
        # As many latents as dimensions: the shape does not say how a matrix lies.
        ("layers.5", 34, dict(num_latents=D)),
    ]:
        coder = SparseCoder(D, SparseCoderConfig(k=3, **cfg))
        fill(coder, seed)
        folder = run / name
        coder.save_to_disk(folder)
        loaded = SparseCoder.load_from_disk(folder)
        x = inputs(seed, N, D)
        acts, indices, _ = loaded.encode(x)
        f = torch.zeros(N, loaded.num_latents).scatter_(-1, indices, acts)
        expect(folder, x=x, f=f, y=loaded(x).sae_out)


def dictionary_learning():
    for name in ["nnsight", "zstandard"]:
        stub = types.ModuleType(name)
        stub.LanguageModel = object
        sys.modules.setdefault(name, stub)
    from dictionary_learning import dictionary as d, utils
    from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
    from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
    from dictionary_learning.trainers.top_k import AutoEncoderTopK

    for name, seed, module, extra in [
        ("standard", 41, d.AutoEncoder(D, M), {}),
        ("new", 42, d.AutoEncoderNew(D, M), {}),
        ("gated", 43, d.GatedAutoEncoder(D, M), {}),
        ("top_k", 44, AutoEncoderTopK(D, M, 3), {"k": 3}),
        ("batch_top_k", 45, BatchTopKSAE(D, M, 3), {"k": 3}),
        ("matryoshka", 46, MatryoshkaBatchTopKSAE(D, M, 3, [4, 4, 8]), {"k": 3, "group_sizes": [4, 4, 8]}),
        ("jump_relu", 47, d.JumpReluAutoEncoder(D, M), {}),
    ]:
        # Weights stay views of one another's layout, as training leaves them.
        fill(module, seed)
        folder = fresh("dictionary_learning", name)
        torch.save(module.state_dict(), folder / "ae.pt")
        trainer = {"dict_class": type(module).__name__, "activation_dim": D, "dict_size": M, "layer": 8, "lm_name": "EleutherAI/pythia-70m-deduped", "submodule_name": "resid_post_layer_8", **extra}
        buffer = {"d_submodule": D, "io": "out", "n_ctxs": 10, "ctx_len": 128, "refresh_batch_size": 2, "out_batch_size": 4, "device": "cpu"}
        (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": buffer}, indent=2))
        loaded, _ = utils.load_dictionary(str(folder), "cpu")
        x = inputs(seed, N, D)
        f = loaded.encode(x)
        expect(folder, x=x, f=f, y=loaded.decode(f))


def gemma_scope():
    """The releases' layout; what it means is SAELens' `gemma_2` and `gemma_3` loaders."""
    from sae_lens import saes

    folder = fresh("gemma_scope", "gemma-scope-2b-pt-res", "layer_20", "width_16", "average_l0_5")
    module = saes.JumpReLUSAE(saes.JumpReLUSAEConfig(d_in=D, d_sae=M, apply_b_dec_to_input=False))
    fill(module, 51)
    np.savez(folder / "params.npz", **{name: value.numpy() for name, value in module.state_dict().items()})
    x = inputs(51, N, D)
    expect(folder, x=x, f=module.encode(x), y=module(x))

    folder = fresh("gemma_scope", "gemma-scope-2-1b-pt", "transcoder", "layer_7_width_16_l0_small_affine")
    config = saes.JumpReLUSkipTranscoderConfig(d_in=D, d_sae=M, d_out=D_OUT, apply_b_dec_to_input=False)
    module = saes.JumpReLUSkipTranscoder(config)
    fill(module, 52)
    state = module.state_dict()
    names = {"w_enc": "W_enc", "w_dec": "W_dec", "b_enc": "b_enc", "b_dec": "b_dec", "threshold": "threshold"}
    state = {**{new: state[old].contiguous() for new, old in names.items()}, "affine_skip_connection": state["W_skip"].T.contiguous()}
    save_file(state, folder / "params.safetensors")
    point = "model.layers.7.{}_feedforward_layernorm.output"
    (folder / "config.json").write_text(json.dumps({"architecture": "jump_relu", "model_name": "gemma-v3-1b-pt", "hf_hook_point_in": point.format("pre"), "hf_hook_point_out": point.format("post"), "affine_connection": True, "width": M}))
    x = inputs(52, N, D)
    expect(folder, x=x, f=module.encode(x), y=module(x))


def llama_scope():
    """The loader's steps: fold both scales, make decoder rows of length 1, then one threshold for all."""
    folder = fresh("llama_scope", "Llama3_1-8B-Base-L15R-8x")
    (folder / "checkpoints").mkdir()
    g = torch.Generator().manual_seed(61)
    state = {"encoder.weight": torch.randn(M, D, generator=g), "encoder.bias": torch.randn(M, generator=g) * 0.3, "decoder.weight": torch.randn(D, M, generator=g) * 0.6, "decoder.bias": torch.randn(D, generator=g) * 0.3}
    save_file(state, folder / "checkpoints" / "final.safetensors")
    hook = "blocks.15.hook_resid_post"
    cfg = {"hook_point_in": hook, "hook_point_out": hook, "d_model": D, "d_sae": M, "expansion_factor": M / D, "use_decoder_bias": True, "use_glu_encoder": False, "act_fn": "jumprelu", "jump_relu_threshold": 0.5, "apply_decoder_bias_to_pre_encoder": False, "norm_activation": "dataset-wise", "dataset_average_activation_norm": {"in": 1.7, "out": 1.7}, "sparsity_include_decoder_norm": True, "top_k": 50}
    (folder / "hyperparams.json").write_text(json.dumps(cfg))
    s = math.sqrt(D) / 1.7
    encoder, bias, decoder = state["encoder.weight"], state["encoder.bias"] / s, state["decoder.weight"]
    norms = decoder.norm(dim=0)
    x = inputs(61, N, D)
    h = x @ (encoder * norms[:, None]).T + bias * norms
    f = h.where(h > 0.5, torch.zeros(()))
    y = f @ (decoder / norms).T + state["decoder.bias"] / s
    # Golgi keeps the stored weights, so its latents are in the scaled units of these.
    expect(folder, x=x, f=f * s / norms, y=y)


def circuit_tracer():
    from circuit_tracer.transcoder.activation_functions import JumpReLU
    from circuit_tracer.transcoder.cross_layer_transcoder import CrossLayerTranscoder, load_clt
    from circuit_tracer.transcoder.single_layer_transcoder import SingleLayerTranscoder, TranscoderSet, load_transcoder_set

    layers, cpu = 2, dict(device=torch.device("cpu"), dtype=torch.float32)
    hooks = dict(feature_input_hook="mlp.hook_in", feature_output_hook="hook_mlp_out")
    folder = fresh("circuit_tracer", "per_layer")
    threshold = lambda: JumpReLU(torch.zeros(M), 0.1)
    ones = {i: SingleLayerTranscoder(D, M, threshold(), i, skip_connection=True, **cpu) for i in range(layers)}
    [fill(one, 71 + i) for i, one in ones.items()]
    TranscoderSet(ones, **hooks).to_safetensors(str(folder))
    config = "".join(f"{key}: {value}\n" for key, value in {"model_name": "meta-llama/Llama-3.2-1B", "model_kind": "transcoder_set", **hooks, "scan": "tiny"}.items())
    (folder / "config.yaml").write_text(config)
    paths = {i: str(folder / f"layer_{i}.safetensors") for i in range(layers)}
    loaded = load_transcoder_set(paths, scan="tiny", lazy_encoder=False, lazy_decoder=False, **hooks, **cpu)
    x = inputs(71, layers, N, D)
    f = loaded.encode(x)
    expect(folder, x=x, f=f, y=loaded.decode(f, x))

    folder = fresh("circuit_tracer", "cross_layer")
    layers = 3
    clt = CrossLayerTranscoder(layers, M, D, activation_function="jump_relu", lazy_decoder=False, **cpu)
    fill(clt, 75)
    clt.to_safetensors(str(folder))
    hooks = dict(feature_input_hook="hook_resid_mid", feature_output_hook="hook_mlp_out")
    config = "".join(f"{key}: {value}\n" for key, value in {"model_name": "google/gemma-2-2b", "model_kind": "cross_layer_transcoder", **hooks}.items())
    (folder / "config.yaml").write_text(config)
    loaded = load_clt(str(folder), lazy_decoder=False, **hooks, **cpu)
    x = inputs(75, layers, N, D)
    f = loaded.encode(x)
    expect(folder, x=x, f=f, y=loaded.decode(f))


if "--old" in sys.argv:
    sae_lens_old()
else:
    for make in [sae_lens, sparsify, dictionary_learning, gemma_scope, llama_scope, circuit_tracer]:
        make()
