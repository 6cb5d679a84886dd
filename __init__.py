"""ComfyUI-Spacetime: direct video with diffusion transformers, from a model in the box to any open one."""

from .nodes import comfy_entrypoint

WEB_DIRECTORY = "./web"

__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
