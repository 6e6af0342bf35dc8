"""Where the inputs of a run come from: data files, and model directories or hub ids."""
