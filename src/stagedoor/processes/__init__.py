"""Other programs that work for Stagedoor: starting, watching, finding again and ending them."""
