"""What tests of several rooms share: ``tests/README.md`` says what is where."""
