"""From what models say about images to business states: rules, votes, windows and what keeps states from flickering."""
