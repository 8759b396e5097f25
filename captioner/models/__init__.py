"""The programs: a captioner that also answers questions, a translator, a model of characters."""
