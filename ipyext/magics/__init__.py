"""Magics: parse, call, print. They use public interfaces only."""
