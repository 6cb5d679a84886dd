"""A file on disk -> a native MODEL, CLIP or VAE of the host, with one clear sentence for every file that is refused."""
