"""The tree of grids: city, township, village, micro grid; their codes, areas, and where a point lies."""
