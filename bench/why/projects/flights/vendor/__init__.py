"""Packages of others, as they were copied."""
