"""Token classification: words with a tag each."""
