"""A virtual city on a virtual clock, through the real engine and a scratch database: what would other limits do?

`gridgov simulate` plays reports, people who work them off and deadlines that pass. What the city is like is assumptions.yaml;
docs/simulation.md says it in words. Nothing here ever touches a city's own data.
"""
