"""Who may copy what to where: rule kinds, documents and the one evaluator. Pure; parameters come from documents."""
