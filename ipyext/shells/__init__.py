"""Requests, the shells that answer them, and the engine that brings the two together."""
