"""The admin port: health, readiness and metrics. It never serves data, and the data port never serves this."""
