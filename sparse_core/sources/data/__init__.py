"""Where data sets come from: files, the Hugging Face hub, saved directories."""
