"""What users' type checkers say of this package, without a plugin."""
