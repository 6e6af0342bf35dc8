"""Where models come from: folders, the Hugging Face hub, old pickled weights."""
