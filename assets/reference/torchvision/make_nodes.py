#!/usr/bin/env python3
"""Write nodes_<name>.safetensors and shapes.json: what torchvision computes at every operation of its networks.

    python3 -m venv v && v/bin/pip install torch==2.11.0 torchvision==0.26.0 safetensors
    v/bin/python make_nodes.py

The weights are the formula weights of make_reference.py, on its formula image. For each node of the traced graph (named as
torchvision.models.feature_extraction names it) eight numbers: mean and standard deviation of its value, and the means of its first six channels.
Nodes that only turn, drop or name things are left out. torchvision_<name>.safetensors beside them come from make_reference.py.
"""
import json, sys
from pathlib import Path
import torch, torchvision
from safetensors.torch import save_file
from torchvision.models import feature_extraction
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from make_reference import formula_fill

feature_extraction._get_leaf_modules_for_ops = lambda: []     # look inside torchvision's own modules
here = Path(__file__).resolve().parent
NAMES = ["alexnet", "vgg11", "vgg16_bn", "resnet18", "resnet50", "resnext50_32x4d", "googlenet", "squeezenet1_0", "squeezenet1_1", "mobilenet_v2",
         "efficientnet_b0", "efficientnet_b5", "convnext_tiny", "densenet121"]
i = torch.arange(3 * 64 * 64, dtype=torch.float64)
image = torch.sin(i * 0.05).reshape(1, 3, 64, 64).float()
shapes = {}
for name in NAMES:
    kw = dict(transform_input=False, aux_logits=False, init_weights=False) if name == "googlenet" else {}
    net = getattr(torchvision.models, name)(weights=None, **kw).eval()
    formula_fill(net)
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False                 # otherwise a norm's stored value is overwritten by the rectifier behind it
    shapes[name] = {k: list(v.shape) for k, v in net.state_dict().items() if v.is_floating_point()}
    nodes = get_graph_node_names(net)[1]
    modules = dict(net.named_modules())
    skip = (torch.nn.Dropout, torchvision.ops.Permute, torchvision.ops.StochasticDepth)
    kept = [n for n in nodes[1:] if not isinstance(modules.get(n), skip) and "layer_scale" not in n and "classifier_0" not in n and "permute" not in n
            and "stochastic_depth" not in n and n.split(".")[-1] != "dropout" and not n.endswith(("_weight", "_bias"))]
    with torch.no_grad():
        extractor = create_feature_extractor(net, {n: n for n in kept})
        for node in extractor.graph.nodes:
            if node.kwargs.get("inplace"):
                node.kwargs = {**node.kwargs, "inplace": False}
        extractor.recompile()
        values = extractor(image)
    out = {}
    for node, value in values.items():
        if name.startswith("convnext") and node.split(".")[-2:][0] == "block" and node.split(".")[-1] in "2345":
            value = value.permute(0, 3, 1, 2)     # channels last, in torchvision
        if name.startswith("convnext") and node.endswith("layer_norm"):
            node, value = node.removesuffix(".layer_norm"), value.permute(0, 3, 1, 2)
        axes = [0] + list(range(2, value.dim()))
        first = value.mean(axes)[:6]
        out[node] = torch.cat([value.mean().reshape(1), value.std().reshape(1), first]).double().contiguous()
    save_file(out, str(here / f"nodes_{name}.safetensors"))
    print(name, len(out), list(out)[:3], list(out)[-3:])
(here / "shapes.json").write_text(json.dumps(shapes, separators=(",", ":")))
