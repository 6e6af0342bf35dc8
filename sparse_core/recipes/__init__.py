"""The recipes that come with the library, as YAML; `sparse_core.recipe.load_recipe` takes their names."""
