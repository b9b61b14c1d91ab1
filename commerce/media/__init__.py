"""Pictures of products: taken in, looked at before anything decodes them, kept, and resized when they are asked for."""
