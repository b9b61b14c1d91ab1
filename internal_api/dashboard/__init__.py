"""How everything is, for operators in a browser: one page, kept up to date while somebody looks."""
