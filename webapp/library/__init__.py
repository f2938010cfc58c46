"""What people bring: uploads and imports, their inspection, and the files of the models that came of them."""
