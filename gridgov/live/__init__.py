"""Open pages learn that something changed: one look a second into the database for all of them, and a stream to each.

Only *that* something changed is told, and only of what the person may see; the page then asks for its part itself.
"""
