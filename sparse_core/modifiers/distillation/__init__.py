"""Distillation: learning from a teacher's outputs."""
