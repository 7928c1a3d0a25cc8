"""What is patched in each project. Imported only after `ipyext_patches.versions.check`."""
