"""Words that answer questions about colours and numbers."""

COLORS = frozenset(
    "beige black blue brown gold gray green grey maroon orange pink purple red silver tan "
    "turquoise white yellow".split()
)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
