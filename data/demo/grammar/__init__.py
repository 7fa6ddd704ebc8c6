"""A hand-made English–French synchronous grammar: each rule writes both sides and their links."""
