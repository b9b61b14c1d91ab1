"""The assistant: questions of shoppers, answered by a model from the catalogue, in runs that outlive who asked."""
