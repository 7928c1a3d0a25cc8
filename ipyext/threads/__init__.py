"""Threads with an event loop: named, ready when started, joined when stopped."""
