#!/usr/bin/env python3
"""Write cmyk.jpg: 16 × 16 pixels in CMYK, red on the left, darkened cyan on the right.

    make_cmyk.py OUT.jpg

Needs Pillow, the one encoder of CMYK among ours; it reads the two halves back as (255, 0, 0) and (0, 191, 191).
"""
import sys
from PIL import Image

image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
image.paste((255, 0, 0, 64), (8, 0, 16, 16))
image.save(sys.argv[1], quality=95, optimize=True)
