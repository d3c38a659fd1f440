"""Screens that look like programs: a window with a title, a toolbar, a list of lines and a dialog, step by step."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image, ImageDraw

from ....actions.geometry import Size
from ....perception.observation import Screenshot


def ui_screen(size: Size, number: int) -> Screenshot:
    """The screen of this number; consecutive ones differ in some lines and in the place of the dialog."""
    rng = random.Random(number)
    width, height = size
    image = Image.new("RGB", (width, height), (236, 238, 242))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, height // 14), fill=(42, 60, 92))
    draw.text((16, height // 50), f"Window {number}: documents and messages", fill="white")
    for index in range(8):
        left = 20 + index * width // 9
        draw.rectangle((left, height // 12, left + width // 10, height // 8), fill=(220, 224, 232), outline="gray")
        draw.text((left + 8, height // 11), f"Tool {index}", fill="black")
    line = max(height // 34, 8)
    for index, top in enumerate(range(height // 7, height - line, line)):
        words = " ".join(rng.choice(("open", "draft", "report", "March", "paid", "new", "42")) for _ in range(9))
        draw.text(
            (24, top), f"{index:3} {words if index % 3 == number % 3 else 'unchanged line of a long list'}", "black"
        )
    left, top = rng.randrange(max(width // 2, 1)), rng.randrange(max(height // 2, 1))
    draw.rectangle((left, top, left + width // 4, top + height // 5), fill="white", outline="black")
    draw.text((left + 10, top + 10), "Do you want to go on?", fill="black")
    return Screenshot(np.asarray(image).copy())
