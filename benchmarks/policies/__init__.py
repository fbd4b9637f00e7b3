"""How long a policy decision takes, and what the statements weigh."""
