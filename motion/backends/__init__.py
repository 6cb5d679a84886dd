"""A plan, compiled to tracks, becomes what one kind of model is steered with. Needs no ComfyUI."""
