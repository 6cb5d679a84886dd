"""The networks and the arithmetic of their shapes. Nothing in this package imports ComfyUI."""
