"""The report, and an invented trial to report on."""
