"""The recipes of the zoo: how each small checkpoint in modelcore/zoo was made, to be run again."""

from modelcore.training.recipes.digits import train_digits
from modelcore.training.recipes.numbers import train_numbers
from modelcore.training.recipes.patterns import train_patterns
from modelcore.training.recipes.prose import train_prose

RECIPES = {"digits": train_digits, "numbers": train_numbers, "patterns": train_patterns, "prose": train_prose}
