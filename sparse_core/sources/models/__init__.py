"""Where models come from: directories, the Hugging Face hub, old pickled weights."""
