"""People's belongings: what each may use, one's account, one's runs; taking all of it along, or away."""
