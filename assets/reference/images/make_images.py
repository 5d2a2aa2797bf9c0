#!/usr/bin/env python3
"""Write preprocess.json: what PyTorch makes of planted pictures by the ways in which vision models resize theirs.

    make_images.py OUT.json

Needs PyTorch (made with 2.11.0). torchvision's `Resize(n, antialias=True)` on a tensor is `interpolate` to
(n, int(n · long / short)), and `CenterCrop` begins at round(rest / 2); both are written out here. The picture is
v[y, x, c] = (7x + 13y + 50c + 3 (xy mod 31)) mod 256. Of each result every `stride`-th value is kept.
"""
import json, sys
import torch
import torch.nn.functional as F


def picture(width, height):
    x, y = torch.arange(width)[None, :], torch.arange(height)[:, None]
    return torch.stack([(7 * x + 13 * y + 50 * c + 3 * ((x * y) % 31)) % 256 for c in range(3)]).float()


def case(width, height, fit, interpolation, antialias, scale, mean, std, stride):
    v = picture(width, height)[None]
    kind, value = next(iter(fit.items()))
    to = lambda v, size: F.interpolate(v, size=size, mode=interpolation, align_corners=False, antialias=antialias)
    if kind == "stretch":
        v = to(v, (value, value))
    elif kind == "square_then_resize":
        side = min(width, height)
        top, left = (height - side) // 2, (width - side) // 2
        v = to(v[..., top:top + side, left:left + side], (value, value))
    else:
        short, long = sorted([width, height])
        n, crop = value["resize"], value["crop"]
        other = int(n * long / short)
        h, w = (n, other) if height <= width else (other, n)
        v = to(v, (h, w))
        top, left = int(round((h - crop) / 2.0)), int(round((w - crop) / 2.0))
        v = v[..., top:top + crop, left:left + crop]
    m, s = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]
    v = ((v[0] * scale - m) / s).flatten()
    settings = dict(fit=fit, interpolation=interpolation, antialias=antialias, scale=scale, mean=mean, std=std)
    return dict(width=width, height=height, settings=settings, stride=stride, values=[round(x, 6) for x in v[::stride].tolist()])


IMAGENET = (1 / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
LITE = (1.0, [127.0] * 3, [128.0] * 3)
PLAIN = (1 / 255, [0.0] * 3, [1.0] * 3)
crop = lambda resize, crop: {"resize_then_crop": {"resize": resize, "crop": crop}}
CASES = [
    (301, 200, crop(256, 224), "bilinear", True, *IMAGENET, 1499),
    (640, 481, crop(256, 224), "bilinear", True, *IMAGENET, 1499),
    (481, 1300, crop(256, 224), "bicubic", True, *IMAGENET, 1499),
    (500, 333, crop(249, 224), "bicubic", False, *IMAGENET, 1499),
    (640, 481, {"square_then_resize": 224}, "bilinear", False, *LITE, 1499),
    (97, 150, {"square_then_resize": 224}, "bilinear", False, *LITE, 1499),
    (61, 47, {"stretch": 9}, "bicubic", True, *PLAIN, 1),
    (7, 5, {"stretch": 11}, "bicubic", True, *PLAIN, 1),
    (7, 5, {"stretch": 11}, "bilinear", True, *PLAIN, 1),
    (61, 47, {"stretch": 9}, "bicubic", False, *PLAIN, 1),
    (1, 3, {"stretch": 4}, "bilinear", False, *PLAIN, 1),
]

if __name__ == "__main__":
    cases = [case(*c) for c in CASES]
    with open(sys.argv[1], "w") as out:
        lines = ",\n".join(json.dumps(c) for c in cases)
        out.write('{"made_with": "PyTorch %s", "cases": [\n%s\n]}\n' % (torch.__version__.split("+")[0], lines))
