"""One gateway as several processes: who supervises them, what each has to itself, how they answer as one."""
