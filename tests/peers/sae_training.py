#!/usr/bin/env python3
"""Trains a TopK dictionary as plain dense PyTorch, or by SAELens, on rows that the benchmark `sae_peers` has written.

    sae_training.py dense|sae_lens rows.f32 D M K BATCH BATCHES STEPS WARM_UP SET_UP RATE

The last batch of the file is held out. Prints one line of JSON: name, milliseconds (the median of a step), explained_variance of the held-out
batch, 1 - sum |x - fit|^2 / sum |x - mean|^2. `cargo xtask bench --peers` sets everything up and runs it.
"""
import json, sys, time

import torch

method, path = sys.argv[1:3]
D, M, K, BATCH, BATCHES, STEPS, WARM_UP, SET_UP = map(int, sys.argv[3:11])
RATE = float(sys.argv[11])
rows = torch.from_file(path, size=(BATCHES + 1) * BATCH * D, dtype=torch.float32).view(BATCHES + 1, BATCH, D).clone()
# As Golgi scales them: rows of mean square norm 1. SAELens wants sqrt(d).
rows = rows / rows[0].square().sum(-1).mean().sqrt()
held_out = rows[-1]
torch.manual_seed(0)


def explained(fit, x):
    return (1 - (x - fit).square().sum() / (x - x.mean(0)).square().sum()).item()


def rate(step):
    return RATE * min(1.0, (step + 1) / WARM_UP)


def timed(step_of):
    times = []
    for step in range(STEPS):
        batch = rows[step % BATCHES]
        start = time.perf_counter()
        step_of(step, batch)
        times.append((time.perf_counter() - start) * 1e3)
    return sorted(times[SET_UP:])[(STEPS - SET_UP) // 2]


def dense():
    """The formulas as they stand, with PyTorch's own differentiation and Adam."""
    decoder = torch.randn(M, D)
    decoder = torch.nn.Parameter(decoder / decoder.norm(dim=-1, keepdim=True))
    encoder = torch.nn.Parameter(decoder.detach().clone())
    b_enc, b_dec = torch.nn.Parameter(torch.zeros(M)), torch.nn.Parameter(rows[0].median(0).values)
    parameters = [encoder, b_enc, decoder, b_dec]
    adam = torch.optim.Adam(parameters, lr=RATE, betas=(0.9, 0.999))

    def forward(x):
        values, indices = torch.relu((x - b_dec) @ encoder.T + b_enc).topk(K, dim=-1)
        f = torch.zeros(len(x), M).scatter(-1, indices, values)
        return f @ decoder + b_dec

    def step(number, x):
        adam.param_groups[0]["lr"] = rate(number)
        adam.zero_grad()
        (forward(x) - x).square().sum(-1).mean().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        with torch.no_grad():
            decoder.grad.sub_((decoder.grad * decoder).sum(-1, keepdim=True) * decoder)
            adam.step()
            decoder.div_(decoder.norm(dim=-1, keepdim=True))

    milliseconds = timed(step)
    with torch.no_grad():
        return "dense PyTorch", milliseconds, explained(forward(held_out), held_out)


def sae_lens():
    """SAELens' own trainer, a step at a time, with its published defaults but for the rate."""
    import sae_lens
    from sae_lens.config import SAETrainerConfig
    from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.training.sae_trainer import SAETrainer

    scaled = rows * D**0.5
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=D, d_sae=M, k=K, device="cpu", dtype="float32", normalize_activations="none"))
    cfg = SAETrainerConfig(
        total_training_samples=STEPS * BATCH, train_batch_size_samples=BATCH, lr=RATE, lr_end=RATE, lr_warm_up_steps=WARM_UP
    )
    trainer = SAETrainer(cfg=cfg, sae=sae, data_provider=iter([]))

    def step(number, _):
        trainer.step(scaled[number % BATCHES])
        trainer.n_training_steps += 1

    milliseconds = timed(step)
    with torch.no_grad():
        return f"SAELens {sae_lens.__version__}", milliseconds, explained(sae(scaled[-1]), scaled[-1])


name, milliseconds, variance = {"dense": dense, "sae_lens": sae_lens}[method]()
print(json.dumps({"name": name, "milliseconds": milliseconds, "explained_variance": variance}))
