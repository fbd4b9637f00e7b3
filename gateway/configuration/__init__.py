"""How settings are read: value types, sources, checks across settings, and errors that say where and why."""
