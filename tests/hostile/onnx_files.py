"""Hostile files for the onnx adapter."""

from __future__ import annotations

from tests.hostile.hostile import Hostile

FILES: list[Hostile] = []
