"""Images of products over REST: uploaded, and shown in any size and format."""
