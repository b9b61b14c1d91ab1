"""Jobs as the shop's people see them: whose they are, who may end them, and which there are."""
