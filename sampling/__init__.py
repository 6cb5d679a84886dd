"""How the denoiser is driven: a prompt becomes conditioning, and noise becomes latents through the host's samplers."""
